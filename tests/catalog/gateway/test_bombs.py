"""Statements made to hurt, behind the real walls: each hurts itself alone and says why."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.flight as flight
import pytest

from catalog.gateway.broker import Broker
from catalog.gateway.flight import STATEMENT
from catalog.gateway.guard import SessionId, SessionIdentity
from catalog.gateway.session import QueryLimits
from catalog.warehouse import Warehouse
from tests.catalog.gateway.conftest import DESCRIPTIONS, ROWS
from tests.catalog.gateway.simulator import GuardSimulator, info
from tests.hub_config.launcher.places import SESSION, isolation, serving, settings_in

OTHER = "9876543210fedcba9876"
SECONDS = 8.0
LIMITS = QueryLimits(memory=1 << 30, spill=128 << 20, seconds=SECONDS, result=256 << 20)
TABLE = "subway_ridership"


@dataclass
class Walled:
    """A broker behind walls with two sessions open."""

    run: Path
    guard: GuardSimulator
    clients: dict[str, Any] = field(default_factory=dict)

    def query(self, session: str, sql: str, save_as: str | None = None) -> Any:
        """Its rows, or `{"reason", "ko", "en"}`; `died` where the worker died without a word."""
        try:
            if save_as is None:
                answer = info(self.clients[session], sql)
            else:
                order = json.dumps({"query": sql, "save_as": save_as}).encode()
                asked = flight.FlightDescriptor.for_command(STATEMENT + order)
                answer = self.clients[session].get_flight_info(asked)
            endpoint = answer.endpoints[0]
            inside = endpoint.locations[0].uri.decode().removeprefix("grpc+unix:///run/campus/")
            address = f"grpc+unix://{self.run}/gateway/{session}/{inside}"
            with flight.connect(address) as worker:
                return worker.do_get(endpoint.ticket).read_all()
        except flight.FlightError as error:
            return json.loads(error.extra_info) if error.extra_info else {"reason": "died", "en": str(error)}


@pytest.fixture(scope="module")
def walled(warehouse: Warehouse) -> Iterator[Walled]:
    isolation()
    state = Path(tempfile.mkdtemp(prefix="campus-test-"))
    with serving(state) as launcher:
        settings = settings_in(state)
        shutil.copytree(warehouse.root, settings.warehouse, dirs_exist_ok=True)
        guard = GuardSimulator()
        guard.grant(TABLE)
        broker = Broker(
            guard=guard,
            warehouse=Warehouse(settings.warehouse, warehouse.catalog),
            descriptions=DESCRIPTIONS,
            starter=launcher,
            run=settings.run,
            admin=settings.run / "gateway.sock",
            limits=LIMITS,
        )
        broker.start()
        made = Walled(run=settings.run, guard=guard)
        for session in (SESSION, OTHER):
            broker.open(SessionIdentity(session_id=SessionId(session), person="minji", project="open-data"))
            made.clients[session] = flight.connect(
                f"grpc+unix://{settings.run}/gateway/{session}/broker.sock"
            )
            assert made.query(session, "SELECT 1 AS a").num_rows == 1
        yield made
        broker.stop()
    shutil.rmtree(state, ignore_errors=True)  # the sockets of ended workers go by themselves


def deep(depth: int) -> str:
    """Parentheses in parentheses."""
    return "SELECT " + "(" * depth + "1" + ")" * depth


SHORT = "memory-limit spill-limit"
RIDERS = f"FROM {TABLE} a, {TABLE} b, {TABLE} c"
NUMBERS = ", ".join(map(str, range(100_000)))
TEXTS = ", ".join(f"'station {number:07}'" for number in range(100_000))
BOMBS = {  # name: (the ends it may have, `rows` where it simply works; the statement)
    "memory": (SHORT, "SELECT len(range(1000000000)) AS n"),
    "memory of groups": (
        f"time-limit {SHORT}",
        "SELECT count(*) FROM (SELECT md5(r::VARCHAR) AS k, list(r) FROM range(100000000) t(r) GROUP BY k)",
    ),
    "scratch": (
        f"time-limit {SHORT}",
        "SELECT max(n) FROM (SELECT *, row_number() OVER (ORDER BY c, b) AS n FROM "
        "(SELECT r, md5(r::VARCHAR) AS b, sha256(r::VARCHAR) AS c FROM range(20000000) t(r)))",
    ),
    "cross join": ("time-limit", f"SELECT sum(a.boardings * b.boardings + c.boardings) {RIDERS}"),
    "rows without end": ("result-limit time-limit", "SELECT r, r * 2 AS twice FROM range(1000000000) t(r)"),
    "regular expression": (
        "rows time-limit",
        "SELECT regexp_matches(repeat('a', 100000) || 'b', '^(a|aa|a*)*(a*)*$') AS m, "
        "regexp_replace(repeat('ab', 1000000), '(a?){200}b', 'x', 'g') AS x",
    ),
    "large pattern": (
        "query-error memory-limit rows",
        "SELECT regexp_matches('a', '((a{1,100}){1,100}){1,10}')",
    ),
    "deep nesting": ("rows too-deep syntax-error parser-failed", deep(3_000)),
    "very deep nesting": ("memory-limit", deep(200_000)),
    "deep subqueries": (
        "rows too-deep syntax-error parser-failed query-error",
        "SELECT * FROM (" * 900 + "SELECT 1" + ")" * 900,
    ),
    "ten megabytes": ("statement-too-long", "SELECT '" + "x" * (10 << 20) + "'"),
    "a long list": ("rows", f"SELECT count(*) AS n FROM {TABLE} WHERE boardings IN ({NUMBERS})"),
    "a long list of texts": ("rows", f"SELECT count(*) AS n FROM {TABLE} WHERE station NOT IN ({TEXTS})"),
    "a huge batch": ("memory-limit", "SELECT repeat('x', 100000) AS s FROM range(100000)"),
    "range": ("rows", "SELECT count(*) AS n FROM range(1000000000)"),
    "huge text": ("query-error", "SELECT length(repeat(repeat('campus', 100000), 100000)) AS n"),
    "huge texts": (f"time-limit {SHORT}", "SELECT string_agg(repeat('x', 1000000), '') FROM range(10000)"),
    "lists of lists": (
        f"time-limit {SHORT}",
        "SELECT len(list_transform(range(30000), lambda x: range(30000))) AS n",
    ),
    "unnested lists": (
        f"rows time-limit {SHORT}",
        "SELECT count(*) FROM (SELECT unnest(range(10000000)) FROM range(10000))",
    ),
    "recursion without end": (
        f"time-limit {SHORT}",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
    ),
    "doubling recursion": (
        f"time-limit {SHORT}",
        "WITH RECURSIVE t(s) AS (SELECT 'xx' UNION ALL SELECT s || s FROM t) SELECT max(length(s)) FROM t",
    ),
    "many columns": (
        "too-many-columns",
        f"SELECT {', '.join(f'boardings + {i} AS c{i}' for i in range(20_000))} FROM {TABLE} LIMIT 3",
    ),
    "many stars": ("too-many-columns", f"SELECT {', '.join(['*'] * 3_000)} FROM {TABLE} LIMIT 3"),
    "very many columns": ("memory-limit", f"SELECT {'1,' * 500_000} 1"),
}


def until_rows(ask: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while isinstance(said := ask(), dict):
        assert said["reason"] == "memory-limit" and time.monotonic() < deadline, said
        time.sleep(0.5)


def test_a_long_list_works_in_a_worker_whose_memory_is_taken(walled: Walled) -> None:
    """What is saved stays through a bomb, and so does its worker. Its allocator gives back what the bomb took
    within seconds; until then a list may meet the limit, and says so.
    """
    kept = "SELECT r, hash(r) AS a, hash(-r) AS b, hash(r / 3) AS c FROM range(9000000) t(r)"
    saved = walled.query(SESSION, kept, save_as="mine")
    assert not isinstance(saved, dict), saved
    assert saved.to_pylist()[0]["bytes"] > 250 << 20
    assert walled.query(SESSION, BOMBS["memory of groups"][1])["reason"] != "died"  # as the machine is quick
    for name in ("a long list", "a long list of texts"):
        until_rows(partial(walled.query, SESSION, BOMBS[name][1]))
    again = walled.query(SESSION, "SELECT count(*) AS n FROM mine")
    assert not isinstance(again, dict), again
    assert again.to_pylist() == [{"n": 9_000_000}]
    asked = flight.Action("campus.drop", b'{"name": "mine"}')
    [answer] = walled.clients[SESSION].do_action(asked)
    assert json.loads(answer.body.to_pybytes()) == {"dropped": True}
    assert walled.query(SESSION, BOMBS["a huge batch"][1])["reason"] == "memory-limit"  # its worker goes


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_hurts_only_itself(walled: Walled, name: str) -> None:
    expected, sql = BOMBS[name]
    found: list[Any] = []
    bomb = threading.Thread(target=lambda: found.append(walled.query(SESSION, sql)))
    bomb.start()
    answered = 0
    while bomb.is_alive() or not answered:
        rows = walled.query(OTHER, f"SELECT count(*) AS n FROM {TABLE}")
        assert not isinstance(rows, dict), rows
        assert rows.to_pylist() == [{"n": ROWS}]
        answered += 1
        time.sleep(0.05)
    said = found[0]
    reason = said["reason"] if isinstance(said, dict) else "rows"
    assert reason in expected.split(), said
    if reason != "rows":
        assert said["ko"] and said["en"], said
    after = walled.query(SESSION, f"SELECT count(*) AS n FROM {TABLE}")
    assert not isinstance(after, dict), after
    assert after.to_pylist() == [{"n": ROWS}]
