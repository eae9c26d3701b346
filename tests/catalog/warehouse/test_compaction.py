"""Many small files become few with the same rows; every earlier version stays readable."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.descriptions import Dataset
from catalog.warehouse import DataFile, Snapshot, Warehouse, WarehouseError, compaction, difference
from catalog.warehouse import writer as writing
from catalog.warehouse.compaction import FEW, SMALL, to_merge
from catalog.warehouse.materialise import refresh_variants
from tests.catalog.warehouse.support import (
    NOW,
    SPENDING,
    UNPARTED,
    days,
    parts,
    publication,
    publish,
    read,
    spending,
)

DAY = date(2026, 1, 5)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse", tmp_path / "catalog.sqlite")


def deliver(warehouse: Warehouse, count: int, dataset: Dataset = SPENDING) -> list[Snapshot]:
    """One publication a day, each with files of its own."""
    wanted = [DAY + timedelta(days=n) for n in range(count)]
    return [publish(warehouse, spending(d), days(d), dataset) for d in wanted]


def test_daily_deliveries_do_not_leave_a_file_a_day_for_ever(warehouse: Warehouse) -> None:
    made = deliver(warehouse, FEW)
    newest = warehouse.snapshot("card_spending")
    assert len(made[-1].files) == 2 * FEW
    assert parts(newest) == [{"gu": g, "month": "2026-01"} for g in ("11110", "11680")]
    assert read(warehouse, newest) == read(warehouse, made[-1])
    assert [r.rows for r in warehouse.versions("card_spending")] == [16, *range(16, 0, -2)]


def test_a_compaction_says_so_and_changes_nothing_else(warehouse: Warehouse) -> None:
    made = deliver(warehouse, 3)
    compacted = warehouse.compact(SPENDING, "main", LATER, "sora", few=2)
    assert compacted is not None
    assert compacted == warehouse.snapshot("card_spending")
    publication = compacted.publication
    assert (publication.compaction_of, publication.now, publication.by) == (
        made[-1].snapshot_id, LATER, "sora"
    )  # fmt: skip
    assert (publication.source, publication.recipe, publication.synthetic) == ("delivery", "1", False)
    assert compacted.content_id == made[-1].content_id == made[-1].snapshot_id
    assert difference(made[-1], compacted).same
    assert compacted.fields == made[-1].fields


def test_a_compaction_has_the_key_of_its_rows(warehouse: Warehouse) -> None:
    keyed = replace(publication(), key=SPENDING.key)
    for day in (DAY, DAY + timedelta(days=1)):
        warehouse.publish(SPENDING, "main", spending(day), keyed, days(day))
    compacted = warehouse.compact(SPENDING, "main", LATER, "sora", few=2)
    assert compacted is not None and compacted.publication.key == SPENDING.key
    publish(warehouse, spending(DAY), days(DAY))
    assert warehouse.snapshot("card_spending").publication.key == ()


def test_every_version_from_before_stays_as_it_was(warehouse: Warehouse) -> None:
    made = deliver(warehouse, 4)
    before = [read(warehouse, v) for v in made]
    warehouse.compact(SPENDING, "main", LATER, "sora", few=2)
    fresh = Warehouse(warehouse.root, warehouse.catalog)
    assert list(reversed(fresh.versions("card_spending")))[:4] == made
    assert [read(fresh, v) for v in made] == before
    publish(fresh, spending(DAY), days(DAY))
    assert [read(fresh, v) for v in made] == before


def test_untouched_partitions_keep_their_files(warehouse: Warehouse) -> None:
    january = publish(warehouse, spending(DAY))
    february = [date(2026, 2, d) for d in (1, 2, 3)]
    for day in february:
        publish(warehouse, spending(day), days(day))
    compacted = warehouse.compact(SPENDING, "main", LATER, "sora", few=3)
    assert compacted is not None
    assert set(january.files) < set(compacted.files)
    assert len(compacted.files) == 4


def test_a_compaction_of_a_compaction_names_the_version_that_had_the_rows(warehouse: Warehouse) -> None:
    first = publish(warehouse, spending(DAY), dataset=UNPARTED)
    parted = warehouse.compact(SPENDING, "main", LATER, "sora")
    whole = warehouse.compact(UNPARTED, "main", LATER, "sora")
    assert parted is not None
    assert whole is not None
    assert (len(parted.files), len(whole.files)) == (2, 1)
    assert whole.publication.compaction_of == first.snapshot_id


def test_variants_are_not_made_again_for_the_same_rows(warehouse: Warehouse) -> None:
    deliver(warehouse, 3)
    assert len(refresh_variants(warehouse, SPENDING, NOW, "c")) == 1
    assert warehouse.compact(SPENDING, "main", LATER, "sora", few=2) is not None
    assert refresh_variants(warehouse, SPENDING, NOW, "c") == ()


def test_what_is_not_worthwhile_makes_no_version(warehouse: Warehouse) -> None:
    assert warehouse.compact(SPENDING, "main", LATER, "sora") is None
    deliver(warehouse, 2)
    assert warehouse.compact(SPENDING, "main", LATER, "sora") is None
    assert len(warehouse.versions("card_spending")) == 2
    metadata = set((warehouse.root / "card_spending" / "main" / "metadata").iterdir())
    assert warehouse.compact(SPENDING, "main", LATER, "sora") is None
    assert set((warehouse.root / "card_spending" / "main" / "metadata").iterdir()) == metadata


def test_a_compaction_that_fails_leaves_the_publication(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compaction, "FEW", 2)
    publish(warehouse, spending(DAY))
    original = writing._write_version

    def fail(*arguments: Any) -> int:
        if arguments[6].compaction_of is not None:
            raise OSError("disk full")
        return original(*arguments)

    monkeypatch.setattr(writing, "_write_version", fail)
    with caplog.at_level(logging.WARNING):
        second = publish(warehouse, spending(DAY + timedelta(days=1)), days(DAY + timedelta(days=1)))
    assert warehouse.snapshot("card_spending") == second
    assert "compaction of card_spending/main failed" in caplog.text
    monkeypatch.undo()
    assert len(read(warehouse, second)) == 4


def test_one_who_publishes_keeps_compactions_out(warehouse: Warehouse) -> None:
    deliver(warehouse, 2)
    with writing._alone(warehouse.root, "card_spending", "main"), pytest.raises(WarehouseError) as refused:
        warehouse.compact(SPENDING, "main", LATER, "sora", few=2)
    assert refused.value.reason == "busy"


FILES = st.lists(
    st.tuples(
        st.sampled_from([1, SMALL - 1, SMALL, 2 * SMALL]),
        st.sampled_from([(), ("11110", "2026-01"), ("11680", "2026-01")]),
    ),
    max_size=30,
)


def listed(made: list[tuple[int, tuple[str, ...]]]) -> tuple[DataFile, ...]:
    return tuple(
        DataFile(
            path=str(i),
            rows=rows,
            size=1,
            row_groups=(rows,),
            partition=tuple(zip(("gu", "month"), values, strict=False)),
        )
        for i, (rows, values) in enumerate(made)
    )


@given(FILES, st.integers(0, 10))
def test_large_files_are_left_alone_and_what_is_merged_is_worth_it(
    made: list[tuple[int, tuple[str, ...]]], few: int
) -> None:
    files = listed(made)
    merged = to_merge(files, SPENDING, few)
    parted = [f for f in files if f.partition]
    assert {f.path for f in files if not f.partition} <= merged, "no grant on a part could name them"
    for partition in {f.partition for f in parted}:
        small = {f.path for f in parted if f.partition == partition and f.rows < SMALL}
        chosen = {f.path for f in parted if f.partition == partition} & merged
        assert chosen in (set(), small)
        assert bool(chosen) == (len(small) >= max(few, 2))
