"""Small tables in partitions, an engine with a worker's views over them, and random statements about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from catalog.gateway.parameters import NONE, Parameters
from catalog.gateway.pruning import index_of, kept
from catalog.gateway.sql import functions
from catalog.gateway.sql.statement import Statement, prepare
from catalog.gateway.sql.values import LONG
from catalog.warehouse import DataFile, Field, PartedBy, Publication, Snapshot, duckdb_relation_sql
from catalog.workers.query import bound_values, choose
from tests.catalog.gateway.simulator import utc_now
from tests.catalog.gateway.test_tree import PARSER

FUNCTIONS = functions.load()
FIRST = date(2024, 11, 28)
KINDS = {
    "spend": {"day": "DATE", "dong": "VARCHAR", "n": "INTEGER"},
    "stamps": {"moment": "TIMESTAMP", "q": "VARCHAR", "n": "INTEGER"},
    "plain": {"day": "DATE", "dong": "VARCHAR", "m": "INTEGER"},
}
PARTED = {
    "spend": (("gu", "dong", "truncate[5]"), ("month", "day", "month")),
    "stamps": (("month", "moment", "month"), ("quarter", "q", "identity")),
    "plain": (),
}
ARROW = {"DATE": pa.date32(), "VARCHAR": pa.string(), "INTEGER": pa.int32(), "TIMESTAMP": pa.timestamp("us")}
DONGS = [
    *(
        "11110515",
        "11110530",
        "11680510",
        "11680",
        "116",
        "1168",
        "11740",
        "None",
        "종로구청앞로",
        "종로구청",
        "",
    ),
    None,
]
QUARTERS = ["20244", "20251", "2025", "가나", None]


def rows_of(table: str) -> list[tuple[Any, ...]]:
    days = [FIRST + timedelta(days=7 * i) for i in range(14)] + [None]
    match table:
        case "spend":
            return [(days[i % 15], DONGS[(i // 3) % 12], None if i % 11 == 0 else i % 7) for i in range(150)]
        case "stamps":
            first = datetime(2024, 11, 30, 23, 59, 59, 999_999)
            moments = [first + timedelta(days=9 * i, microseconds=i % 2) for i in range(12)] + [None]
            return [(moments[i % 13], QUARTERS[i % 5], i % 7) for i in range(70)]
        case _:
            return [(days[i % 15], DONGS[i % 12], i % 5) for i in range(20)]


def worded(value: Any, transform: str) -> str:
    """As the warehouse words a partition."""
    if transform == "month":
        return "None" if value is None else f"{value:%Y-%m}"
    return str(value)[:5] if transform.startswith("truncate") and value is not None else str(value)


def written(folder: Path, table: str) -> Snapshot:
    """A version in one file a partition, with a partition's values as the warehouse says them."""
    kinds, groups = KINDS[table], dict[tuple[tuple[str, str], ...], list[tuple[Any, ...]]]()
    for row in rows_of(table):
        values = dict(zip(kinds, row, strict=True))
        key = tuple((name, worded(values[source], how)) for name, source, how in PARTED[table])
        groups.setdefault(key, []).append(row)
    ids = {name: number for number, name in enumerate(kinds, 1)}
    schema = pa.schema(
        [pa.field(n, ARROW[k], metadata={"PARQUET:field_id": str(ids[n])}) for n, k in kinds.items()]
    )
    files = []
    for number, (key, rows) in enumerate(groups.items()):
        columns = [pa.array([row[i] for row in rows], ARROW[kind]) for i, kind in enumerate(kinds.values())]
        path = folder / f"{table}-{number}.parquet"
        pq.write_table(pa.table(columns, schema=schema), path)
        files.append(DataFile(path=str(path), rows=len(rows), size=1, row_groups=(len(rows),), partition=key))
    return Snapshot(
        dataset=table,
        variant="main",
        snapshot_id=1,
        files=tuple(files),
        fields=tuple(Field(field_id=ids[n], name=n, duckdb_type=k) for n, k in kinds.items()),
        publication=Publication(now=utc_now(), by="x", synthetic=True, source="x", recipe="1"),
        parted=tuple(
            PartedBy(name=name, field_id=ids[source], transform=how) for name, source, how in PARTED[table]
        ),
    )


