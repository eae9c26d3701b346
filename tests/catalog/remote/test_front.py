"""Sessions on other machines: who is let in, what they can do, and who is not."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.flight as flight

from catalog.gateway.guard import Route, Transport
from catalog.gateway.remote import REUSE
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import info, until
from tests.catalog.remote.conftest import Campus


def rows(client: Any, sql: str) -> Any:
    """A statement's result over the connection that asked."""
    (endpoint,) = info(client, sql).endpoints
    return client.do_get(endpoint.ticket).read_all()


def test_a_session_elsewhere_asks_and_reads(campus: Campus) -> None:
    held = campus.certify(campus.session())
    client = campus.connect(held)
    answer = info(client, "SELECT line, boardings FROM subway_ridership")
    (endpoint,) = answer.endpoints
    assert [location.uri.decode() for location in endpoint.locations] == [campus.address, REUSE]
    assert json.loads(answer.app_metadata)["query_id"]
    assert client.do_get(endpoint.ticket).read_all().num_rows == ROWS
    until(lambda: campus.gateway.guard.kinds() == ["admitted", "finished"])
    for event in campus.gateway.guard.events:
        assert event.route == Route(transport=Transport.TLS, certificate=held.serial)
        assert event.identity == held.identity
    assert campus.gateway.broker.stats()["remote_connections"] == 1
    further = campus.connect(held)
    (other,) = info(client, "SELECT 1 AS a").endpoints
    assert further.do_get(other.ticket).read_all().to_pylist() == [{"a": 1}]
    client.close()
    further.close()
    until(lambda: campus.gateway.broker.stats()["remote_connections"] == 0)
    assert isinstance(flight.connect(campus.gateway.open()).list_actions(), list)
