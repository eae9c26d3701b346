"""Standard Flight SQL clients work unchanged: ADBC's driver for statements and metadata."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import ibis
import pyarrow as pa
import pyarrow.flight as flight
import pytest
import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

from catalog.gateway.listings import arrow_schema
from catalog.gateway.messages import encode
from catalog.gateway.workspace import Versions, resolve
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import Installation, info, reader, run, until, utc_now

KEY = ["date", "line", "station", "part"]
QUERY = "SELECT line, sum(boardings) AS n FROM subway_ridership GROUP BY line ORDER BY line LIMIT 5"


def test_adbc_statements_and_metadata(gateway: Installation) -> None:
    with adbc.connect(gateway.open(), autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) AS n FROM subway_ridership")
            assert cursor.fetchone() == (ROWS,)
            cursor.execute("SELECT line, boardings FROM subway_ridership LIMIT 1000")
            assert cursor.fetch_arrow_table().num_rows == 1000
            with pytest.raises(adbc.Error, match="table-not-granted"):
                cursor.execute("SELECT * FROM living_population")
        assert connection.adbc_get_table_types() == ["BASE TABLE"]
        objects = connection.adbc_get_objects(depth="all").read_all().to_pylist()
        (schema,) = objects[0]["catalog_db_schemas"]
        tables = {
            t["table_name"]: [c["column_name"] for c in t["table_columns"]]
            for t in schema["db_schema_tables"]
        }
        assert (objects[0]["catalog_name"], schema["db_schema_name"]) == ("memory", "campus")
        assert sorted(tables) == ["card_sales", "dong_codes", "gu_boundary", "subway_ridership"]
        assert tables["gu_boundary"][-1] == "geometry"
        assert (
            connection.adbc_get_table_schema("dong_codes", db_schema_filter="campus").field(0).name
            == "dong_code"
        )
        assert re.match("Campus", connection.adbc_get_info()["vendor_name"])
        only = connection.adbc_get_objects(depth="tables", table_name_filter="dong%").read_all().to_pylist()
        assert [t["table_name"] for t in only[0]["catalog_db_schemas"][0]["db_schema_tables"]] == [
            "dong_codes"
        ]


def test_adbc_binds_values_of_prepared_statements(gateway: Installation) -> None:
    with adbc.connect(gateway.open(), autocommit=True) as connection, connection.cursor() as cursor:
        day = date(2026, 1, 2)
        cursor.execute(
            "SELECT count(*) AS n, ? AS day, ? AS text FROM subway_ridership WHERE boardings > ?",
            (day, "it's; --", 5000),
        )
        ((n, *rest),) = cursor.fetchall()
        assert 0 < n < ROWS and rest == [day, "it's; --"]
        until(lambda: gateway.guard.kinds() == ["admitted", "finished"])
        event = gateway.guard.events[0]
        assert event.parameters == (("1", "DATE '2026-01-02'"), ("2", "'it''s; --'"), ("3", "5000"))
        assert "boardings > $3" in event.statement
        cursor.execute("SELECT $least AS least", pa.table({"least": [7]}))
        assert cursor.fetchone() == (7,)
        cursor.execute("SELECT ? AS a", (8,))
        assert cursor.fetchone() == (8,), "again, with other values"
        for query, values, why in (
            ("SELECT * FROM living_population WHERE hour = ?", (1,), "table-not-granted"),
            ("SELECT ?, ?", (1,), "parameters-mismatch"),
            ("SELECT * FROM read_csv(?)", ("/etc/passwd",), "table-function-not-allowed"),
        ):
            with pytest.raises(adbc.Error, match=why):
                cursor.execute(query, values)
        with pytest.raises(adbc.Error, match="malformed-request"):
            cursor.executemany("SELECT ?", [(1,), (2,)])


@pytest.mark.parametrize(
    "handle",
    [
        b"", b"x", b"[]", b"{}", b"\xff", b'{"query": 1, "parameters": []}', b"[" * 100_000,
        b'{"query": "SELECT ?", "parameters": [["shell", "rm"]]}',
        b'{"query": "SELECT ?", "parameters": [["int", "1; DROP"]]}',
        b'{"query": "SELECT 1; DROP TABLE x", "parameters": []}',
        b'{"query": "SELECT * FROM living_population", "parameters": null}',
    ],
)  # fmt: skip
def test_a_forged_handle_is_worth_no_more_than_a_statement(gateway: Installation, handle: bytes) -> None:
    client = flight.connect(gateway.open())
    command = encode("CommandPreparedStatementQuery", prepared_statement_handle=handle)
    with pytest.raises(flight.FlightUnauthorizedError):
        client.get_flight_info(flight.FlightDescriptor.for_command(command))
    with pytest.raises(flight.FlightUnauthorizedError):
        client.do_get(flight.Ticket(command)).read_all()
    assert "admitted" not in gateway.guard.kinds()


def test_nothing_but_values_can_be_put(gateway: Installation) -> None:
    handle = b'{"query": "SELECT ?", "parameters": []}'
    good = encode("CommandPreparedStatementQuery", prepared_statement_handle=handle)
    two_rows, odd = pa.table({"0": [1, 2]}), pa.table({"0": [b"x"]})
    none = pa.table({"0": pa.array([], pa.int64())})
    one = pa.table({"0": [1]})
    client: Any = flight.connect(gateway.open())
    for command, table in (
        (good, two_rows),
        (good, none),
        (good, odd),
        (encode("CommandStatementQuery", query="SELECT 1"), one),
        (b"x", one),
        (good.replace(b"SELECT", b"SEL\xffCT"), one),
    ):
        with pytest.raises((flight.FlightError, pa.ArrowException, StopIteration)):
            writer, reader = client.do_put(flight.FlightDescriptor.for_command(command), table.schema)
            with writer:
                writer.write_table(table)
                writer.done_writing()
                assert reader.read() is None
    assert run(client, "SELECT 1 AS a").num_rows == 1


def test_listed_types_are_the_ones_that_stream(gateway: Installation) -> None:
    granted = gateway.guard.granted(None, utc_now())  # type: ignore[arg-type]
    workspace = resolve(granted, Versions(gateway.warehouse), utc_now())
    with adbc.connect(gateway.open(), autocommit=True) as connection, connection.cursor() as cursor:
        for table in workspace.tables.values():
            cursor.execute(f"SELECT * FROM {table.name} LIMIT 1")
            assert pa.schema(cursor.fetch_arrow_table().schema).equals(arrow_schema(table)), table.name


def test_pandas_and_polars_read_through_the_driver(gateway: Installation, tmp_path: Path) -> None:
    """With the session's own pandas and Polars, and the driver beside them."""
    site = Path(adbc.__file__).parents[1]
    for name in ("adbc_driver_flightsql", "adbc_driver_manager"):
        (tmp_path / name).symlink_to(site / name)
    ran = subprocess.run(
        [gateway.starter.python, "-P", str(Path(__file__).with_name("frames.py")), gateway.open(), QUERY],
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    wanted = run(flight.connect(gateway.open()), QUERY).to_pylist()
    assert found["pandas"] == found["polars"] == [{**row, "n": int(row["n"])} for row in wanted]
    assert len(wanted) == 5
    assert (found["bound"], found["rows"], found["types"][0]) == (400, ROWS, "String")


def test_metadata_as_drivers_ask_for_it(gateway: Installation) -> None:
    """Catalogues, schemas, tables with and without their columns, types, and what the server is."""
    client: Any = flight.connect(gateway.open())

    def listed(name: str, **fields: Any) -> list[dict[str, Any]]:
        answer = client.get_flight_info(flight.FlightDescriptor.for_command(encode(name, **fields)))
        (endpoint,) = answer.endpoints
        table = client.do_get(endpoint.ticket).read_all()
        assert table.schema.equals(answer.schema), name
        return list(table.to_pylist())

    assert [row["catalog_name"] for row in listed("CommandGetCatalogs")] == ["memory"]
    (schema,) = listed("CommandGetDbSchemas")
    assert (schema["catalog_name"], schema["db_schema_name"]) == ("memory", "campus")
    assert listed("CommandGetDbSchemas", db_schema_filter_pattern="no%") == []
    assert [row["table_type"] for row in listed("CommandGetTableTypes")] == ["BASE TABLE"]
    plain = listed("CommandGetTables", include_schema=False)
    assert [row["table_name"] for row in plain] == [
        "card_sales", "dong_codes", "gu_boundary", "subway_ridership",
    ]  # fmt: skip
    assert "table_schema" not in plain[0]
    (one,) = listed("CommandGetTables", include_schema=True, table_name_filter_pattern="dong_codes")
    streamed = reader(info(client, "SELECT * FROM dong_codes LIMIT 0")).schema
    assert pa.ipc.read_schema(pa.py_buffer(one["table_schema"])).names == streamed.names
    for types in (["TABLE"], ["VIEW", "base table"]):
        assert listed("CommandGetTables", table_types=types) == plain
    for nothing in ({"table_types": ["VIEW", "SYSTEM TABLE"]}, {"catalog": "other"}):
        assert listed("CommandGetTables", include_schema=True, **nothing) == [], nothing
    known = {row["info_name"]: row["value"] for row in listed("CommandGetSqlInfo", info=[0, 3])}
    assert sorted(known) == [0, 3]
    assert known[0].startswith("Campus") and known[3] is True, "its name, and that it only reads"
    keys = listed("CommandGetPrimaryKeys", table="SUBWAY_ridership", catalog="memory", db_schema="campus")
    assert [(row["key_sequence"], row["column_name"]) for row in keys] == list(enumerate(KEY, 1))
    assert {(row["table_name"], row["key_name"]) for row in keys} == {
        ("subway_ridership", "subway_ridership_date_line_station_part_pkey")
    }
    for other in ({"table": "subway_ridership", "db_schema": "main"}, {"table": ""}, {"table": "dong_codes"}):
        assert listed("CommandGetPrimaryKeys", **other) == [], other  # of the last its rows have no key
    for name in ("CommandGetImportedKeys", "CommandGetExportedKeys"):
        assert listed(name, table="subway_ridership") == []
    assert listed("CommandGetCrossReference", pk_table="gu_boundary", fk_table="dong_codes") == []
    assert gateway.guard.kinds().count("admitted") == 1, "listings are no queries"


class OverFlightSql(DefaultDialect):
    """What dialects over Flight SQL do: they begin and end transactions by statements."""

    name = driver = "campus"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Any:
        return adbc

    def create_connect_args(self, url: Any) -> Any:
        return (url.query["uri"],), {"autocommit": True}

    def do_begin(self, dbapi_connection: Any) -> None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute("BEGIN")

    def do_commit(self, dbapi_connection: Any) -> None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute("COMMIT")

    def do_rollback(self, dbapi_connection: Any) -> None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute("ROLLBACK")

    def get_table_names(self, connection: Any, schema: str | None = None, **_: Any) -> list[str]:
        text = (
            "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
            "AND table_schema = :schema ORDER BY 1"
        )
        return list(connection.execute(sa.text(text), {"schema": schema or "campus"}).scalars())

    def get_view_names(self, connection: Any, schema: str | None = None, **_: Any) -> list[str]:
        text = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = :schema"
        return list(connection.execute(sa.text(text), {"schema": schema or "campus"}).scalars())

    def has_table(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> bool:
        text = "SELECT count(*) FROM duckdb_tables() WHERE NOT internal AND table_name = :name"
        return bool(connection.execute(sa.text(text), {"name": table_name}).scalar())

    def get_columns(self, connection: Any, table_name: str, schema: Any = None, **_: Any) -> list[Any]:
        text = (
            "SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE table_name = :name "
            "ORDER BY column_index"
        )
        kinds = {"BIGINT": sa.BigInteger(), "INTEGER": sa.Integer(), "DATE": sa.Date()}
        return [
            {"name": name, "type": kinds.get(kind, sa.String()), "nullable": nullable, "default": None}
            for name, kind, nullable in connection.execute(sa.text(text), {"name": table_name})
        ]

    def _constraints(self, connection: Any, table_name: str, kind: str) -> list[Any]:
        """As dialects for this engine ask."""
        text = (
            "SELECT constraint_name, unnest(constraint_column_names) AS column_name, referenced_table, "
            "referenced_column_names FROM duckdb_constraints() WHERE table_name = :name "
            "AND constraint_type = :kind ORDER BY constraint_index"
        )
        return list(connection.execute(sa.text(text), {"name": table_name, "kind": kind}))

    def get_pk_constraint(self, connection: Any, table_name: str, schema: Any = None, **_: Any) -> Any:
        found = self._constraints(connection, table_name, "PRIMARY KEY")
        name = found[0].constraint_name if found else None
        return {"constrained_columns": [row.column_name for row in found], "name": name}

    def get_unique_constraints(self, connection: Any, table_name: str, schema: Any = None, **_: Any) -> Any:
        return self._constraints(connection, table_name, "UNIQUE")

    def get_foreign_keys(self, connection: Any, table_name: str, schema: Any = None, **_: Any) -> Any:
        return self._constraints(connection, table_name, "FOREIGN KEY")

    def get_check_constraints(self, connection: Any, table_name: str, schema: Any = None, **_: Any) -> Any:
        return self._constraints(connection, table_name, "CHECK")

    def get_indexes(self, connection: Any, table_name: str, schema: Any = None, **_: Any) -> Any:
        text = "SELECT index_name, is_unique, expressions FROM duckdb_indexes() WHERE table_name = :name"
        return list(connection.execute(sa.text(text), {"name": table_name}))


sa.dialects.registry.register("campus", __name__, "OverFlightSql")


def test_sqlalchemy_reads_and_its_transactions_are_taken_for_nothing(gateway: Installation) -> None:
    engine = sa.create_engine(sa.URL.create("campus", query={"uri": gateway.open()}))
    table = sa.table(
        "subway_ridership",
        sa.column("line", sa.String),
        sa.column("boardings", sa.BigInteger),
        schema="campus",
    )
    with engine.connect() as connection:
        plain = connection.execute(sa.text("SELECT count(*) FROM subway_ridership WHERE boardings > 5000"))
        bound = sa.select(sa.func.count()).select_from(table).where(table.c.boardings > 5000)
        assert plain.scalar_one() == connection.execute(bound).scalar_one() > 0
        lines = sa.select(table.c.line, sa.func.max(table.c.boardings)).group_by(table.c.line)
        rows = connection.execute(lines.order_by(table.c.line).limit(2)).all()
        assert [row[0] for row in rows] == ["line-00", "line-01"]
        place = connection.execute(sa.text("SELECT current_schema(), current_database(), Current_Catalog()"))
        assert tuple(place.one()) == ("campus", "memory", "memory")
        connection.commit()
        with pytest.raises(sa.exc.DBAPIError, match="not-select"):
            connection.execute(sa.text("DROP TABLE subway_ridership"))
    engine.dispose()


def test_sqlalchemy_reflects_what_is_granted(gateway: Installation) -> None:
    engine = sa.create_engine(sa.URL.create("campus", query={"uri": gateway.open()}))
    inspector = sa.inspect(engine)
    granted = ["card_sales", "dong_codes", "gu_boundary", "subway_ridership"]
    assert inspector.get_table_names() == granted
    assert inspector.get_view_names() == []
    assert inspector.has_table("dong_codes") and not inspector.has_table("living_population")
    columns = {column["name"]: str(column["type"]) for column in inspector.get_columns("subway_ridership")}
    assert columns["boardings"] == "BIGINT" and columns["date"] == "DATE"
    assert inspector.get_pk_constraint("dong_codes")["constrained_columns"] == []
    for asked in ("unique_constraints", "foreign_keys", "check_constraints", "indexes"):
        assert getattr(inspector, f"get_{asked}")("dong_codes") == [], asked
    key = inspector.get_pk_constraint("subway_ridership")
    assert key == {"constrained_columns": KEY, "name": "subway_ridership_date_line_station_part_pkey"}
    assert inspector.get_pk_constraint("gu_boundary")["constrained_columns"] == ["gu_code"]
    table = sa.Table("subway_ridership", sa.MetaData(), autoload_with=engine)
    assert [column.name for column in table.primary_key] == KEY
    assert {c.name for c in table.columns if not c.nullable} == set(KEY)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count(table.c.boardings))).scalar_one() == ROWS
        for listing in ("views", "referential_constraints"):
            assert connection.execute(sa.text(f"FROM information_schema.{listing}")).all() == [], listing
    engine.dispose()