class Engine:
    """Views as a worker has them, over all the files there are."""

    def __init__(self, snapshots: Sequence[Snapshot]) -> None:
        self.snapshots = {snapshot.dataset: snapshot for snapshot in snapshots}
        self.connection = duckdb.connect()
        self.connection.execute("CREATE SCHEMA campus; SET preserve_insertion_order = false; SET threads = 1")
        for snapshot in snapshots:
            select = duckdb_relation_sql(
                snapshot, [f.path for f in snapshot.files], mark=snapshot.dataset, chosen_by=snapshot.dataset
            )
            self.connection.execute(f"CREATE VIEW campus.{snapshot.dataset} AS {select}")

    def judged(self, text: str, values: Parameters = NONE) -> Statement:
        columns = {name: tuple(kinds.items()) for name, kinds in KINDS.items()}
        return prepare(text, tuple(KINDS), FUNCTIONS, PARSER, {}, values.names, columns)

    def chosen(
        self, statement: Statement, values: Parameters = NONE, granted: dict[str, Snapshot] | None = None
    ) -> dict[str, list[str]]:
        """Table → the files that a statement is given of those that are granted."""
        found = {}
        for table, scans in statement.demands.items():
            files = (granted or self.snapshots)[table].files
            numbers = kept(index_of((granted or self.snapshots)[table]), len(files), scans, values)
            found[table] = [files[number].path for number in numbers or (0,)]
        return found

    def rows(self, statement: Statement, values: Parameters, files: dict[str, list[str]]) -> Any:
        cursor = self.connection.cursor()
        try:
            choose(cursor, files)
            for name, listed in statement.lists:
                cursor.execute(f"CREATE TEMP TYPE {name} AS ENUM ({listed})")
            return sorted(
                map(repr, cursor.execute(statement.text, bound_values(values.wire) or None).fetchall())
            )
        finally:
            cursor.close()


# -- random statements

DAYS = st.integers(-3, 110).map(lambda i: FIRST + timedelta(days=i))
TEXTS = st.sampled_from([str(dong) for dong in DONGS if dong is not None] + QUARTERS[:4] + ["1", "11680"])
SIGNS = st.sampled_from(["=", "<", "<=", ">", ">=", "=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"])
Draw = Callable[[st.SearchStrategy[Any]], Any]


def day_constant(draw: Draw) -> str:
    day: date = draw(DAYS)
    forms = [
        f"'{day}'",
        f"DATE '{day}'",
        f"'{day}'::date",
        f"TIMESTAMP '{day} 12:30:00'",
        f"CAST('{day}' AS DATE)",
    ]
    return str(draw(st.sampled_from([*forms, f"DATE '{day}' + INTERVAL 1 MONTH", f"'{day} 00:00:00'"])))


def long_list(draw: Draw, kind: str) -> str:
    """A list that is put in another way before it runs."""
    if kind == "INTEGER":
        items = [str(draw(st.integers(-1, 8))) for _ in range(3)]
    else:
        items = [f"'{draw(TEXTS if kind == 'VARCHAR' else DAYS)}'" for _ in range(3)]
    return ", ".join(items * LONG)


def comparison(draw: Draw, names: dict[str, str]) -> str:
    """A condition on one column of a table, now and then one that is no simple one."""
    often = [name for name, kind in names.items() if kind != "INTEGER"] or list(names)
    column = draw(st.sampled_from([*names, *often, *often]))
    kind, sign = names[column], draw(SIGNS)
    if draw(st.integers(0, 19)) == 0:
        return f"{column} IN ({long_list(draw, kind)})"
    if kind == "VARCHAR" and draw(st.booleans()):
        return f"{column} = '{draw(TEXTS)}'"
    if kind in ("DATE", "TIMESTAMP") and draw(st.booleans()):
        day: date = draw(DAYS)
        return f"{column} BETWEEN '{day}' AND '{day + timedelta(days=draw(st.sampled_from([0, 20, 40])))}'"
    if kind == "INTEGER":
        return f"{column} {sign} {draw(st.integers(-1, 8))}"
    if kind == "VARCHAR":
        text = draw(TEXTS)
        left = draw(
            st.sampled_from([f"left({column}, {draw(st.integers(1, 9))})", f"substr({column}, 1, 5)", column])
        )
        forms = [
            f"{left} {sign} '{text}'",
            f"'{text}' {sign} {left}",
            f"{left} BETWEEN '{text}' AND '{draw(TEXTS)}'",
            f"{left} IN ('{text}', '{draw(TEXTS)}')",
            f"{left} IN ('{text}', NULL)",
            f"{column} LIKE '{text}%'",
            f"{column} LIKE '{text[:2]}_{text[2:]}%'",
            f"{column} NOT LIKE '{text}%'",
            f"starts_with({column}, '{text}')",
            f"coalesce({column}, '{text}') = '{text}'",
            f"{column} IS NULL",
            f"{column} = 11680",
        ]
        return str(draw(st.sampled_from(forms)))
    constant = day_constant(draw)
    step = draw(st.sampled_from(["year", "quarter", "month", "day", "week"]))
    part = draw(st.sampled_from(["year", "month", "quarter", "day"]))
    form = draw(st.sampled_from(["%Y", "%Y-%m", "%Y%m", "%Y-%m-%d", "%m-%Y"]))
    day = draw(DAYS)
    forms = [
        f"{column} {sign} {constant}",
        f"{constant} {sign} {column}",
        f"{column} BETWEEN {constant} AND {day_constant(draw)}",
        f"{column} NOT BETWEEN {constant} AND {day_constant(draw)}",
        f"{column} IN ({constant}, '{day}')",
        f"date_trunc('{step}', {column}) {sign} '{day}'",
        f"date_trunc('{step}', {column}) {sign} DATE '{day.replace(day=1)}'",
        f"{part}({column}) {sign} {draw(st.sampled_from([1, 2, 4, 11, 12, 2024, 2025]))}",
        f"extract({part} FROM {column}) IN (1, 4, 2024)",
        f"strftime({column}, '{form}') {sign} '{day:{form}}'",
        f"{column}::DATE {sign} '{day}'",
        f"{column} IS NULL",
    ]
    return str(draw(st.sampled_from(forms)))


