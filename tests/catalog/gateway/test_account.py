"""What is overheard of a gRPC connection: calls and bytes that were not answered yet, however it is cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.gateway import account
from catalog.gateway.account import MOST_CALL, MOST_CALLS, MOST_HELD, Account, Talk, Unbearable
from catalog.gateway.sql.statement import MOST_BYTES

GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS = 0, 1, 3, 4
LAST, PADDED = 1, 8


def frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """RFC 9113, 4.1."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def message(size: int, compressed: bool = False) -> bytes:
    """Without what it says: its length goes before it."""
    return bytes([compressed]) + size.to_bytes(4)


def call(stream: int) -> bytes:
    """HEADERS of GetFlightInfo, each a literal (RFC 7541, 6.2.2)."""
    said = {
        ":method": "POST", ":scheme": "http", ":path": "/arrow.flight.protocol.FlightService/GetFlightInfo",
        ":authority": "localhost", "te": "trailers", "content-type": "application/grpc",
        "grpc-encoding": "gzip",
    }  # fmt: skip
    packed = b"".join(
        b"\0" + bytes([len(k)]) + k.encode() + bytes([len(v)]) + v.encode() for k, v in said.items()
    )
    return frame(HEADERS, stream, packed, flags=4)


class Line:
    """A connection and what its account promised to do later."""

    def __init__(self, of: Account | None = None) -> None:
        self.account = of or Account()
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.talk = Talk(self.account, lambda after, do: self.later.append((after, do)))
        self.talk.asked(GREETING + frame(SETTINGS, 0))

    @property
    def state(self) -> tuple[int, int]:
        return self.account.calls, self.account.held


def test_a_call_takes_room_until_it_is_answered() -> None:
    line = Line()
    line.talk.asked(frame(HEADERS, 1, b"headers") + frame(DATA, 1, message(10) + b"x" * 10, LAST))
    assert line.state == (1, 15)
    line.talk.answered(frame(HEADERS, 1, b"headers") + frame(DATA, 1, b"message"))
    assert line.state == (1, 15)
    line.talk.answered(frame(HEADERS, 1, b"status", LAST))
    assert line.state == (0, 0)
    line.talk.over()
    assert (line.state, line.later) == ((0, 0), [])


@pytest.mark.parametrize("how", ["reset", "hung up"])
def test_the_room_of_a_call_that_was_given_up_stays_taken_for_a_while(how: str) -> None:
    line = Line()
    line.talk.asked(frame(HEADERS, 1) + frame(DATA, 1, message(10)))
    if how == "reset":
        line.talk.asked(frame(RESET, 1, bytes(4)))
    else:
        line.talk.over()
    assert line.state == (1, 15)
    [(after, do)] = line.later
    assert after == account.LINGERS
    do()
    assert line.state == (0, 0)


def test_what_the_server_refuses_takes_no_room() -> None:
    line = Line()
    line.talk.asked(frame(HEADERS, 1) + frame(DATA, 1, message(10)))
    line.talk.answered(frame(RESET, 1, bytes(4)))
    assert line.state == (0, 0)
    line.talk.asked(frame(DATA, 1, bytes(7)))  # on its way still
    assert line.state == (0, 0)


@pytest.mark.parametrize(
    "said",
    [
        frame(DATA, 1, message(10, compressed=True)),
        frame(DATA, 1, message(10) + bytes(10) + message(3, compressed=True)),
        frame(DATA, 1, b"\0" + message(10), PADDED),
        frame(DATA, 1, message(MOST_CALL)),
        frame(DATA, 1, message(10)) + frame(DATA, 1, bytes(10) + message(MOST_CALL - 15)),
        frame(DATA, 1, message((1 << 32) - 1)),
    ],
)
def test_what_would_take_much_memory_ends_the_connection(said: bytes) -> None:
    line = Line()
    line.talk.asked(frame(HEADERS, 1))
    with pytest.raises(Unbearable):
        line.talk.asked(said)


def test_the_longest_that_has_room() -> None:
    assert 3 * MOST_BYTES + (64 << 10) <= MOST_CALL, "a statement's letters may take three times their bytes"
    line = Line()
    line.talk.asked(frame(HEADERS, 1) + frame(DATA, 1, message(MOST_CALL - 5)))
    assert line.account.held == MOST_CALL