def test_ibis_lists_what_is_granted_and_saved(gateway: Installation) -> None:
    """The statement of its backend for this engine, sent over the wire."""
    address = gateway.open()
    client: Any = flight.connect(address)
    order = json.dumps({"query": "SELECT line, 1.5 AS x FROM subway_ridership", "save_as": "mine"})
    saving = flight.FlightDescriptor.for_command(b"campus.statement:" + order.encode())
    reader(client.get_flight_info(saving)).read_all()
    backend = ibis.duckdb.connect()
    asked: list[str] = []

    class Sent:
        """Its connection's place."""

        def execute(self, text: str) -> Any:
            asked.append(text)
            return self

        def fetch_arrow_table(self) -> Any:
            return run(client, asked[-1])

    there, backend.con = backend.con, Sent()
    try:
        names = backend.list_tables(database=("memory", "campus"))
    finally:
        backend.con = there
        backend.disconnect()
    assert sorted(names) == ["card_sales", "dong_codes", "gu_boundary", "mine", "subway_ridership"]
    with adbc.connect(address, autocommit=True) as connection:
        (catalog,) = connection.adbc_get_objects(table_types_filter=["BASE TABLE"]).read_all().to_pylist()
        (schema,) = catalog["catalog_db_schemas"]
        tables = {t["table_name"]: t["table_columns"] for t in schema["db_schema_tables"]}
        assert sorted(tables) == sorted(names)
        assert [column["column_name"] for column in tables["mine"]] == ["line", "x"]