def condition(draw: Draw, names: dict[str, str], depth: int = 2) -> str:
    if depth and draw(st.integers(0, 2)):
        word = draw(st.sampled_from(["AND", "AND", "OR"]))
        made = f"({condition(draw, names, depth - 1)}) {word} ({condition(draw, names, depth - 1)})"
        return f"NOT ({made})" if draw(st.integers(0, 9)) == 0 else made
    return comparison(draw, names)


def names_of(table: str, alias: str, qualified: bool) -> dict[str, str]:
    return {f"{alias}.{name}" if qualified else name: kind for name, kind in KINDS[table].items()}


JOINS = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN", "CROSS JOIN", "ASOF JOIN"]


@st.composite
def statements(draw: Draw) -> str:
    shape = draw(st.integers(0, 9))
    one, other = (draw(st.sampled_from(["spend", "spend", "stamps", "plain"])) for _ in range(2))
    if shape <= 1:
        return f"SELECT * FROM {one} a WHERE {condition(draw, names_of(one, 'a', draw(st.booleans())))}"
    if shape == 2:  # joined by a name, which then is of both
        using = draw(st.sampled_from(["USING (day, dong)", "USING (dong)", "USING (day)", "NATURAL"]))
        how = draw(st.sampled_from(JOINS[:4]))
        joined = f"spend a NATURAL {how} plain b" if using == "NATURAL" else f"spend a {how} plain b {using}"
        names = {**names_of("spend", "a", True), **names_of("plain", "b", True)}
        names |= {"day": "DATE", "dong": "VARCHAR", "n": "INTEGER"}
        return f"SELECT count(*), sum(n), min(m) FROM {joined} WHERE {condition(draw, names)}"
    if shape == 3:  # read twice under one name
        where = condition(draw, names_of("spend", "s", draw(st.booleans())))
        again = condition(draw, names_of("spend", "c", False))
        inside = condition(draw, names_of("spend", "", False))
        return (
            f"WITH c AS (SELECT * FROM spend s WHERE {where}) SELECT (SELECT count(*) FROM c), x.* FROM c x "
            f"WHERE {again} OR x.n IN (SELECT n FROM spend WHERE {inside})"
        )
    if shape == 4:  # a correlated one seen
        seen = {**names_of(other, "b", True), **names_of(one, "a", True)}
        word = draw(st.sampled_from(["EXISTS", "NOT EXISTS"]))
        return (
            f"SELECT count(*), max(n) FROM {one} a WHERE {word} (SELECT 1 FROM {other} b WHERE "
            f"{condition(draw, seen)}) AND ({condition(draw, names_of(one, 'a', True))})"
        )
    if shape == 5:
        arms = [
            f"SELECT n FROM {t} WHERE {condition(draw, names_of(t, t, draw(st.booleans())))}"
            for t in ("spend", "stamps")
        ]
        return f" {draw(st.sampled_from(['UNION ALL', 'EXCEPT', 'INTERSECT', 'UNION']))} ".join(arms)
    if shape == 6:
        names = names_of("spend", "spend", False)
        return (
            f"SELECT dong, sum(n) AS day, count(*) FROM spend WHERE {condition(draw, names)} GROUP BY dong "
            f"HAVING count(*) > 1 ORDER BY ALL"
        )
    return str(draw(joins(draw(st.sampled_from(JOINS)))))


@st.composite
def joins(draw: Draw, how: str) -> str:
    """Two or three tables, with conditions beside the joins and after them."""
    tables = ["spend", *(draw(st.sampled_from(["spend", "stamps", "plain"])) for _ in "bc")]
    hows = [how, draw(st.sampled_from(JOINS[:7]))][: draw(st.sampled_from([1, 1, 2]))]
    if draw(st.booleans()):
        hows.reverse()
    seen, tree = names_of(tables[0], "a", True), f"{tables[0]} a"
    for kind, alias, table in zip(hows, "bc", tables[1:], strict=False):
        both = {**seen, **names_of(table, alias, True)}
        by = f"a.n {'>=' if kind == 'ASOF JOIN' else '='} {number(table, alias)}"
        on = f" ON {by}" + (f" AND ({condition(draw, both, 1)})" if kind != "ASOF JOIN" else "")
        tree = f"({tree} {kind} {table} {alias}{'' if kind == 'CROSS JOIN' else on})"
        seen = seen if kind in ("SEMI JOIN", "ANTI JOIN") else both
    where = f" WHERE {condition(draw, seen, 1)}" if draw(st.booleans()) else ""
    total = ", ".join(f"count({name})" for name in seen if name[2:] in ("day", "dong", "moment"))
    return f"SELECT count(*), sum(a.n), {total} FROM {tree}{where}"


def number(table: str, alias: str) -> str:
    return f"{alias}.{'m' if table == 'plain' else 'n'}"
