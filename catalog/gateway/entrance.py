"""Where the front announces connections from other machines: lets in what lives. Knows no TLS, no statement.

A message `{"session_id", "person", "project", "serial"}` says what a certificate that TLS has checked says.
The answer is one byte with the descriptor of a socket of that session, or a closed connection. The asking
connection stays open as long as the tunnel, so that each side sees the other end it.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import socket
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from catalog.gateway.actions import Actions
from catalog.gateway.control import ControlClosed, receive
from catalog.gateway.guard import Guard, Route, SessionId, SessionIdentity, Transport
from catalog.gateway.listening import connections
from catalog.gateway.remote import RemoteServer
from catalog.gateway.session import SessionGateway
from catalog.gateway.tally import Tally

LOG = logging.getLogger(__name__)
MOST_ASKING: Final = 512  # connections of the front
MOST_OF_SESSION: Final = 16  # tunnels of one session
MOST_MESSAGE: Final = 4096  # [bytes]
PATIENCE: Final = 5.0  # for the announcement [s]


@dataclass(slots=True)
class _Face:
    """A server for one certificate, while anybody is connected to it."""

    server: RemoteServer
    path: Path
    tunnels: set[socket.socket] = field(default_factory=set)

    def cut(self) -> None:
        """Hang up on everybody; the front sees it, and the server ends what it was doing for them."""
        for tunnel in list(self.tunnels):
            with contextlib.suppress(OSError):
                tunnel.shutdown(socket.SHUT_RDWR)


class Entrance:
    """Serves the front until closed.

    Parameters
    ----------
    path
        Where it listens.
    location
        The front's own address, for readers: `grpc+tls://host:port`.
    """

    def __init__(self, path: Path, guard: Guard, location: str) -> None:
        self._path, self._guard, self._location = path, guard, location
        self._lock = threading.Lock()
        self._known: dict[SessionId, tuple[SessionGateway, Actions]] = {}
        self._faces: dict[tuple[SessionId, str], _Face] = {}
        self._asking = threading.Semaphore(MOST_ASKING)
        self._folder = Path(tempfile.mkdtemp(prefix="campus-"))  # its own: nobody else connects to a face
        self._made = 0
        self._refused = Tally(LOG, "certificates refused")
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o600)

    def start(self) -> None:
        """Listen from now on."""
        self._listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def add(self, session: SessionGateway, actions: Actions) -> None:
        """This session lives."""
        with self._lock:
            self._known[session.identity.session_id] = session, actions

    def remove(self, session_id: SessionId) -> None:
        """This session has ended: hang up on everybody who came for it."""
        with self._lock:
            self._known.pop(session_id, None)
            found = [face for (of, _), face in self._faces.items() if of == session_id]
        for face in found:
            face.cut()

    def revoke(self, serial: str) -> None:
        """Hang up on everybody who came with this certificate."""
        with self._lock:
            found = [face for (_, known), face in self._faces.items() if known == serial]
        for face in found:
            face.cut()

    @property
    def tunnels(self) -> int:
        """Connections from other machines now."""
        with self._lock:
            return sum(len(face.tunnels) for face in self._faces.values())

    def close(self) -> None:
        """Let nobody in any more, and hang up."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        with self._lock:
            self._known.clear()
            found = list(self._faces.values())
        for face in found:
            face.cut()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        for asking in connections(self._listener):
            if not self._asking.acquire(blocking=False):
                asking.close()
                continue
            threading.Thread(target=self._serve, args=(asking,), daemon=True).start()

    def _serve(self, asking: socket.socket) -> None:
        try:
            with asking:
                asking.settimeout(PATIENCE)
                self._answer(asking, receive(asking, MOST_MESSAGE))
        except (ControlClosed, OSError):
            return
        except Exception:
            LOG.exception("an announcement failed")
        finally:
            self._asking.release()

    def _answer(self, asking: socket.socket, said: Mapping[str, Any]) -> None:
        identity = SessionIdentity(
            session_id=SessionId(str(said.get("session_id"))),
            person=str(said.get("person")),
            project=str(said.get("project")),
        )
        serial = str(said.get("serial"))
        if (entered := self._enter(identity, serial)) is None:
            return
        face, tunnel = entered
        try:
            socket.send_fds(asking, [b"+"], [tunnel.fileno()])
            asking.settimeout(None)
            asking.recv(1)  # says nothing more: it ends with the tunnel
        finally:
            self._leave(identity.session_id, serial, face, tunnel)

    def _enter(self, identity: SessionIdentity, serial: str) -> tuple[_Face, socket.socket] | None:
        """A connection to the session's face for this certificate; None where none may be had."""
        if not self._holds(identity, serial):
            self._refused.note("no session that lives, or not its own")
            return None
        key = identity.session_id, serial
        with self._lock:
            known = self._known.get(identity.session_id)
            if known is None or known[0].identity != identity:
                self._refused.note("no such session here")
                return None
            busy = sum(len(f.tunnels) for (of, _), f in self._faces.items() if of == identity.session_id)
            if busy >= MOST_OF_SESSION:
                self._refused.note("too many connections of one session")
                return None
            face = self._faces.get(key)
            if face is None:
                face = self._faces[key] = self._open(*known, serial)
            tunnel = socket.socket(socket.AF_UNIX)
            face.tunnels.add(tunnel)
        try:
            tunnel.settimeout(PATIENCE)
            tunnel.connect(str(face.path))
        except OSError:
            self._leave(identity.session_id, serial, face, tunnel)
            raise
        with self._lock:
            ended = identity.session_id not in self._known  # meanwhile: nobody hung up on this one
        if ended:
            self._leave(identity.session_id, serial, face, tunnel)
            return None
        return face, tunnel

    def _open(self, session: SessionGateway, actions: Actions, serial: str) -> _Face:
        self._made += 1
        path = self._folder / f"{self._made}.sock"
        server = RemoteServer(
            f"grpc+unix://{path}",
            session,
            actions,
            route=Route(transport=Transport.TLS, certificate=serial),
            location=self._location,
            holds=lambda: self._holds(session.identity, serial),
        )
        return _Face(server, path)

    def _leave(self, session_id: SessionId, serial: str, face: _Face, tunnel: socket.socket) -> None:
        """One tunnel has ended; the last one takes the face with it."""
        with contextlib.suppress(OSError):
            tunnel.shutdown(socket.SHUT_RDWR)
        with self._lock:
            face.tunnels.discard(tunnel)
            last = not face.tunnels
            if last:
                self._faces.pop((session_id, serial), None)
        tunnel.close()
        if last:
            face.server.shutdown()
            face.path.unlink(missing_ok=True)

    def _holds(self, identity: SessionIdentity, serial: str) -> bool:
        return self._guard.bearer(serial, datetime.now(UTC)) == identity
