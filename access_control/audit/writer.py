"""The one process that writes the audit log: collects events from many clients into durable batches.

`python -m access_control.audit.writer --socket S --folder F --key KEYFILE`. While one batch is written
and synced, the events of all clients gather for the next one; nothing is acknowledged before its sync.
Knows the wire and the log, not what events mean.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from access_control.audit import protocol
from access_control.audit.checkpoint import load_signer
from access_control.audit.event import Action, AuditEvent, checked, encode
from access_control.audit.literals import accepted
from access_control.audit.local import system_clock
from access_control.audit.log import CHECKPOINT_EVENTS, SEGMENT_BYTES, Log
from access_control.audit.side_store import FILE_BYTES
from access_control.errors import AuditError, AuditRefused, AuditUnavailable
from access_control.locale import both

log = logging.getLogger(__name__)

LARGEST_BATCH = 4096  # events
SMALL_BATCH = 8  # events; so few are written without changing threads, which costs more than their sync
MOST_WAITING = 4 * LARGEST_BATCH  # events of all clients; above it reading pauses
MOST_BYTES = 32 << 20  # of the same events; above it too
CHECKPOINT_SECONDS = 30.0
SWITCH_SECONDS = 0.0005  # the disk thread must not wait the usual 5 ms for the one that reads sockets
FULL_SECONDS = 1.0  # how long `ping` answers no after the disk was full
LOG_OBJECT = "audit-log"


class Client(asyncio.Protocol):
    """One connection: splits lines, checks events, hands them on. Whatever the bytes are, it answers."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._rest = bytearray()
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._too_long = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection if its peer is this user or root."""
        assert isinstance(transport, asyncio.Transport)
        peer: socket.socket = transport.get_extra_info("socket")
        size = struct.calcsize("3i")
        _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        if uid not in (0, os.getuid()):
            transport.abort()
            return
        self._transport = transport
        self._writer.clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client; what it sent is still recorded."""
        self._transport = None
        self._writer.clients.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take whole lines; keep the rest, up to the longest line."""
        self._rest += data
        end = self._rest.rfind(b"\n") + 1
        if end:
            lines = bytes(self._rest[: end - 1]).split(b"\n")
            del self._rest[:end]
            if self._too_long:
                self._too_long = False
                del lines[0]
            for line in lines:
                self._take(line)
        if len(self._rest) > protocol.LONGEST_LINE:
            self._rest.clear()
            if not self._too_long:
                self._too_long = True
                self.send(protocol.refusal(None, _too_long()))
        if self._writer.crowded:
            self.pause()

    def pause_writing(self) -> None:
        """The client does not read its answers: read no more of its lines."""
        self._paused = True
        self.pause()

    def resume_writing(self) -> None:
        """It reads again."""
        self._paused = False
        self.resume()

    def pause(self) -> None:
        """Read nothing for now."""
        if self._transport:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on, unless the client does not read its answers."""
        if self._transport and not self._paused:
            self._transport.resume_reading()

    def send(self, data: bytes) -> None:
        """Answer, if the client is still there."""
        if self._transport:
            self._transport.write(data)

    def close(self) -> None:
        """Hang up after the answers are sent."""
        if self._transport:
            self._transport.close()

    def _take(self, line: bytes) -> None:
        number: int | None = None
        try:
            if len(line) > protocol.LONGEST_LINE:
                raise _too_long()
            values = protocol.parse(line)
            number = values.get("id")
            if type(number) is not int or not 0 <= number < 1 << 53:
                number = None
                raise AuditRefused("event-malformed", problem="id is not a whole number from 0 to 2^53")
            if "do" in values:
                self._writer.do(self, number, values)
            else:
                event: Any = values.get("event")
                body = checked(event)
                if event["action"] == Action.AUDIT_LITERALS_ERASED:
                    raise AuditRefused("event-malformed", problem="only an erasure records that it was done")
                record = accepted(event, values.get("literals"))
                self._writer.put(self, number, bytes.fromhex(event["event_id"]), body, record)
        except AuditError as error:
            self.send(protocol.refusal(number, error))


