"""Erasing values of statements: who may, what is found, what is left, and what the record says of it."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

import pytest

from access_control.audit.event import Action, AuditEvent
from access_control.audit.reader import AuditReader, Filter, Recorded
from access_control.audit.verify import verify
from access_control.erasures.desk import ErasuresDesk
from access_control.erasures.model import Selection
from access_control.errors import AccessError, Denied
from access_control.guard import CampusGuard
from access_control.people.model import Person, Role
from access_control.statements import HOLDERS, State, Statements
from catalog.gateway.guard import QueryEvent, QueryEventKind, QueryId, SessionId, SessionIdentity
from catalog.gateway.sql.normal import normalise, whole
from catalog.sandbox.launcher import Launcher
from tests.access_control.campus import NOW, Campus, later

TEXT = "SELECT gu FROM memory.campus.card_sales WHERE (name = '홍길동')"
REASON = "정보주체의 삭제 요구 2026-17호"


@pytest.fixture
def log(audit_writer: Path) -> Path:
    return audit_writer / "log"


@pytest.fixture
def desk(campus: Campus, log: Path) -> ErasuresDesk:
    return ErasuresDesk(log, campus.audit)


def ask(campus: Campus, person: str, project: str = "open-data", at: datetime = NOW, text: str = TEXT) -> str:
    """A query that is admitted and ends, and one that is refused; the number of the first."""
    guard = CampusGuard(campus.db, campus.exports, campus.audit, Launcher(Path("nobody.sock")))
    who = SessionIdentity(session_id=SessionId("a" * 20), person=person, project=project)
    query_id = QueryId(secrets.token_hex(8))
    found = normalise(text, ("card_sales", "gu", "name"), (("who", "'홍길동'"),))
    event = QueryEvent(
        kind=QueryEventKind.ADMITTED, query_id=query_id, identity=who, time=at, statement=text, normal=found
    )
    guard.record(event)
    for kind, normal in ((QueryEventKind.FINISHED, found), (QueryEventKind.REFUSED, whole("홍길동?"))):
        other = query_id if kind is QueryEventKind.FINISHED else QueryId(secrets.token_hex(8))
        guard.record(
            QueryEvent(kind=kind, query_id=other, identity=who, time=at, statement="", normal=normal)
        )
    return query_id


def asked(log: Path, person: str) -> list[Recorded]:
    """This person's queries as the log has them, oldest first."""
    page = AuditReader(log).page(Filter(actor=person), limit=200)
    return [e for e in reversed(page.entries) if e.event.action.startswith("query.")]


def shown(log: Path, entries: list[Recorded]) -> list[tuple[str, State]]:
    found = Statements(log).of(entries)
    return [(found[e.seq].text, found[e.seq].state) for e in entries]


def holds(log: Path, text: str) -> bool:
    return any(text.encode() in file.read_bytes() for file in log.rglob("*.jsonl"))


def officer(campus: Campus, handle: str = "officer") -> Person:
    return campus.person(handle, Role.PRIVACY)


NORMAL = "SELECT gu FROM memory.campus.card_sales WHERE (name = $1)"


def test_a_statement_is_shown_filled_in_and_marked_once_erased(
    campus: Campus, log: Path, desk: ErasuresDesk
) -> None:
    ask(campus, "filled")
    entries = asked(log, "filled")
    assert [e.event.detail["statement"] for e in entries] == [NORMAL, NORMAL, "$1"]
    assert shown(log, entries) == [
        (TEXT, State.FILLED),
        (NORMAL, State.ELSEWHERE),
        ("홍길동?", State.FILLED),
    ]
    assert Statements(log).of(entries)[entries[0].seq].parameters == (("who", "'홍길동'"),)
    assert not holds(log, "홍길동")
    found = desk.erase(officer(campus), Selection(person="filled"), REASON, 2, NOW)
    assert (len(found.entries), found.own, found.more) == (2, 0, False)
    assert shown(log, entries) == [
        (NORMAL, State.ERASED),
        (NORMAL, State.ELSEWHERE),
        ("$1", State.ERASED),
    ]
    assert verify(log, (log / "public_key").read_text("utf-8")).ok


def test_what_was_erased_by_whom_and_why_is_on_record(campus: Campus, log: Path, desk: ErasuresDesk) -> None:
    query_id = ask(campus, "recorded")
    who = officer(campus)
    selection = Selection(query=query_id, person="recorded", project="open-data", before=later(days=1))
    assert len(desk.find(who, selection, later(days=2)).entries) == 1
    desk.erase(who, selection, f"  {REASON}\u202e ", 1, later(days=2))
    looked, erased = campus.events()[-2:]
    assert (looked.action, looked.actor, looked.detail["query"]) == (Action.AUDIT_READ, who.handle, query_id)
    [entry, *_] = asked(log, "recorded")
    assert (erased.action, erased.actor) == (Action.AUDIT_LITERALS_ERASED, who.handle)
    assert erased.detail == {
        "reason": REASON,
        "selection": {
            "query": query_id, "person": "recorded", "project": "open-data",
            "before": later(days=1).isoformat(),
        },
        "entries": str(entry.seq),
        "count": 1,
    }  # fmt: skip


