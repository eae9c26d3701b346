"""A session's Flight SQL socket: so many connections, forwarded to the server behind. Decides about no call.

The server (gRPC's, in Flight) takes whatever connects and has no bound of its own, and all sessions share the
gateway's descriptors. So it listens where nobody else reaches, and what a session reaches is this.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from catalog.gateway.account import Account, Talk, Unbearable
from catalog.gateway.listening import PAUSE, SHORT
from catalog.gateway.tally import Tally
from catalog.gateway.tunnel import End, carry

LOG = logging.getLogger(__name__)
MOST_CLIENTS: Final = 64  # connections of one session
HELD: Final = 64 << 10  # of what one says and the other has not taken yet, of each direction [bytes]
TURNED_AWAY: Final = 0.01  # between two that are one too many: they are not to keep the gateway busy [s]
REFUSED: Final = Tally(LOG, "Flight SQL connections turned away")


class Server(Protocol):
    """What a door stands before."""

    def shutdown(self) -> None:
        """Stop; waits for the calls that go on."""


class Door:
    """One session's, with a thread of its own: a session that keeps it busy keeps nobody else waiting.

    Parameters
    ----------
    path
        Where it listens.
    serve
        Begins to serve at the address it is given.

    Attributes
    ----------
    server
        What that gave.
    """

    def __init__(self, path: Path, serve: Callable[[str], Server]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="campus-"))  # its own: nobody else reaches the server
        self._inside = self._folder / "flight.sock"
        self.server = serve(f"grpc+unix://{self._inside}")
        self._clients: set[asyncio.Task[None]] = set()
        self._account = Account()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(128)
        self._listener.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._serving = self._loop.create_task(self._accept())
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        """Forwarded now."""
        return len(self._clients)

    def shutdown(self) -> None:
        """Let nobody in any more and hang up on everybody; calls that went on end by that."""
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join()
        self.server.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> None:
        with contextlib.closing(self._loop), self._listener, contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serving)

    async def _accept(self) -> None:
        try:
            while True:
                try:
                    client, _ = await self._loop.sock_accept(self._listener)
                except OSError:  # gone before it was accepted, or no descriptor left just now
                    await asyncio.sleep(PAUSE)
                    continue
                if len(self._clients) >= MOST_CLIENTS:
                    client.close()
                    REFUSED.note("too many of one session")
                    await asyncio.sleep(TURNED_AWAY)
                    continue
                task = self._loop.create_task(self._forward(client))
                self._clients.add(task)
                task.add_done_callback(partial(self._left, client))
                await asyncio.sleep(0)  # a full backlog does not keep the others waiting
        finally:
            for task in self._clients:
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def _forward(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it may have gone already
            inside = End(*await asyncio.open_unix_connection(sock=client, limit=HELD))
            try:
                server = await self._dial()
                try:
                    await forward(inside, server, self._account)
                finally:
                    server.cut()
            finally:
                inside.cut()

    def _left(self, client: socket.socket, task: asyncio.Task[None]) -> None:
        self._clients.discard(task)
        client.close()

    async def _dial(self) -> End:
        """The server's end of a connection; waits where the gateway is short of descriptors."""
        while True:
            try:
                return End(*await asyncio.open_unix_connection(self._inside, limit=HELD))
            except OSError as error:
                if error.errno not in SHORT:
                    raise
            await asyncio.sleep(PAUSE)


async def forward(client: End, server: End, account: Account) -> None:
    """Carry a connection's calls and answers; one that takes more than it may is told why and ended."""
    talk = Talk(account, asyncio.get_running_loop().call_later)

    def asked(said: bytes) -> None:
        try:
            talk.asked(said)
        except Unbearable as why:
            client.writer.write(talk.farewell(why))
            raise

    try:
        await carry(client, server, asked, talk.answered)
    finally:
        talk.over()
