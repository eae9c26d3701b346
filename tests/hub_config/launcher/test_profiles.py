"""What each profile really shows: its walls are built and looked at from inside."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.sandbox.isolation import Isolation, Mode
from catalog.sandbox.model import Mount, Sandbox
from catalog.sandbox.process import start
from hub_config.launcher import homes, places, profiles, views
from hub_config.launcher.sandboxes import listening_socket
from hub_config.launcher.services import SERVICES
from hub_config.settings import Settings
from hub_config.up.state import FOLDERS
from hub_config.up.state import SERVICES as SOCKETS
from tests.catalog.sandbox.walls import PYTHON, finish
from tests.hub_config.launcher.places import PERSON_UID, SESSION, isolation, settings_in

LOOK = """
import json, os, stat
def walk(top):
    for folder, names, files in os.walk(top):
        for name in files: yield os.path.join(folder, name)
def may_write(path):
    try:
        with open(path, 'ab'): return True
    except OSError: return False
def may_add(folder):
    try:
        open(os.path.join(folder, '.new'), 'x').close(); os.unlink(os.path.join(folder, '.new')); return True
    except OSError: return False
def exists(path): return os.path.lexists(path)
print(json.dumps(LOOKED))
"""


@pytest.fixture
def walls() -> Isolation:
    if not Path(PYTHON).exists():
        pytest.skip(f"{PYTHON} is not installed")
    return isolation()


@pytest.fixture
def settings() -> Iterator[Settings]:
    state = Path(tempfile.mkdtemp(prefix="campus-test-"))
    yield settings_in(state)
    shutil.rmtree(state)


def look(sandbox: Sandbox, walls: Isolation, expression: str, **fds: int) -> object:
    """The value of an expression, worked out inside the profile's walls."""
    code = LOOK.replace("LOOKED", expression)
    inside = dataclasses.replace(sandbox, argv=(PYTHON, "-I", "-c", code), **fds)  # type: ignore[arg-type]
    ran = finish(inside, walls, 60)
    assert ran.code == 0, ran.text
    return json.loads(ran.text)


def session(settings: Settings, walls: Isolation, person: str = "minji") -> Sandbox:
    homes.prepare(settings, walls, person, "open-data", PERSON_UID)
    (settings.run / "gateway" / SESSION / "data").mkdir(parents=True, exist_ok=True)
    return profiles.session(
        settings, walls, session_id=SESSION, person=person, project="open-data", uid=PERSON_UID
    )


def test_a_session_sees_its_home_and_no_other(settings: Settings, walls: Isolation) -> None:
    homes.prepare(settings, walls, "other", "open-data", PERSON_UID + 1)
    seen = look(
        session(settings, walls),
        walls,
        "[os.listdir('/home'), sorted(os.listdir('/home/minji')), may_add('/home/minji/outbox'),"
        " os.getcwd()]",
    )
    assert seen == [["minji"], ["lessons", "outbox"], True, "/home/minji"]


def test_a_session_sees_no_server_code_no_state_and_no_other_environment(
    settings: Settings, walls: Isolation
) -> None:
    absent = [
        settings.repo / name for name in ("catalog", "access_control", "hub_config", ".git", "datasets")
    ]
    absent += [settings.server_env, settings.state, settings.run, settings.warehouse, Path("/data")]
    seen = look(session(settings, walls), walls, f"[p for p in {[str(p) for p in absent]!r} if exists(p)]")
    assert seen == []


def test_a_session_finds_its_programs_read_only(settings: Settings, walls: Isolation) -> None:
    env = str(settings.session_env)
    seen = look(
        session(settings, walls),
        walls,
        "[exists('/opt/campus/inside/lab.py'), exists('/opt/campus/client'), may_add('/opt/campus/inside'),"
        f" may_add('/opt/campus/client'), may_add({env!r}), may_add('/run/campus'),"
        " may_add('/run/campus/data')]",
    )
    assert seen == [True, True, False, False, False, False, False]


def test_a_session_runs_the_environments_python_and_client(settings: Settings, walls: Isolation) -> None:
    code = "import sys, pyarrow, duckdb; print(sys.prefix)"
    sandbox = dataclasses.replace(
        session(settings, walls), argv=(places.python(settings.session_env), "-c", code)
    )
    ran = finish(sandbox, walls, 120)
    assert (ran.code, ran.text.strip()) == (0, str(settings.session_env))


