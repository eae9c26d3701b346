"""Flight SQL's own listings (catalogues, schemas, tables, server facts) of one workspace, as Arrow tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa

from catalog.gateway.sql.show import CATALOG, SCHEMA, TABLE_TYPE, key_name
from catalog.gateway.sql.tree import fold
from catalog.gateway.workspace import Table, Workspace

_TABLE_TYPES: Final = frozenset({TABLE_TYPE, "TABLE"})  # JDBC says TABLE, ISO 9075-11 BASE TABLE
NONE_SAVED: Final[Mapping[str, bytes]] = MappingProxyType({})
_NO_FIELDS: Final = pa.schema([]).serialize().to_pybytes()
_ARROW: Final = {
    "VARCHAR": pa.string(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "FLOAT": pa.float32(),
    "DATE": pa.date32(),
    "BLOB": pa.binary(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
}
# SqlInfo numbers: format/FlightSql.proto
_FACTS: Final[dict[int, str | bool]] = {0: "Campus", 1: "1", 2: "26.0.1", 3: True}
_VALUE: Final = pa.dense_union(
    [
        pa.field("string_value", pa.string()),
        pa.field("bool_value", pa.bool_()),
        pa.field("bigint_value", pa.int64()),
        pa.field("int32_bitmask", pa.int32()),
        pa.field("string_list", pa.list_(pa.string())),
        pa.field("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
    ]
)


def arrow_schema(table: Table) -> Any:
    """The Arrow schema of a granted table."""
    return pa.schema(
        [pa.field(f.name, _ARROW.get(f.duckdb_type, pa.string())) for f in table.snapshot.fields]
    )


def listing(name: str, command: Any, workspace: Workspace, saved: Mapping[str, bytes] = NONE_SAVED) -> Any:
    """The answer to a metadata command as an Arrow table.

    Parameters
    ----------
    saved
        The session's own tables and their Arrow schemas, as IPC messages.
    """
    match name:
        case "CommandGetCatalogs":
            return pa.table({"catalog_name": [CATALOG]}, schema=_schema("catalog_name!"))
        case "CommandGetDbSchemas":
            shown = _matches(command.db_schema_filter_pattern, SCHEMA) and command.catalog in ("", CATALOG)
            rows = [(CATALOG, SCHEMA)] if shown else []
            return _table(_schema("catalog_name", "db_schema_name!"), rows)
        case "CommandGetTableTypes":
            return pa.table({"table_type": [TABLE_TYPE]}, schema=_schema("table_type!"))
        case "CommandGetSqlInfo":
            return _sql_info(command)
        case "CommandGetPrimaryKeys":
            return _table(_PRIMARY_KEYS, _primary_key(command, workspace))
        case "CommandGetExportedKeys" | "CommandGetImportedKeys" | "CommandGetCrossReference":
            return _FOREIGN_KEYS.empty_table()  # no description refers to another
        case _:
            return _tables(command, workspace, saved)


def _tables(command: Any, workspace: Workspace, saved: Mapping[str, bytes]) -> Any:
    schema = _schema("catalog_name", "db_schema_name", "table_name!", "table_type!")
    if command.include_schema:
        schema = schema.append(pa.field("table_schema", pa.binary(), nullable=False))
    visible = (
        command.catalog in ("", CATALOG)
        and _matches(command.db_schema_filter_pattern, SCHEMA)
        and (not command.table_types or not _TABLE_TYPES.isdisjoint(map(str.upper, command.table_types)))
    )
    rows = []
    for name in sorted({*workspace.tables, *saved}):
        if visible and _matches(command.table_name_filter_pattern, name):
            row: tuple[object, ...] = (CATALOG, SCHEMA, name, TABLE_TYPE)
            if command.include_schema:
                table = workspace.tables.get(name)
                row += (arrow_schema(table).serialize().to_pybytes() if table else saved[name] or _NO_FIELDS,)
            rows.append(row)
    return _table(schema, rows)


def _primary_key(command: Any, workspace: Workspace) -> list[tuple[object, ...]]:
    """The key of the one table that is asked for, where it is granted and has one."""
    if command.catalog not in ("", CATALOG) or command.db_schema not in ("", SCHEMA):
        return []
    return [
        (CATALOG, SCHEMA, table.name, column, key_name(table.name, table.key), place)
        for table in workspace.tables.values()
        if fold(table.name) == fold(command.table)
        for place, column in enumerate(table.key, 1)
    ]


def _sql_info(command: Any) -> Any:
    wanted = [n for n in command.info or _FACTS if n in _FACTS]
    texts = [_FACTS[n] for n in wanted if isinstance(_FACTS[n], str)]
    flags = [_FACTS[n] for n in wanted if isinstance(_FACTS[n], bool)]
    kinds, offsets, seen = [], [], [0, 0]
    for number in wanted:
        kind = 0 if isinstance(_FACTS[number], str) else 1
        kinds.append(kind)
        offsets.append(seen[kind])
        seen[kind] += 1
    children: list[Any] = [pa.array(texts, pa.string()), pa.array(flags, pa.bool_())]
    children += [pa.array([], _VALUE.field(i).type) for i in range(2, 6)]
    values = pa.UnionArray.from_dense(
        pa.array(kinds, pa.int8()),
        pa.array(offsets, pa.int32()),
        children,
        [_VALUE.field(i).name for i in range(6)],
    )
    schema = pa.schema(
        [pa.field("info_name", pa.uint32(), nullable=False), pa.field("value", values.type, nullable=False)]
    )
    return pa.table([pa.array(wanted, pa.uint32()), values], schema=schema)


def _schema(*names: str) -> Any:
    return pa.schema([pa.field(n.rstrip("!"), pa.string(), nullable=not n.endswith("!")) for n in names])


def _table(schema: Any, rows: list[Any]) -> Any:
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [[] for _ in schema]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def _matches(pattern: str, name: str) -> bool:
    """SQL LIKE, case-blind; an empty pattern matches."""
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return not pattern or re.fullmatch("".join(parts), name, re.I) is not None


_NUMBER: Final = pa.field("key_sequence", pa.int32(), nullable=False)
_PRIMARY_KEYS: Final = pa.schema(
    [*_schema("catalog_name", "db_schema_name", "table_name!", "column_name!", "key_name"), _NUMBER]
)
_FOREIGN_KEYS: Final = pa.schema(
    [
        *_schema("pk_catalog_name", "pk_db_schema_name", "pk_table_name!", "pk_column_name!"),
        *_schema("fk_catalog_name", "fk_db_schema_name", "fk_table_name!", "fk_column_name!"),
        _NUMBER,
        *_schema("fk_key_name", "pk_key_name"),
        pa.field("update_rule", pa.uint8(), nullable=False),
        pa.field("delete_rule", pa.uint8(), nullable=False),
    ]
)
