"""Ports for services under test. Knows no service."""

from __future__ import annotations

import random
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")  # ip(7)
FIRST = 10_000


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has, and that stays so until a service listens on it.

    Below those that the system hands out for connections: one of those may be a browser's, or the next
    caller's, before the service has begun.
    """
    below = int(RANGE.read_text("ascii").split()[0]) if RANGE.exists() else 32_768
    choice = random.SystemRandom()
    while True:
        port = choice.randrange(FIRST, max(below, FIRST + 5000))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