def test_all_connections_of_a_session_share_its_room() -> None:
    shared = Account()
    lines = [Line(shared) for _ in range(MOST_HELD // MOST_CALL + 1)]
    for line in lines[:-1]:
        line.talk.asked(frame(HEADERS, 1) + frame(DATA, 1, message(MOST_CALL - 5)))
    lines[-1].talk.asked(frame(HEADERS, 1))
    with pytest.raises(Unbearable):
        lines[-1].talk.asked(frame(DATA, 1, message(MOST_CALL - 5)))
    lines[0].talk.answered(frame(HEADERS, 1, b"", LAST))
    fresh = Line(shared)
    fresh.talk.asked(frame(HEADERS, 1) + frame(DATA, 1, message(MOST_CALL - 5)))


@pytest.mark.parametrize("order", ["upwards", "downwards", "even", "the highest first"])
def test_calls_are_counted_whatever_numbers_they_have(order: str) -> None:
    """gRPC passes over some; one that we passed over and gRPC did not would be free."""
    numbers = list(range(1, 2 * MOST_CALLS + 2, 2))
    if order == "even":
        numbers = [2 * n for n in numbers]
    elif order == "downwards":
        numbers.reverse()
    elif order != "upwards":
        numbers = [(1 << 31) - 2, *numbers[:-1]]
    line = Line()
    with pytest.raises(Unbearable):
        line.talk.asked(b"".join(frame(HEADERS, number) for number in numbers))
    assert line.account.calls == MOST_CALLS
    line.talk.over()
    for _, do in line.later:
        do()
    assert line.state == (0, 0)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n", GREETING[:-1] + b"x", b"\x16\x03\x01"])
def test_another_protocol_ends_the_connection(said: bytes) -> None:
    talk = Talk(Account(), lambda after, do: None)
    with pytest.raises(Unbearable):
        for byte in said:
            talk.asked(bytes([byte]))


def test_the_client_is_told_why_where_it_can_hear_it() -> None:
    line = Line()
    why = Unbearable("reason", ko="까닭", en="words")
    said = line.talk.farewell(why)
    assert said[:9] == (len(said) - 9).to_bytes(3) + b"\7\0" + bytes(4)
    assert int.from_bytes(said[9:13]) == (1 << 31) - 1, "no call is to be tried again for that"
    assert said[17:].decode() == "[reason] 까닭 / words"
    line.talk.answered(frame(DATA, 1, b"abc")[:-1])
    assert line.talk.farewell(why) == b"", "not into the middle of a frame"
    line.talk.answered(b"c")
    assert line.talk.farewell(why) == said
    assert Talk(Account(), lambda after, do: None).farewell(why) == b"", "it may not be HTTP/2 at all"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([DATA, HEADERS, RESET, SETTINGS, 8, 9]),
            st.sampled_from([0, 1, 3, 5]),
            st.binary(max_size=20) | st.integers(0, 40).map(lambda n: message(n) + bytes(n)),
            st.sampled_from([0, LAST]),
        ),
        max_size=12,
    ),
    st.lists(st.integers(1, 30), min_size=1, max_size=12),
    st.lists(st.tuples(st.sampled_from([DATA, HEADERS, RESET]), st.sampled_from([1, 3])), max_size=4),
)
def test_the_account_is_the_same_however_the_bytes_are_cut(
    asked: list[tuple[int, int, bytes, int]], cuts: list[int], answered: list[tuple[int, int]]
) -> None:
    said = b"".join(frame(*one) for one in asked)
    told = b"".join(frame(kind, stream, b"abcd", LAST) for kind, stream in answered)
    ends = []
    for pieces in ([len(said) + 1], cuts):
        line, at, turn, why = Line(), 0, 0, ""
        try:
            while at < len(said):
                line.talk.asked(said[at : at + pieces[turn % len(pieces)]])
                at += pieces[turn % len(pieces)]
                turn += 1
        except Unbearable as error:
            why = str(error)
        for at in range(0, len(told), pieces[0]):
            line.talk.answered(told[at : at + pieces[0]])
        ends.append((why, line.state))
        line.talk.over()
        for _, do in line.later:
            do()
        assert line.state == (0, 0), "nothing stays taken"
    assert ends[0] == ends[1]
