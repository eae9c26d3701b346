"""A decision is a value: the same reason reaches the policy's caller, the error and the page."""

from __future__ import annotations

import pytest

from access_control.decision import ALLOW, Deny, deny, first_denial
from access_control.errors import Denied


def test_yes_goes_on() -> None:
    ALLOW.require()
    assert ALLOW
    assert ALLOW.allowed


def test_no_carries_its_reason_and_parameters() -> None:
    decision = deny("own-export", person="minji")
    assert not decision
    assert decision == Deny("own-export", {"person": "minji"})
    with pytest.raises(Denied) as denied:
        decision.require()
    assert (denied.value.reason, denied.value.params) == ("own-export", {"person": "minji"})


def test_the_first_no_of_several_decides() -> None:
    assert first_denial(ALLOW, Deny("a"), Deny("b")) == Deny("a")
    assert first_denial(ALLOW, ALLOW) is ALLOW
    assert first_denial() is ALLOW
