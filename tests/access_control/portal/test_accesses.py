"""One's own accesses: everything the record says of oneself is there, and nothing of anybody else, ever."""

from __future__ import annotations

import html
import re
import secrets
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from access_control.audit.event import Action, ActorAs, AuditEvent
from access_control.audit.reader import AuditReader, Filter
from access_control.errors import Invalid
from access_control.guard import CampusGuard
from access_control.people.model import Role
from access_control.portal import own_record
from access_control.portal.own_record import OBJECT, Access, OwnPage, OwnRecord
from catalog.gateway.guard import (
    QueryEvent,
    QueryEventKind,
    QueryId,
    ScannedTable,
    SessionId,
    SessionIdentity,
)
from catalog.gateway.sql.normal import normalise
from catalog.sandbox.launcher import Launcher
from tests.access_control.campus import NOW, Campus
from tests.access_control.portal.conftest import Portal

ENDS = {
    "finished": QueryEventKind.FINISHED,
    "failed": QueryEventKind.FAILED,
    "cancelled": QueryEventKind.CANCELLED,
}


@pytest.fixture
def me() -> str:
    """Somebody new: the log is all tests'."""
    return f"m{secrets.token_hex(4)}"


@pytest.fixture
def record(campus: Campus, audit_writer: Path) -> OwnRecord:
    return OwnRecord(audit_writer / "log", campus.audit, b"k" * 32)


def query(
    campus: Campus,
    person: str,
    word: str,
    end: str = "finished",
    dataset: str = "card_sales",
    project: str = "open-data",
    at: datetime = NOW,
) -> QueryEvent:
    """An admitted query of this word, and its end, as the gateway records them; `end`: none where empty."""
    guard = CampusGuard(campus.db, campus.exports, campus.audit, Launcher(Path("nobody.sock")))
    text = f"SELECT gu FROM memory.campus.{dataset} WHERE (name = '{word}')"
    event = QueryEvent(
        kind=QueryEventKind.ADMITTED,
        query_id=QueryId(secrets.token_hex(8)),
        identity=SessionIdentity(session_id=SessionId("a" * 20), person=person, project=project),
        time=at,
        statement=text,
        tables=(ScannedTable(dataset=dataset, variant="main", snapshot_id=77, grant_id="1", partitions=()),),
        normal=normalise(text, (dataset, "gu", "name"), (("who", f"'{word}'"),)),
    )
    guard.record(event)
    if end:
        finish(campus, event, end)
    return event


def finish(campus: Campus, event: QueryEvent, end: str = "finished") -> None:
    guard = CampusGuard(campus.db, campus.exports, campus.audit, Launcher(Path("nobody.sock")))
    reason = "" if end == "finished" else "time-limit"
    fields = {
        name: getattr(event, name) for name in ("query_id", "identity", "statement", "tables", "normal")
    }
    guard.record(
        QueryEvent(kind=ENDS[end], time=event.time, rows=4321, bytes=9, seconds=1.0, reason=reason, **fields)
    )


def every(record: OwnRecord, campus: Campus, person: str, project: str = "", dataset: str = "") -> OwnPage:
    """All pages in one."""
    who, before = campus.people.person(person), ""
    found: list[Access] = []
    assert who is not None
    while True:
        page = record.page(who, project, dataset, before, NOW)
        found += page.accesses
        if not (before := page.older):
            return OwnPage(accesses=tuple(found), older="")


def words(text: str) -> str:
    """What a reader sees of the table."""
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


