"""Answers the launcher's socket: who may ask, one line each way; knows no profile and no wall."""

from __future__ import annotations

import array
import contextlib
import functools
import json
import logging
import os
import selectors
import signal
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from catalog.sandbox.errors import SandboxError
from hub_config.launcher import refusal
from hub_config.launcher.calls import Answer, Calls
from hub_config.launcher.output import Output
from hub_config.launcher.sandboxes import Entry, Sandboxes, listening_socket

log = logging.getLogger("campus.launcher")

LONGEST_REQUEST = 4 << 20  # ten thousand files of a worker fit
_PATIENCE = 30.0  # a client that sends nothing for so long is dropped [s]
_SHORT_PAUSE = 0.02  # before another try where a connection could not be taken [s]
_MOST_CLIENTS = 256
_LONGEST_STOP = 120.0
_GRACE = 5.0


@dataclass(slots=True, kw_only=True, eq=False)
class _Client:
    connection: socket.socket
    since: float
    received: bytearray = field(default_factory=bytearray)
    reply: bytes = b""
    fds: tuple[int, ...] = ()
    waits_for: str | None = None

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = ()
        self.connection.close()


class Server:
    """One thread, one loop: requests, ends of sandboxes, their output."""

    def __init__(
        self, path: Path, calls: Calls, sandboxes: Sandboxes, *, owner: int | None, peers: Iterable[int]
    ) -> None:
        self._calls = calls
        self._sandboxes = sandboxes
        self._peers = frozenset(peers)
        self._clients: set[_Client] = set()
        self._selector = selectors.DefaultSelector()
        sandboxes.on_end = self._ended
        self._path = path
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._listener = listening_socket(str(path), owner)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._selector.register(self._woken, selectors.EVENT_READ, self._awake)
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then end every sandbox."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        try:
            while not self._stopping:
                self._turn()
        finally:
            signal.set_wakeup_fd(-1)
            self._sandboxes.stop_all(_GRACE)
            for client in self._clients:
                client.close()
            self._selector.close()
            self._listener.close()
            for fd in (self._woken, self._wake):
                os.close(fd)
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _turn(self) -> None:
        self._watch_outputs()
        for key, _ in self._selector.select(0.02 if self._sandboxes.overdue() else 0.5):
            if key.fileobj in self._selector.get_map():
                key.data()
        self._sandboxes.reap()
        now = time.monotonic()
        for client in list(self._clients):
            if client.waits_for is not None and client.waits_for not in self._sandboxes.running:
                client.waits_for = None
                self._send(client)
            elif now - client.since > (_PATIENCE if client.waits_for is None else _LONGEST_STOP):
                self._drop(client)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # a shortage of descriptors, say: who waits is served when there is room
            time.sleep(_SHORT_PAUSE)
            return
        connection.setblocking(False)
        if peer_uid(connection) not in self._peers or len(self._clients) >= _MOST_CLIENTS:
            log.warning("refused a connection of uid %d", peer_uid(connection))
            connection.close()
            return
        client = _Client(connection=connection, since=time.monotonic())
        self._clients.add(client)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: _Client) -> None:
        try:
            part = client.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        client.received += part
        if not part or len(client.received) > LONGEST_REQUEST:
            self._drop(client)
        elif client.received.endswith(b"\n"):
            self._selector.unregister(client.connection)
            self._answer(client)

    def _answer(self, client: _Client) -> None:
        try:
            answer = self._calls.answer(json.loads(client.received))
        except SandboxError as error:
            answer = Answer(body={"error": {"reason": error.reason, "ko": error.ko, "en": error.en}})
        except (ValueError, RecursionError):
            answer = _refused(refusal.malformed("request"))
        except Exception:
            log.exception("a request failed")
            answer = _refused(refusal.failed())
        client.reply = json.dumps(answer.body).encode() + b"\n"
        client.fds = answer.fds
        client.waits_for = answer.when_ended
        client.since = time.monotonic()
        if client.waits_for is None:
            self._send(client)

    def _send(self, client: _Client) -> None:
        try:
            if client.fds:
                beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", client.fds))]
                sent = client.connection.sendmsg([client.reply], beside)
                for fd in client.fds:
                    os.close(fd)
                client.fds = ()
            else:
                sent = client.connection.send(client.reply)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(client)
            return
        client.reply = client.reply[sent:]
        if not client.reply:
            self._drop(client)
        elif client.connection not in self._selector.get_map():
            self._selector.register(client.connection, selectors.EVENT_WRITE, lambda: self._send(client))

    def _drop(self, client: _Client) -> None:
        self._clients.discard(client)
        if client.connection in self._selector.get_map():
            self._selector.unregister(client.connection)
        client.close()

    def _watch_outputs(self) -> None:
        """Read a sandbox's output while it keeps to its rate; what is not read waits in the sandbox."""
        now = time.monotonic()
        for entry in self._sandboxes.running.values():
            output = entry.output
            wanted, watched = output.wants(now), output.reader in self._selector.get_map()
            if wanted and not watched:
                drain = functools.partial(self._drain, output)
                self._selector.register(output.reader, selectors.EVENT_READ, drain)
            elif watched and not wanted:
                self._selector.unregister(output.reader)

    def _drain(self, output: Output) -> None:
        if not output.drain(time.monotonic()):
            self._selector.unregister(output.reader)

    def _ended(self, entry: Entry) -> None:
        if entry.output.reader in self._selector.get_map():
            self._selector.unregister(entry.output.reader)

    def _awake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 4096)

    def _stop(self, *_: object) -> None:
        self._stopping = True


def peer_uid(connection: socket.socket) -> int:
    """User id of the process at the other end, as the kernel recorded it (SO_PEERCRED, unix(7))."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


def _refused(error: SandboxError) -> Answer:
    return Answer(body={"error": {"reason": error.reason, "ko": error.ko, "en": error.en}})
