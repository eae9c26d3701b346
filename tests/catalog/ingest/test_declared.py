"""What a layout may declare, read from small files: other names, several sheets, some hours, totals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from catalog.descriptions.strict_yaml import DescriptionError
from catalog.ingest.model import Format, Recipe
from catalog.ingest.recipe import load_recipe
from catalog.ingest.workbook import parse_xlsx
from tests.catalog.ingest.small import SMALL, air, book_bytes, csv_bytes
from tests.catalog.ingest.support import DATASETS, REPO, parsed_csv, spooled


def recipe(name: str) -> Recipe:
    return load_recipe(REPO / "datasets" / name / "recipe.yml", DATASETS[name])


def test_a_column_goes_by_several_names(tmp_path: Path) -> None:
    rows = SMALL["subway_hourly"]()
    rows[0][1:3] = ["노선명", "역명"]
    parsed = parsed_csv(tmp_path, csv_bytes(rows), recipe("subway_hourly"))
    assert parsed.columns["station"].to_pylist() == ["강변"] * 3 + ["잠실"] * 3


def test_wide_columns_become_rows_in_the_order_of_the_file(tmp_path: Path) -> None:
    parsed = parsed_csv(tmp_path, csv_bytes(SMALL["subway_hourly"]()), recipe("subway_hourly"))
    assert parsed.columns["hour"].to_pylist() == [6, 7, 8] * 2
    assert parsed.columns["boardings"].to_pylist() == [100, 200, 300] * 2
    assert parsed.columns["alightings"].to_pylist() == [50, 60, 70] * 2
    assert parsed.lines.tolist() == [2, 2, 2, 3, 3, 3]


def test_records_beyond_one_block_keep_their_order_and_lines(tmp_path: Path) -> None:
    rows = SMALL["subway_hourly"]()
    many = [rows[0], *(["202602", "2호선", f"역{i}", *rows[1][3:]] for i in range(9000))]
    many[8001][3] = "7"
    parsed = parsed_csv(tmp_path, csv_bytes(many), recipe("subway_hourly"))
    assert parsed.rows == 27_000
    at = parsed.columns["boardings"].to_pylist().index(7)
    assert (parsed.columns["station"][at].as_py(), int(parsed.lines[at])) == ("역8000", 8002)


def test_total_rows_are_counted_and_lines_stay_those_of_the_file(tmp_path: Path) -> None:
    rows = SMALL["living_population_gu"]()
    rows.append(rows.pop(1))  # the total need not come first
    taken = spooled(tmp_path, "living_population_gu", csv_bytes(rows)).rows
    lines = [line for batch in taken.batches([]) for line in batch["_line"].to_pylist()]
    assert (taken.count, taken.aside) == (25, 1)
    assert lines == list(range(2, 27))


def test_sheets_by_year_are_joined_whether_dates_are_text_or_numbers() -> None:
    layouts = recipe("air_quality_daily").layouts
    books = tuple(replace(x, format=Format.XLSX, every_sheet=True) for x in layouts)
    rows = air()
    numbers = [[int(r[0]), *r[1:]] for r in rows[1:3]]
    content = book_bytes(rows[:4], [rows[0], *numbers], [], [["행 레이블"], ["1"]])
    declared = Recipe(version="1", layouts=books, refused=(), derive=())
    parsed = parse_xlsx(content, "a.xlsx", declared).piece
    assert [d.day for d in parsed.columns["date"].to_pylist()] == [1, 2, 3, 1, 2]
    assert parsed.lines.tolist() == [2, 3, 4, 2, 3]
    one = Recipe(version="1", layouts=(replace(books[0], every_sheet=False),), refused=(), derive=())
    assert parse_xlsx(content, "a.xlsx", one).piece.rows == 3


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("column: station,", "column: nowhere,", "fields"),
        ("column: boardings,", "column: alightings,", "fields"),
        ("after: 지하철역", "after: 없는열", "fields"),
        ("read: month", "read: month, missing: ['']", "missing"),
        ("'{hour} 하차인원'", "'{hour} 승차인원'", "cells"),
        ("read: month", "read: month, pattern: '('", "pattern"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, key: str) -> None:
    text = (REPO / "datasets" / "subway_hourly" / "recipe.yml").read_text("utf-8")
    assert old in text
    path = tmp_path / "recipe.yml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(DescriptionError) as refused:
        load_recipe(path, DATASETS["subway_hourly"])
    assert refused.value.key.endswith(key)
