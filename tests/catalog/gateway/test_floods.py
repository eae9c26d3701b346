"""One session that takes all it can of its Flight SQL socket: others are served, and so is it afterwards."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.gateway import account, door
from catalog.gateway.calls import MOST_CALLS
from catalog.gateway.control import receive, send
from catalog.gateway.flight import SessionServer
from catalog.gateway.local import LONG, MOST_REQUEST
from catalog.gateway.messages import decode, encode
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import Installation, run, until
from tests.catalog.gateway.test_account import DATA, RESET, call, frame, message
from tests.catalog.gateway.test_sockets import no_descriptors

COUNT = "SELECT count(*) AS n FROM subway_ridership"
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"  # RFC 9113, 3.4: preface, SETTINGS
FLOOD = 600
OF_EACH = 3  # descriptors here: of the client, towards the server, of the server


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def path_of(address: str) -> str:
    return address.removeprefix("grpc+unix://")


@contextlib.contextmanager
def connected(address: str, many: int) -> Iterator[list[socket.socket]]:
    """So many connections, half of them silent; those that had no room even to wait are left out."""
    with contextlib.ExitStack() as stack:
        held = []
        for number in range(many):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.settimeout(0.1)
            try:
                one.connect(path_of(address))
                if number % 2:
                    one.sendall(GREETING)
            except OSError:
                one.close()
            else:
                held.append(one)
        yield held


def alone(address: str) -> Any:
    """A client with a connection of its own: gRPC shares them otherwise."""
    return flight.connect(address, generic_options=[("grpc.use_local_subchannel_pool", 1)])


def hung_up(one: socket.socket) -> bool:
    """Whether the other end has gone; what it said before is read."""
    one.settimeout(0)
    try:
        while one.recv(65536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def doors(gateway: Installation) -> list[door.Door]:
    return [made for _, made, _ in gateway.broker._open.values()]


def server_of(gateway: Installation) -> SessionServer:
    (made,) = doors(gateway)
    assert isinstance(made.server, SessionServer)
    return made.server


def works(client: Any) -> bool:
    try:
        return bool(run(client, COUNT).to_pylist() == [{"n": ROWS}])
    except flight.FlightError:
        return False


def prepared(client: Any) -> bytes:
    body = encode("ActionCreatePreparedStatementRequest", query="SELECT ? AS a")
    [answer] = client.do_action(flight.Action("CreatePreparedStatement", body))
    _, made = decode(answer.body.to_pybytes())
    return encode("CommandPreparedStatementQuery", prepared_statement_handle=made.prepared_statement_handle)


def binding(client: Any) -> Any:
    """A call that waits for values which do not come."""
    asked = flight.FlightDescriptor.for_command(prepared(client))
    return client.do_put(asked, pa.schema([("1", pa.int64())]))


def test_connections_without_end_take_a_few_descriptors_of_their_own(gateway: Installation) -> None:
    hostile, other = gateway.open("jisoo"), gateway.open("minji")
    with alone(other) as client, alone(hostile) as own:
        for one in (client, own):
            run(one, "SELECT 1")
        before = descriptors()
        with connected(hostile, FLOOD) as held:
            until(lambda: sum(map(hung_up, held)) >= len(held) - door.MOST_CLIENTS)
            there = descriptors() - len(held)
            assert there <= before + OF_EACH * door.MOST_CLIENTS
            for _ in range(5):
                assert run(client, COUNT).to_pylist() == [{"n": ROWS}]
            with alone(other) as fresh:
                assert run(fresh, COUNT).to_pylist() == [{"n": ROWS}]
            assert run(own, COUNT).to_pylist() == [{"n": ROWS}], "it was there before"
            with alone(hostile) as late, pytest.raises(flight.FlightUnavailableError):
                run(late, "SELECT 1")
        until(lambda: sum(made.connections for made in doors(gateway)) == 2)
        until(lambda: descriptors() <= before + 2)  # of the workers' clients
        with alone(hostile) as late:
            assert run(late, COUNT).to_pylist() == [{"n": ROWS}]


def test_a_pool_of_many_connections_is_no_flood(gateway: Installation) -> None:
    address = gateway.open()
    with contextlib.ExitStack() as stack:
        pool = [stack.enter_context(alone(address)) for _ in range(48)]

        def some(client: Any) -> list[int]:
            return [run(client, "SELECT 7 AS n").to_pylist()[0]["n"] for _ in range(3)]

        with ThreadPoolExecutor(16) as threads:
            assert list(threads.map(some, pool)) == [[7] * 3] * 48
        (made,) = doors(gateway)
        assert made.connections == 48


def test_the_end_of_a_session_hangs_up_on_calls_that_wait(gateway: Installation) -> None:
    address = gateway.open()
    (identity,) = gateway.guard.sessions
    with connected(address, 4) as held, alone(address) as client:
        writer, _ = binding(client)
        (made,) = doors(gateway)
        until(lambda: made.connections == 5)
        closing = threading.Thread(target=gateway.broker.close, args=(identity.session_id,), daemon=True)
        closing.start()
        closing.join(20)
        assert not closing.is_alive(), "it does not wait for what never comes"
        assert all(map(hung_up, held))
        assert made.connections == 0
        with pytest.raises(flight.FlightError):
            writer.close()
    assert not Path(path_of(address)).exists()


def threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def resident() -> int:
    """Memory of this process, the gateway's own [bytes]."""
    said = Path("/proc/self/status").read_text().partition("VmRSS:")[2]
    return int(said.split()[0]) << 10


