"""The product's own client, as a notebook uses it. Runs in the session's environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def reader(given: Mapping[str, Any]) -> Callable[[str], Any]:
    """Asks the session's gateway."""
    from campus.result import Result
    from campus.wire import Gateway

    gateway = Gateway(given["address"])
    return lambda text: Result(gateway.query(text)).arrow()
