"""How files become versions: layouts, encodings, periods, provenance, and synthetic rows giving way."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from catalog.ingest import IngestError
from catalog.samples import load_samples
from tests.catalog.ingest.support import DATASETS, NOW, month, new_warehouse, subway_file, subway_rows, take


@pytest.mark.parametrize("layout", ["A", "B", "C"])
@pytest.mark.parametrize(("encoding", "end"), [("utf-8-sig", "\n"), ("utf-8", "\r\n"), ("cp949", "\n")])
def test_every_layout_in_every_encoding(tmp_path: Path, layout: str, encoding: str, end: str) -> None:
    warehouse = new_warehouse(tmp_path)
    made = take(warehouse, "subway_ridership", subway_file(tmp_path, layout, "202602", encoding, end))
    assert (made.rows, made.files[0].layout) == (56, layout)
    first = warehouse.preview(warehouse.snapshot("subway_ridership"), 1)[0]
    assert (first["date"], first["station"], first["boardings"]) == (date(2026, 2, 1), "강변", 1000)


def test_a_month_given_again_replaces_that_month_only(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    take(
        warehouse,
        "subway_ridership",
        subway_file(tmp_path, "A", "202601"),
        subway_file(tmp_path, "B", "202602"),
    )
    before = warehouse.snapshot("subway_ridership")
    smaller = tmp_path / "again.csv"
    smaller.write_text("\n".join(subway_rows("C", month("202602"), ("강변",))) + "\n", "utf-8-sig")
    made = take(warehouse, "subway_ridership", smaller)
    assert (made.rows, made.total_rows, made.periods) == (28, 62 + 28, ("2026-02",))
    assert warehouse.snapshot("subway_ridership", version=before.snapshot_id).rows == 62 + 56
    assert len(warehouse.versions("subway_ridership")) == 2


def test_a_real_file_replaces_the_synthetic_sample_whole(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    load_samples(warehouse, {"subway_ridership": DATASETS["subway_ridership"]}, NOW)
    made = take(warehouse, "subway_ridership", subway_file(tmp_path, "C", "202602"))
    assert made.replaced_synthetic
    assert made.total_rows == made.rows == 56
    now, before = warehouse.versions("subway_ridership")
    assert (now.synthetic, before.synthetic) == (False, True)
    assert (now.publication.by, now.publication.now, now.publication.recipe) == ("minji", NOW, "1")


def test_a_refusal_in_the_second_file_publishes_nothing_of_the_first(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    bad = tmp_path / "bad.csv"
    bad.write_text("\n".join(subway_rows("B", month("202603")[:-1])) + "\n", "utf-8")
    with pytest.raises(IngestError) as refused:
        take(warehouse, "subway_ridership", subway_file(tmp_path, "B", "202602"), bad)
    assert (refused.value.file, refused.value.reason) == ("bad.csv", "incomplete")
    assert warehouse.versions("subway_ridership") == ()


def living_header(layout: str) -> list[str]:
    from catalog.ingest.recipe import load_recipe
    from tests.catalog.ingest.support import REPO

    recipe = load_recipe(
        REPO / "datasets" / "living_population" / "recipe.yml", DATASETS["living_population"]
    )
    (found,) = (x for x in recipe.layouts if x.name == layout)
    return [found.header_prefix + found.headers[0], *found.headers[1:]]


def living_line(day: str, hour: int, dong: str) -> list[str]:
    bands = [f"{100 + i}.2500" for i in range(28)]
    total = sum(float(b) for b in bands)
    return [day, f"{hour:02}", dong, f"{total:.4f}", *bands]


@pytest.mark.parametrize(
    ("layout", "encoding", "trailing"),
    [("daily", "utf-8-sig", False), ("daily_trailing", "cp949", True), ("daily_question_mark", "cp949", True),
     ("daily_english", "utf-8", False)],
)  # fmt: skip
def test_daily_living_population(tmp_path: Path, layout: str, encoding: str, trailing: bool) -> None:
    lines = [",".join(living_header(layout))]
    for hour in range(24):
        for dong in ("11110515", "11110530"):
            lines.append(",".join(living_line("20260301", hour, dong)) + ("," if trailing else ""))
    path = tmp_path / "LOCAL_PEOPLE_20260301"
    path.write_text("\n".join(lines), encoding)
    warehouse = new_warehouse(tmp_path)
    made = take(warehouse, "living_population", path)
    assert (made.rows, made.files[0].layout) == (48, layout)
    row = warehouse.preview(warehouse.snapshot("living_population"), 1)[0]
    assert (row["hour"], row["dong_code"], row["male_0_9"], row["female_70_over"]) == (
        0,
        "11110515",
        100.25,
        127.25,
    )
    assert row["male"] == sum(100.25 + i for i in range(14))
    assert row["age_10s"] == 101.25 + 102.25 + 115.25 + 116.25


def test_withheld_values_are_missing_not_zero(tmp_path: Path) -> None:
    lines = [",".join(living_header("daily"))]
    for hour in range(24):
        line = living_line("20260301", hour, "11110515")
        line[5] = "*"
        lines.append(",".join(line))
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines), "utf-8")
    warehouse = new_warehouse(tmp_path)
    take(warehouse, "living_population", path)
    row = warehouse.preview(warehouse.snapshot("living_population"), 1)[0]
    assert row["male_10_14"] is None
    assert row["male"] is None
    assert row["age_10s"] is None
    assert row["male_0_9"] == 100.25