async def test_a_person_sees_their_own_queries_mounts_exports_and_sign_ins(portal: Portal, me: str) -> None:
    campus = portal.campus
    minji = campus.person(me)
    for end in ENDS:
        query(campus, me, f"홍길동-{end}", end)
    query(campus, me, "아직", "")
    campus.export(minji)
    mounted = {"dataset": "dong_codes", "variant": "main", "snapshot": "9", "grant": "1", "partitions": {}}
    campus.audit.append_all(
        [
            AuditEvent(
                time=NOW, actor=me, action=Action.SESSION_MOUNTED, project="open-data",
                detail={"tables": [mounted]},
            )
        ]
    )  # fmt: skip
    browser = await portal.signed_in(me)
    page = (await browser.get("/accesses")).text
    said = words(page)
    for word in ("홍길동-finished", "홍길동-failed", "홍길동-cancelled", "아직"):
        assert f"name = '{word}'" in said and f"who = '{word}'" in said
    for shown in ("완료", "4,321", "실패 time-limit", "취소 time-limit", "진행 중", "main@77", "main@9"):
        assert shown in said, shown
    assert re.search(r"href=\"/exports/[0-9a-z-]+\"", page) and "로그인" in said
    assert said.index("로그인") < said.index("아직") < said.index("홍길동-failed"), "newest first"
    assert 'href="/accesses" class="gnb-main-trigger' in page
    await browser.get("/language/en?next=/accesses")
    english = (await browser.get("/accesses")).text
    assert "My accesses" in english and "Finished" in words(english)
    reads = [e for e in AuditReader(portal.services.audit._folder).everything() if e.event.object == OBJECT]
    assert [e.event.actor for e in reads if e.event.actor == me] == [me] * 2, (
        "and that it was read is on record"
    )


async def test_nobody_sees_anybody_elses(portal: Portal, me: str) -> None:
    """Whatever is asked, and whatever else they are; also of a project they share."""
    campus = portal.campus
    campus.person(me)
    query(campus, me, "비밀스러운값", "finished", "living_population", "jongno")
    for number in range(own_record.AT_ONCE + 5):
        query(campus, me, f"비밀스러운값{number}")
    page = (await (await portal.signed_in(me)).get("/accesses")).text
    (older,) = re.findall(r'href="(/accesses\?before=[^"]+)"', page)
    assert (await portal.browser().get("/accesses")).status == 303
    for handle, role in ((f"c{me}", Role.CITIZEN), (f"d{me}", Role.ADMINISTRATOR), (f"a{me}", Role.AUDITOR)):
        campus.person(handle, role)
        browser = await portal.signed_in(handle)
        for path in (
            "/accesses", f"/accesses?actor={me}", f"/accesses?person={me}", "/accesses?project=jongno",
            "/accesses?dataset=living_population", f"/accesses?project=%22,%22actor%22:%22{me}",
            f"/accesses?handle={me}", f"/accesses/{me}",
        ):  # fmt: skip
            answer = await browser.get(path)
            assert "비밀스러운값" not in answer.text and me not in words(answer.text), (handle, path)
        assert (await browser.get(html.unescape(older))).status == 400
    assert (await browser.get("/accesses?before=0-100")).status == 400, (
        "a place in the log is nobody's to ask"
    )


@pytest.mark.parametrize("like", ["{}2", "a{}", "{:.4}", '{}","actor":"sora', "{} ", "민지"])
def test_a_name_that_is_like_mine_is_not_mine(record: OwnRecord, campus: Campus, like: str, me: str) -> None:
    campus.person(me)
    query(campus, like.format(me), "남의 값")
    query(campus, me.upper(), "남의 값")
    event = AuditEvent(
        time=NOW, actor=me, action=Action.PERSON_SIGNED_IN, actor_as=ActorAs.PSEUDONYM, project="x"
    )
    campus.audit.append_all([event])
    assert every(record, campus, me).accesses == ()


def test_what_was_before_the_account_is_not_the_persons(record: OwnRecord, campus: Campus, me: str) -> None:
    query(campus, me, "이전 사람", at=NOW - timedelta(days=30))
    minji = campus.person(me)
    assert minji.created > NOW - timedelta(days=30)
    query(campus, me, "내 것")
    (found,) = every(record, campus, me).accesses
    assert found.statement is not None and "내 것" in found.statement.text


