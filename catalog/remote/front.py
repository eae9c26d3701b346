"""Takes connections from other machines: TLS, certificate, then the session's own door. Decides no statement.

A connection that shows a certificate of the campus is announced to the gateway, which alone knows what lives:
it answers with a socket of that session, or not at all. From then on bytes are forwarded as they come. What
has not shown a certificate costs little: few at once, fewer of one address, and not for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from catalog.gateway.account import Account
from catalog.gateway.control import ControlClosed, send
from catalog.gateway.door import forward
from catalog.gateway.guard import SessionId
from catalog.gateway.tally import Tally
from catalog.gateway.tunnel import CHUNK, End
from catalog.remote.certificates import Bearer, CertificateError, bearer
from catalog.remote.tls import ALPN, Served

LOG = logging.getLogger(__name__)
ANSWER_SECONDS: Final = 10.0  # the gateway has to say whether a session lives


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What strangers may take.

    Attributes
    ----------
    connections
        In all, with and without a certificate.
    greeting, greeting_of_one
        That have not shown a certificate yet: in all, and from one address.
    seconds
        Until they have to have [s].
    """

    connections: int = 512
    greeting: int = 128
    greeting_of_one: int = 16
    seconds: float = 5.0


class Front:
    """Serves one listening socket until cancelled.

    Parameters
    ----------
    entrance
        The gateway's socket for this process.
    """

    def __init__(self, served: Served, entrance: Path, limits: Limits | None = None) -> None:
        self._served, self._entrance = served, entrance
        self._limits = limits or Limits()
        self._open: set[asyncio.Task[None]] = set()
        self._greeting: Counter[str] = Counter()
        self._accounts: WeakValueDictionary[SessionId, Account] = WeakValueDictionary()
        self._turned_away = Tally(LOG, "turned away")

    async def serve(self, listener: socket.socket) -> None:
        """Accept until cancelled; then everybody is hung up on."""
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    client, address = await loop.sock_accept(listener)
                except OSError:  # gone before it was accepted, or no descriptor left just now
                    await asyncio.sleep(0.05)
                    continue
                if not self._has_room(str(address[0])):
                    self._turned_away.note("no room")
                    client.close()
                    continue
                self._greeting[str(address[0])] += 1
                task = asyncio.create_task(self._take(client, str(address[0])))
                self._open.add(task)
                task.add_done_callback(self._open.discard)
                await asyncio.sleep(0)  # a full backlog does not keep the others waiting
        finally:
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _has_room(self, address: str) -> bool:
        return (
            len(self._open) < self._limits.connections
            and self._greeting.total() < self._limits.greeting
            and self._greeting[address] < self._limits.greeting_of_one
        )

    async def _take(self, client: socket.socket, address: str) -> None:
        try:
            try:
                end = await self._greet(client)
            finally:
                self._greeting -= Counter([address])
            if end is None:
                return
            try:
                await self._let_in(end, _who(end))
            finally:
                end.cut()
        except CertificateError as error:
            self._turned_away.note(error.reason)
        except Exception:
            LOG.exception("a connection from another machine failed")

    async def _greet(self, client: socket.socket) -> End | None:
        """An end that TLS has checked; None where there was no good certificate in time."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=CHUNK)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                client,
                ssl=self._served.context(),
                ssl_handshake_timeout=self._limits.seconds,
                ssl_shutdown_timeout=1.0,
            )
        except OSError as error:  # whatever TLS did not like is one, and so is being too slow
            client.close()
            self._turned_away.note(type(error).__name__)
            return None
        return End(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def _let_in(self, end: End, who: Bearer) -> None:
        """Ask the gateway, forward until either side, the certificate or the session ends."""
        left = (who.until - datetime.now(UTC)).total_seconds()
        answer = await asyncio.to_thread(self._announce, who)
        if answer is None:
            return
        announced, inner = answer
        with announced:  # while it is open the gateway knows that this connection is
            reader, writer = await asyncio.open_unix_connection(sock=inner, limit=CHUNK)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await forward(end, End(reader, writer), self._account(who))

    def _account(self, who: Bearer) -> Account:
        """Shared by the connections of a session, as long as there are any."""
        return self._accounts.setdefault(who.identity.session_id, Account())

    def _announce(self, who: Bearer) -> tuple[socket.socket, socket.socket] | None:
        """The announcement, and a socket of the session; None where the gateway does not let it in."""
        announced = socket.socket(socket.AF_UNIX)
        announced.settimeout(ANSWER_SECONDS)
        try:
            announced.connect(str(self._entrance))
            identity = who.identity
            send(
                announced,
                {
                    "session_id": identity.session_id,
                    "person": identity.person,
                    "project": identity.project,
                    "serial": who.serial,
                },
            )
            if (inner := _descriptor(announced)) is not None:
                return announced, inner
        except (OSError, ControlClosed):
            self._turned_away.note("the gateway does not answer")
        announced.close()
        return None


def _who(end: End) -> Bearer:
    """Whose certificate was shown.

    Raises
    ------
    CertificateError
        Nobody's of ours, or the talk is not gRPC.
    """
    shown: Any = end.writer.get_extra_info("ssl_object")
    if shown.selected_alpn_protocol() != ALPN:
        raise CertificateError("protocol", ko="gRPC 가 아닙니다.", en="this is not gRPC.")
    return bearer(shown.getpeercert(binary_form=True))


def _descriptor(announced: socket.socket) -> socket.socket | None:
    """The gateway's answer: one byte with a descriptor, or a closed connection."""
    _, descriptors, _, _ = socket.recv_fds(announced, 1, 1)
    return socket.socket(fileno=descriptors[0]) if descriptors else None
