"""Example queries of a dataset's page: its README's, and some that follow from its columns. Runs none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from access_control.portal.facts import Figure
from catalog.descriptions import Dataset, Role, Text

_FENCE: Final = re.compile(r"```sql\n(.*?)\n```", re.S)
_HEADING: Final = re.compile(r"^#+\s*(.+)$", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A question and the statement that answers it."""

    title: Text
    sql: str


def examples(
    dataset: Dataset, readme: str, figure: Figure | None, datasets: Mapping[str, Dataset]
) -> tuple[Example, ...]:
    """The README's queries first; then what the figure shows, by gu, and which periods there are."""
    made = [*_of_readme(readme), *_of_figure(dataset, figure), *_by_gu(dataset, datasets), *_periods(dataset)]
    if not made:
        columns = ",\n       ".join(c.name for c in dataset.columns[:4])
        made = [
            Example(
                title=Text(ko="처음 몇 행", en="First rows"),
                sql=f"SELECT {columns}\nFROM {dataset.name}\nLIMIT 100",
            )
        ]
    return tuple({example.sql: example for example in made}.values())


def readme_of(folder: Path, name: str) -> str:
    """The README of a dataset; empty where there is none."""
    file = folder / name / "README.md"
    return file.read_text("utf-8") if file.exists() else ""


def _of_readme(readme: str) -> list[Example]:
    found = []
    for number, match in enumerate(_FENCE.finditer(readme), 1):
        headings = _HEADING.findall(readme[: match.start()])
        heading = headings[-1].strip() if headings else ""
        usual = heading in {"", "예시 질의"}
        title = (
            Text(ko="대표 질의", en="Typical query") if usual else Text(ko=heading, en=f"Example {number}")
        )
        found.append(Example(title=title, sql=match.group(1).strip()))
    return found


def _of_figure(d: Dataset, figure: Figure | None) -> list[Example]:
    if figure is None or figure.kind == "map":
        return []
    value = {"mean": f"avg({figure.measure})", "sum": f"sum({figure.measure})"}.get(figure.how, "count(*)")
    code = figure.column.removesuffix("_name") + "_code"  # dongs of one name are told apart by their code
    named = figure.column.endswith("_name") and code in {c.name for c in d.columns}
    group = f"{code}, {figure.column}" if named else figure.column
    only = f"WHERE {d.period.column} = '{figure.period}'\n" if d.period and figure.period else ""
    order = figure.column if figure.kind == "line" else "value DESC"
    return [
        Example(
            title=Text(ko="위 그림의 값", en="The values of the figure above"),
            sql=f"SELECT {group}, {value} AS value\nFROM {d.name}\n{only}GROUP BY {group}\nORDER BY {order}",
        )
    ]


def _by_gu(d: Dataset, datasets: Mapping[str, Dataset]) -> list[Example]:
    """Joined to names of gu through the dong's code, in one code system."""
    codes = [c.name for c in d.columns if c.code_system == "MOIS-dong-8"]
    measures = [c.name for c in d.columns if c.role in {Role.MEASURE, Role.COUNT}]
    if not codes or not measures or "dong_codes" not in datasets or d.name == "dong_codes":
        return []
    return [
        Example(
            title=Text(ko="자치구 이름과 함께", en="With the names of gu"),
            sql=f"SELECT g.gu_name, sum(x.{measures[0]}) AS value\nFROM {d.name} x\n"
            f"JOIN dong_codes g ON g.dong_code = x.{codes[0]}\nGROUP BY g.gu_name\nORDER BY value DESC",
        )
    ]


def _periods(d: Dataset) -> list[Example]:
    if d.period is None:
        return []
    column = d.period.column
    return [
        Example(
            title=Text(ko="들어 있는 기간", en="Which periods there are"),
            sql=f"SELECT min({column}) AS first, max({column}) AS last, \n"
            f"       count(DISTINCT {column}) AS periods, count(*) AS row_count\nFROM {d.name}",
        )
    ]
