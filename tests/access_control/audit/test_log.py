"""The log on disk: nothing acknowledged is lost or recorded twice, and a changed byte never goes unseen."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access_control.audit import segment
from access_control.audit.event import Action, AuditEvent
from access_control.audit.reader import AuditReader
from access_control.audit.verify import verify
from access_control.errors import AuditDamaged, AuditError, AuditUnavailable
from tests.access_control.audit.builders import NOW, SIGNER, event, fill, open_log, pairs

KEY = SIGNER.public.text()


def recorded(folder: Path) -> list[AuditEvent]:
    return [each.event for each in AuditReader(folder).everything()]


def only_segment(folder: Path) -> Path:
    [file] = (folder / "segments").glob("*.jsonl")
    return file


def test_what_was_recorded_is_there_after_a_restart(tmp_path: Path) -> None:
    events = fill(tmp_path, [1, 5, 2])
    with contextlib.closing(open_log(tmp_path)) as log:
        assert log.size == 8
        assert log.append(pairs([event(9)]), NOW) == [8]
    assert recorded(tmp_path)[:8] == events
    assert verify(tmp_path, KEY).ok


@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=6), max_size=8), st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_event_is_recorded_once_however_often_it_is_sent(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]], draw: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("log")
    known = [event(number) for number in range(13)]
    first: dict[int, int] = {}
    log = open_log(folder, segment_bytes=1500)
    for batch in batches:
        for number, seq in zip(batch, log.append(pairs([known[n] for n in batch]), NOW), strict=True):
            assert first.setdefault(number, seq) == seq
        if draw.draw(st.booleans()):
            log.close()
            log = open_log(folder, segment_bytes=1500)
    log.close()
    kept = recorded(folder)
    assert len({each.event_id for each in kept}) == len(kept) == len(first)
    assert all(kept[seq] == known[number] for number, seq in first.items())
    assert verify(folder, KEY).ok


def test_segments_follow_on_one_another(tmp_path: Path) -> None:
    events = fill(tmp_path, [3] * 20, segment_bytes=2000)
    assert len(segment.segments(tmp_path)) > 5
    assert recorded(tmp_path) == events
    assert verify(tmp_path, KEY).covered == 60


def test_a_start_reads_only_the_newest_segment(tmp_path: Path) -> None:
    events = fill(tmp_path, [3] * 20, segment_bytes=2000)
    first = segment.segments(tmp_path)[0].path
    content = first.read_bytes()
    first.write_bytes(b"x" * len(content))
    with contextlib.closing(open_log(tmp_path)) as log:
        assert log.append(pairs(events[:2]), NOW) == [0, 1]
    assert not verify(tmp_path, KEY).ok


@pytest.mark.parametrize("lost", ["state.json", "acknowledged", "*.ids", "checkpoint"])
def test_what_can_be_made_again_may_be_lost(tmp_path: Path, lost: str) -> None:
    events = fill(tmp_path, [3] * 10, segment_bytes=2000)
    for file in [*tmp_path.glob(lost), *tmp_path.glob(f"segments/{lost}")]:
        file.unlink()
    with contextlib.closing(open_log(tmp_path)) as log:
        assert log.append(pairs(events), NOW) == list(range(30))
    assert verify(tmp_path, KEY).ok


def test_a_state_nobody_signed_is_not_believed(tmp_path: Path) -> None:
    fill(tmp_path, [3] * 10, segment_bytes=2000)
    state = tmp_path / "state.json"
    values = json.loads(state.read_text())
    values["hashes"][0] = "00" * 32
    state.write_text(json.dumps(values))
    with contextlib.closing(open_log(tmp_path)) as log:
        log.append(pairs([event(99)]), NOW)
    assert verify(tmp_path, KEY).ok


def test_only_one_process_holds_a_log(tmp_path: Path) -> None:
    with contextlib.closing(open_log(tmp_path)), pytest.raises(AuditUnavailable) as refused:
        open_log(tmp_path)
    assert refused.value.reason == "audit-locked"


def test_a_log_is_not_continued_with_another_key(tmp_path: Path) -> None:
    fill(tmp_path, [1])
    (tmp_path / "public_key").write_text("other+00000000+AAAA\n")
    with pytest.raises(AuditError) as refused:
        open_log(tmp_path)
    assert refused.value.reason == "audit-key"


def test_a_torn_end_is_set_aside_and_that_is_recorded(tmp_path: Path) -> None:
    """At every byte of a line that was being written when the process died."""
    events = fill(tmp_path / "whole", [2, 1])
    [line] = [segment.line(segment.body(body, b"x", 3)) for _, body in pairs([event(3)])]
    for cut in range(1, len(line), 7):
        folder = tmp_path / f"torn{cut}"
        shutil.copytree(tmp_path / "whole", folder)
        with only_segment(folder).open("ab") as file:
            file.write(line[:cut])
        for _ in range(2):
            open_log(folder).close()
        kept = recorded(folder)
        assert kept[:3] == events
        assert [each.action for each in kept[3:]] == [Action.AUDIT_RECOVERED]
        assert kept[3].detail["bytes"] == cut
        assert (folder / "set_aside" / kept[3].object).read_bytes() == line[:cut]
        assert verify(folder, KEY).ok


def test_whole_lines_after_the_last_acknowledgement_are_kept(tmp_path: Path) -> None:
    """Killed after the write and before the answer: the client sends again, and it is there once."""
    fill(tmp_path, [2])
    late = event(2)
    [(_, body)] = pairs([late])
    with only_segment(tmp_path).open("ab") as file:
        file.write(segment.line(segment.body(body, b"2026-03-02T09:00:00.000000Z", 2)))
    with contextlib.closing(open_log(tmp_path)) as log:
        assert log.append(pairs([late]), NOW) == [2]
    assert len(recorded(tmp_path)) == 3


def test_a_log_cut_anywhere_halts(tmp_path: Path) -> None:
    """Everything was acknowledged, so whatever is missing was lost after the promise."""
    fill(tmp_path / "whole", [2, 1])
    size = only_segment(tmp_path / "whole").stat().st_size
    for cut in range(0, size, 3):
        folder = tmp_path / f"cut{cut}"
        shutil.copytree(tmp_path / "whole", folder)
        data = only_segment(folder).read_bytes()[:cut]
        only_segment(folder).write_bytes(data)
        with pytest.raises(AuditDamaged):
            open_log(folder)
        assert only_segment(folder).read_bytes() == data, "a damaged log is left untouched"
        assert not verify(folder, KEY).ok
        shutil.rmtree(folder)


def test_a_flipped_bit_anywhere_halts_and_is_named(tmp_path: Path) -> None:
    fill(tmp_path / "whole", [2, 1])
    whole = only_segment(tmp_path / "whole").read_bytes()
    folder = tmp_path / "flipped"
    shutil.copytree(tmp_path / "whole", folder)
    for at in range(0, len(whole), 3):
        data = bytearray(whole)
        data[at] ^= 1 << at % 8
        only_segment(folder).write_bytes(data)
        with pytest.raises(AuditDamaged):
            open_log(folder)
        found = verify(folder, KEY)
        assert not found.ok
        assert found.problems[0].line == whole[:at].count(b"\n") + 1
        assert only_segment(folder).read_bytes() == data


@pytest.mark.parametrize("name", ["checkpoints", "checkpoint", "acknowledged", "public_key"])
def test_no_flipped_bit_beside_the_entries_loses_any(tmp_path: Path, name: str) -> None:
    """The small files may stop the log or be made again; they can never make it forget."""
    events = fill(tmp_path / "whole", [2, 1], checkpoint_events=2)
    data = (tmp_path / "whole" / name).read_bytes()
    for at in range(0, len(data), 5):
        folder = tmp_path / f"flip{at}"
        shutil.copytree(tmp_path / "whole", folder)
        flipped = bytearray(data)
        flipped[at] ^= 4
        (folder / name).write_bytes(flipped)
        with contextlib.suppress(AuditError):
            open_log(folder).close()
        assert recorded(folder)[:3] == events
        shutil.rmtree(folder)


def rewrite(folder: Path, number: int, old: bytes, new: bytes) -> None:
    """What an insider with write access would do: change one entry and its checksum."""
    file = only_segment(folder)
    lines = file.read_bytes().splitlines(keepends=True)
    leaf = segment.leaf_of(lines[number])
    assert old in leaf
    lines[number] = segment.line(leaf.replace(old, new))
    file.write_bytes(b"".join(lines))


def test_a_rewrite_with_a_right_checksum_is_found(tmp_path: Path) -> None:
    fill(tmp_path / "whole", [5] * 4, checkpoint_events=5)
    for number in range(20):
        folder = tmp_path / f"rewritten{number}"
        shutil.copytree(tmp_path / "whole", folder)
        rewrite(folder, number, b"minji", b"junho")
        found = verify(folder, KEY)
        assert not found.ok
        assert found.problems[0].what.startswith(f"an entry from {number // 5 * 5} to {number // 5 * 5 + 4} ")
        with pytest.raises(AuditDamaged):
            open_log(folder)


def test_two_entries_changing_places_is_found(tmp_path: Path) -> None:
    fill(tmp_path, [4])
    lines = only_segment(tmp_path).read_bytes().splitlines(keepends=True)
    only_segment(tmp_path).write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))
    assert verify(tmp_path, KEY).problems[0].what == "the sequence number is not 0"


def test_a_missing_segment_is_found(tmp_path: Path) -> None:
    fill(tmp_path, [3] * 20, segment_bytes=2000)
    for each in segment.segments(tmp_path)[:-1]:
        each.path.rename(each.path.with_suffix(".away"))
        assert not verify(tmp_path, KEY).ok
        with pytest.raises(AuditDamaged):
            open_log(tmp_path)
        each.path.with_suffix(".away").rename(each.path)
    assert verify(tmp_path, KEY).ok


def test_a_checkpoint_kept_elsewhere_finds_a_rewrite_by_the_key_holder(tmp_path: Path) -> None:
    fill(tmp_path / "true", [6])
    held = (tmp_path / "true" / "checkpoint").read_text()
    fill(tmp_path / "forged", [7])
    assert verify(tmp_path / "forged", KEY).ok
    assert verify(tmp_path / "true", KEY, held=[held]).ok
    found = verify(tmp_path / "forged", KEY, held=[held])
    assert [each.file for each in found.problems] == ["held checkpoint 1"]


def test_a_log_taken_away_is_not_a_whole_log(tmp_path: Path) -> None:
    assert not verify(tmp_path, KEY).ok


def test_verification_reports_its_progress(tmp_path: Path) -> None:
    fill(tmp_path, [10])
    seen: list[tuple[int, int]] = []
    verify(tmp_path, KEY, lambda done, whole: seen.append((done, whole)))
    size = only_segment(tmp_path).stat().st_size
    assert seen[-1] == (size, size)


def test_after_a_power_cut_only_a_line_cut_short_is_set_aside(tmp_path: Path) -> None:
    """The mark and the checkpoints may lag then; a whole line that is wrong still halts."""
    fill(tmp_path / "whole", [2, 1])
    for name in ("acknowledged", "checkpoint", "checkpoints"):
        (tmp_path / "whole" / name).unlink()
    whole = only_segment(tmp_path / "whole").read_bytes()
    lines = whole.count(b"\n")
    for number, at in enumerate(range(5, len(whole), 60)):
        folder = tmp_path / f"flip{number}"
        shutil.copytree(tmp_path / "whole", folder)
        data = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        only_segment(folder).write_bytes(data)
        if data.count(b"\n") == lines:
            with pytest.raises(AuditDamaged):
                open_log(folder)
            assert only_segment(folder).read_bytes() == data
