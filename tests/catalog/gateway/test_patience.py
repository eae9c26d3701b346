"""A moment before a refusal: the end of what was just read may be on its way."""

from __future__ import annotations

import time

import pytest

from catalog.gateway import refusals
from catalog.gateway.patience import MOMENT, patiently


def test_what_is_refused_for_a_moment_only_is_not_refused() -> None:
    refused = [refusals.too_many_queries(1, 1)] * 3

    def demand() -> None:
        if refused:
            raise refused.pop()

    patiently(demand)
    assert not refused


def test_what_stays_refused_is_refused_soon() -> None:
    def demand() -> None:
        raise refusals.too_many_queries(1, 1)

    began = time.monotonic()
    with pytest.raises(refusals.QueryRefused):
        patiently(demand)
    assert time.monotonic() - began >= MOMENT
