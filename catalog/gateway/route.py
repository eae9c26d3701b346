"""How the call that is being answered came, for the record. Knows no statement and no session.

It belongs to the call as its thread does, and every way to record a statement reads it at one place, so
that no way can forget it. Whoever answers calls that did not come over the session's own socket sets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from catalog.gateway.guard import NEARBY, Route

_present: ContextVar[Route] = ContextVar("route", default=NEARBY)


def present_route() -> Route:
    """How this thread's call came."""
    return _present.get()


@contextmanager
def arriving(route: Route) -> Iterator[None]:
    """What is done inside was asked for in this way."""
    before = _present.set(route)
    try:
        yield
    finally:
        _present.reset(before)
