"""Several endpoints for one query over TLS: as beside the gateway, and for nobody but the session itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.gateway.remote import NUMBER_BYTES, REUSE
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import until
from tests.catalog.gateway.test_several import WIDE, several
from tests.catalog.remote.conftest import Campus, Held
from tests.catalog.remote.test_front import detail, driver, rows

COUNT = "adbc.flight.sql.rpc.call_header.campus-readers"
LONG = f"{WIDE} CROSS JOIN range(1000)"


@pytest.fixture
def held(campus: Campus) -> Held:
    return campus.certify(campus.session())


def read_at_once(campus: Campus, held: Held, endpoints: list[Any]) -> list[pa.Table]:
    """Each over a connection of its own."""
    with ThreadPoolExecutor(len(endpoints)) as readers:
        return list(readers.map(lambda e: campus.connect(held).do_get(e.ticket).read_all(), endpoints))


def test_the_driver_reads_several_endpoints_by_itself(campus: Campus, held: Held) -> None:
    with driver(campus, held, {COUNT: "4"}) as connection, connection.cursor() as cursor:
        cursor.execute(WIDE)
        found = cursor.fetch_arrow_table()
        cursor.execute(f"{WIDE} ORDER BY ALL")
        whole = cursor.fetch_arrow_table()
        assert found.num_rows == ROWS
        assert found.sort_by([(name, "ascending") for name in found.column_names]).equals(whole)
        cursor.execute("SELECT count(*) FROM subway_ridership WHERE boardings > ?", (5000,))
        (count,) = cursor.fetchone() or (0,)
        assert count > 0
        until(lambda: sorted(campus.gateway.guard.kinds()) == ["admitted"] * 3 + ["finished"] * 3)
        with pytest.raises(adbc.Error, match="table-not-granted"):
            cursor.execute("SELECT * FROM living_population")
    assert [e.rows for e in campus.gateway.guard.events if e.kind == "finished"][:2] == [ROWS, ROWS]
    assert {e.route.certificate for e in campus.gateway.guard.events} == {held.serial}


def test_the_driver_tells_every_failure_once(campus: Campus, held: Held) -> None:
    """And the connection goes on."""
    with driver(campus, held, {COUNT: "8"}) as connection, connection.cursor() as cursor:
        with pytest.raises(adbc.Error, match="query-error"):
            cursor.execute("SELECT CAST(line AS INTEGER) AS n FROM subway_ridership")
            cursor.fetch_arrow_table()
        until(lambda: campus.gateway.guard.kinds() == ["admitted", "failed"])
        cursor.execute(WIDE)
        assert cursor.fetch_arrow_table().num_rows == ROWS


def test_parallel_readers_have_every_row_once_and_the_record_has_one_query(
    campus: Campus, held: Held
) -> None:
    answer = several(campus.connect(held), WIDE)
    for endpoint in answer.endpoints:
        assert [where.uri.decode() for where in endpoint.locations] == [campus.address, REUSE]
    assert len({e.ticket.ticket for e in answer.endpoints}) == 4
    parts = read_at_once(campus, held, answer.endpoints)
    assert sum(part.num_rows for part in parts) == ROWS
    whole = rows(campus.connect(held), f"{WIDE} ORDER BY ALL")
    order: Any = [(name, "ascending") for name in whole.column_names]
    assert pa.concat_tables(parts).sort_by(order).equals(whole)
    until(lambda: sorted(campus.gateway.guard.kinds()) == ["admitted"] * 2 + ["finished"] * 2)


def held_sockets() -> list[str]:
    """Workers' sockets that the gateway, which is this process, holds."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(entry.readlink()))
    return [name for name in found if "/data/worker-" in name]


def test_who_comes_late_is_given_the_columns_and_no_ticket_is_good_twice(campus: Campus, held: Held) -> None:
    """The query has ended by then; a further certificate of the session is as good as the one that asked."""
    client, further = campus.connect(held), campus.connect(campus.certify(held.identity))
    first, *others = several(client, WIDE, 3).endpoints
    assert client.do_get(first.ticket).read_all().num_rows == ROWS
    until(lambda: campus.gateway.guard.kinds() == ["admitted", "finished"])
    for late in others:
        found = further.do_get(late.ticket).read_all()
        assert (found.num_rows, found.column_names) == (0, ["line", "station", "boardings"])
    for used in (first, *others):
        with pytest.raises(flight.FlightError) as refused:
            client.do_get(used.ticket).read_all()
        assert detail(refused)["reason"] == "unknown-ticket"
    until(lambda: held_sockets() == [])


