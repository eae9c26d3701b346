"""Sessions on other machines: what the holder of a certificate can do, by standard drivers over TCP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as adbc
import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.gateway.guard import Route, Transport
from catalog.gateway.messages import encode
from catalog.gateway.remote import REUSE
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import SOON, info, run, until
from tests.catalog.remote.conftest import Campus, Held

SLOW = "SELECT sum(a.boardings * b.boardings) AS n FROM subway_ridership a, subway_ridership b"
MANY = "SELECT a.line, b.boardings FROM subway_ridership a, subway_ridership b"
OPTIONS = adbc_driver_flightsql.DatabaseOptions


def driver(campus: Campus, held: Held, further: Mapping[str, str] | None = None) -> Any:
    options = {
        OPTIONS.TLS_ROOT_CERTS.value: campus.authority.trusted().decode(),
        OPTIONS.MTLS_CERT_CHAIN.value: held.certificate.decode(),
        OPTIONS.MTLS_PRIVATE_KEY.value: held.key.decode(),
        **(further or {}),
    }
    return adbc.connect(campus.address, db_kwargs=options, autocommit=True)


def rows(client: Any, sql: str) -> Any:
    """A statement's result over the connection that asked."""
    (endpoint,) = info(client, sql).endpoints
    return client.do_get(endpoint.ticket).read_all()


def detail(refused: pytest.ExceptionInfo[Any]) -> dict[str, str]:
    found: dict[str, str] = json.loads(refused.value.extra_info)
    return found


def test_a_session_elsewhere_asks_and_reads(campus: Campus) -> None:
    held = campus.certify(campus.session())
    client = campus.connect(held)
    answer = info(client, "SELECT line, boardings FROM subway_ridership")
    (endpoint,) = answer.endpoints
    assert [location.uri.decode() for location in endpoint.locations] == [campus.address, REUSE]
    assert json.loads(answer.app_metadata)["query_id"]
    assert client.do_get(endpoint.ticket).read_all().num_rows == ROWS
    until(lambda: campus.gateway.guard.kinds() == ["admitted", "finished"])
    with pytest.raises(flight.FlightUnauthorizedError, match="table-not-granted"):
        info(client, "SELECT * FROM living_population")
    for event in campus.gateway.guard.events:
        assert event.route == Route(transport=Transport.TLS, certificate=held.serial), event.kind
        assert event.identity == held.identity
    assert [e.rows for e in campus.gateway.guard.events] == [0, ROWS, 0]
    assert campus.gateway.broker.stats()["remote_connections"] == 1
    further = campus.connect(held)
    (other,) = info(client, "SELECT 1 AS a").endpoints
    assert further.do_get(other.ticket).read_all().to_pylist() == [{"a": 1}]
    client.close()
    further.close()
    until(lambda: campus.gateway.broker.stats()["remote_connections"] == 0)
    entrance = campus.gateway.broker._entrance
    assert entrance is not None
    until(lambda: not entrance._faces and not list(entrance._folder.iterdir()))


def test_a_session_beside_keeps_its_own_way(campus: Campus) -> None:
    identity = campus.session()
    client = flight.connect(f"grpc+unix://{campus.gateway.run}/gateway/{identity.session_id}/broker.sock")
    (endpoint,) = info(client, "SELECT 1 AS a").endpoints
    (location,) = endpoint.locations
    assert location.uri.startswith(b"grpc+unix://") and b"worker-1.sock" in location.uri
    assert run(client, "SELECT 1 AS a").num_rows == 1
    assert {e.route for e in campus.gateway.guard.events} == {Route()}


