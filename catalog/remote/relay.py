"""On a session's machine, outside its sandbox: a socket there, TLS to the campus. Knows no statement.

Each session has a folder below `sessions` with `key.pem` and `cert.pem`; beside them lies `trusted.pem`. For
each the relay listens at `gateway/<session>/broker.sock`, where the gateway would on its own machine, so that
sandbox and client are the same here as there, and hold no secret. What connects is forwarded byte by byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.gateway.tunnel import CHUNK, End, carry
from catalog.remote import certificates
from catalog.remote.certificates import CertificateError
from catalog.remote.tls import client_context

LOG = logging.getLogger(__name__)
LOOK: Final = 1.0  # how often it looks which sessions there are [s]
DIAL_SECONDS: Final = 10.0
MOST_CLIENTS: Final = 16  # of one session: what the gateway takes
SOCKET: Final = "broker.sock"
_SESSION: Final = re.compile(r"[0-9a-f]{20}")


@dataclass(slots=True)
class _Door:
    """One session's socket and who is connected to it."""

    server: asyncio.Server
    clients: set[asyncio.Task[None]]


class Relay:
    """Serves every session whose certificate lies in a folder, until cancelled.

    Parameters
    ----------
    sessions
        Folder of keys and certificates; nobody else may read it.
    run
        Folder of the sockets, as `run` of the product.
    host, port
        The campus; the name its certificate has to be for.
    """

    def __init__(self, sessions: Path, run: Path, host: str, port: int) -> None:
        self._sessions, self._run = sessions, run
        self._host, self._port = host, port
        self._doors: dict[str, _Door] = {}

    @property
    def served(self) -> tuple[str, ...]:
        """Sessions that have a socket now."""
        return tuple(sorted(self._doors))

    async def serve(self) -> None:
        """Look for sessions that come and go."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK)
        finally:
            for session in list(self._doors):
                self._close(session)

    async def _look(self) -> None:
        there = {
            folder.name
            for folder in self._sessions.iterdir()
            if _SESSION.fullmatch(folder.name) and (folder / "cert.pem").is_file()
        }
        for session in sorted(there - self._doors.keys()):
            await self._open(session)
        for session in sorted(self._doors.keys() - there):
            self._close(session)

    async def _open(self, session: str) -> None:
        folder = self._run / "gateway" / session
        path = folder / SOCKET
        if _served(path):
            LOG.warning("somebody else serves %s", path)
            return
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        clients: set[asyncio.Task[None]] = set()

        def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inside = End(reader, writer)
            if len(clients) >= MOST_CLIENTS:
                inside.cut()
                return
            task = asyncio.create_task(self._forward(session, inside))
            clients.add(task)
            task.add_done_callback(clients.discard)

        server = await asyncio.start_unix_server(take, path, limit=CHUNK)
        path.chmod(0o666)  # the sandbox's user connects; others do not have the folder
        self._doors[session] = _Door(server, clients)

    def _close(self, session: str) -> None:
        door = self._doors.pop(session)
        door.server.close()
        for client in door.clients:
            client.cancel()
        shutil.rmtree(self._run / "gateway" / session, ignore_errors=True)

    async def _forward(self, session: str, inside: End) -> None:
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                outside = await self._dial(session)
        except (OSError, TimeoutError) as error:
            LOG.warning("the campus cannot be reached for %s: %s", session, type(error).__name__)
            inside.cut()
            return
        try:
            await carry(inside, outside)
        finally:
            inside.cut()
            outside.cut()

    async def _dial(self, session: str) -> End:
        """With the certificate as it is now, so that a new one needs no restart."""
        folder = self._sessions / session
        context = client_context(self._sessions / "trusted.pem", folder / "key.pem", folder / "cert.pem")
        reader, writer = await asyncio.open_connection(
            self._host, self._port, ssl=context, server_hostname=self._host, limit=CHUNK
        )
        return End(reader, writer)


def prepare(sessions: Path, session: str) -> bytes:
    """A request for a session's certificate; its key is made where there is none, and stays here.

    Raises
    ------
    CertificateError
        `session-id`.
    """
    if not _SESSION.fullmatch(session):
        raise CertificateError(
            "session-id",
            ko=f"'{session[:40]}' 은(는) 세션 번호가 아닙니다: 16진수 20자리여야 합니다.",
            en=f"'{session[:40]}' is no session's id: 20 hex digits.",
        )
    sessions.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = sessions / session
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = folder / "key.pem"
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(certificates.new_key())
    return certificates.request(key.read_bytes())


def accept(sessions: Path, content: bytes) -> str:
    """Put what the campus gave in its place: a session's certificate, or the authorities to trust.

    Returns
    -------
    str
        The session's id; empty for the authorities.

    Raises
    ------
    CertificateError
        It is neither, or the key it is for is not here.
    """
    if certificates.is_authority(content):
        _put(sessions / "trusted.pem", content)
        return ""
    session = certificates.bearer(certificates.der(content)).identity.session_id
    key = sessions / session / "key.pem"
    if not key.is_file() or not certificates.belongs(content, key.read_bytes()):
        raise CertificateError(
            "no-such-key",
            ko=f"이 인증서의 키가 여기에 없습니다: 세션 {session}. "
            f"`campus relay request {session}` 부터 하세요.",
            en=f"the key of this certificate is not here: session {session}. "
            f"Begin with `campus relay request {session}`.",
        )
    _put(sessions / session / "cert.pem", content)
    return session


def _put(file: Path, content: bytes) -> None:
    """Whole or not at all."""
    fresh = file.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(file)


def _served(path: Path) -> bool:
    """Whether somebody listens there: the gateway itself, or another relay."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
