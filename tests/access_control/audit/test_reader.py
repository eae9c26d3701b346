"""Pages of the log: every wanted entry once, newest first, whatever the blocks and segments."""

from __future__ import annotations

import contextlib
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access_control.audit import reader
from access_control.audit.event import Action
from access_control.audit.reader import AuditReader, Filter
from access_control.errors import AuditDamaged, Invalid
from tests.access_control.audit.builders import NOW, event, fill, open_log, pairs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 events of two people, three actions and several segments; one a minute."""
    made = tmp_path_factory.mktemp("log")
    actions = (Action.QUERY_ADMITTED, Action.QUERY_FINISHED, Action.EXPORT_SUBMITTED)
    with contextlib.closing(open_log(made, segment_bytes=9000)) as log:
        for number in range(200):
            one = event(
                number,
                actor=("minji", "junho")[number % 2],
                action=actions[number % 3],
                time=NOW + timedelta(minutes=number),
                detail={"note": '"actor":"nobody"', "가": "x" * (number * 7 % 300)},
            )
            log.append(pairs([one]), NOW + timedelta(minutes=number))
    return made


def numbers(folder: Path, wanted: Filter, limit: int) -> list[int]:
    found: list[int] = []
    before = None
    while True:
        page = AuditReader(folder).page(wanted, before=before, limit=limit)
        found += [each.seq for each in page.entries]
        before = page.older
        if before is None:
            return found


@pytest.mark.parametrize("block", [64, 1000, 256 << 10])
@pytest.mark.parametrize("limit", [1, 7, 500])
def test_all_pages_together_are_the_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch, block: int, limit: int
) -> None:
    monkeypatch.setattr(reader, "BLOCK", block)
    assert numbers(folder, Filter(), limit) == list(range(199, -1, -1))


@settings(deadline=None, max_examples=60)
@given(
    actor=st.sampled_from(["", "minji", "junho", "nobody"]),
    actions=st.frozensets(st.sampled_from([Action.QUERY_ADMITTED, Action.EXPORT_SUBMITTED])),
    since=st.none() | st.integers(0, 220),
    until=st.none() | st.integers(0, 220),
    text=st.sampled_from(["", "QUERY:1", "99", "nothing"]),
    limit=st.integers(1, 60),
)
def test_a_filter_finds_what_a_look_at_every_entry_finds(
    folder: Path,
    actor: str,
    actions: frozenset[Action],
    since: int | None,
    until: int | None,
    text: str,
    limit: int,
) -> None:
    wanted = Filter(
        actor=actor,
        actions=actions,
        since=None if since is None else NOW + timedelta(minutes=since),
        until=None if until is None else NOW + timedelta(minutes=until),
        text=text,
    )
    every = [each.seq for each in AuditReader(folder).everything() if wanted.wants(each.event)]
    assert numbers(folder, wanted, limit) == every[::-1]


def test_a_page_that_finds_nothing_still_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_SCANNED", 10)
    page = AuditReader(folder).page(Filter(text="query:3"), limit=5)
    assert page.entries == ()
    assert page.older is not None
    assert 3 in numbers(folder, Filter(text="query:3"), 5)


def test_new_entries_do_not_move_older_pages(tmp_path: Path) -> None:
    fill(tmp_path, [10])
    first = AuditReader(tmp_path).page(limit=4)
    with contextlib.closing(open_log(tmp_path)) as log:
        log.append(pairs([event(11)]), NOW)
    second = AuditReader(tmp_path).page(before=first.older, limit=4)
    assert [each.seq for each in second.entries] == [5, 4, 3, 2]


def test_a_line_being_written_is_not_shown(tmp_path: Path) -> None:
    fill(tmp_path, [3])
    [file] = (tmp_path / "segments").glob("*.jsonl")
    with file.open("ab") as out:
        out.write(b'{"event":{"acti')
    assert [each.seq for each in AuditReader(tmp_path).page().entries] == [2, 1, 0]


def test_a_changed_line_is_never_shown(tmp_path: Path) -> None:
    fill(tmp_path, [3])
    [file] = (tmp_path / "segments").glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b"minji", b"junho", 1))
    with pytest.raises(AuditDamaged):
        AuditReader(tmp_path).page()


def test_no_log_yet_is_an_empty_page(tmp_path: Path) -> None:
    page = AuditReader(tmp_path).page()
    assert (page.entries, page.older) == ((), None)


@pytest.mark.parametrize(
    "before", ["", "x", "0", "0-1", "0-99999999", "7-0", "-1-0", "0--1", "²-0", "9" * 5000 + "-0"]
)
def test_a_made_up_position_is_refused(folder: Path, before: str) -> None:
    with pytest.raises(Invalid):
        AuditReader(folder).page(before=before)


@pytest.mark.parametrize("hostile", ["\ud800", '"', "\\", "\x00", "ㅎ" * 10000])
def test_hostile_filters_find_nothing(folder: Path, hostile: str) -> None:
    wanted = Filter(actor=hostile, text=hostile)
    assert numbers(folder, wanted, 50) == []


@pytest.mark.long
def test_a_million_events_are_paged_in_little_memory(tmp_path: Path) -> None:
    with contextlib.closing(open_log(tmp_path)) as log:
        for start in range(0, 1_000_000, 10_000):
            log.append(pairs([event(start + number) for number in range(10_000)]), NOW)
    tracemalloc.start()
    AuditReader(tmp_path).page(limit=50)
    AuditReader(tmp_path).page(Filter(actor="nobody"), limit=50)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20
