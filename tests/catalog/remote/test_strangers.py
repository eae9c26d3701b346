"""Who is not let in, and what those who try can take: nothing of a session, and little of the machine."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.flight as flight
import pytest

from catalog.gateway.entrance import MOST_OF_SESSION
from catalog.gateway.guard import SessionId
from catalog.remote import certificates
from catalog.remote.authority import Authority
from catalog.remote.front import Limits
from tests.catalog.gateway.simulator import SOON, info, run, until, utc_now
from tests.catalog.gateway.test_account import DATA, frame, message
from tests.catalog.gateway.test_account import call as begun
from tests.catalog.remote.conftest import HOUR, NAMES, Campus, Held
from tests.catalog.remote.test_front import MANY, detail, rows

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"  # RFC 9113 §3.4, and empty SETTINGS


def context_of(campus: Campus, held: Held | None, folder: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(cadata=campus.authority.trusted().decode())
    made.set_alpn_protocols(["h2"])
    if held is not None:
        file = folder / f"{held.serial}.pem"
        file.write_bytes(held.key + held.certificate)
        made.load_cert_chain(file)
    return made


def let_in(campus: Campus, context: ssl.SSLContext | None) -> bool:
    """Whether the gateway itself answers; in TLS 1.3 the client alone does not know."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", campus.port), 10) as plain:
        channel = context.wrap_socket(plain, server_hostname="localhost") if context else plain
        with channel:
            channel.sendall(PREFACE)
            return len(channel.recv(9)) == 9
    return False


@pytest.fixture
def other(tmp_path: Path) -> Authority:
    """Another campus, of the same names."""
    folder = tmp_path / "other"
    folder.mkdir()
    made = Authority(folder, folder)
    made.ensure(NAMES, utc_now())
    return made


def test_only_a_good_certificate_is_let_in(campus: Campus, other: Authority, tmp_path: Path) -> None:
    identity = campus.session()
    good = campus.certify(identity)
    server = certificates.split((campus.served / "server.pem").read_bytes())
    strangers = {
        "no certificate": None,
        "another authority": campus.certify(identity, authority=other),
        "ended": campus.certify(identity, now=utc_now() - 2 * HOUR),
        "not begun": campus.certify(identity, now=utc_now() + HOUR),
        "never issued": campus.certify(identity, known=False),
        "the server's own": Held(identity, server.key, server.certificate, "server"),
        "no such session": campus.certify(replace(identity, session_id=SessionId("0" * 20))),
        "another person": campus.certify(replace(identity, person="jiwoo")),
        "another project": campus.certify(replace(identity, project="shops")),
    }
    assert let_in(campus, context_of(campus, good, tmp_path)), "the good one is"
    for who, held in strangers.items():
        assert not let_in(campus, context_of(campus, held, tmp_path)), who
    assert let_in(campus, context_of(campus, good, tmp_path)), "and still is"


def test_a_certificate_counts_for_the_session_it_was_issued_to(campus: Campus, tmp_path: Path) -> None:
    """Its own text alone is not enough, should the authority's key ever be stolen."""
    mine, theirs = campus.session("minji"), campus.session("jiwoo")
    held = campus.certify(theirs)
    campus.gateway.guard.certificates[held.serial] = mine
    assert not let_in(campus, context_of(campus, held, tmp_path))


def test_the_gateway_knows_a_session_by_whose_it_is(campus: Campus, tmp_path: Path) -> None:
    """Should the rules ever take a certificate for a live session that the gateway opened for another."""
    impostor = replace(campus.session("minji"), person="jiwoo")
    campus.gateway.guard.sessions.append(impostor)
    assert not let_in(campus, context_of(campus, campus.certify(impostor), tmp_path))


def test_a_certificate_that_names_no_session_is_none(campus: Campus, tmp_path: Path) -> None:
    identity = campus.session()
    for wrong in (
        replace(identity, session_id=SessionId(identity.session_id + "0")),
        replace(identity, person="Minji"),
        replace(identity, project=""),
    ):
        held = campus.certify(wrong)
        assert not let_in(campus, context_of(campus, held, tmp_path)), wrong


def test_old_tls_no_tls_and_other_protocols_are_refused(campus: Campus, tmp_path: Path) -> None:
    held = campus.certify(campus.session())
    old = context_of(campus, held, tmp_path)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert not let_in(campus, old)
    http = context_of(campus, held, tmp_path)
    http.set_alpn_protocols(["http/1.1"])
    assert not let_in(campus, http)
    assert not let_in(campus, None), "plaintext"
    with pytest.raises(flight.FlightError):
        info(flight.connect(f"grpc+tcp://127.0.0.1:{campus.port}"), "SELECT 1")
    assert let_in(campus, context_of(campus, held, tmp_path))


