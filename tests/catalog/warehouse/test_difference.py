"""Differences between versions: rows, columns by their lasting ids, periods, made up or real."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from catalog.warehouse import DataFile, Field, Publication, Snapshot, difference

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def version(rows: int, *fields: tuple[int, str, str], synthetic: bool = False) -> Snapshot:
    return Snapshot(
        dataset="d",
        variant="main",
        snapshot_id=rows,
        files=(DataFile(path="x", rows=rows, size=1, row_groups=(rows,)),),
        fields=tuple(Field(field_id=i, name=n, duckdb_type=t) for i, n, t in fields),
        publication=Publication(now=NOW, by="s", synthetic=synthetic, source="s", recipe="1"),
    )


def test_nothing_changed() -> None:
    one = version(5, (1, "a", "BIGINT"))
    assert difference(one, one, {"2026-01": 5}, {"2026-01": 5}).same


def test_columns_are_followed_by_their_ids() -> None:
    before = version(5, (1, "a", "INTEGER"), (2, "b", "VARCHAR"), (3, "c", "DATE"))
    after = version(8, (1, "a", "BIGINT"), (2, "renamed", "VARCHAR"), (4, "c", "DATE"))
    found = difference(before, after)
    assert found.rows == 3 and not found.same
    assert found.retyped == (("a", "INTEGER", "BIGINT"),) and found.renamed == (("b", "renamed"),)
    assert found.added == ("c",) and found.gone == ("c",)  # another column under the old name


def test_periods_are_new_gone_or_revised() -> None:
    found = difference(version(1), version(1), {"20241": 1, "20242": 2}, {"20242": 3, "20243": 4})
    assert (found.periods_new, found.periods_gone, found.periods_revised) == (
        ("20243",),
        ("20241",),
        ("20242",),
    )
    assert (
        difference(version(1), version(1), None, {"20242": 3}).periods_new == ()
    )  # not counted, not claimed


def test_made_up_rows_give_way_to_real_ones() -> None:
    made, real = version(1, synthetic=True), version(1)
    assert difference(made, real).to_real and not difference(made, real).same
    assert difference(real, replace(made)).to_synthetic
