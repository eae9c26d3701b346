"""Deliveries without a header, in pipes or tabs: recognised by the forms of their values, or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from catalog.descriptions.strict_yaml import DescriptionError
from catalog.ingest import IngestError
from catalog.ingest.delimited import open_delimited
from catalog.ingest.recipe import load_recipe
from tests.catalog.ingest.support import DATASETS, REPO, new_warehouse, take

WLK = ["20260209", "1168051", "1", "00", *(str(10 + i) for i in range(30)), "900", "11110515", "1"]
BARE: dict[str, tuple[str, str, str]] = {
    "card_spending": (
        "hourly_bare",
        "20260209|12|1111051500|한식|남|20대|52000|4\n20260209|13|1111051500|한식|여|20대|9000|1\n",
        "20260209|12|1111051500|한식|남|20대|52000|4",
    ),
    "card_spending_inflow": (
        "inflow_bare",
        "20260209|1111051500|경기|수원시 팔달구|한식|52000|4\n",
        "20260209|1111051500|경기|수원시 팔달구|한식|52000|4",
    ),
    "living_mobility": (
        "by_dong_bare",
        "202602|월|8|11110515|11680510|F|30|HW|31.5|*\n",
        "202602|월|8|11110515|11680510|F|30|HW|31.5|*",
    ),
    "telecom_population": (
        "wlk",
        "".join("|".join([*WLK[:3], f"{h:02}", *WLK[4:]]) + "\n" for h in range(24)),
        "|".join(WLK),
    ),
}


def ingest(folder: Path, name: str, text: str, encoding: str = "cp949") -> str:
    path = folder / "delivery.txt"
    path.write_bytes(text.encode(encoding))
    return take(new_warehouse(folder), name, path).files[0].layout


@pytest.mark.parametrize("name", BARE)
@pytest.mark.parametrize("encoding", ["cp949", "utf-8", "utf-8-sig"])
def test_a_delivery_without_a_header_is_recognised(tmp_path: Path, name: str, encoding: str) -> None:
    layout, text, _ = BARE[name]
    assert ingest(tmp_path, name, text, encoding) == layout


def test_the_first_line_of_a_file_without_a_header_is_a_row(tmp_path: Path) -> None:
    ingest(tmp_path, "card_spending", BARE["card_spending"][1])
    warehouse = new_warehouse(tmp_path)
    rows = warehouse.preview(warehouse.snapshot("card_spending"), 10)
    assert [(r["hour"], r["sex"], r["amount"]) for r in rows] == [(12, "M", 52000), (13, "F", 9000)]
    assert rows[0]["date"] == date(2026, 2, 9)


def test_thirty_counts_of_a_line_become_thirty_rows(tmp_path: Path) -> None:
    path = tmp_path / "wlk_20260209.txt"
    path.write_text(BARE["telecom_population"][1], "utf-8")
    warehouse = new_warehouse(tmp_path)
    assert take(warehouse, "telecom_population", path).rows == 24 * 30
    rows = warehouse.preview(warehouse.snapshot("telecom_population"), 30)
    found = {(r["sex"], r["age"]): r["population"] for r in rows if r["hour"] == 0}
    assert (found["M", "00"], found["M", "75"], found["F", "00"], found["F", "75"]) == (10, 24, 25, 39)


@pytest.mark.parametrize(
    ("name", "change", "reason", "line"),
    [
        ("card_spending", lambda t: t.replace("|", ","), "unknown-layout", 1),
        ("card_spending", lambda t: t.replace("|4\n", "\n"), "unknown-layout", 1),
        ("card_spending", lambda t: t.replace("|12|", "|24|"), "unknown-layout", 1),
        ("card_spending", lambda t: t.replace("|13|1111051500", "|13|1111051512"), "unknown-layout", 2),
        ("card_spending", lambda t: t.replace("남|20대", "20대|남"), "unknown-layout", 1),
        ("card_spending", lambda t: "SS001|202602|1234567|남|20대|52000|4\n", "refused-layout", 1),
        ("card_spending_inflow", lambda t: t.replace("경기", "Gyeonggi"), "unknown-layout", 1),
        ("living_mobility", lambda t: t.replace("|월|", "|2|"), "unknown-layout", 1),
        ("telecom_population", lambda t: t.replace("20260209", "202602"), "unknown-layout", 1),
        ("telecom_population", lambda t: t.replace("|900|", "|"), "unknown-layout", 1),
        ("telecom_population", lambda t: t.replace("|1168051|1|", "|1168051|9|"), "unknown-layout", 1),
        ("telecom_population", lambda t: t + t.replace("|1168051|", "|1168052|"), "duplicate-key", 25),
    ],
)
def test_other_forms_are_refused(
    tmp_path: Path, name: str, change: Callable[[str], str], reason: str, line: int
) -> None:
    with pytest.raises(IngestError) as refused:
        ingest(tmp_path, name, change(BARE[name][1]))
    assert (refused.value.reason, refused.value.line) == (reason, line)
    assert new_warehouse(tmp_path).versions(name) == ()


def test_a_form_that_breaks_after_the_sample_is_a_bad_value(tmp_path: Path) -> None:
    row = "20260209|{}|1111051500|한식|남|{}대|{}|4\n"
    lines = [row.format(i % 24, 10 + i // 24 % 60, 1000 + i) for i in range(1440)]
    lines[1200] = lines[1200].replace("|1111051500|", "|11110515|")
    with pytest.raises(IngestError) as refused:
        ingest(tmp_path, "card_spending", "".join(lines))
    assert (refused.value.reason, refused.value.line) == ("bad-value", 1201)


def test_a_file_that_fits_two_layouts_without_a_header_is_refused(tmp_path: Path) -> None:
    recipe = load_recipe(REPO / "datasets" / "card_spending" / "recipe.yml", DATASETS["card_spending"])
    bare = next(x for x in recipe.layouts if x.name == "hourly_bare")
    two = replace(recipe, layouts=(*recipe.layouts, replace(bare, name="another")))
    path = tmp_path / "delivery.txt"
    path.write_text(BARE["card_spending"][1], "utf-8")
    with pytest.raises(IngestError) as refused:
        open_delimited(path, two)
    assert refused.value.reason == "ambiguous-layout"
    assert "'hourly_bare'" in refused.value.en and "'another'" in refused.value.en


def test_tabs_with_a_header(tmp_path: Path) -> None:
    recipe = load_recipe(REPO / "datasets" / "living_mobility" / "recipe.yml", DATASETS["living_mobility"])
    header = "\t".join(recipe.layouts[0].headers)
    line = BARE["living_mobility"][2].replace("|", "\t")
    assert ingest(tmp_path, "living_mobility", f"{header}\n{line}\n") == "by_dong_tab"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("column: industry, read: text, pattern: '[가-힣A-Za-z][^|]*'", "column: industry, read: text"),
        ("read: ignore, pattern: '20[0-9]{4}'", "read: ignore"),
        ("delimiter: pipe", "delimiter: slash"),
        ("header: false", "header: false\n  second_header: [x]"),
    ],
)
def test_a_layout_without_a_header_must_be_recognisable(tmp_path: Path, old: str, new: str) -> None:
    text = (REPO / "datasets" / "card_spending" / "recipe.yml").read_text("utf-8")
    assert old in text
    path = tmp_path / "recipe.yml"
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(DescriptionError):
        load_recipe(path, DATASETS["card_spending"])
