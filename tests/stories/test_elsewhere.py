"""A session on another machine: opened and certified here, run there within walls, revoked and ended here.

The other machine is another state folder of this one. Its sandbox has the walls of a real session, and so no
network: all it has of the campus is the relay's socket.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from access_control.audit.reader import AuditReader
from catalog.sandbox.isolation import choose
from hub_config.launcher import homes, profiles
from hub_config.settings import Settings, load
from tests.catalog.sandbox.walls import finish
from tests.ports import free_port
from tests.stories.campus import REPO, Campus

pytestmark = pytest.mark.story

UID = 201_007
QUERY = "SELECT line, sum(boardings) AS n FROM subway_ridership GROUP BY line ORDER BY line"
INSIDE = f"""
import json, os, socket
import campus
found = campus.sql({QUERY!r}).df()
streamed = campus.sql("SELECT date, line, boardings FROM subway_ridership").arrow()
frame = campus.dask("subway_ridership", columns=["line"])
try:
    socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), 3).close()
    network = "there"
except OSError as error:
    network = type(error).__name__
print("said " + json.dumps({{
    "lines": len(found), "rows": streamed.num_rows, "parts": len(frame.compute(scheduler="threads")),
    "network": network, "sockets": sorted(os.listdir("/run/campus")),
    "secrets": [p for p in ("/run/campus/key.pem", os.environ["RELAY"]) if os.path.lexists(p)],
}}))
"""
AGAIN = """
import campus
try:
    print("said", campus.sql("SELECT 1 AS a").df()["a"][0])
except campus.CampusError as error:
    print("said", error.reason)
"""


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    state = tmp_path_factory.mktemp("s") / "var"
    state.mkdir(mode=0o700)
    (state / "campus.toml").write_text(f'remote_port = {free_port()}\nremote_names = "localhost"\n', "utf-8")
    made = Campus(state, "--demo")
    made.start()
    yield made
    services = made.services()
    assert made.stop() == 0
    assert not [name for name, pid in services.items() if Path(f"/proc/{pid}").exists()]
    assert not list(load({"state": state}, {}).run.rglob("*.sock"))


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The other machine."""
    state = tmp_path_factory.mktemp("m") / "var"
    state.mkdir(mode=0o700)
    return dataclasses.replace(load({"state": state}, {}), isolation=choose("auto").mode.value)


def command(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command as an operator types it."""
    family, name, *rest = words
    typed = [str(REPO / "bin" / "campus"), family, name, "--state", str(state), *rest]
    return subprocess.run(typed, capture_output=True, text=True, check=False, timeout=120)


def good(state: Path, *words: str) -> str:
    ran = command(state, *words)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def remote_port(campus: Campus) -> int:
    return load({"state": campus.state}, {}).remote_port


def certified(campus: Campus, there: Settings, session: str, folder: Path) -> str:
    """Ask there, issue here, take in there; returns the serial number."""
    asked, issued, trusted = (folder / name for name in ("asked.csr", "issued.pem", "trusted.pem"))
    asked.write_text(good(there.state, "relay", "request", session), "utf-8")
    issued.write_text(good(campus.state, "remote", "issue", session, str(asked)), "utf-8")
    trusted.write_text(good(campus.state, "remote", "trust"), "utf-8")
    good(there.state, "relay", "accept", str(trusted), str(issued))
    return good(campus.state, "remote", "list").split()[0]


def within_walls(there: Settings, session: str, code: str, port: int) -> str:
    """What a session's sandbox on that machine says."""
    walls = choose(there.isolation)
    homes.prepare(there, walls, "minji", "open-data", UID)
    sandbox = profiles.session(there, walls, session_id=session, person="minji", project="open-data", uid=UID)
    env = {**sandbox.env, "PORT": str(port), "RELAY": str(there.state / "relay")}
    ran = finish(dataclasses.replace(sandbox, argv=(sandbox.argv[0], "-c", code), env=env), walls, 120)
    found = [line.removeprefix("said ") for line in ran.text.splitlines() if line.startswith("said ")]
    assert found, ran.text
    return found[-1]


def events(campus: Campus, action: str) -> list[Any]:
    return [e.event for e in AuditReader(campus.state / "audit").everything() if e.event.action == action]


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.1)


def test_a_session_elsewhere_from_its_opening_to_its_end(
    campus: Campus, there: Settings, tmp_path: Path
) -> None:
    session = good(campus.state, "remote", "open", "minji", "open-data").strip()
    refused = command(campus.state, "remote", "open", "minji", "open-data")
    assert refused.returncode == 1 and session in refused.stderr
    assert "nobody" in command(campus.state, "remote", "open", "nobody", "open-data").stderr
    serial = certified(campus, there, session, tmp_path)
    (issued,) = events(campus, "certificate.issued")
    assert (issued.object, issued.session_id) == (f"certificate:{serial}", session)
    address = f"localhost:{remote_port(campus)}"
    relay = subprocess.Popen(
        [str(REPO / "bin" / "campus"), "relay", "run", "--state", str(there.state), address]
    )
    try:
        socket = there.run / "gateway" / session / "broker.sock"
        until(socket.exists)
        said = json.loads(within_walls(there, session, INSIDE, remote_port(campus)))
        assert said["lines"] > 1 and said["rows"] == said["parts"] > said["lines"]
        assert (said["sockets"], said["secrets"]) == (["broker.sock"], [])
        assert said["network"] != "there"
        admitted = [e for e in events(campus, "query.admitted") if e.session_id == session]
        assert len(admitted) >= 3
        for event in admitted:
            assert event.actor == "minji"
            assert event.detail["route"] == {"transport": "tls", "certificate": serial}

        os.kill(campus.services()["remote"], signal.SIGKILL)
        until(lambda: within_walls(there, session, AGAIN, remote_port(campus)) == "1", 60)

        assert good(campus.state, "remote", "revoke", serial, "잃어버림").strip() == serial
        assert good(campus.state, "remote", "list") == ""
        assert within_walls(there, session, AGAIN, remote_port(campus)) != "1"
        (revoked,) = events(campus, "certificate.revoked")
        assert revoked.detail["reason"] == "잃어버림"

        old = good(campus.state, "remote", "trust")
        assert good(campus.state, "remote", "rotate").startswith(old)
        assert "remote renew" in command(campus.state, "remote", "forget").stderr
        good(campus.state, "remote", "renew")
        assert old not in good(campus.state, "remote", "forget")
        again = certified(campus, there, session, tmp_path)
        assert again != serial
        assert within_walls(there, session, AGAIN, remote_port(campus)) == "1", "under the new authority"

        assert good(campus.state, "remote", "end", session).strip() == session
        assert within_walls(there, session, AGAIN, remote_port(campus)) != "1"
        assert good(campus.state, "remote", "list") == ""
        ended = command(campus.state, "remote", "issue", session, str(tmp_path / "asked.csr"))
        assert ended.returncode == 1 and "ended-by-operator" in ended.stderr
    finally:
        relay.terminate()
        assert relay.wait(20) == 0
    assert not list(there.run.rglob("*.sock"))
    assert "whole" in good(campus.state, "audit", "verify")


def test_keys_lie_where_they_belong(campus: Campus) -> None:
    for name in ("authority/authority.pem", "remote/server.pem"):
        assert (campus.state / name).stat().st_mode & 0o777 == 0o600
    assert "authority" not in [p.name for p in (campus.state / "remote").iterdir()]
