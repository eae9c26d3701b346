"""A statement is not judged again while, and only while, everything it was judged by is the same."""

from __future__ import annotations

from typing import Any

import pyarrow.flight as flight
import pytest

from catalog.gateway.sql import known
from catalog.gateway.sql.known import Known
from catalog.gateway.sql.statement import Statement
from tests.catalog.gateway.simulator import Installation, run


def test_the_same_is_judged_once_and_anything_else_anew() -> None:
    asked: list[str] = []

    def judge(name: str) -> Statement:
        asked.append(name)
        return Statement(text=name, tables=frozenset())

    statements = Known()
    for _ in range(3):
        assert statements.statement("a", ("t",), lambda: judge("a")).text == "a"
    statements.statement("a", ("u",), lambda: judge("a by u"))
    statements.statement("b", ("t",), lambda: judge("b"))
    assert asked == ["a", "a by u", "b"]


def test_a_refusal_is_not_kept() -> None:
    statements = Known()

    def refuse() -> Statement:
        raise LookupError

    for _ in range(2):
        with pytest.raises(LookupError):
            statements.statement("a", (), refuse)
    assert statements.statement("a", (), lambda: Statement(text="x", tables=frozenset())).text == "x"


def test_the_least_lately_asked_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST", 2)
    statements, asked = Known(), []

    def ask(text: str) -> None:
        def judge() -> Statement:
            asked.append(text)
            return Statement(text=text, tables=frozenset())

        statements.statement(text, (), judge)

    for text in ("a", "b", "a", "c", "a", "b"):
        ask(text)
    assert asked == ["a", "b", "c", "b"]
    ask("x" * (known.LONGEST + 1))
    ask("x" * (known.LONGEST + 1))
    assert len(asked) == 6


def test_a_grant_that_ends_ends_for_a_known_statement_too(gateway: Installation, client: Any) -> None:
    text = "SELECT count(*) AS n FROM dong_codes"
    before = [run(client, text).to_pylist() for _ in range(2)]
    assert before[0] == before[1]
    gateway.guard.grants[:] = [g for g in gateway.guard.grants if g.dataset != "dong_codes"]
    with pytest.raises(flight.FlightUnauthorizedError, match="table-not-granted"):
        run(client, text)
    assert gateway.guard.kinds().count("refused") == 1
