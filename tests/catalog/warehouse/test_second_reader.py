"""Other engines read our tables with no code of ours, wherever the folder really lies.

Apache DataFusion over iceberg-rust, an implementation that shares nothing with the one that wrote the
tables, and plain PyIceberg, each in an interpreter that cannot import this repository and sees the folder
mounted at /campus/warehouse. (ClickHouse's chdb, half a gigabyte, and DuckDB's own Iceberg extension, not
built for the engine's version here, were the alternatives.)
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from catalog.descriptions import Column, ColumnType, Role, Text
from catalog.sandbox.bubblewrap import BWRAP
from catalog.warehouse import Snapshot, Warehouse, metadata
from tests.catalog.warehouse.support import (
    GANGNAM,
    NOW,
    SPENDING,
    UNPARTED,
    days,
    publication,
    publish,
    read,
    spending,
)

JAN, FEB, MAR = date(2026, 1, 5), date(2026, 2, 5), date(2026, 3, 5)

PLAIN = """
import importlib.util, json, sys
assert importlib.util.find_spec("catalog") is None, sys.path
metadata, snapshot, statement, where = sys.argv[1:]
"""
DATAFUSION = (
    PLAIN
    + """
from datafusion import SessionContext
from pyiceberg_core.datafusion import IcebergDataFusionTable
context = SessionContext()
context.register_table("t", IcebergDataFusionTable(["x", "t"], metadata, {}))
rows = context.sql(statement).to_arrow_table()
print(json.dumps(sorted(map(list, zip(*(c.to_pylist() for c in rows.columns))), key=repr), default=str))
"""
)
PYICEBERG = (
    PLAIN
    + """
from pyiceberg.table import StaticTable
scan = StaticTable.from_metadata(metadata).scan(row_filter=where, snapshot_id=int(snapshot) or None)
rows = scan.to_arrow().to_pylist()
print(json.dumps({"rows": rows, "files": [f.file.file_path for f in scan.plan_files()]}, default=str))
"""
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    if not Path(BWRAP).exists():
        pytest.skip("bubblewrap is not installed: the folder cannot be mounted at /campus/warehouse")
    return Warehouse(tmp_path / "somewhere" / "warehouse", tmp_path / "catalog.sqlite")


def elsewhere(warehouse: Warehouse, program: str, *arguments: str) -> Any:
    """What another engine prints with the warehouse mounted at its address and no code of ours in reach."""
    view = ["--tmpfs", "/", "--dir", "/campus", "--ro-bind", str(warehouse.root), "/campus/warehouse"]
    view += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    for path in (Path(p) for p in ("/usr", "/bin", "/lib", "/lib64", "/etc")):
        if path.is_symlink():
            view += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            view += ["--ro-bind", str(path), str(path)]
    for path in {Path(sys.prefix), Path(sys.base_prefix)} - {Path("/usr")}:
        view += ["--ro-bind", str(path), str(path)]
    ran = subprocess.run(
        [
            BWRAP,
            *view,
            "--unshare-net",
            "--chdir",
            "/",
            "--",
            sys.executable,
            "-I",
            "-c",
            program,
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def address(warehouse: Warehouse, version: Snapshot | None = None) -> str:
    """Of the newest table metadata, or of that in which one version was the newest."""
    newest = metadata.tables(warehouse.catalog)["card_spending", "main"].metadata
    if version is None:
        return metadata.BASE + newest
    for path in sorted((warehouse.root / newest).parent.glob("*.metadata.json")):
        if json.loads(path.read_text("utf-8")).get("current-snapshot-id") == version.snapshot_id:
            return metadata.BASE + str(path.relative_to(warehouse.root))
    raise LookupError(version.snapshot_id)


def rust(warehouse: Warehouse, statement: str, version: Snapshot | None = None) -> list[list[Any]]:
    found: list[list[Any]] = elsewhere(warehouse, DATAFUSION, address(warehouse, version), "0", statement, "")
    return found


def ours(warehouse: Warehouse, snapshot: Snapshot, what: str) -> list[list[Any]]:
    plain = [[str(v) if isinstance(v, date) else v for v in row] for row in read(warehouse, snapshot, what)]
    return sorted(plain, key=repr)


def test_another_engine_reads_rows_and_sums(warehouse: Warehouse) -> None:
    made = publish(warehouse, spending(JAN, FEB, each=30))
    columns = ", ".join(c.name for c in SPENDING.columns)
    assert rust(warehouse, f"SELECT {columns} FROM t") == ours(warehouse, made, columns)
    assert rust(warehouse, "SELECT sum(amount), count(*) FROM t") == [[30 * 4 * 5000, 120]]
    where = f"dong_code = '{GANGNAM}' AND date >= '2026-02-01'"
    assert rust(warehouse, f"SELECT count(*) FROM t WHERE {where}") == [[30]]


def test_another_engine_reads_every_version(warehouse: Warehouse) -> None:
    first = publish(warehouse, spending(JAN), dataset=UNPARTED)
    second = publish(warehouse, spending(FEB), days(FEB))
    compacted = warehouse.compact(SPENDING, "main", NOW, "c", few=2) or warehouse.snapshot("card_spending")
    assert compacted.publication.compaction_of == second.snapshot_id
    for version, count in ((first, 2), (second, 4), (compacted, 4)):
        assert rust(warehouse, "SELECT count(*) FROM t", version) == [[count]]
        table = address(warehouse)
        found = elsewhere(warehouse, PYICEBERG, table, str(version.snapshot_id), "", "true")
        assert len(found["rows"]) == count


def test_another_engine_opens_only_the_files_of_a_partition(warehouse: Warehouse) -> None:
    made = publish(warehouse, spending(JAN, FEB))
    where = f"dong_code = '{GANGNAM}' and date >= '2026-02-01'"
    found = elsewhere(warehouse, PYICEBERG, address(warehouse), "0", "", where)
    (file,) = (f for f in made.files if f.partition == (("gu", "11680"), ("month", "2026-02")))
    assert found["files"] == [metadata.BASE + file.path]
    assert [r["dong_code"] for r in found["rows"]] == [GANGNAM]


def test_another_engine_follows_renamed_and_added_columns(warehouse: Warehouse) -> None:
    first = publish(warehouse, spending(JAN))
    text = Text(ko="메모", en="note")
    note = Column(
        name="note", type=ColumnType.STRING, title=text, unit="", code_system="", role=Role.METADATA,
        missing=text,
    )  # fmt: skip
    columns = tuple(
        dataclasses.replace(c, name="won", was="amount") if c.name == "amount" else c
        for c in SPENDING.columns
    )
    changed = dataclasses.replace(SPENDING, columns=(*columns, note))
    new = spending(FEB).rename_columns([c.name for c in columns])
    new = new.append_column("note", [["새 열"] * new.num_rows])
    second = warehouse.publish(changed, "main", new, publication(), days(FEB))
    assert rust(warehouse, "SELECT date, won, note FROM t") == ours(warehouse, second, "date, won, note")
    assert rust(warehouse, "SELECT count(*) FROM t WHERE note IS NULL AND won = 5000") == [[2]]
    assert rust(warehouse, "SELECT sum(amount) FROM t", first) == [[10_000]]
