"""Several endpoints for one query: its rows go to parallel readers, each row once, as one query on record."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.gateway.admission import tickets_of
from catalog.gateway.messages import encode
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import Installation, until

WIDE = "SELECT line, station, boardings FROM subway_ridership"


def several(client: Any, text: str, readers: object = 4) -> Any:
    headers: Any = [(b"campus-readers", str(readers).encode())]
    options = flight.FlightCallOptions(headers=headers)
    command = encode("CommandStatementQuery", query=text)
    return client.get_flight_info(flight.FlightDescriptor.for_command(command), options)


def rows_of(endpoint: Any) -> pa.Table:
    with flight.connect(endpoint.locations[0]) as worker:
        return worker.do_get(endpoint.ticket).read_all()


def read_at_once(endpoints: list[Any]) -> list[pa.Table]:
    with ThreadPoolExecutor(len(endpoints)) as readers:
        return list(readers.map(rows_of, endpoints))


def test_parallel_readers_have_every_row_once_and_the_record_has_one_query(gateway: Installation) -> None:
    with flight.connect(gateway.open()) as client:
        answer = several(client, WIDE)
        assert len(answer.endpoints) == 4
        assert len({e.ticket.ticket for e in answer.endpoints}) == 4
        parts = read_at_once(answer.endpoints)
        whole = rows_of(several(client, WIDE, 1).endpoints[0])
    assert sum(part.num_rows for part in parts) == ROWS
    order: Any = [(name, "ascending") for name in whole.column_names]
    assert pa.concat_tables(parts).sort_by(order).equals(whole.sort_by(order))
    until(lambda: sorted(gateway.guard.kinds()) == ["admitted"] * 2 + ["finished"] * 2)
    assert [e.rows for e in gateway.guard.events if e.kind == "finished"] == [ROWS, ROWS]


def test_one_reader_alone_has_all_and_the_others_have_the_schema(gateway: Installation) -> None:
    with flight.connect(gateway.open()) as client:
        first, *others = several(client, WIDE, 3).endpoints
        assert rows_of(first).num_rows == ROWS
        assert [(t.num_rows, t.column_names) for t in map(rows_of, others)] == [
            (0, ["line", "station", "boardings"])
        ] * 2
        for endpoint in (first, *others):
            with pytest.raises(flight.FlightError, match="unknown-ticket"):
                rows_of(endpoint)


def test_no_ticket_tells_another(gateway: Installation) -> None:
    """Nor the handle that the worker knows the query by, which would take the rows from those who wait."""
    with flight.connect(gateway.open()) as client:
        endpoints = several(client, WIDE).endpoints
        (place,) = endpoints[0].locations
        given = [e.ticket.ticket for e in endpoints]
        assert len({t[8:] for t in given}) == len(given) and len({t[:8] for t in given}) == 1
        others = {e.ticket.ticket[8:] for e in several(client, WIDE).endpoints}
        assert not others & {t[8:] for t in given}, "each is made from a secret of its query"
        for one in given:
            assert not {*tickets_of(one, len(given))} & {*given}, "nor are others made from one of them"
        for cut in range(8, len(given[0])):
            with flight.connect(place) as worker, pytest.raises(flight.FlightError, match="unknown-ticket"):
                worker.do_get(flight.Ticket(given[0][:cut])).read_all()
        assert sum(part.num_rows for part in read_at_once(endpoints)) == ROWS


def test_a_driver_reads_several_endpoints_by_itself(gateway: Installation) -> None:
    header = "adbc.flight.sql.rpc.call_header.campus-readers"
    with (
        adbc.connect(gateway.open(), db_kwargs={header: "4"}, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(WIDE)
        assert cursor.fetch_arrow_table().num_rows == ROWS
        cursor.execute("SELECT count(*) FROM subway_ridership WHERE boardings > ?", (5000,))
        (count,) = cursor.fetchone() or (0,)
        assert count > 0


@pytest.mark.parametrize(
    "text",
    [f"{WIDE} ORDER BY line", f"EXPLAIN {WIDE}", "SELECT row_number() OVER (order  by line) FROM dong_codes"],
)
def test_what_has_an_order_goes_to_one_reader(gateway: Installation, text: str) -> None:
    if "dong_codes" in text:
        text = text.replace("line", "dong_code")
    with flight.connect(gateway.open()) as client:
        assert len(several(client, text).endpoints) == 1


@pytest.mark.parametrize("readers", ["0", "9", "-1", "x", "1 ", "４", "1" * 400])
def test_a_number_of_readers_that_is_none_is_refused(gateway: Installation, readers: str) -> None:
    with flight.connect(gateway.open()) as client, pytest.raises((flight.FlightError, pa.ArrowException)):
        several(client, "SELECT 1", readers)
    assert gateway.guard.kinds() == []


def test_a_failure_is_told_to_every_reader_and_ends_the_query_once(gateway: Installation) -> None:
    fails = "SELECT CAST(CASE WHEN boardings = 9999 THEN 'x' ELSE '1' END AS INTEGER) FROM subway_ridership"
    with flight.connect(gateway.open()) as client:
        endpoints = several(client, fails).endpoints

        def problem(endpoint: Any) -> str:
            try:
                rows_of(endpoint)
            except flight.FlightError as error:
                return str(json.loads(error.extra_info)["reason"])
            return ""

        with ThreadPoolExecutor(4) as readers:
            said = list(readers.map(problem, endpoints))
    assert said == ["query-error"] * 4
    until(lambda: gateway.guard.kinds() == ["admitted", "failed"])


def test_a_reader_that_goes_ends_the_query_for_all(gateway: Installation) -> None:
    with flight.connect(gateway.open()) as client:
        endpoints = several(client, f"{WIDE} CROSS JOIN range(1000)", 2).endpoints
        leaving = flight.connect(endpoints[0].locations[0])
        stream = leaving.do_get(endpoints[0].ticket)
        stream.read_chunk()
        with ThreadPoolExecutor(1) as readers:
            staying = readers.submit(rows_of, endpoints[1])
            stream.cancel()
            del stream
            leaving.close()
            with pytest.raises(flight.FlightError):
                staying.result(30)
    until(lambda: gateway.guard.kinds() == ["admitted", "cancelled"])


def test_a_grant_that_ends_stops_every_reader(gateway: Installation) -> None:
    with flight.connect(gateway.open()) as client:
        endpoints = several(client, f"{WIDE} CROSS JOIN range(1000)", 2).endpoints
        with ThreadPoolExecutor(2) as readers:
            reading = [readers.submit(rows_of, e) for e in endpoints]
            until(lambda: gateway.guard.kinds() == ["admitted"])
            gateway.guard.grants.clear()
            for each in reading:
                with pytest.raises(flight.FlightError):
                    each.result(30)
    until(lambda: "cancelled" in gateway.guard.kinds() or "failed" in gateway.guard.kinds())