def test_no_session_is_resumed_without_its_certificate(campus: Campus, tmp_path: Path) -> None:
    context = context_of(campus, campus.certify(campus.session()), tmp_path)
    with (
        socket.create_connection(("127.0.0.1", campus.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as channel,
    ):
        channel.sendall(PREFACE)
        assert channel.recv(9)
        assert channel.version() == "TLSv1.3"
        assert channel.session is None or not channel.session.has_ticket


def test_a_reader_does_not_talk_to_another_server(campus: Campus, other: Authority) -> None:
    held = campus.certify(campus.session())
    client: Any = flight.connect(
        campus.address,
        tls_root_certs=other.trusted().decode(),
        cert_chain=held.certificate.decode(),
        private_key=held.key.decode(),
    )
    with pytest.raises(flight.FlightUnavailableError):
        info(client, "SELECT 1")
    client.close()
    assert campus.gateway.guard.events == []


def test_a_stolen_ticket_is_worth_nothing(campus: Campus) -> None:
    mine, thief = campus.certify(campus.session("minji")), campus.certify(campus.session("jiwoo"))
    (endpoint,) = info(campus.connect(mine), "SELECT 42 AS a").endpoints
    with pytest.raises(flight.FlightError) as refused:
        campus.connect(thief).do_get(endpoint.ticket).read_all()
    assert detail(refused)["reason"] == "unknown-ticket"
    assert campus.gateway.guard.kinds() == ["admitted"], "and is still good for its owner"
    assert campus.connect(mine).do_get(endpoint.ticket).read_all().to_pylist() == [{"a": 42}]
    with pytest.raises(flight.FlightError, match="unknown-ticket"):
        campus.connect(mine).do_get(endpoint.ticket).read_all()


def end_session(campus: Campus, held: Held) -> None:
    campus.gateway.guard.sessions.remove(held.identity)
    campus.gateway.broker.close(held.identity.session_id)


def revoke(campus: Campus, held: Held) -> None:
    del campus.gateway.guard.certificates[held.serial]
    campus.gateway.broker._administer({"op": "revoke", "serial": held.serial})


@pytest.mark.parametrize("end", [end_session, revoke])
def test_who_has_ended_is_hung_up_on(
    campus: Campus, tmp_path: Path, end: Callable[[Campus, Held], None]
) -> None:
    """Also in the middle of a stream that nobody reads; others of the same session go on where they may."""
    identity = campus.session()
    held, further = campus.certify(identity), campus.certify(identity)
    client, second = campus.connect(held), campus.connect(further)
    (endpoint,) = info(client, MANY).endpoints
    reader = client.do_get(endpoint.ticket)
    reader.read_chunk()
    rows(second, "SELECT 1 AS a")
    end(campus, held)
    until(lambda: {"cancelled", "failed"} & set(campus.gateway.guard.kinds()), SOON)
    with pytest.raises((flight.FlightError, OSError)):
        while True:
            reader.read_chunk()
    with pytest.raises(flight.FlightError):
        rows(client, "SELECT 1 AS a")
    assert not let_in(campus, context_of(campus, held, tmp_path))
    if end is revoke:
        assert rows(second, "SELECT 1 AS a").num_rows == 1
    else:
        with pytest.raises(flight.FlightError):
            rows(second, "SELECT 1 AS a")
        until(lambda: campus.gateway.broker.stats()["remote_connections"] == 0)


def test_an_open_connection_is_asked_anew_at_every_call(campus: Campus) -> None:
    """Nobody told the gateway; the list of certificates alone says so."""
    held = campus.certify(campus.session())
    client = campus.connect(held)
    (endpoint,) = info(client, "SELECT 1 AS a").endpoints
    del campus.gateway.guard.certificates[held.serial]
    for call in (
        lambda: info(client, "SELECT 1 AS a"),
        lambda: client.do_get(endpoint.ticket).read_all(),
        lambda: list(client.do_action(flight.Action("campus.datasets", b""))),
        lambda: client.list_actions(),
        lambda: client.do_put(flight.FlightDescriptor.for_command(b"x"), rows_schema())[0].close(),
    ):
        with pytest.raises(flight.FlightError) as refused:
            call()
        assert detail(refused)["reason"] == "certificate-ended"
    assert campus.gateway.guard.kinds() == ["admitted"]


def rows_schema() -> Any:
    import pyarrow as pa

    return pa.schema([("a", pa.int32())])


def test_a_connection_ends_with_its_certificate(campus: Campus) -> None:
    identity = campus.session()
    rows(campus.connect(campus.certify(identity)), "SELECT 1 AS a")  # so its worker is there
    campus.clients.pop().close()
    held = campus.certify(identity, lasts=timedelta(seconds=5))
    client = campus.connect(held)
    assert rows(client, "SELECT 1 AS a").num_rows == 1
    until(lambda: campus.gateway.broker.stats()["remote_connections"] == 0)
    with pytest.raises(flight.FlightUnavailableError):
        info(client, "SELECT 1 AS a")


def test_a_session_has_so_many_connections(campus: Campus, tmp_path: Path) -> None:
    mine, other = campus.certify(campus.session("minji")), campus.certify(campus.session("jiwoo"))
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_OF_SESSION):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", campus.port), 10))
            context = context_of(campus, mine, tmp_path)
            channel = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            channel.sendall(PREFACE)
            assert channel.recv(9)
        assert not let_in(campus, context_of(campus, mine, tmp_path))
        assert let_in(campus, context_of(campus, other, tmp_path)), "another session has its own"
    until(lambda: campus.gateway.broker.stats()["remote_connections"] == 0)
    assert let_in(campus, context_of(campus, mine, tmp_path))


@contextlib.contextmanager
def callers(campus: Campus, many: int, say: bytes) -> Iterator[list[socket.socket]]:
    """Connections that say little and then nothing."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(many):
            caller = stack.enter_context(socket.create_connection(("127.0.0.1", campus.port), 10))
            with contextlib.suppress(OSError):
                caller.sendall(say)
            made.append(caller)
        yield made


def descriptors() -> int:
    """Open ones of this process, which is the front's and the gateway's too."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def closed(caller: socket.socket, patience: float) -> bool:
    caller.settimeout(patience)
    try:
        while caller.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("how", ["a long one", "a compressed one"])
def test_a_message_without_end_ends_its_connection_alone(campus: Campus, tmp_path: Path, how: str) -> None:
    """Of a holder of a certificate: the front does not pass on what the gateway would hold whole."""
    identity = campus.session()
    held = campus.certify(identity)
    client = campus.connect(held)
    assert rows(client, "SELECT 1 AS a").num_rows == 1
    context = context_of(campus, held, tmp_path)
    plain = socket.create_connection(("127.0.0.1", campus.port), 20)
    with context.wrap_socket(plain, server_hostname="localhost") as channel:
        said = message(1 << 30) if how == "a long one" else message(9, compressed=True) + bytes(9)
        channel.sendall(PREFACE + begun(1) + frame(DATA, 1, said))
        answer = b""
        with contextlib.suppress(OSError):
            while part := channel.recv(65536):
                answer += part
    assert (b"request-too-long" if how == "a long one" else b"request-compressed") in answer
    assert rows(client, "SELECT 1 AS a").num_rows == 1


@pytest.mark.parametrize("limits", [Limits(seconds=60.0)])
@pytest.mark.parametrize("say", [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n"])
def test_a_flood_of_strangers_takes_little_and_hurts_no_session(
    campus: Campus, tmp_path: Path, say: bytes
) -> None:
    """However long they stay: only so many are held, the rest is hung up on at once."""
    identity = campus.session()
    held = campus.certify(identity)
    there = campus.connect(held)
    assert rows(there, "SELECT 1 AS a").num_rows == 1
    beside = flight.connect(f"grpc+unix://{campus.gateway.run}/gateway/{identity.session_id}/broker.sock")
    before = descriptors()
    with callers(campus, 300, say) as made:
        until(lambda: sum(closed(c, 0.001) for c in made) >= 300 - campus.limits.greeting_of_one)
        assert descriptors() <= before + 300 + campus.limits.greeting_of_one
        assert run(beside, "SELECT count(*) AS n FROM subway_ridership").num_rows == 1
        assert rows(there, "SELECT 2 AS a").num_rows == 1, "who is in stays in"
    until(lambda: let_in(campus, context_of(campus, held, tmp_path)))


@pytest.mark.parametrize("limits", [Limits(seconds=6.0)])
def test_one_address_does_not_take_all_the_places(campus: Campus, tmp_path: Path) -> None:
    """127.0.0.1 holds as many open greetings as it may; another address of this machine gets in."""
    held = campus.certify(campus.session())
    context = context_of(campus, held, tmp_path)
    with callers(campus, campus.limits.greeting_of_one, b"") as made:
        with socket.create_connection(("127.0.0.1", campus.port), 10) as one_more:
            assert closed(one_more, campus.limits.seconds / 2), "at once, and not when a place was free"
        plain = socket.create_connection(("127.0.0.1", campus.port), 10, source_address=("127.0.0.2", 0))
        with context.wrap_socket(plain, server_hostname="localhost") as channel:
            channel.sendall(PREFACE)
            assert channel.recv(9)
        assert all(closed(caller, campus.limits.seconds + 20) for caller in made)


@pytest.mark.parametrize("limits", [Limits(seconds=2.0)])
def test_a_caller_that_trickles_is_not_waited_for(campus: Campus) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", campus.port), 10) as caller:
        gone = threading.Event()

        def trickle() -> None:
            for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500):
                try:
                    caller.send(bytes([byte]))
                except OSError:
                    break
                time.sleep(0.1)
            gone.set()

        threading.Thread(target=trickle, daemon=True).start()
        assert closed(caller, 30)
        assert gone.wait(30)
    assert time.monotonic() - began > campus.limits.seconds * 0.9


@pytest.mark.parametrize(
    "said",
    [
        b"", b"x", b"\0\0\0\2{}", b"\xff\xff\xff\xff", b"\0\0\0\2[]",
        b"\0\0\0\x20" + json.dumps({"session_id": "a" * 20}).encode()[:32].ljust(32),
    ],
)  # fmt: skip
def test_the_entrance_gives_nothing_for_nonsense(campus: Campus, said: bytes) -> None:
    path = campus.gateway.run / "entrance.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
        asking.sendall(said)
        asking.shutdown(socket.SHUT_WR)
        _, descriptors, _, _ = socket.recv_fds(asking, 16, 1)
        assert descriptors == []
