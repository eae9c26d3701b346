"""The picture beside each dataset's README, drawn from its shipped synthetic rows. Knows no installation.

`python -m access_control.portal.pictures` writes them all; `bin/campus fix` runs it. Open datasets are drawn
from their sample, private ones from their twin. The same rows always give the same bytes.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from access_control.locale import Lang
from access_control.portal import collect, figures
from access_control.portal.facts import REPO, FactsShelf, Figure, read_figure
from access_control.portal.visit import environment
from access_control.portal.wording import Wording
from catalog.descriptions import Dataset, load_all
from catalog.samples import load_samples
from catalog.synth.publish import load_twins
from catalog.warehouse import Warehouse

NAME: Final = "picture.svg"
DATASETS: Final = REPO / "datasets"
WIDTH, ABOVE, BELOW, LEGEND = 688, 68, 32, 28


def pictures(warehouse: Warehouse, datasets: Mapping[str, Dataset]) -> Iterator[tuple[Path, str]]:
    """Path and text of every picture; `warehouse` holds the samples and twins."""
    facts = FactsShelf(warehouse, datasets)
    for name, dataset in datasets.items():
        shown = facts.shown(name)
        if shown is not None:
            figure = chosen(collect.drawn(dataset, shown, warehouse))
            if figure is not None:
                yield DATASETS / name / NAME, picture(dataset, figure)


def chosen(drawn: Mapping[str, Any]) -> Figure | None:
    """One figure: a map in place of bars that could only name the largest of many areas."""
    figure, areas, histogram = (read_figure(drawn[key]) for key in ("figure", "map", "histogram"))
    if areas is not None and figure is not None and figure.kind == "bars":
        return areas
    return figure or areas or histogram


def picture(dataset: Dataset, figure: Figure) -> str:
    """The figure as a file of its own, with its caption in both languages and the label of made-up data."""
    marks = figures.marks(figure)
    height = (figure.height if figure.kind == "map" else getattr(marks, "height", 0)) + ABOVE + BELOW
    made = (
        environment(Path())
        .get_template(NAME)
        .render(
            f=figure,
            marks=marks,
            width=WIDTH,
            height=height + (LEGEND if figure.shades else 0),
            ko=_caption(dataset, figure, Lang.KO),
            en=_caption(dataset, figure, Lang.EN),
        )
    )
    return re.sub(r"\n\s*\n+", "\n", made).strip() + "\n"


def _caption(dataset: Dataset, figure: Figure, lang: Lang) -> str:
    t = Wording(lang)
    titles = {c.name: figures.in_caption(t.pick(c.title)) for c in dataset.columns}
    key = f"figure-{figure.how}-{'shaded' if figure.shades else figure.kind}"
    measured, grouped = titles.get(figure.measure, ""), titles.get(figure.column, "")
    said = t(key, measure=measured, column=grouped, title=t.pick(dataset.title))
    return f"{said} ({t('figure-period', period=figure.period)})" if figure.period else said


def main() -> None:
    """Write every picture."""
    datasets = load_all(DATASETS)
    with tempfile.TemporaryDirectory(prefix="campus-pictures-") as folder:
        warehouse = Warehouse(Path(folder) / "warehouse", Path(folder) / "catalog.sqlite")
        now = datetime(2026, 1, 1, tzinfo=UTC)
        load_samples(warehouse, datasets, now)
        load_twins(warehouse, datasets, now)
        for path, text in pictures(warehouse, datasets):
            path.write_text(text, "utf-8")
            sys.stdout.write(f"{path.relative_to(REPO)}\n")


if __name__ == "__main__":
    main()
