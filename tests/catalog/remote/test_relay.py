"""A session's machine: its sandbox has a socket as ever, the relay has the key, the client is the same."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import campus as client
import pyarrow.flight as flight
import pytest
from campus.wire import Gateway

from catalog.gateway.guard import SessionIdentity, Transport
from catalog.remote.authority import Authority
from catalog.remote.certificates import CertificateError
from catalog.remote.relay import Relay, accept, prepare
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import SOON, info, run, until, utc_now
from tests.catalog.remote.conftest import HOUR, NAMES, Campus, LoopThread
from tests.catalog.remote.test_front import SLOW, rows
from tests.catalog.remote.test_strangers import PREFACE


class Machine:
    """One machine with sessions of a campus: keys, sockets, and a relay in a loop of its own."""

    def __init__(self, campus: Campus, folder: Path) -> None:
        self.campus = campus
        self.sessions, self.run = folder / "relay", folder / "run"
        self.sessions.mkdir(mode=0o700)
        self.run.mkdir()
        accept(self.sessions, campus.authority.trusted())
        self.relay = Relay(self.sessions, self.run, "localhost", campus.port)

    def take(self, identity: SessionIdentity) -> str:
        """Ask for a certificate, be given one, and return the serial."""
        asked = prepare(self.sessions, identity.session_id)
        issued = self.campus.authority.certify(asked, identity, utc_now(), HOUR)
        self.campus.gateway.guard.certificates[issued.serial] = identity
        assert accept(self.sessions, issued.certificate) == identity.session_id
        return issued.serial

    def folder(self, identity: SessionIdentity) -> Path:
        return self.run / "gateway" / identity.session_id

    def address(self, identity: SessionIdentity) -> str:
        path = self.folder(identity) / "broker.sock"
        until(path.exists)
        return f"grpc+unix://{path}"


@pytest.fixture
def machine(campus: Campus) -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="cm-"))
    made = Machine(campus, folder)
    thread = LoopThread(made.relay.serve)
    yield made
    thread.stop()
    shutil.rmtree(folder, ignore_errors=True)  # the sockets of ended workers go by themselves


@pytest.fixture
def notebook(
    campus: Campus, machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> SessionIdentity:
    """As inside a session on that machine."""
    identity = campus.session()
    machine.take(identity)
    monkeypatch.setenv("CAMPUS_GATEWAY", machine.address(identity))
    monkeypatch.setenv("CAMPUS_OUTBOX", str(tmp_path / "outbox"))
    monkeypatch.setattr(client, "_gateway", Gateway())
    return identity


def test_the_notebook_client_is_the_same_there(campus: Campus, notebook: SessionIdentity) -> None:
    assert client.sql("SELECT count(*) AS n FROM subway_ridership").df()["n"][0] == ROWS
    assert client.sql("SELECT line, boardings FROM subway_ridership").arrow().num_rows == ROWS
    bound = client.sql("SELECT count(*) AS n FROM subway_ridership WHERE boardings > $least", {"least": 5000})
    assert 0 < bound.df()["n"][0] < ROWS
    assert len(client.datasets()) > 4
    with pytest.raises(client.QueryRefused, match="living_population"):
        client.sql("SELECT * FROM living_population")
    client.save("few", "SELECT line FROM subway_ridership LIMIT 7")
    assert client.sql("SELECT count(*) AS n FROM few").df()["n"][0] == 7
    assert {e.route.transport for e in campus.gateway.guard.events} == {Transport.TLS}


def test_a_sandbox_there_holds_no_secret(campus: Campus, machine: Machine, notebook: SessionIdentity) -> None:
    """What it has mounted is a folder with a socket; key and certificate are the relay's alone."""
    assert [path.name for path in machine.folder(notebook).iterdir()] == ["broker.sock"]
    keys = machine.sessions / notebook.session_id
    assert stat.S_IMODE(machine.sessions.stat().st_mode) == 0o700
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert stat.S_IMODE((keys / "key.pem").stat().st_mode) == 0o600
    assert b"PRIVATE" not in prepare(machine.sessions, notebook.session_id), "only a request travels"


