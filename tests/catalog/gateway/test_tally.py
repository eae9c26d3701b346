"""A log that strangers write to stays small."""

from __future__ import annotations

import logging

import pytest

from catalog.gateway.tally import EVERY, Tally


def test_the_first_is_said_at_once_and_the_rest_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    made = Tally(logging.getLogger("test"), "refused", lambda: now)
    for _ in range(1000):
        made.note("slow")
    made.note("strange")
    assert caplog.messages == ["refused: slow 1"]
    now += EVERY
    made.note("slow")
    assert caplog.messages[1:] == ["refused: slow 1000, strange 1"]