def test_the_standard_driver_works_unchanged(campus: Campus) -> None:
    held = campus.certify(campus.session())
    with driver(campus, held) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) AS n FROM subway_ridership")
            assert cursor.fetchone() == (ROWS,)
            cursor.execute("SELECT line, boardings FROM subway_ridership")
            assert cursor.fetch_arrow_table().num_rows == ROWS
            with pytest.raises(adbc.Error, match="table-not-granted"):
                cursor.execute("SELECT * FROM living_population")
            day = date(2026, 1, 2)
            cursor.execute(
                "SELECT count(*) AS n, ? AS day FROM subway_ridership WHERE boardings > ?", (day, 5000)
            )
            ((n, said),) = cursor.fetchall()
            assert 0 < n < ROWS and said == day
        until(lambda: campus.gateway.guard.kinds().count("finished") == 3)
        bound = [e.parameters for e in campus.gateway.guard.events if e.parameters]
        assert bound[0] == (("1", "DATE '2026-01-02'"), ("2", "5000"))
        assert connection.adbc_get_table_types() == ["BASE TABLE"]
        (catalogue,) = connection.adbc_get_objects(depth="all").read_all().to_pylist()
        (schema,) = catalogue["catalog_db_schemas"]
        assert sorted(t["table_name"] for t in schema["db_schema_tables"]) == [
            "card_sales", "dong_codes", "gu_boundary", "subway_ridership",
        ]  # fmt: skip
        found = connection.adbc_get_table_schema("dong_codes", db_schema_filter="campus")
        assert found.field(0).name == "dong_code"
    assert {e.route.certificate for e in campus.gateway.guard.events} == {held.serial}


def test_metadata_as_drivers_ask_for_it(campus: Campus) -> None:
    client = campus.connect(campus.certify(campus.session()))
    for name, many in (
        ("CommandGetCatalogs", 1), ("CommandGetDbSchemas", 1), ("CommandGetTableTypes", 1),
        ("CommandGetTables", 4), ("CommandGetSqlInfo", None), ("CommandGetPrimaryKeys", 0),
    ):  # fmt: skip
        fields = {"table": "dong_codes"} if "Keys" in name else {}
        answer = client.get_flight_info(flight.FlightDescriptor.for_command(encode(name, **fields)))
        (endpoint,) = answer.endpoints
        table = client.do_get(endpoint.ticket).read_all()
        assert table.schema.equals(answer.schema), name
        assert many is None or table.num_rows == many, name
    assert campus.gateway.guard.kinds() == [], "listings are no queries"


@pytest.mark.parametrize("sql", [SLOW, MANY])
def test_what_is_cancelled_ends_at_the_worker(campus: Campus, sql: str) -> None:
    """Before the first row as well as among many."""
    client = campus.connect(campus.certify(campus.session()))
    rows(client, "SELECT 1 AS a")
    (endpoint,) = info(client, sql).endpoints
    found: list[Any] = []

    def read() -> None:
        try:
            reader = client.do_get(endpoint.ticket, flight.FlightCallOptions(timeout=1.5))
            while True:
                reader.read_chunk()
                time.sleep(0.01)
        except flight.FlightError as error:
            found.append(error)

    reading = threading.Thread(target=read)
    reading.start()
    reading.join(20)
    assert isinstance(found[0], flight.FlightTimedOutError)
    until(lambda: "cancelled" in campus.gateway.guard.kinds(), SOON)
    assert rows(client, "SELECT 2 AS a").num_rows == 1


def test_the_driver_cancels(campus: Campus) -> None:
    with driver(campus, campus.certify(campus.session())) as connection, connection.cursor() as cursor:
        ended: list[BaseException] = []

        def work() -> None:
            try:
                cursor.execute(SLOW)
                cursor.fetchall()
            except BaseException as error:
                ended.append(error)

        working = threading.Thread(target=work)
        working.start()
        until(lambda: "admitted" in campus.gateway.guard.kinds())
        until(lambda: campus.gateway.broker.stats()["running"] == 1)
        cursor.adbc_cancel()
        working.join(20)
        assert isinstance(ended[0], adbc.Error)
        until(lambda: campus.gateway.guard.kinds() == ["admitted", "cancelled"], SOON)


def test_a_reader_who_leaves_ends_its_query(campus: Campus) -> None:
    client = campus.connect(campus.certify(campus.session()))
    (endpoint,) = info(client, MANY).endpoints
    reader = client.do_get(endpoint.ticket)
    reader.read_chunk()
    del reader
    client.close()
    until(lambda: campus.gateway.guard.kinds() == ["admitted", "cancelled"], SOON)
    until(lambda: campus.gateway.broker.stats()["remote_connections"] == 0)