@contextlib.contextmanager
def elsewhere(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A client that is not of this process; gone afterwards."""
    command = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as made:
        try:
            yield made
        finally:
            made.kill()


WAITING = """
import sys
import pyarrow as pa, pyarrow.flight as flight
address, command, many = sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3])
client, held, refused = flight.connect(address), [], set()
asked, schema = flight.FlightDescriptor.for_command(command), pa.schema([("1", pa.int64())])
for _ in range(many):
    try:
        held.append(client.do_put(asked, schema))
    except flight.FlightError as error:
        refused.add(type(error).__name__)
print("there", *refused, flush=True)
sys.stdin.read()
"""


def test_calls_without_end_take_a_few_threads_of_their_own(gateway: Installation) -> None:
    """Over one connection: each waits for values that do not come."""
    hostile, other = gateway.open("jisoo"), gateway.open("minji")
    with alone(other) as client, alone(hostile) as own:
        for one in (client, own):
            run(one, "SELECT 1")
        of_hostile = doors(gateway)[0]
        assert isinstance(of_hostile.server, SessionServer)
        command = prepared(own)
        before = threads()
        with elsewhere(WAITING, hostile, command.hex(), str(account.MOST_CALLS - 20)) as flood:
            assert flood.stdout is not None
            assert flood.stdout.readline().startswith("there")
            until(lambda: of_hostile.server.calls.now >= MOST_CALLS)
            for _ in range(20):
                assert run(client, COUNT).to_pylist() == [{"n": ROWS}]
            assert threads() <= before + MOST_CALLS + 20
        until(lambda: of_hostile.connections == 1)
        until(lambda: threads() <= before + 8)
        until(lambda: works(own))


def test_a_call_beyond_the_limit_is_told_so_and_the_next_is_served(gateway: Installation) -> None:
    address = gateway.open()
    with alone(address) as client:
        held = [binding(client) for _ in range(MOST_CALLS)]
        with pytest.raises(flight.FlightUnauthorizedError) as refused:
            list(client.list_actions())
        assert json.loads(refused.value.extra_info)["reason"] == "too-many-calls"
        writer, _ = held.pop()
        writer.write_batch(pa.record_batch([pa.array([1])], ["1"]))
        writer.close()
        until(lambda: works(client))
        for writer, _ in held:
            with contextlib.suppress(flight.FlightError):
                writer.close()
        until(lambda: server_of(gateway).calls.now == 0)


@pytest.mark.parametrize("how", ["a long one", "a compressed one"])
def test_a_message_without_end_takes_no_memory(gateway: Installation, how: str) -> None:
    """gRPC would hold it whole, and unpack what is packed."""
    address = gateway.open()
    with alone(address) as client, socket.socket(socket.AF_UNIX) as hostile:
        run(client, "SELECT 1")
        before = resident()
        hostile.connect(path_of(address))
        hostile.settimeout(20)
        hostile.sendall(GREETING + call(1))
        if how == "a long one":
            hostile.sendall(frame(DATA, 1, message(1 << 30)))
            sent = flooding(hostile, 1)
            assert sent < 8 << 20
        else:
            hostile.sendall(frame(DATA, 1, message(100, compressed=True) + bytes(100)))
        until(lambda: hung_up(hostile))
        assert resident() < before + (64 << 20)
        assert run(client, COUNT).to_pylist() == [{"n": ROWS}]


def test_long_requests_of_the_local_socket_wait_for_each_other(gateway: Installation) -> None:
    nearby = Path(path_of(gateway.open())).with_name("local.sock")
    statement = {"op": "query", "text": "SELECT 1", "parameters": None, "save_as": None}

    def asked(one: socket.socket) -> bool:
        send(one, statement)
        return "facts" in receive(one)

    with contextlib.ExitStack() as stack:
        own, late, *hostile = (stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(42))
        for one in (own, late, *hostile):
            one.connect(str(nearby))
            one.settimeout(20)
        assert asked(own)
        before = resident()
        for one in hostile:
            one.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                one.sendall(MOST_REQUEST.to_bytes(4) + bytes(MOST_REQUEST - 1))
        assert resident() < before + (64 << 20)
        assert asked(own), "a short one goes past them"
        for one in hostile:
            one.close()
        late.sendall((LONG + 1).to_bytes(4) + json.dumps(statement).encode().ljust(LONG + 1))
        assert "facts" in receive(late)


def flooding(hostile: socket.socket, stream: int) -> int:
    """Bytes that were taken before it was hung up on; 256 MiB at most."""
    part, sent = frame(DATA, stream, bytes(16384)), 0
    with contextlib.suppress(OSError):
        while sent < 256 << 20:
            hostile.sendall(part)
            sent += len(part)
    return sent


def test_calls_that_are_given_up_at_once_take_no_threads(gateway: Installation) -> None:
    """What is called a rapid reset: begun, sent, given up, and so on without waiting."""
    hostile, other = gateway.open("jisoo"), gateway.open("minji")
    with alone(other) as client, socket.socket(socket.AF_UNIX) as flood:
        run(client, "SELECT 1")
        before = threads()
        flood.connect(path_of(hostile))
        flood.sendall(GREETING)
        asked = encode("CommandStatementQuery", query="SELECT 1")
        descriptor = flight.FlightDescriptor.for_command(asked).serialize()
        most = 0
        with contextlib.suppress(OSError):
            for stream in range(1, 8 * account.MOST_CALLS, 2):
                body = bytes([0]) + len(descriptor).to_bytes(4) + descriptor
                flood.sendall(call(stream) + frame(DATA, stream, body, 1) + frame(RESET, stream, bytes(4)))
                most = max(most, threads())
        until(lambda: hung_up(flood))
        assert most <= before + MOST_CALLS + 20
        assert run(client, COUNT).to_pylist() == [{"n": ROWS}]
        until(lambda: threads() <= before + 8)


def test_a_restarted_gateway_has_room_again(gateway: Installation) -> None:
    address = gateway.open()
    with connected(address, door.MOST_CLIENTS) as held:
        (made,) = doors(gateway)
        until(lambda: made.connections == door.MOST_CLIENTS)
        gateway.restart()
        assert all(map(hung_up, held))
        with alone(address) as client:
            assert run(client, COUNT).to_pylist() == [{"n": ROWS}]


def test_who_waits_while_descriptors_are_short_is_served_later(gateway: Installation) -> None:
    """Of the machine, say: nobody is turned away for that, and nobody's listener ends."""
    address = gateway.open()
    with alone(address) as client, socket.socket(socket.AF_UNIX) as waiting:
        run(client, "SELECT 1")
        with no_descriptors():
            waiting.connect(path_of(address))
            time.sleep(0.2)
        waiting.sendall(GREETING)
        waiting.settimeout(20)
        assert waiting.recv(9), "SETTINGS of the server"
