"""What a version's list of files says of lowest and highest values holds for every row, or is not said."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.descriptions import ColumnType, Text
from catalog.warehouse import Bounds, Warehouse, file_bounds, listed_bounds, metadata
from catalog.warehouse.bounds import LONGEST
from tests.catalog.warehouse.support import GANGNAM, JONGNO, SPENDING, content, days, publish, spending

KINDS: dict[str, tuple[Any, str]] = {
    "i": (pa.int32(), "INTEGER"),
    "l": (pa.int64(), "BIGINT"),
    "x": (pa.float64(), "DOUBLE"),
    "s": (pa.string(), "VARCHAR"),
    "d": (pa.date32(), "DATE"),
    "t": (pa.timestamp("us"), "TIMESTAMP"),
}
LONG = "서울특별시" * 10
TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "a\0", "가", LONG, LONG[:LONGEST], LONG[:LONGEST] + "\0", "z" * 5000, "\U0010ffff" * 40]
    ),
    st.text(max_size=6),
    st.text(max_size=4).map(lambda end: LONG + end),
)  # fmt: skip
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-(2**31), 2**31 - 1),
    "l": st.integers(-(2**63), 2**63 - 1),
    "x": st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 0.0]),
    "s": TEXTS,
    "d": st.dates(),
    "t": st.datetimes(),
}


def footer_of(columns: dict[str, list[Any]], row_group: int) -> Any:
    schema = pa.schema(
        [pa.field(n, KINDS[n][0], metadata={"PARQUET:field_id": str(i)}) for i, n in enumerate(columns, 1)]
    )
    written = io.BytesIO()
    table = pa.table([pa.array(v, KINDS[n][0]) for n, v in columns.items()], schema=schema)
    pq.write_table(table, written, row_group_size=row_group)
    return pq.ParquetFile(written).metadata


def holds(known: Bounds, value: Any) -> bool:
    if isinstance(value, float) and math.isnan(value):
        return True
    order = str.encode if isinstance(value, str) else lambda v: v
    low, high = order(known.low), order(known.high)
    above = order(value)[: len(high)] == high if known.begins else False
    return bool(low <= order(value) and (above or order(value) <= high))


@settings(max_examples=400, deadline=None)
@given(data=st.data(), row_group=st.integers(1, 4))
def test_no_value_lies_outside_what_is_listed(data: st.DataObject, row_group: int) -> None:
    rows = data.draw(st.integers(1, 9))
    columns = {
        name: data.draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        for name, values in VALUES.items()
    }
    text = file_bounds(footer_of(columns, row_group))
    for number, (name, values) in enumerate(columns.items(), 1):
        known = listed_bounds(text, number, KINDS[name][1])
        present = [value for value in values if value is not None]
        if known is not None:
            assert present and all(holds(known, value) for value in present)
        elif name != "s":  # the bounds of some texts are too long for a footer
            assert not present or any(isinstance(v, float) and not math.isfinite(v) for v in present)


def test_long_texts_are_listed_by_how_they_begin() -> None:
    known = listed_bounds(file_bounds(footer_of({"s": [LONG, LONG + "1"]}, 9)), 1, "VARCHAR")
    assert known == Bounds(low=LONG[:LONGEST], high=LONG[:LONGEST], begins=True)
    known = listed_bounds(file_bounds(footer_of({"s": ["", LONG[:LONGEST]]}, 9)), 1, "VARCHAR")
    assert known == Bounds(low="", high=LONG[:LONGEST])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("s", ["a", None, "z" * 5000, "b"]),  # the second row group has texts, but no bounds
        ("x", [1.0, math.nan, math.nan, math.nan]),
        ("x", [1.0, math.inf]),
        ("i", [None, None]),
        ("i", []),
    ],
)
def test_what_a_footer_does_not_say_is_not_known(name: str, values: list[Any]) -> None:
    assert listed_bounds(file_bounds(footer_of({name: values}, 2)), 1, KINDS[name][1]) is None


def test_days_and_moments_that_python_has_no_word_for_are_not_known() -> None:
    far: dict[str, Any] = {"d": pa.array([2**31 - 1, 0], pa.int32()).cast(pa.date32()),
           "t": pa.array([2**62, 0], pa.int64()).cast(pa.timestamp("us")),
           "s": pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff", b"a"]).buffers())}  # fmt: skip
    schema = pa.schema(
        [
            pa.field(n, v.type, metadata={"PARQUET:field_id": str(i)})
            for i, (n, v) in enumerate(far.items(), 1)
        ]
    )
    written = io.BytesIO()
    pq.write_table(pa.table(list(far.values()), schema=schema), written)
    text = file_bounds(pq.ParquetFile(written).metadata)
    assert [listed_bounds(text, i, KINDS[n][1]) for i, n in enumerate(far, 1)] == [None] * 3


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "7", "{}", "[7]", "[[1]]", '[[1,"int",1,2,3,4]]', '[[1,"int","1","2"]]', '[[1,"int",1.5,2]]',
        '[[1,"int",true,true]]', '[[1,"int",null,2]]', '[[1,"date","2026-01-01","2026-01-02"]]',
        '[[2,"int",1,2]]',        '[[1,"int",3,2]]', '[["1","int",1,2]]', '[[1,["int"],1,2]]',
    ],
)  # fmt: skip
def test_what_is_badly_listed_is_not_known(text: str) -> None:
    assert listed_bounds(text, 1, "INTEGER") is None


@pytest.mark.parametrize(
    ("entry", "kind", "known"),
    [
        (["int", 1, 2], "BIGINT", Bounds(low=1, high=2)),  # a column that was widened
        (["int", 1, 2], "DOUBLE", None),
        (["text", "1", "2"], "INTEGER", None),
        (["text", "2026-01-01", "2026-01-02"], "DATE", None),
        (["date", "2026-01-01", "2026-01-02"], "TIMESTAMP", None),
        (["date", "2026-01-01", "never"], "DATE", None),
        (["time", "2026-01-01T00:00:00+09:00", "2026-01-02T00:00:00+09:00"], "TIMESTAMP", None),
        (["float", 1.0, math.nan], "DOUBLE", None),
        (["float", 1.0, 2.0], "DOUBLE", Bounds(low=1.0, high=2.0)),
        (["text", "b", "a"], "VARCHAR", None),
        (["begins", "a", "b"], "VARCHAR", Bounds(low="a", high="b", begins=True)),
        (["begins", 1, 2], "INTEGER", None),
    ],
)
def test_bounds_of_another_kind_than_the_column_say_nothing(
    entry: list[Any], kind: str, known: Bounds | None
) -> None:
    assert listed_bounds(json.dumps([[7, *entry]]), 7, kind) == known


def fields(warehouse: Warehouse, name: str, dataset: str = "card_spending") -> list[Bounds | None]:
    snapshot = warehouse.snapshot(dataset)
    field = next(f for f in snapshot.fields if f.name == name)
    return [listed_bounds(f.bounds, field.field_id, field.duckdb_type) for f in snapshot.files]


def test_a_published_version_lists_them_and_files_that_stay_keep_theirs(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "files", tmp_path / "catalog.sqlite")
    publish(warehouse, spending(date(2026, 1, 3), date(2026, 1, 9), date(2026, 2, 1), each=3))
    assert sorted(map(str, fields(warehouse, "date"))) == sorted(
        str(Bounds(low=low, high=high))
        for low, high in [(date(2026, 1, 3), date(2026, 1, 9)), (date(2026, 2, 1), date(2026, 2, 1))] * 2
    )
    assert set(fields(warehouse, "hour")) == {Bounds(low=0, high=2)}
    publish(warehouse, spending(date(2026, 2, 1), dongs=[JONGNO], each=5), days(date(2026, 2, 1)))
    assert sorted(b.high for b in fields(warehouse, "hour") if b) == [2, 2, 4]
    snapshot = warehouse.snapshot("card_spending")
    for file in snapshot.files:
        with pq.ParquetFile(warehouse.path(file.path)) as parquet:
            assert file.bounds == file_bounds(parquet.metadata)


def test_files_from_before_bounds_were_listed_are_looked_at_by_the_next_publication(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "files", tmp_path / "catalog.sqlite")
    first = publish(warehouse, spending(date(2026, 1, 3), date(2026, 2, 1)))
    listing = metadata.files_path(warehouse.root, "card_spending", "main", first.snapshot_id)
    old = [{k: v for k, v in f.items() if k != "bounds"} for f in json.loads(listing.read_text("utf-8"))]
    listing.write_text(json.dumps(old), "utf-8")
    later = Warehouse(warehouse.root, warehouse.catalog)
    assert later.snapshot("card_spending") == first and set(fields(later, "date")) == {None}
    publish(later, spending(date(2026, 2, 1), dongs=[GANGNAM]), days(date(2026, 2, 1)))
    assert len(fields(later, "date")) == 3 and None not in fields(later, "date")


def test_a_version_from_before_is_looked_at_once_and_stays_the_same_version(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "files", tmp_path / "catalog.sqlite")
    made = publish(warehouse, spending(date(2026, 1, 3), date(2026, 2, 1)))
    listing = metadata.files_path(warehouse.root, "card_spending", "main", made.snapshot_id)
    whole = listing.read_bytes()
    old = [{k: v for k, v in f.items() if k != "bounds"} for f in json.loads(whole)]
    listing.write_text(json.dumps(old), "utf-8")
    later = Warehouse(warehouse.root, warehouse.catalog)
    assert set(fields(later, "date")) == {None}
    later.list_bounds("card_spending", "main")
    assert json.loads(listing.read_bytes()) == json.loads(whole) and None not in fields(later, "date")
    assert later.snapshot("card_spending") == made and len(later.versions("card_spending")) == 1
    assert [path.name for path in listing.parent.iterdir()] == [listing.name]
    before = listing.stat().st_ino
    later.list_bounds("card_spending", "main")
    assert listing.stat().st_ino == before, "nothing was missing"


def test_renamed_widened_and_added_columns_go_by_their_lasting_number(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "files", tmp_path / "catalog.sqlite")
    publish(warehouse, spending(date(2026, 1, 3), dongs=[JONGNO], each=2))
    hour = next(c for c in SPENDING.columns if c.name == "hour")
    wider = dataclasses.replace(hour, name="part_of_day", was="hour", type=ColumnType.LONG)
    added = dataclasses.replace(hour, name="hour", missing=Text(ko="그때는 없음", en="not said then"))
    changed = dataclasses.replace(
        SPENDING, columns=(*(wider if c is hour else c for c in SPENDING.columns), added), sort=("date",)
    )
    rows = spending(date(2026, 2, 1), dongs=[JONGNO], each=9)
    rows = rows.rename_columns([wider.name if n == "hour" else n for n in rows.column_names])
    rows = rows.append_column("hour", pa.array([77] * rows.num_rows, pa.int32()))
    publish(warehouse, rows, days(date(2026, 2, 1)), changed)
    assert sorted(map(str, fields(warehouse, "part_of_day"))) == [
        str(Bounds(low=0, high=1)),
        str(Bounds(low=0, high=8)),
    ]
    assert sorted(map(str, fields(warehouse, "hour"))) == [str(Bounds(low=77, high=77)), "None"]
    assert all(content(warehouse, f).num_rows in (2, 9) for f in warehouse.snapshot("card_spending").files)
