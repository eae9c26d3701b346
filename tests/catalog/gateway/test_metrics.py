"""What the gateway tells of itself: numbers that agree with the record, and never a name or a statement."""

from __future__ import annotations

import json
import socket
from typing import Any

import pyarrow.flight as flight
import pytest
from prometheus_client.parser import text_string_to_metric_families

from catalog.gateway.guard import QueryEventKind
from tests.catalog.gateway.conftest import PUBLISHED
from tests.catalog.gateway.simulator import Installation, info, reader, run, until


def asked(made: Installation, op: str) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(made.run / "gateway.sock"))
        peer.sendall(json.dumps({"op": op}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(peer.makefile("rb").readline())
    return answer


def counted(made: Installation) -> dict[str, float]:
    """Every sample by name, with the kind of a query behind a slash."""
    return {
        "/".join([s.name.removeprefix("campus_gateway_"), *s.labels.values()]): s.value
        for family in text_string_to_metric_families(asked(made, "metrics")["text"])
        for s in family.samples
    }


def test_numbers_agree_with_the_record(gateway: Installation, client: Any) -> None:
    found = counted(gateway)
    assert found["sessions"] == 1
    assert found["queries_total/admitted"] == found["queries_total/cancelled"] == 0
    run(client, "SELECT line FROM subway_ridership LIMIT 1000")
    with pytest.raises(flight.FlightError):
        run(client, "SELECT line::INTEGER FROM subway_ridership")
    with pytest.raises(flight.FlightUnauthorizedError):
        info(client, "SELECT * FROM living_population")
    left = info(client, "SELECT 'secret-word' AS a")
    until(lambda: {"finished", "failed"} <= set(gateway.guard.kinds()))
    gateway.guard.recording = False
    with pytest.raises(flight.FlightServerError):
        info(client, "SELECT 2")
    gateway.guard.recording = True
    kinds = gateway.guard.kinds()
    until(lambda: counted(gateway)["record_seconds_count"] == len(kinds))  # counted just after it is recorded
    found = counted(gateway)
    for kind in QueryEventKind:
        assert found[f"queries_total/{kind.value}"] == kinds.count(kind), kind
    ends = len(kinds) - kinds.count("admitted") - kinds.count("refused")
    assert found["query_seconds_count"] == found["query_bytes_count"] == ends >= 2
    assert found["query_bytes_sum"] == sum(e.bytes for e in gateway.guard.events)
    assert (found["record_failures_total"], found["queries_open"], found["unrecorded_ends"]) == (1, 1, 0)
    assert found["worker_start_seconds_count"] == 1
    reader(left).read_all()
    until(lambda: counted(gateway)["queries_open"] == 0)


def test_no_name_and_no_statement_is_told(gateway: Installation, client: Any) -> None:
    run(client, "SELECT 'secret-word' AS secret_column FROM dong_codes LIMIT 1")
    with pytest.raises(flight.FlightUnauthorizedError):
        info(client, "SELECT * FROM secret_table")
    said = asked(gateway, "metrics")["text"] + json.dumps(asked(gateway, "stats"))
    (identity,) = gateway.guard.sessions
    for word in (*PUBLISHED, "secret", "minji", "open-data", identity.session_id, "SELECT"):
        assert word not in said


def test_a_worker_that_does_not_start_is_counted(gateway: Installation, client: Any) -> None:
    run(client, "SELECT 1")
    gateway.starter.kill("query_worker")
    gateway.starter.broken = True
    until(lambda: not gateway.starter.pids("query_worker"))
    with pytest.raises(flight.FlightServerError):
        info(client, "SELECT 1")
    assert counted(gateway)["worker_start_failures_total"] == 1