@pytest.mark.parametrize("text", ["BEGIN; SELECT 1", "ROLLBACK TO x", "commit and chain", "BEGIN READ WRITE"])
def test_nothing_else_passes_for_a_transaction(gateway: Installation, text: str) -> None:
    with pytest.raises(flight.FlightUnauthorizedError):
        run(flight.connect(gateway.open()), text)


def test_ibis_writes_statements_that_the_gateway_runs(gateway: Installation) -> None:
    rides = ibis.table({"line": "string", "station": "string", "boardings": "int64"}, name="subway_ridership")
    by_line = rides.group_by("line").agg(n=rides.boardings.sum(), stations=rides.station.nunique())
    busy = by_line.filter(by_line.n > by_line.n.mean()).order_by(ibis.desc("n"), "line").limit(5)
    ranked = rides.mutate(
        rank=ibis.row_number().over(group_by="line", order_by=[ibis.desc("boardings"), "station"])
    ).filter(lambda t: t["rank"] < 2)
    with adbc.connect(gateway.open(), autocommit=True) as connection, connection.cursor() as cursor:
        for expression, count in ((busy, 5), (ranked, 194), (rides.describe(), 3)):
            cursor.execute(str(ibis.to_sql(expression, dialect="duckdb")))
            assert cursor.fetch_arrow_table().num_rows == count
