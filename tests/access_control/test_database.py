"""The unit of work: a change and its record are one, through crashes and an audit log that is away."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from access_control import database as database_module
from access_control.audit.client import AuditClient
from access_control.audit.event import AuditEvent
from access_control.audit.local import LocalSink
from access_control.audit.log import Log
from access_control.audit.reader import AuditReader
from access_control.database import Database, UtcDateTime, engine, outbox
from access_control.errors import AuditRefused, AuditUnavailable, DatabaseBusy
from access_control.migrations import upgrade
from tests.access_control.audit.builders import NOW, event, open_log, writer
from tests.access_control.databases import new_database, server, sqlite_url

tables = sa.MetaData()
thing = sa.Table(
    "test_thing",
    tables,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("moment", UtcDateTime),
)
part = sa.Table("test_part", tables, sa.Column("thing", sa.ForeignKey("test_thing.name"), primary_key=True))


class Interrupted:
    """An audit sink that can be away, refuse, or take events and then lose the answer."""

    def __init__(self, sink: LocalSink) -> None:
        self._sink = sink
        self.away = False
        self.full = False
        self.deaf_after_ping = False
        self.loses_answer = False

    def ping(self) -> None:
        if self.full:
            raise AuditRefused("audit-full", problem="test")
        if self.away:
            raise AuditUnavailable("audit-unavailable", problem="test")

    def append_all(self, events: Sequence[AuditEvent]) -> tuple[int, ...]:
        if self.away or self.deaf_after_ping:
            raise AuditUnavailable("audit-unavailable", problem="test")
        numbers = self._sink.append_all(events)
        if self.loses_answer:
            raise AuditUnavailable("audit-unavailable", problem="the answer was lost")
        return numbers


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("pg")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    made = (
        sqlite_url(tmp_path)
        if request.param == "sqlite"
        else new_database(request.getfixturevalue("postgresql"))
    )
    upgrade(made)
    raw = engine(made)
    with raw.begin() as connection:
        tables.create_all(connection)
    raw.dispose()
    return made


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with contextlib.closing(open_log(tmp_path / "audit")) as opened:
        yield opened


@pytest.fixture
def sink(log: Log) -> Interrupted:
    return Interrupted(LocalSink(log, lambda: NOW))


@pytest.fixture
def database(url: str, sink: Interrupted) -> Iterator[Database]:
    made = Database(url, sink)
    yield made
    made.close()


def recorded(log: Log) -> list[AuditEvent]:
    return [each.event for each in AuditReader(log.folder).everything()]


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(sa.select(thing.c.name).order_by(thing.c.name)))


def add(database: Database, name: str, *events: AuditEvent) -> None:
    with database.unit() as unit:
        unit.connection.execute(sa.insert(thing).values(name=name))
        for each in events:
            unit.record(each)


def test_a_change_and_its_events_are_there_together(database: Database, log: Log) -> None:
    events = [event(1), event(2)]
    add(database, "a", *events)
    assert (names(database), recorded(log), database.waiting()) == (["a"], events, 0)


def test_a_failed_unit_leaves_neither_change_nor_event(database: Database, log: Log) -> None:
    with pytest.raises(ZeroDivisionError), database.unit() as unit:
        unit.connection.execute(sa.insert(thing).values(name="a"))
        unit.record(event(1))
        raise ZeroDivisionError
    assert (names(database), recorded(log), database.waiting()) == ([], [], 0)


@pytest.mark.parametrize("how", ["away", "full"])
def test_without_the_audit_log_nothing_changes(
    database: Database, log: Log, sink: Interrupted, how: str
) -> None:
    setattr(sink, how, True)
    with pytest.raises((AuditUnavailable, AuditRefused)):
        add(database, "a", event(1))
    setattr(sink, how, False)
    assert (names(database), recorded(log), database.waiting()) == ([], [], 0)


def test_a_unit_that_records_nothing_does_not_need_the_log(database: Database, sink: Interrupted) -> None:
    sink.away = True
    add(database, "a")
    assert names(database) == ["a"]


def test_a_log_lost_after_the_commit_gets_its_events_with_the_next_unit(
    database: Database, log: Log, sink: Interrupted
) -> None:
    events = [event(1), event(2)]
    sink.deaf_after_ping = True
    add(database, "a", events[0])
    assert (names(database), recorded(log), database.waiting()) == (["a"], [], 1)
    sink.deaf_after_ping = False
    add(database, "b", events[1])
    assert (recorded(log), database.waiting()) == (events, 0)


def test_an_answer_lost_after_recording_does_not_record_twice(
    database: Database, log: Log, sink: Interrupted
) -> None:
    one = event(1)
    sink.loses_answer = True
    add(database, "a", one)
    assert (recorded(log), database.waiting()) == ([one], 1)
    sink.loses_answer = False
    assert database.relay_leftovers() == 1
    assert (recorded(log), database.waiting()) == ([one], 0)


def test_leftovers_stay_while_the_log_is_away(database: Database, sink: Interrupted) -> None:
    sink.deaf_after_ping = True
    add(database, "a", event(1))
    with pytest.raises(AuditUnavailable):
        database.relay_leftovers()
    assert database.waiting() == 1


def test_more_leftovers_than_one_batch_keep_their_order(
    database: Database, log: Log, sink: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "RELAYED_AT_ONCE", 3)
    events = [event(number) for number in range(10)]
    sink.deaf_after_ping = True
    add(database, "a", *events)
    sink.deaf_after_ping = False
    assert database.relay_leftovers() == 10
    assert recorded(log) == events


def test_an_event_that_cannot_be_recorded_undoes_the_unit(database: Database, log: Log) -> None:
    with pytest.raises(AuditRefused):
        add(database, "a", event(1, detail={"what": object()}))
    assert (names(database), recorded(log)) == ([], [])


def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError), database.read() as connection:
        connection.execute(sa.insert(thing).values(name="a"))
    add(database, "b")
    assert names(database) == ["b"]


def test_references_are_enforced(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError), database.unit() as unit:
        unit.connection.execute(sa.insert(part).values(thing="missing"))


def test_a_unit_inside_a_unit_is_refused_at_once(database: Database) -> None:
    with pytest.raises(RuntimeError, match="pass it on"), database.unit(), database.unit():
        pass
    add(database, "a")
    assert names(database) == ["a"]


def test_units_are_one_at_a_time(database: Database) -> None:
    """Each unit reads what is there and adds one: none may act on what another is about to change."""

    def count_up() -> None:
        for _ in range(10):
            with database.unit() as unit:
                count = unit.connection.scalar(sa.select(sa.func.count()).select_from(thing)) or 0
                unit.connection.execute(sa.insert(thing).values(name=f"{count:03d}"))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(database) == [f"{number:03d}" for number in range(40)]


def test_a_unit_that_waits_too_long_says_so(
    url: str, sink: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LONGEST_WAIT", 0.2)
    first, second = Database(url, sink), Database(url, sink)
    with first.unit():
        raised: list[BaseException] = []

        def wait() -> None:
            try:
                add(second, "b")
            except DatabaseBusy as error:
                raised.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert [type(each) for each in raised] == [DatabaseBusy]
    first.close()
    second.close()


def test_moments_come_back_aware_and_in_utc(database: Database) -> None:
    seoul = datetime(2026, 3, 2, 18, 0, 0, 5, tzinfo=timezone(timedelta(hours=9)))
    with database.unit() as unit:
        unit.connection.execute(sa.insert(thing).values(name="a", moment=seoul))
    with database.read() as connection:
        found = connection.scalar(sa.select(thing.c.moment).where(thing.c.moment <= seoul))
    assert found == seoul
    assert found is not None
    assert found.tzinfo is UTC
    with pytest.raises(sa.exc.StatementError, match="time zone"), database.unit() as unit:
        unit.connection.execute(sa.insert(thing).values(name="b", moment=datetime(2026, 3, 2)))


def test_the_sqlite_file_is_durable_and_shared(tmp_path: Path, sink: Interrupted) -> None:
    upgrade(sqlite_url(tmp_path))
    database = Database(sqlite_url(tmp_path), sink)
    with database.read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_killed_between_commit_and_relay_the_events_arrive_once(tmp_path: Path) -> None:
    """The real writer, and a process that dies at the worst moments."""
    made = sqlite_url(tmp_path)
    upgrade(made)
    events = [event(number) for number in range(2)]

    class Dies(AuditClient):
        after = False

        def append_all(self, events: Sequence[AuditEvent]) -> tuple[int, ...]:
            if self.after:
                super().append_all(events)
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

    with writer(tmp_path) as process:
        for number, after in enumerate((False, True)):
            child = os.fork()
            if child == 0:
                sink = Dies(process.socket)
                sink.after = after
                with Database(made, sink).unit() as unit:
                    unit.record(events[number])
                os._exit(3)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        client = AuditClient(process.socket)
        database = Database(made, client)
        assert database.waiting() == 2
        assert database.relay_leftovers() == 2
        assert database.relay_leftovers() == 0
        database.close()
        client.close()
        kept = [each.event for each in AuditReader(process.folder).everything()]
        assert all(kept.count(each) == 1 for each in events)


def test_the_outbox_is_empty_of_what_was_never_committed(database: Database) -> None:
    with database.read() as connection:
        assert connection.execute(sa.select(outbox)).all() == []