def test_a_sessions_environment_is_clean_and_complete(
    settings: Settings, walls: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMPUS_SECRET", "leaks")
    seen = look(session(settings, walls), walls, "dict(os.environ)")
    assert isinstance(seen, dict)
    assert {key: value for key, value in seen.items() if key.startswith("CAMPUS_")} == {
        "CAMPUS_LISTEN_FD": "3",
        "CAMPUS_PREFIX": "/user/minji/open-data/",
        "CAMPUS_GATEWAY": "grpc+unix:///run/campus/broker.sock",
        "CAMPUS_PROJECT": "open-data",
        "CAMPUS_PERSON": "minji",
        "CAMPUS_OUTBOX": "/home/minji/outbox",
        "CAMPUS_URL": "http://localhost:8000",
        "CAMPUS_LANG": "ko",
        "CAMPUS_OPEN": "",
    }
    assert (seen["LANG"], seen["TZ"], seen["HOME"]) == ("C.UTF-8", "Asia/Seoul", "/home/minji")


def test_a_session_reaches_its_own_gateway_socket(settings: Settings, walls: Isolation) -> None:
    sandbox = session(settings, walls)
    path = settings.run / "gateway" / SESSION / "broker.sock"
    (settings.run / "gateway" / SESSION).chmod(0o711)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        seen = look(
            sandbox,
            walls,
            "__import__('socket').socket(__import__('socket').AF_UNIX).connect_ex('/run/campus/broker.sock')",
        )
    assert seen == 0


def test_dask_runs_workers_inside_a_session(settings: Settings, walls: Isolation) -> None:
    code = """
from dask.distributed import Client, LocalCluster
if __name__ == '__main__':
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            print('answer', client.submit(lambda: 6 * 7).result(timeout=60))
"""
    sandbox = session(settings, walls)
    home = places.home(settings, "minji", "open-data")
    (home / "task.py").write_text(code)
    (home / "task.py").chmod(0o644)
    argv = (places.python(settings.session_env), "/home/minji/task.py")
    ran = finish(dataclasses.replace(sandbox, argv=argv), walls, 180)
    assert "answer 42" in ran.text, ran.text


def laid_open(settings: Settings) -> list[tuple[Path, str]]:
    """Two versions of one dataset, and another dataset; of the first the newer is mounted."""
    for path in ("bus/main/1", "bus/main/2", "card/main/1"):
        folder = settings.warehouse / places.OPEN_TREE / path
        folder.mkdir(parents=True)
        (folder / "part-00000.parquet").write_text(path)
        (folder / "part-00000.parquet").chmod(0o644)
        (folder / "out").symlink_to(settings.warehouse / places.OPEN_TREE / "card" / "main" / "1")
    return [(settings.warehouse / places.OPEN_TREE / "bus/main/2", "bus")]


def test_open_data_is_mounted_read_only_and_nothing_beside_it(settings: Settings, walls: Isolation) -> None:
    opened = laid_open(settings)
    sandbox = session(settings, walls)
    sandbox = profiles.session(
        settings,
        walls,
        session_id=SESSION,
        person="minji",
        project="open-data",
        uid=PERSON_UID,
        opened=opened,
    )
    expression = """[sorted(walk('/campus')), open('/campus/open/bus/part-00000.parquet').read(),
        may_write('/campus/open/bus/part-00000.parquet'), may_add('/campus/open/bus'),
        may_add('/campus/open'), os.path.exists('/campus/open/bus/out'), os.environ['CAMPUS_OPEN']]"""
    seen = look(sandbox, walls, expression.replace("\n", " "))
    assert seen == [
        ["/campus/open/bus/out", "/campus/open/bus/part-00000.parquet"],
        "bus/main/2",
        *(False, False, False, False),
        "bus=/campus/open/bus",
    ]


def worker(settings: Settings, walls: Isolation) -> Sandbox:
    card = settings.warehouse / "card"
    card.mkdir()
    for name in ("granted.parquet", "other.parquet"):
        (card / name).write_text(name)
        (card / name).chmod(0o644)
    data = settings.run / "gateway" / SESSION / "data"
    data.mkdir(parents=True)
    data.chmod(0o777)
    with (card / "granted.parquet").open("rb") as file:
        view = views.make(settings.warehouse, [(file.fileno(), "card/granted.parquet")])
    return profiles.worker(settings, walls, session_id=SESSION, generation=1, view=view, memory=1 << 28)


def test_a_worker_sees_only_the_granted_files_read_only(settings: Settings, walls: Isolation) -> None:
    expression = """[list(walk('/data')), open('/data/card/granted.parquet').read(), may_add('/data/card'),
        may_write('/data/card/granted.parquet'), may_add('/run/campus/data'), os.listdir('/run/campus'),
        exists('/home'), exists('/opt/campus/workers/query_worker.py'), exists('/opt/campus/client')]"""
    seen = look(worker(settings, walls), walls, expression.replace("\n", " "))
    assert seen == [
        ["/data/card/granted.parquet"],
        "granted.parquet",
        *(False, False, True, ["data"], False, True, False),
    ]


def test_a_workers_socket_can_be_reached_by_the_session(settings: Settings, walls: Isolation) -> None:
    look(
        worker(settings, walls),
        walls,
        "[(s := __import__('socket').socket(1)).bind('/run/campus/data/worker-1.sock')]",
    )
    path = settings.run / "gateway" / SESSION / "data" / "worker-1.sock"
    assert path.stat().st_mode & 0o006 == 0o006
    if walls.mode is Mode.ROOT:
        assert path.stat().st_uid == settings.uid_base + 1


def test_a_parser_sees_no_data_and_no_socket(settings: Settings, walls: Isolation) -> None:
    sandbox = profiles.parser(settings, walls, session_id=SESSION)
    seen = look(
        sandbox, walls, "[exists(p) for p in ('/data', '/run', '/home', '/opt/campus/workers/parser.py')]"
    )
    assert seen == [False, False, False, True]


def test_a_dashboard_keeps_nothing(settings: Settings, walls: Isolation, tmp_path: Path) -> None:
    folder = settings.state / "published"
    folder.mkdir(mode=0o755)
    (settings.run / "gateway" / SESSION).mkdir()
    sandbox = profiles.dashboard(
        settings, walls, session_id=SESSION, name="living", prefix="/", folder=folder
    )
    seen = look(sandbox, walls, "[exists('/home'), may_add(os.getcwd()), os.environ['CAMPUS_NOTEBOOK']]")
    assert seen == [False, False, "/opt/campus/notebook/dashboard.ipynb"]


def test_only_the_doors_have_the_network(settings: Settings, walls: Isolation) -> None:
    networked = [name for name in SERVICES if profiles.service(settings, walls, name).network]
    assert networked == ["remote", "gate", "health"]


def stateful(settings: Settings, walls: Isolation) -> None:
    """The state folder as the supervisor leaves it."""
    uid = places.service_uid(settings, walls)
    for name in FOLDERS:
        (settings.state / name).mkdir(exist_ok=True)
    for name in SOCKETS:
        settings.socket(name).parent.mkdir(parents=True)
    (settings.state / "secrets" / "internal.token").write_text("x")
    (settings.state / "secrets" / "hub_cookie.secret").write_text("x")
    for path in (settings.state, *settings.state.rglob("*")):
        if uid is not None:
            os.chown(path, uid, uid)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_sees_the_folders_it_needs_and_no_home(
    settings: Settings, walls: Isolation, name: str
) -> None:
    stateful(settings, walls)
    sandbox = profiles.service(settings, walls, name)
    expression = f"""[sorted(os.listdir({str(settings.state)!r})),
        sorted(n for n in os.listdir({str(settings.state)!r}) if may_add({str(settings.state)!r} + '/' + n)),
        os.getcwd(), exists({str(settings.repo / ".git")!r}), may_add({str(settings.repo / "catalog")!r})]"""
    found = look(sandbox, walls, expression.replace("\n", " "))
    assert isinstance(found, list)
    seen, writable, *rest = found
    needs = SERVICES[name]
    tops = {path.split("/")[0] for path in (*needs.writable, *needs.readable)}
    assert set(seen) == {*tops, "run"}
    assert set(writable) - {"run"} == set(needs.writable)
    assert "homes" not in seen
    assert rest == [str(settings.repo), False, False]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_reaches_the_sockets_it_asks_and_no_other_also_after_they_were_made_anew(
    settings: Settings, walls: Isolation, name: str
) -> None:
    stateful(settings, walls)
    sandbox = profiles.service(settings, walls, name)
    paths = {other: settings.socket(other) for other in SOCKETS}
    uid = places.service_uid(settings, walls)
    before = [listening_socket(str(path), uid) for path in paths.values()]
    try:
        # the sandbox stands, then every service is restarted alone, as the supervisor does: unlink and bind
        script = (
            "import json, socket, sys, time; from pathlib import Path\n"
            "print('stands', flush=True); go = Path(sys.argv[1]) / 'go'\n"
            "while not go.exists(): time.sleep(0.02)\n"
            "found = {n: socket.socket(1).connect_ex(p) == 0 for n, p in json.loads(sys.argv[2]).items()}\n"
            "print(json.dumps(found))"
        )
        signal_folder = settings.state / "signal"
        signal_folder.mkdir(mode=0o755)
        sandbox = dataclasses.replace(
            sandbox,
            argv=(PYTHON, "-c", script, "/signal", json.dumps({n: str(p) for n, p in paths.items()})),
            mounts=(*sandbox.mounts, Mount(source=signal_folder, target="/signal")),
            log=settings.state / "said",
        )
        running = start(sandbox, walls)
        deadline = time.monotonic() + 20
        while "stands" not in (settings.state / "said").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for path in paths.values():
            path.unlink()
        before += [listening_socket(str(path), uid) for path in paths.values()]
        (signal_folder / "go").touch()
        assert running.wait(20) == 0, (settings.state / "said").read_text()
    finally:
        for listener in before:
            listener.close()
    found = json.loads((settings.state / "said").read_text().splitlines()[-1])
    made = {folder.removesuffix(".d") for folder in SERVICES[name].makes}
    assert {n for n, reached in found.items() if reached} == {*SERVICES[name].asks, name, *made} & {*SOCKETS}


def test_the_gate_cannot_read_the_hubs_secret(settings: Settings, walls: Isolation) -> None:
    stateful(settings, walls)
    gate = profiles.service(settings, walls, "gate")
    secrets = f"os.listdir({str(settings.state / 'secrets')!r})"
    assert look(gate, walls, secrets) == ["internal.token"]


def test_a_service_reads_the_settings_the_supervisor_was_given(settings: Settings, walls: Isolation) -> None:
    from hub_config.settings import load

    changed = dataclasses.replace(settings, port=8123, host="campus.test", demo=True)
    env = dict(profiles.service(changed, walls, "gate").env)
    assert load({"state": settings.state}, env) == changed


def test_the_launcher_itself_has_no_walls(settings: Settings, walls: Isolation) -> None:
    launcher = profiles.service(settings, walls, "launcher")
    assert not launcher.walls
    assert launcher.argv[1:3] == ("-m", "hub_config.launcher")
    assert all(profiles.service(settings, walls, name).walls for name in SERVICES)


def test_an_ingest_is_held_to_its_memory_and_writes_its_spool(settings: Settings, walls: Isolation) -> None:
    bounded = dataclasses.replace(settings, ingest_memory=400 << 20)
    (bounded.state / "ingest").mkdir(exist_ok=True)
    for sandbox in (
        profiles.service(bounded, walls, "ingest"),
        profiles.ingest_run(bounded, walls, run_id="0" * 20),
    ):
        assert sandbox.limits.memory == 400 << 20
        target = str(bounded.state / "ingest")
        assert [m.writable for m in sandbox.mounts if m.target == target] == [True]
    for size, given in ((100, True), (600, False)):
        greedy = dataclasses.replace(
            profiles.service(bounded, walls, "ingest"),
            argv=(PYTHON, "-I", "-c", f"bytearray({size} << 20)"),
            mounts=(),
            workdir="/",
            log=None,
        )
        ran = finish(greedy, walls, 60)
        assert (ran.code == 0) is given, ran.text
