"""What a session's gRPC clients have asked and was not answered yet, by its frames. Knows no call's meaning.

gRPC's server in Flight reads messages of any length, unpacks compressed ones to any length, and takes any
number of calls of a connection, each a thread. None of that can be set from Python. So what goes to it is
overheard: HTTP/2's frames (RFC 9113, 4.1) and the length before each message (gRPC over HTTP/2: a byte that
says whether it is compressed, four of its length). What has no room ends the connection.

A call that the client gave up may still be worked on, and nothing says for how long. Its room stays taken for
a while.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Final

from catalog.gateway.tally import Tally

MOST_CALLS: Final = 256  # of one session at once, as far as the wire shows
MOST_CALL: Final = 16 << 20  # one sends: longer than any statement that runs, so that words refuse it [bytes]
MOST_HELD: Final = 32 << 20  # of all of a session; the gateway takes four times that for a moment [bytes]
LINGERS: Final = 2.0  # room of a call that was given up [s]
OVERHEARD: Final = Tally(logging.getLogger(__name__), "Flight SQL connections ended")

_GREETING: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME, _MESSAGE = 9, 5  # bytes of what stands before each
_DATA, _HEADERS, _RESET, _GOODBYE = 0, 1, 3, 7  # kinds of frames
_LAST, _PADDED = 0x1, 0x8  # flags


class Unbearable(ConnectionError):
    """A connection is to be ended, for what its client does.

    Attributes
    ----------
    reason
        For the log.
    """

    def __init__(self, reason: str, ko: str, en: str) -> None:
        OVERHEARD.note(reason)
        self.reason = reason
        super().__init__(f"[{reason}] {ko} / {en}")


class Account:
    """Of one session; used by one thread."""

    def __init__(self) -> None:
        self.calls = 0
        self.held = 0

    def begin(self) -> None:
        """One more call.

        Raises
        ------
        Unbearable
            It is one too many.
        """
        if self.calls >= MOST_CALLS:
            raise _too_many_calls()
        self.calls += 1

    def hold(self, size: int) -> None:
        """So many bytes more.

        Raises
        ------
        Unbearable
            They are too many with what is there.
        """
        if self.held + size > MOST_HELD:
            raise _too_much()
        self.held += size

    def end(self, size: int) -> None:
        """A call has ended that took so many bytes."""
        self.calls -= 1
        self.held -= size


class Talk:
    """One connection, told what each side says before the other hears it.

    Parameters
    ----------
    later
        Does something after so many seconds, in the same thread.
    """

    def __init__(self, account: Account, later: Callable[[float, Callable[[], None]], object]) -> None:
        self._account, self._later = account, later
        self._calls: dict[int, _Call] = {}
        self._greeting = _GREETING
        self._asking, self._answering = _Frames(), _Frames()

    def asked(self, data: bytes) -> None:
        """The client says this.

        Raises
        ------
        Unbearable
            It is no HTTP/2, asks for too much, or in a way that cannot be overheard.
        """
        if self._greeting:
            begin = data[: len(self._greeting)]
            if not self._greeting.startswith(begin):
                raise _no_http2()
            self._greeting, data = self._greeting[len(begin) :], data[len(begin) :]
        for kind, flags, stream, part in self._asking.read(data):
            if kind == _HEADERS and stream not in self._calls:  # also where gRPC would ignore it
                self._account.begin()
                self._calls[stream] = _Call()
            elif kind == _RESET:
                self._end(stream, LINGERS)
            elif kind == _DATA and (call := self._calls.get(stream)) is not None:
                if flags & _PADDED:
                    raise _no_http2()  # no client does; gRPC reads none
                self._take(call, part)

    def answered(self, data: bytes) -> None:
        """The server says this."""
        for kind, flags, stream, _ in self._answering.read(data):
            if kind == _RESET or (kind in (_DATA, _HEADERS) and flags & _LAST):
                self._end(stream, 0)

    def farewell(self, why: Unbearable) -> bytes:
        """What tells the client why: GOAWAY (RFC 9113, 6.8); nothing where it could not be heard."""
        if self._greeting or self._answering.midway:
            return b""
        last, calm = (1 << 31) - 1, 0xB  # nothing is to be sent again; ENHANCE_YOUR_CALM
        said = last.to_bytes(4) + calm.to_bytes(4) + str(why).encode()
        return len(said).to_bytes(3) + bytes([_GOODBYE, 0]) + bytes(4) + said

    def over(self) -> None:
        """The connection has ended."""
        for stream in list(self._calls):
            self._end(stream, LINGERS)

    def _take(self, call: _Call, part: bytes) -> None:
        for size in call.messages(part):
            if call.held + size > MOST_CALL:
                raise _too_much()
            self._account.hold(size)
            call.held += size

    def _end(self, stream: int, lingers: float) -> None:
        call = self._calls.pop(stream, None)
        if call is None:
            return
        account, held = self._account, call.held
        if lingers:
            self._later(lingers, lambda: account.end(held))
        else:
            account.end(held)


class _Call:
    """One stream of a connection: where its messages begin, and what it said."""

    def __init__(self) -> None:
        self.held = 0
        self._before = b""
        self._left = 0

    def messages(self, part: bytes) -> Iterator[int]:
        """Sizes of the messages that begin in this part of what it sends."""
        at = 0
        while at < len(part):
            if self._left:
                step = min(self._left, len(part) - at)
                self._left -= step
                at += step
                continue
            begin = part[at : at + _MESSAGE - len(self._before)]
            self._before += begin
            at += len(begin)
            if len(self._before) == _MESSAGE:
                if self._before[0]:
                    raise _compressed()
                self._left, self._before = int.from_bytes(self._before[1:]), b""
                yield _MESSAGE + self._left


class _Frames:
    """What is said one way, cut into frames."""

    def __init__(self) -> None:
        self._before = b""
        self._left = 0
        self._frame = 0, 0, 0

    @property
    def midway(self) -> bool:
        """Whether a frame was begun and not ended."""
        return bool(self._left or self._before)

    def read(self, data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        """Kind, flags and stream of each frame as it begins, and again with each part of what DATA has."""
        at = 0
        while at < len(data):
            if self._left:
                part = data[at : at + self._left]
                self._left -= len(part)
                at += len(part)
                if self._frame[0] == _DATA:
                    yield *self._frame, part
                continue
            begin = data[at : at + _FRAME - len(self._before)]
            self._before += begin
            at += len(begin)
            if len(self._before) == _FRAME:
                head, self._before = self._before, b""
                self._left = int.from_bytes(head[:3])
                self._frame = head[3], head[4], int.from_bytes(head[5:]) & 0x7FFFFFFF
                yield *self._frame, b""


def _too_many_calls() -> Unbearable:
    return Unbearable(
        "too-many-calls",
        ko=f"이 분석 세션이 관문에 보내고 답을 받지 못한 요청이 {MOST_CALLS}개를 넘어 연결을 끊었습니다. "
        "앞선 요청을 기다리세요.",
        en=f"This session has more than {MOST_CALLS} requests without an answer, so the connection was "
        "ended. Wait for earlier ones.",
    )


def _too_much() -> Unbearable:
    return Unbearable(
        "request-too-long",
        ko=f"요청이 너무 길어 연결을 끊었습니다: 하나에 {MOST_CALL >> 20} MiB, 분석 세션 전체에 "
        f"{MOST_HELD >> 20} MiB 까지입니다. 값 목록을 나누어 보내세요.",
        en=f"The connection was ended, for a request is too long: {MOST_CALL >> 20} MiB each, "
        f"{MOST_HELD >> 20} MiB of a session together. Send lists of values in parts.",
    )


def _compressed() -> Unbearable:
    return Unbearable(
        "request-compressed",
        ko="압축된 요청은 받지 않아 연결을 끊었습니다. 드라이버의 gRPC 압축을 끄세요.",
        en="The connection was ended, for a request is compressed. Turn gRPC's compression off.",
    )


def _no_http2() -> Unbearable:
    return Unbearable(
        "no-http2",
        ko="gRPC(HTTP/2)가 아닙니다.",
        en="This is not gRPC over HTTP/2.",
    )