def test_only_what_was_chosen_is_erased(campus: Campus, log: Path, desk: ErasuresDesk) -> None:
    who = officer(campus)
    for person, project, at in (("sun", "p-1", NOW), ("sun", "p-2", later(days=-40)), ("moon", "p-1", NOW)):
        ask(campus, person, project, at)

    def left() -> list[int]:
        pairs = (("sun", "p-1"), ("sun", "p-2"), ("moon", "p-1"))
        every = [*asked(log, "sun"), *asked(log, "moon")]
        states = Statements(log).of(every)
        return [
            sum(
                states[e.seq].state is State.FILLED for e in every if (e.event.actor, e.event.project) == pair
            )
            for pair in pairs
        ]

    assert left() == [2, 2, 2]
    desk.erase(who, Selection(before=later(days=-30), person="sun"), REASON, 2, NOW)
    assert left() == [2, 0, 2]
    desk.erase(who, Selection(project="p-1", person="moon"), REASON, 2, NOW)
    assert left() == [2, 0, 0]
    desk.erase(who, Selection(project="p-1"), REASON, 2, NOW)
    assert left() == [0, 0, 0]


def refused(what: object, *given: object) -> AccessError:
    with pytest.raises(AccessError) as caught:
        what(*given)  # type: ignore[operator]
    return caught.value


def test_nobody_else_may_look_or_erase(campus: Campus, log: Path, desk: ErasuresDesk) -> None:
    ask(campus, "private")
    roles = [role for role in Role if role is not Role.PRIVACY]
    people = [campus.person(f"only-{role.value}", role) for role in roles]
    for person in (*people, campus.administrator()):
        chosen = Selection(person="private")
        assert refused(desk.find, person, chosen, NOW).reason == "only-privacy"
        assert refused(desk.erase, person, chosen, REASON, 2, NOW).reason == "only-privacy"
    gone = officer(campus)
    suspended = campus.people.suspend(campus.administrator(), gone.handle, "규정 위반", NOW)
    assert refused(desk.find, suspended, Selection(person="private"), NOW).reason == "person-suspended"
    assert [state for _, state in shown(log, asked(log, "private"))].count(State.FILLED) == 2


def test_who_erases_neither_audits_nor_administers(campus: Campus) -> None:
    boss = campus.administrator()
    campus.person("sora")
    for roles, reason in (
        ({Role.PRIVACY, Role.AUDITOR}, "roles-inseparable"),
        ({Role.PRIVACY, Role.ADMINISTRATOR}, "roles-inseparable-privacy"),
    ):
        assert refused(campus.people.assign_roles, boss, "sora", roles, NOW).reason == reason


def test_ones_own_are_left_to_somebody_else(campus: Campus, log: Path, desk: ErasuresDesk) -> None:
    who, other = officer(campus), officer(campus, "officer-two")
    ask(campus, who.handle, "p-own")
    ask(campus, "neighbour", "p-own")
    found = desk.find(who, Selection(project="p-own"), NOW)
    assert (len(found.entries), found.own, found.people) == (2, 2, ("neighbour",))
    desk.erase(who, Selection(project="p-own"), REASON, 2, NOW)
    nothing = refused(desk.erase, who, Selection(project="p-own"), REASON, 0, NOW)
    assert nothing.reason == "erasure-nothing-found"
    assert [s for _, s in shown(log, asked(log, who.handle))].count(State.FILLED) == 2
    desk.erase(other, Selection(project="p-own"), REASON, 2, NOW)
    assert [s for _, s in shown(log, asked(log, who.handle))].count(State.FILLED) == 0


@pytest.mark.parametrize(
    ("selection", "reason", "seen", "expected"),
    [
        (Selection(), REASON, 2, "erasure-nothing-chosen"),
        (Selection(query="1' OR 1"), REASON, 2, "erasure-query-malformed"),
        (Selection(query="ab"), REASON, 2, "erasure-query-malformed"),
        (Selection(person="../x"), REASON, 2, "erasure-name-malformed"),
        (Selection(project="홍길동"), REASON, 2, "erasure-name-malformed"),
        (Selection(before=later(days=1)), REASON, 2, "erasure-day-ahead"),
        (Selection(person="kept"), "", 2, "reason-missing"),
        (Selection(person="kept"), "\u200b \n", 2, "reason-missing"),
        (Selection(person="kept"), "x" * 2000, 2, "reason-too-long"),
        (Selection(person="kept"), REASON, 1, "erasure-changed"),
        (Selection(person="kept"), REASON, -1, "erasure-changed"),
        (Selection(person="nobody-here"), REASON, 0, "erasure-nothing-found"),
        (Selection(query="0" * 16), REASON, 0, "erasure-nothing-found"),
    ],
)
def test_nothing_is_erased_by_mistake(
    campus: Campus, log: Path, desk: ErasuresDesk, selection: Selection, reason: str, seen: int, expected: str
) -> None:
    if not asked(log, "kept"):
        ask(campus, "kept")
    who, before = officer(campus), len(campus.events())
    with pytest.raises(Denied) as caught:
        desk.erase(who, selection, reason, seen, NOW)
    assert caught.value.reason == expected
    assert [s for _, s in shown(log, asked(log, "kept"))].count(State.FILLED) == 2
    assert len(campus.events()) == before, "nothing is on record that was not done"


def test_statements_of_an_earlier_release_are_shown_as_they_are(campus: Campus, log: Path) -> None:
    detail = {"statement": "SELECT '홍길동-옛날'", "parameters": {"1": "'x'"}, "rows": 3}
    for action in sorted(HOLDERS | {Action.QUERY_FINISHED}):
        event = AuditEvent(time=NOW, actor="earlier", action=action, object="query:old", detail=detail)
        campus.audit.append(event)
    entries = asked(log, "earlier")
    assert shown(log, entries) == [("SELECT '홍길동-옛날'", State.PLAIN)] * 3
    assert Statements(log).of(entries)[entries[0].seq].parameters == (("1", "'x'"),)
    assert verify(log, (log / "public_key").read_text("utf-8")).ok