def test_standard_drivers_work_there(campus: Campus, machine: Machine) -> None:
    """They try the network's address first, have no certificate for it, and come back to their socket."""
    identity = campus.session()
    machine.take(identity)
    with adbc.connect(machine.address(identity), autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT line, boardings FROM subway_ridership WHERE boardings > ?", (5000,))
            assert 0 < cursor.fetch_arrow_table().num_rows < ROWS
        assert connection.adbc_get_table_types() == ["BASE TABLE"]


def test_two_sessions_of_a_machine_stay_apart(campus: Campus, machine: Machine) -> None:
    mine, theirs = campus.session("minji"), campus.session("jiwoo")
    machine.take(mine)
    machine.take(theirs)
    one, two = (flight.connect(machine.address(who)) for who in (mine, theirs))
    (endpoint,) = info(one, "SELECT 42 AS a").endpoints
    with pytest.raises(flight.FlightError, match="unknown-ticket"):
        two.do_get(endpoint.ticket).read_all()
    assert one.do_get(endpoint.ticket).read_all().to_pylist() == [{"a": 42}]
    assert {e.identity for e in campus.gateway.guard.events} == {mine}
    one.close()
    two.close()


def test_a_new_certificate_needs_no_restart_and_an_end_leaves_no_socket(
    campus: Campus, machine: Machine
) -> None:
    identity = campus.session()
    first = machine.take(identity)
    address = machine.address(identity)
    for_now = flight.connect(address)
    rows(for_now, "SELECT 1 AS a")
    second = machine.take(identity)
    assert second != first
    del campus.gateway.guard.certificates[first]
    campus.gateway.broker._administer({"op": "revoke", "serial": first})
    options: list[tuple[str, int | str]] = [("grpc.use_local_subchannel_pool", 1)]
    again = flight.connect(address, generic_options=options)
    assert rows(again, "SELECT 2 AS a").num_rows == 1
    until(lambda: len(campus.gateway.guard.events) == 4)
    assert [e.route.certificate for e in campus.gateway.guard.events[2:]] == [second] * 2
    (machine.sessions / identity.session_id / "cert.pem").unlink()
    until(lambda: machine.relay.served == ())
    until(lambda: not machine.folder(identity).exists())
    with pytest.raises(flight.FlightError):
        rows(again, "SELECT 3 AS a")
    for_now.close()
    again.close()


def test_ctrl_c_there_ends_the_query_here(campus: Campus, machine: Machine) -> None:
    identity = campus.session()
    machine.take(identity)
    reader = flight.connect(machine.address(identity))
    (endpoint,) = info(reader, SLOW).endpoints
    with pytest.raises(flight.FlightTimedOutError):
        reader.do_get(endpoint.ticket, flight.FlightCallOptions(timeout=2.0)).read_all()
    until(lambda: campus.gateway.guard.kinds() == ["admitted", "cancelled"], SOON)
    reader.close()


def test_a_session_that_ended_gets_no_answer(campus: Campus, machine: Machine) -> None:
    identity = campus.session()
    machine.take(identity)
    reader: Any = flight.connect(machine.address(identity))
    assert rows(reader, "SELECT 1 AS a").num_rows == 1
    campus.gateway.guard.sessions.remove(identity)
    campus.gateway.broker.close(identity.session_id)
    with pytest.raises(flight.FlightUnavailableError):
        rows(reader, "SELECT 1 AS a")
    reader.close()


def test_the_relay_leaves_a_gateways_own_socket_alone(campus: Campus, machine: Machine) -> None:
    """Should somebody start it over the run folder of a campus of this very machine."""
    identity = campus.session()
    machine.take(identity)
    machine.address(identity)
    confused = Relay(machine.sessions, campus.gateway.run, "localhost", campus.port)
    asyncio.run(confused._look())
    assert confused.served == ()
    own = flight.connect(f"grpc+unix://{campus.gateway.run}/gateway/{identity.session_id}/broker.sock")
    assert run(own, "SELECT 1 AS a").num_rows == 1


def test_only_what_belongs_here_is_taken_in(campus: Campus, machine: Machine) -> None:
    identity = campus.session()
    other = campus.certify(identity)
    wrong = campus.certify(replace(identity, project=""))
    for content, reason in (
        (b"", "no-certificate"),
        (b"x", "no-certificate"),
        (other.certificate, "no-such-key"),
        (wrong.certificate, "certificate-names-no-session"),
    ):
        with pytest.raises(CertificateError) as refused:
            accept(machine.sessions, content)
        assert refused.value.reason == reason
    prepare(machine.sessions, identity.session_id)
    with pytest.raises(CertificateError) as refused:
        accept(machine.sessions, other.certificate)
    assert refused.value.reason == "no-such-key", "another key's certificate"
    for name in ("", "../x", "A" * 20, "a" * 19):
        with pytest.raises(CertificateError) as refused:
            prepare(machine.sessions, name)
        assert refused.value.reason == "session-id"


def answered(address: str) -> bool:
    """Whether anything comes back."""
    with socket.socket(socket.AF_UNIX) as peer, contextlib.suppress(ConnectionError):
        peer.settimeout(15)
        peer.connect(address.removeprefix("grpc+unix://"))
        peer.sendall(PREFACE)
        return bool(peer.recv(1))
    return False


def test_a_relay_talks_to_its_own_campus_alone(campus: Campus, machine: Machine, tmp_path: Path) -> None:
    """Neither to one of another name, nor to one of another authority."""
    identity = campus.session()
    machine.take(identity)
    address = machine.address(identity)
    assert answered(address)
    machine.relay._host = "127.1"  # the same address, by a name that is not in the certificate
    assert not answered(address)
    machine.relay._host = "localhost"
    assert answered(address)
    other = Authority(tmp_path, tmp_path)
    other.ensure(NAMES, utc_now())
    accept(machine.sessions, other.trusted())
    until(lambda: campus.gateway.broker.stats()["remote_connections"] == 0)
    assert not answered(address)
    assert campus.gateway.broker.stats()["remote_connections"] == 0
