"""What a restricted dataset declares to answer: read whole, or refused with the key that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.descriptions import DescriptionError, Tier, load, load_all
from catalog.descriptions.model import Step
from tests.catalog.warehouse.test_variants import put

REPO = Path(__file__).resolve().parents[3]
COUNT = {
    "name": "riders",
    "type": "long",
    "title": {"ko": "수", "en": "n"},
    "role": "count",
    "unit": "persons",
}


def written(tmp_path: Path, change: Callable[[Any], None]) -> Path:
    content = yaml.safe_load((REPO / "datasets" / "transit_trips" / "dataset.yml").read_text("utf-8"))
    change(content)
    file = tmp_path / "transit_trips" / "dataset.yml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return file


KEY = {
    "name": "record_key",
    "type": "int",
    "title": {"ko": "기록 키", "en": "record key"},
    "role": "identifier",
}
LINES = ["pcv,ckey,pvalue", *(f"{n},{k},{(n + k) % 3}" for n in range(1, 751) for k in range(2))]


def with_noise(content: Any) -> None:
    content["columns"].append(dict(KEY))
    content["aggregates"] |= {"noise": {"column": "record_key", "table": "noise.csv"}}
    del content["aggregates"]["measures"]


def test_noise_is_read_from_the_table_beside_the_description(tmp_path: Path) -> None:
    file = written(tmp_path, with_noise)
    file.with_name("noise.csv").write_text("\n".join(LINES), "utf-8")
    aggregates = load(file).aggregates
    assert aggregates is not None and aggregates.noise is not None
    noise = aggregates.noise
    assert (noise.column, noise.keys) == ("record_key", 2)
    assert [noise.applied(n, k) for n, k in ((0, 1), (1, 0), (7, 3), (750, 1), (751, 4), (1001, 0))] == [
        0,
        1 + 1 % 3,
        7 + 8 % 3,
        750 + 751 % 3,
        751 + 501 % 3,
        1001 + 501 % 3,
    ]


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        (None, "-"),
        ([], "1"),
        (["pcv,ckey,change", *LINES[1:]], "1"),
        (LINES[:-1], "-"),
        ([*LINES, "750,1,0"], "1502"),
        ([*LINES[:5], "2,1,x", *LINES[6:]], "6"),
        ([*LINES[:5], "2,1", *LINES[6:]], "6"),
        ([*LINES[:5], "2,1,-3", *LINES[6:]], "6"),
        ([*LINES[:5], "0,1,1", *LINES[6:]], "6"),
        ([*LINES[:5], "2,4096,1", *LINES[6:]], "6"),
        ([*LINES[:5], "2,2,1", *LINES[6:]], "-"),
    ],
)
def test_a_table_of_noise_that_is_not_whole_is_refused(
    tmp_path: Path, lines: list[str] | None, where: str
) -> None:
    file = written(tmp_path, with_noise)
    if lines is not None:
        file.with_name("noise.csv").write_text("\n".join(lines), "utf-8")
    with pytest.raises(DescriptionError) as caught:
        load(file)
    assert f"noise.csv, {where}:" in str(caught.value.en)


def _with(change: Callable[[Any], None]) -> Callable[[Any], None]:
    def both(content: Any) -> None:
        with_noise(content)
        change(content)

    return both


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (put("../noise.csv", "aggregates", "noise", "table"), "noise.table"),
        (put("nothing", "aggregates", "noise", "column"), "noise.column"),
        (put("fare", "aggregates", "noise", "column"), ""),
        (put("mode", "aggregates", "noise", "column"), "noise.column"),
        (put([{"column": "fare", "functions": ["sum"]}], "aggregates", "measures"), "aggregates.noise"),
        (put([{"name": "k", "columns": ["record_key"]}], "aggregates", "hierarchies"), "aggregates"),
        (put({"ko": "없음", "en": "none"}, "columns", -1, "missing"), "noise.column"),
    ],
)
def test_noise_that_does_not_fit_is_refused(tmp_path: Path, change: Callable[[Any], None], key: str) -> None:
    file = written(tmp_path, _with(change))
    file.with_name("noise.csv").write_text("\n".join(LINES), "utf-8")
    if not key:
        assert load(file).aggregates is not None  # a whole number without gaps will do
        return
    with pytest.raises(DescriptionError) as caught:
        load(file)
    assert key in str(caught.value.en)


def test_every_restricted_dataset_says_what_it_answers() -> None:
    found = [d for d in load_all(REPO / "datasets").values() if d.tier is Tier.RESTRICTED]
    assert found
    for dataset in found:
        assert dataset.aggregates is not None
        assert dataset.aggregates.minimum >= dataset.export_policy.minimum_count


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (put("controlled", "tier"), "aggregates"),
        (put(9, "aggregates", "minimum"), "aggregates.minimum"),  # less than an export needs
        (put(10.5, "aggregates", "minimum"), "aggregates.minimum"),
        (put(0, "aggregates", "budget"), "aggregates.budget"),
        (put("fare", "aggregates", "units"), "aggregates.units"),
        (put("nothing", "aggregates", "units"), "aggregates.units"),
        (put([], "aggregates", "hierarchies"), "aggregates.hierarchies"),
        (put(["nothing"], "aggregates", "hierarchies", 2, "columns"), "hierarchies[2].columns"),
        (put(["card_hash"], "aggregates", "hierarchies", 2, "columns"), "hierarchies[2].columns"),
        (put(["trip_id"], "aggregates", "hierarchies", 2, "columns"), "hierarchies[2].columns"),
        (put([], "aggregates", "hierarchies", 2, "columns"), "hierarchies[2].columns"),
        (put(["mode"], "aggregates", "hierarchies", 2, "columns"), "aggregates"),  # twice
        (put(["date", "mode"], "aggregates", "hierarchies", 0, "columns"), "hierarchies[0].columns"),
        (put([], "aggregates", "hierarchies", 1, "steps"), "hierarchies[1].columns"),
        (put(["hour"], "aggregates", "hierarchies", 0, "steps"), "hierarchies[0].columns"),
        (put(["month"], "aggregates", "hierarchies", 5, "steps"), "hierarchies[5].columns"),
        (put(["minute"], "aggregates", "hierarchies", 1, "steps"), "hierarchies[1].steps"),
        (put("mode", "aggregates", "measures", 0, "column"), "measures[0].column"),
        (put(["max"], "aggregates", "measures", 0, "functions"), "measures[0].functions"),
        (put([], "aggregates", "measures", 0, "functions"), "measures[0].functions"),
        (put({"ko": "없음", "en": "none"}, "columns", 11, "missing"), "measures[0].column"),
        (put({"ko": "없음", "en": "none"}, "columns", 2, "missing"), "aggregates.units"),
        (put(1, "aggregates", "rollup"), "aggregates.rollup"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_key(
    tmp_path: Path, change: Callable[[Any], None], key: str
) -> None:
    with pytest.raises(DescriptionError) as refused:
        load(written(tmp_path, change))
    assert refused.value.key.endswith(key)


def test_units_are_counted_by_a_column_where_rows_are_sums(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["entity"] |= {"rows": "aggregated", "columns": []}
        content["columns"].append(COUNT)
        content["aggregates"]["units"] = "riders"

    made = load(written(tmp_path, change)).aggregates
    assert made is not None and made.units == "riders"
    assert made.hierarchies[1].steps == (Step.HOUR,)


def test_sums_need_a_column_that_counts(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["entity"] |= {"rows": "aggregated", "columns": []}

    with pytest.raises(DescriptionError, match="units"):
        load(written(tmp_path, change))
