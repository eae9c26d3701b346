"""An event has one form and one sequence of bytes; what is no event is refused with its reason."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_control.audit.event import (
    LARGEST_EVENT,
    Action,
    ActorAs,
    AuditEvent,
    checked,
    decode,
    encode,
    new_event_id,
)
from access_control.errors import AuditRefused
from tests.access_control.audit.builders import event

words = st.text(st.characters(codec="utf-8"), max_size=50)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
events = st.builds(
    AuditEvent,
    time=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    actor=words.filter(bool),
    action=st.sampled_from(Action),
    project=words,
    session_id=words,
    object=words,
    detail=st.dictionaries(words, values, max_size=5),
    actor_as=st.sampled_from(ActorAs),
)


@given(events)
def test_an_event_survives_its_bytes(one: AuditEvent) -> None:
    body = encode(one)
    assert decode(json.loads(body)) == one
    assert encode(decode(json.loads(body))) == body
    assert b"\n" not in body


@given(st.recursive(st.none() | st.integers() | words, lambda v: st.lists(v) | st.dictionaries(words, v)))
def test_nothing_else_passes_for_an_event(other: Any) -> None:
    with pytest.raises(AuditRefused):
        checked(other)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v", 2),
        ("v", True),
        ("event_id", "A" * 32),
        ("event_id", "ab"),
        ("time", "2026-03-02T09:00:00Z"),
        ("time", "2026-13-02T09:00:00.000000Z"),
        ("time", 5),
        ("actor", ""),
        ("actor", "x" * 1025),
        ("actor_as", "nickname"),
        ("action", "query.guessed"),
        ("action", ["query.admitted"]),
        ("detail", []),
        ("detail", {"a": "\ud800"}),
        ("detail", {"a": float("nan")}),
        ("extra", 1),
    ],
)
def test_a_wrong_field_is_named_in_the_refusal(field: str, value: Any) -> None:
    record = json.loads(encode(event())) | {field: value}
    with pytest.raises(AuditRefused) as refused:
        checked(record)
    assert refused.value.reason == "event-malformed"


def test_an_event_above_the_limit_is_refused_with_both_sizes() -> None:
    with pytest.raises(AuditRefused) as refused:
        encode(event(detail={"text": "가" * (LARGEST_EVENT // 3)}))
    assert refused.value.reason == "event-too-large"
    assert refused.value.params["largest"] == LARGEST_EVENT


def test_times_are_utc_and_never_naive() -> None:
    seoul = timezone(timedelta(hours=9))
    assert json.loads(encode(event(time=datetime(2026, 3, 2, 18, 0, tzinfo=seoul))))["time"] == (
        "2026-03-02T09:00:00.000000Z"
    )
    with pytest.raises(AuditRefused):
        encode(event(time=datetime(2026, 3, 2)))


def test_identifiers_are_distinct_and_are_version_7() -> None:
    made = [new_event_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(each[12] == "7" and each[16] in "89ab" and len(each) == 32 for each in made)
    assert dataclasses.replace(event(), event_id=made[0]).event_id == made[0]
