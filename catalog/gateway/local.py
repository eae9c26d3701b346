"""The session's own client on the same machine: statements in, a socket of rows out. Decides nothing.

The second face of a session beside Flight SQL, with the same decision, record and walls. A request is one
message, `{"op": "query", "text", "parameters", "save_as"}` or `{"op": "partition", "name", "snapshot",
"index", "columns", "where"}`. Its answer is `{"facts"}` with a descriptor, or `{"error": {"kind", "reason",
"ko", "en"}}` where the kind is `refused`, `failed` or `away` (ask again soon). The descriptor is the reading
end of a socket that only the query worker writes into (see `catalog.workers.sink`): it takes the ticket's
place, has no name to be guessed, and closing it cancels.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from catalog.errors import CatalogError
from catalog.gateway import oversize, refusals
from catalog.gateway.control import ControlClosed, receive, send
from catalog.gateway.listening import connections
from catalog.gateway.parameters import parameters
from catalog.gateway.parts import Parts
from catalog.gateway.session import Admission, SessionGateway
from catalog.gateway.sql.statement import MOST_BYTES

LOG = logging.getLogger(__name__)
MOST_CLIENTS: Final = 64  # connections of one session
LONG: Final = 64 << 10  # a request longer than this waits for other long ones of its session [bytes]
LONG_AT_ONCE: Final = 2  # the gateway takes several times their length for a moment
MOST_REQUEST: Final = 3 * MOST_BYTES  # a statement of the longest, its letters escaped [bytes]


class LocalServer:
    """Serves one session's local socket; one thread a connection, since a session has few."""

    def __init__(self, address: Path, session: SessionGateway) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._clients: set[socket.socket] = set()
        self._long = threading.Semaphore(LONG_AT_ONCE)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(address))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def shutdown(self) -> None:
        """Stop listening and hang up on everybody; running queries are ended by the session."""
        with self._lock:
            clients, self._clients = list(self._clients), set()
        for open_socket in (self._listener, *clients):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
            open_socket.close()

    def _accept(self) -> None:
        for client in connections(self._listener):
            with self._lock:
                crowded = len(self._clients) >= MOST_CLIENTS
                if not crowded:
                    self._clients.add(client)
            if crowded:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with contextlib.suppress(ControlClosed, OSError):
                while True:
                    with self._room(client):
                        self._answer(client, receive(client, MOST_REQUEST))
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()

    def _room(self, client: socket.socket) -> AbstractContextManager[object]:
        """To read and answer what comes next; its length goes before it (see `control`)."""
        length = client.recv(4, socket.MSG_PEEK)
        short = not length or (len(length) == 4 and int.from_bytes(length) <= LONG)
        return contextlib.nullcontext() if short else self._long

    def _answer(self, client: socket.socket, request: Mapping[str, Any]) -> None:
        with contextlib.ExitStack() as stack:
            try:
                ours, theirs = map(stack.enter_context, socket.socketpair())
                admission = self._run(request, into=ours)
            except CatalogError as error:
                send(client, {"error": _said(error)})
            except MemoryError:
                send(client, {"error": _said(oversize.gateway_memory())})
            except Exception:
                incident = secrets.token_hex(4)
                LOG.exception("incident %s", incident)
                send(client, {"error": _said(refusals.internal(incident))})
            else:
                send(client, {"facts": admission.facts}, theirs)

    def _run(self, request: Mapping[str, Any], into: socket.socket) -> Admission:
        match request:
            case {"op": "query", "text": str(text), "parameters": values, "save_as": (str() | None) as name}:
                return self._session.query(text, parameters(values), name, into)
            case {
                "op": "partition",
                "name": str(name),
                "snapshot": str(snapshot),
                "index": int(index),
                "columns": list(columns),
                "where": str(where),
            } if snapshot.isdecimal() and all(isinstance(c, str) for c in columns):
                return Parts(self._session).read(name, int(snapshot), index, columns, where, into)
        raise refusals.malformed(str(request.get("op"))[:40])


def _said(error: CatalogError) -> dict[str, str]:
    refused, away = isinstance(error, refusals.QueryRefused), isinstance(error, refusals.Restarting)
    kind = "refused" if refused else "away" if away else "failed"
    return {"kind": kind, "reason": error.reason, "ko": error.ko, "en": error.en}