@pytest.mark.parametrize("warm", [False, True], ids=["without a worker", "with a worker of the same number"])
def test_no_ticket_is_good_for_another_session(campus: Campus, held: Held, warm: bool) -> None:
    thief = campus.connect(campus.certify(campus.session("jiwoo")))
    if warm:
        rows(thief, "SELECT 1 AS a")
    endpoints = several(campus.connect(held), WIDE).endpoints
    for endpoint in endpoints:
        with pytest.raises(flight.FlightError) as refused:
            thief.do_get(endpoint.ticket).read_all()
        assert detail(refused)["reason"] == "unknown-ticket"
    parts = read_at_once(campus, held, endpoints)
    assert sum(part.num_rows for part in parts) == ROWS, "and they are still good for their owner"


@pytest.mark.parametrize(
    "forge",
    [
        lambda t: b"\xff" * NUMBER_BYTES + t[NUMBER_BYTES:],
        lambda t: bytes(NUMBER_BYTES) + t[NUMBER_BYTES:],
        lambda t: t[:-1] + bytes([t[-1] ^ 1]),
        lambda t: t[:-1],
        lambda t: t + b"\0",
        lambda t: t[NUMBER_BYTES:],
        lambda t: b"",
    ],
    ids=["a far worker", "no worker", "a bit", "shorter", "longer", "the worker's own", "none"],
)
def test_a_ticket_that_was_not_given_is_refused(
    campus: Campus, held: Held, forge: Callable[[bytes], bytes]
) -> None:
    client = campus.connect(held)
    endpoints = several(client, WIDE).endpoints
    with pytest.raises(flight.FlightError) as refused:
        client.do_get(flight.Ticket(forge(endpoints[0].ticket.ticket))).read_all()
    assert detail(refused)["reason"] in {"unknown-ticket", "malformed-request"}
    assert sum(part.num_rows for part in read_at_once(campus, held, endpoints)) == ROWS


def test_a_failure_is_told_to_every_reader_and_ends_the_query_once(campus: Campus, held: Held) -> None:
    fails = "SELECT CAST(CASE WHEN boardings = 9999 THEN 'x' ELSE '1' END AS INTEGER) FROM subway_ridership"
    endpoints = several(campus.connect(held), fails).endpoints

    def problem(endpoint: Any) -> str:
        try:
            campus.connect(held).do_get(endpoint.ticket).read_all()
        except flight.FlightError as error:
            return str(json.loads(error.extra_info)["reason"])
        return ""

    with ThreadPoolExecutor(4) as readers:
        assert list(readers.map(problem, endpoints)) == ["query-error"] * 4
    until(lambda: campus.gateway.guard.kinds() == ["admitted", "failed"])


def test_a_reader_that_goes_ends_the_query_for_all(campus: Campus, held: Held) -> None:
    leaving, staying = campus.connect(held), campus.connect(held)
    endpoints = several(leaving, LONG, 2).endpoints
    stream = leaving.do_get(endpoints[0].ticket)
    stream.read_chunk()
    with ThreadPoolExecutor(1) as readers:
        reading = readers.submit(lambda: staying.do_get(endpoints[1].ticket).read_all())
        stream.cancel()
        del stream
        with pytest.raises(flight.FlightError):
            reading.result(30)
    until(lambda: campus.gateway.guard.kinds() == ["admitted", "cancelled"])


@pytest.mark.parametrize("text", [f"{WIDE} ORDER BY line", f"EXPLAIN {WIDE}"])
def test_what_has_an_order_goes_to_one_reader(campus: Campus, held: Held, text: str) -> None:
    assert len(several(campus.connect(held), text).endpoints) == 1


@pytest.mark.parametrize("readers", ["0", "9", "x"])
def test_a_number_of_readers_that_is_none_is_refused(campus: Campus, held: Held, readers: str) -> None:
    with pytest.raises((flight.FlightError, pa.ArrowException)):
        several(campus.connect(held), "SELECT 1", readers)
    assert campus.gateway.guard.kinds() == []