def test_pages_hold_each_access_once_with_its_end(record: OwnRecord, campus: Campus, me: str) -> None:
    """Also where a query began on the other side of a page's end: others overlap, and run long."""
    campus.person(me)
    campus.person("sora")
    long = query(campus, me, "long", "")
    for number in range(3 * own_record.AT_ONCE):
        one = query(campus, me, f"n{number}", "")
        query(campus, "sora", "theirs")
        finish(campus, one)
        if number == own_record.AT_ONCE:
            finish(campus, long, "cancelled")
    found = every(record, campus, me).accesses
    texts = [a.statement.text for a in found if a.statement is not None]
    assert len(texts) == len(set(texts)) == 3 * own_record.AT_ONCE + 1
    ends = [a.end.action for a in found if a.end is not None]
    assert ends.count(Action.QUERY_FINISHED) == 3 * own_record.AT_ONCE
    assert ends.count(Action.QUERY_CANCELLED) == 1


def test_a_query_that_began_too_far_away_is_shown_at_both_places(
    record: OwnRecord, campus: Campus, monkeypatch: pytest.MonkeyPatch, me: str
) -> None:
    monkeypatch.setattr(own_record, "FURTHER", ())
    minji = campus.person(me)
    far = query(campus, me, "far", "")
    for number in range(own_record.AT_ONCE):
        query(campus, me, f"n{number}")
    finish(campus, far)
    first = record.page(minji, "", "", "", NOW)
    assert first.accesses[0].event.action is Action.QUERY_FINISHED
    assert first.accesses[0].statement is not None and "far" not in first.accesses[0].statement.text
    (last,) = [a for a in every(record, campus, me).accesses if a.event.object == f"query:{far.query_id}"][1:]
    assert last.end is None


def test_a_project_and_a_dataset_are_chosen(record: OwnRecord, campus: Campus, me: str) -> None:
    campus.person(me)
    query(campus, me, "a", dataset="card_sales", project="open-data")
    query(campus, me, "b", dataset="living_population", project="open-data")
    query(campus, me, "c", dataset="card_sales", project="jongno", end="failed")

    def shown(project: str = "", dataset: str = "") -> list[str]:
        found = every(record, campus, me, project, dataset).accesses
        assert all(a.end is not None for a in found)
        return [a.event.project + "/" + a.tables[0][0] for a in found]

    assert shown(project="jongno") == ["jongno/card_sales"]
    assert shown(dataset="card_sales") == ["jongno/card_sales", "open-data/card_sales"]
    assert shown("open-data", "living_population") == ["open-data/living_population"]
    assert shown("jongno", "living_population") == shown(dataset='x"') == []


def test_a_page_looks_at_so_many_lines_and_says_that_it_goes_on(
    record: OwnRecord, campus: Campus, monkeypatch: pytest.MonkeyPatch, me: str
) -> None:
    monkeypatch.setattr(own_record, "MOST_SCANNED", 5)
    minji = campus.person(me)
    query(campus, me, "mine")
    for _ in range(10):
        query(campus, "sora", "theirs")
    page = record.page(minji, "", "", "", NOW)
    assert page.accesses == () and page.older
    assert [a.event.actor for a in every(record, campus, me).accesses] == [me]


@pytest.mark.parametrize("before", ["0-10", "x", "gAAAA", "한", "\udcff", "A" * 4000])
def test_a_place_that_was_not_given_is_refused(
    record: OwnRecord, campus: Campus, before: str, me: str
) -> None:
    minji = campus.person(me)
    with pytest.raises(Invalid, match="accesses-page"):
        record.page(minji, "", "", before, NOW)


def test_the_auditors_filter_by_dataset_is_exact(campus: Campus, audit_writer: Path, me: str) -> None:
    query(campus, me, "a", dataset="card_sales")
    reader = AuditReader(audit_writer / "log")
    assert len(reader.page(Filter(actor=me, dataset="card_sales")).entries) == 2
    assert reader.page(Filter(actor=me, dataset="card_sale")).entries == ()
