"""A plain Arrow Flight server over DuckDB: streams what it is asked, knows nobody and keeps no record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.gateway.readers.in_process import engine_of


def serve(given: Mapping[str, Any]) -> None:
    """Answer DoGet, whose ticket is the statement, over a local socket."""
    import pyarrow.flight as flight

    engine = engine_of(given)

    class Server(flight.FlightServerBase):
        """One engine, a cursor for each statement."""

        def do_get(self, context: Any, ticket: Any) -> Any:
            """The rows of a statement as they are made."""
            found: Any = engine.cursor().sql(ticket.ticket.decode())
            return flight.RecordBatchStream(found.to_arrow_reader(122_880))

    Server(given["address"]).serve()


def reader(given: Mapping[str, Any]) -> Callable[[str], Any]:
    """Asks it over one connection."""
    import pyarrow.flight as flight

    client = flight.connect(given["address"])
    return lambda text: client.do_get(flight.Ticket(text.encode())).read_all()