def test_parts_are_read_side_by_side(campus: Campus) -> None:
    """A ticket each, redeemed on connections of their own, all of one session."""
    held = campus.certify(campus.session())
    client = campus.connect(held)

    def act(name: str, /, **request: Any) -> Any:
        (answer,) = client.do_action(flight.Action(name, json.dumps(request).encode()))
        return json.loads(answer.body.to_pybytes())

    plan = act("campus.partitions", name="subway_ridership")
    numbers = [part["index"] for part in plan["parts"]]
    assert len(numbers) > 1

    def part(number: int) -> int:
        request = {"name": plan["name"], "snapshot": plan["snapshot"], "index": number, "columns": ["line"]}
        command = b"campus.partition:" + json.dumps(request).encode()
        (endpoint,) = client.get_flight_info(flight.FlightDescriptor.for_command(command)).endpoints
        read = campus.connect(held).do_get(endpoint.ticket).read_all()
        return int(read.num_rows)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(part, numbers)) == ROWS


def test_a_failing_query_says_what_the_worker_says(campus: Campus) -> None:
    identity = campus.session()
    client = campus.connect(campus.certify(identity))
    beside = flight.connect(f"grpc+unix://{campus.gateway.run}/gateway/{identity.session_id}/broker.sock")
    wrong = "SELECT CAST(line AS INTEGER) AS n FROM subway_ridership"
    with pytest.raises(flight.FlightError) as here:
        run(beside, wrong)
    with pytest.raises(flight.FlightError) as there:
        rows(client, wrong)
    assert detail(there) == detail(here)
    assert type(there.value) is type(here.value)
    assert detail(there)["reason"] == "query-error"


def test_a_worker_that_dies_is_said_and_replaced(campus: Campus) -> None:
    client = campus.connect(campus.certify(campus.session()))
    (endpoint,) = info(client, MANY).endpoints
    reader = client.do_get(endpoint.ticket)
    reader.read_chunk()
    campus.gateway.starter.kill("query_worker")
    with pytest.raises((flight.FlightError, pa.ArrowException)):
        while True:
            reader.read_chunk()
    until(lambda: campus.gateway.guard.kinds() == ["admitted", "failed"])
    assert rows(client, "SELECT 1 AS a").num_rows == 1


def test_the_journal_keeps_how_a_query_came(campus: Campus) -> None:
    held = campus.certify(campus.session())
    info(campus.connect(held), "SELECT 1 AS a")
    campus.gateway.guard.recording = False
    campus.gateway.restart()  # its end cannot be recorded now, nor by the next one
    campus.gateway.guard.recording = True
    until(lambda: campus.gateway.guard.kinds() == ["admitted", "failed"])
    assert campus.gateway.guard.events[-1].route.certificate == held.serial
    assert rows(campus.connect(held), "SELECT 1 AS a").num_rows == 1, "and the next gateway lets it in"


def test_a_worker_cannot_send_its_reader_elsewhere(campus: Campus) -> None:
    """A worker writes its folder: a link there to another session's worker is not followed."""
    one, two = campus.certify(campus.session("minji")), campus.certify(campus.session("jiwoo"))
    rows(campus.connect(two), "SELECT 1 AS a")
    client = campus.connect(one)
    (endpoint,) = info(client, "SELECT 1 AS a").endpoints
    folders = [campus.gateway.run / "gateway" / held.identity.session_id / "data" for held in (one, two)]
    own, other = (next(folder.glob("worker-*.sock")) for folder in folders)
    own.unlink()
    own.symlink_to(other)
    with pytest.raises(flight.FlightError) as refused:
        client.do_get(endpoint.ticket).read_all()
    assert detail(refused)["reason"] == "worker-unavailable"


def test_a_ticket_is_good_once_and_using_it_again_hurts_nobody(campus: Campus) -> None:
    client = campus.connect(campus.certify(campus.session()))
    (endpoint,) = info(client, MANY).endpoints
    reader = client.do_get(endpoint.ticket)
    reader.read_chunk()
    with pytest.raises(flight.FlightError) as refused:
        client.do_get(endpoint.ticket).read_all()
    assert detail(refused)["reason"] == "unknown-ticket"
    for _ in range(60):  # far more than was on its way
        reader.read_chunk()
    assert campus.gateway.guard.kinds() == ["admitted"]
    reader.cancel()
    with pytest.raises(flight.FlightError):
        client.do_get(flight.Ticket(b"\0" * 28)).read_all()