Waiting = tuple[Client, int, bytes, bytes, bytes]
"""Who waits, number of the request, the event's identifier and bytes, the line of its literals."""
Erasure = tuple[Client, int, dict[str, Any], bytes, list[str]]
"""Who waits, number of the request, the event and its bytes, identifiers of those whose literals go."""


class Writer:
    """The queue between the clients and the log."""

    def __init__(
        self,
        audit: Log,
        clock: Callable[[], datetime] = system_clock,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        self.clients: set[Client] = set()
        self._checkpoint_seconds = checkpoint_seconds
        self._signed_at = time.monotonic()
        self._log = audit
        self._clock = clock
        self._waiting: list[Waiting] = []
        self._bytes = 0  # of what waits
        self._erasures: list[Erasure] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._disk = ThreadPoolExecutor(1, "disk")
        self._full: tuple[float, AuditError] | None = None
        self._full_told = False

    @property
    def crowded(self) -> bool:
        """Whether clients should wait before they send more."""
        return len(self._waiting) >= MOST_WAITING or self._bytes >= MOST_BYTES

    def put(self, client: Client, number: int, event_id: bytes, body: bytes, record: bytes = b"") -> None:
        """Queue an event, and the line of its literals, for the next batch."""
        self._waiting.append((client, number, event_id, body, record))
        self._bytes += len(body) + len(record)
        self._wake.set()

    def do(self, client: Client, number: int, values: dict[str, Any]) -> None:
        """Answer a request that is no event."""
        match values.get("do"):
            case "erase":
                self._erasures.append(_erasure(client, number, values))
                self._wake.set()
            case "ping":
                if self._full and time.monotonic() - self._full[0] < FULL_SECONDS:
                    raise self._full[1]
                fields = {"size": self._log.size, "signed": self._log.signed, "root": self._log.root.hex()}
                client.send(protocol.answer(number, **fields))
            case _:
                raise AuditRefused("event-malformed", problem="neither an event nor something to do")

    def stop(self) -> None:
        """Write what is queued, then let `run` return."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Write batches until stopped.

        Raises
        ------
        AuditUnavailable
            Writing failed in a way after which nothing can be promised; the process has to end.
        """
        loop = asyncio.get_running_loop()
        while not (self._stopping and not self._waiting and not self._erasures):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._checkpoint_seconds)
            if time.monotonic() - self._signed_at > self._checkpoint_seconds:
                self._signed_at = time.monotonic()
                await self._sign(loop)
            self._wake.clear()
            while self._waiting:
                crowded = self.crowded
                batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
                self._bytes -= sum(len(body) + len(record) for *_, body, record in batch)
                pairs = [(event_id, body) for _, _, event_id, body, _ in batch]
                # of an event that comes twice the first is recorded, so its literals are kept
                records = {event_id: record for _, _, event_id, _, record in reversed(batch) if record}
                try:
                    if len(pairs) <= SMALL_BATCH:
                        numbers = self._log.append(pairs, self._clock(), records)
                        await asyncio.sleep(0)
                    else:
                        numbers = await loop.run_in_executor(
                            self._disk, self._log.append, pairs, self._clock(), records
                        )
                except AuditRefused as error:
                    self._refuse(batch, error)
                except AuditUnavailable as error:
                    self._refuse(batch, error)
                    raise
                else:
                    self._full = None
                    self._full_told = False
                    _acknowledge(batch, numbers)
                if crowded and not self.crowded:
                    for client in self.clients:
                        client.resume()
            while self._erasures:
                await self._erase(loop, self._erasures.pop(0))
        self._disk.shutdown()

    async def _erase(self, loop: asyncio.AbstractEventLoop, erasure: Erasure) -> None:
        client, number, event, body, ids = erasure
        try:
            seq = await loop.run_in_executor(
                self._disk, self._log.erase, event["event_id"], body, event["detail"], ids, self._clock()
            )
        except AuditUnavailable as error:
            client.send(protocol.refusal(number, error))
            raise
        except AuditError as error:
            client.send(protocol.refusal(number, error))
        else:
            client.send(protocol.recorded(number, seq))

    async def _sign(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await loop.run_in_executor(self._disk, self._log.checkpoint)
        except OSError as error:
            log.warning("a checkpoint could not be written, trying again later: %s", error.strerror)

    def _refuse(self, batch: list[Waiting], error: AuditError) -> None:
        self._full = (time.monotonic(), error)
        if not self._full_told:
            self._full_told = True
            log.error("%s", both(error.reason, **error.params))
        for client, number, event_id, *_ in batch:
            # what was recorded before keeps its number, as the log promises, even if the rest has no room
            known = self._log.number_of(event_id) if isinstance(error, AuditRefused) else None
            client.send(
                protocol.refusal(number, error) if known is None else protocol.recorded(number, known)
            )


def _erasure(client: Client, number: int, values: dict[str, Any]) -> Erasure:
    event, ids = values.get("event"), values.get("events")
    body = checked(event)
    assert isinstance(event, dict)
    if event["action"] != Action.AUDIT_LITERALS_ERASED or event["object"] != LOG_OBJECT:
        raise AuditRefused("event-malformed", problem="an erasure is recorded as one")
    if not isinstance(ids, list) or not all(type(each) is str for each in ids):
        raise AuditRefused("event-malformed", problem="events are not a list of identifiers")
    return client, number, event, body, ids


def _acknowledge(batch: list[Waiting], numbers: list[int]) -> None:
    """One write a client, however many of its events the batch held."""
    answers: dict[Client, list[bytes]] = {}
    for (client, number, *_), seq in zip(batch, numbers, strict=True):
        answers.setdefault(client, []).append(protocol.recorded(number, seq))
    for client, lines in answers.items():
        client.send(b"".join(lines))


def _too_long() -> AuditRefused:
    return AuditRefused("event-too-large", size=protocol.LONGEST_LINE, largest=protocol.LONGEST_LINE)


async def serve(audit: Log, path: Path, checkpoint_seconds: float = CHECKPOINT_SECONDS) -> None:
    """Serve a log on a unix socket until SIGTERM or SIGINT.

    Raises
    ------
    AuditUnavailable
        The log can no longer be written.
    """
    loop = asyncio.get_running_loop()
    writer = Writer(audit, checkpoint_seconds=checkpoint_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, writer.stop)
    path.unlink(missing_ok=True)  # of a writer that was killed: the lock on the folder says it is gone
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    finally:
        os.umask(previous)
    server = await loop.create_unix_server(lambda: Client(writer), sock=listener, backlog=1024)
    try:
        await writer.run()
    finally:
        path.unlink(missing_ok=True)
        server.close()
        for client in tuple(writer.clients):
            client.close()
        await asyncio.sleep(0)


def main(argv: list[str] | None = None) -> int:
    """Run the writer; return 0 after an orderly stop, 1 when the log cannot be written."""
    parser = argparse.ArgumentParser(prog="access_control.audit.writer", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--segment-bytes", type=int, default=SEGMENT_BYTES)
    parser.add_argument("--checkpoint-events", type=int, default=CHECKPOINT_EVENTS)
    parser.add_argument("--side-bytes", type=int, default=FILE_BYTES)
    parser.add_argument("--checkpoint-seconds", type=float, default=CHECKPOINT_SECONDS)
    given = parser.parse_args(argv)
    sys.setswitchinterval(SWITCH_SECONDS)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s audit: %(message)s")
    try:
        signer = load_signer(given.key, create=not (given.folder / "public_key").exists())
        audit = Log(
            given.folder,
            signer,
            system_clock(),
            segment_bytes=given.segment_bytes,
            checkpoint_events=given.checkpoint_events,
            side_bytes=given.side_bytes,
        )
        with contextlib.closing(audit):
            _note(audit, Action.AUDIT_STARTED)
            gc.freeze()  # what is loaded stays; looking it through holds up whoever waits for a record
            asyncio.run(serve(audit, given.socket, given.checkpoint_seconds))
            _note(audit, Action.AUDIT_STOPPED)
    except AuditError as error:
        log.error("%s", both(error.reason, **error.params))
        return 1
    return 0


def _note(audit: Log, action: Action) -> None:
    """Record that recording began or ended; a full disk must not keep the writer from serving."""
    now = system_clock()
    event = AuditEvent(time=now, actor="campus", action=action, detail={"size": audit.size})
    with contextlib.suppress(AuditRefused):
        audit.append([(bytes.fromhex(event.event_id), encode(event))], now)


if __name__ == "__main__":
    sys.exit(main())
