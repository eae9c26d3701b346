"""Whether a service answers, asked the way its users ask. Starts nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from pathlib import Path

from access_control.audit.client import AuditClient
from access_control.errors import AuditError, AuditRefused
from hub_config.settings import Settings

PATIENCE = 2.0  # s


def forget_socket(settings: Settings, name: str) -> None:
    """Remove the socket a dead service left, so that nobody waits on it."""
    with contextlib.suppress(FileNotFoundError):
        settings.socket(name).unlink()


def answers(settings: Settings, name: str) -> bool:
    """Whether the service does its work now."""
    path = settings.socket(name)
    try:
        match name:
            case "audit":
                with contextlib.closing(AuditClient(path, patience=PATIENCE)) as client:
                    client.ping()
            case "gateway":
                return _line(path, {"op": "ping"})
            case "portal":
                return _get(path, "/") == 200
            case "hub":
                return _get(path, "/hub/api/") == 200
            case "gate":
                return _through(settings) == 200
            case "health":
                with socket.create_connection(("127.0.0.1", settings.health_port), PATIENCE):
                    pass
            case "remote":
                socket.create_connection((settings.remote_bind, settings.remote_port), PATIENCE).close()
            case _:
                with _connected(path):
                    pass
    except AuditRefused:
        return True  # the log is full, and its writer there to say so
    except (OSError, AuditError, http.client.HTTPException):
        return False
    return True


def _connected(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(PATIENCE)
    try:
        peer.connect(str(path))
    except OSError:
        peer.close()
        raise
    return peer


def _line(path: Path, question: dict[str, str]) -> bool:
    with _connected(path) as peer:
        peer.sendall(json.dumps(question).encode() + b"\n")
        return peer.recv(1) == b"{"


def _get(path: Path, target: str) -> int:
    connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
    with _connected(path) as connection.sock:
        connection.request("GET", target)
        return connection.getresponse().status


def _through(settings: Settings) -> int:
    connection = http.client.HTTPConnection(settings.bind, settings.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", "/", headers={"Host": f"{settings.host}:{settings.port}"})
        return connection.getresponse().status
