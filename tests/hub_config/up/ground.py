"""A real installation under load: launcher, audit writer, gateway, and clients that ask without end.

The parts are started, watched and brought back by the product's own supervisor, within walls where the
machine has them. Two sessions are asked by notebooks' and ADBC clients' processes in a session's sandbox.
Simulates the people only, who ask and start a client again. Kills nothing by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from access_control.audit.client import AuditClient
from access_control.database import Database
from access_control.migrations import upgrade
from catalog.descriptions import load_all
from catalog.sandbox.isolation import Isolation
from catalog.sandbox.launcher import Launcher
from catalog.sandbox.model import Mount, Sandbox
from catalog.sandbox.process import Running, start
from catalog.warehouse import Publication, Warehouse
from hub_config.launcher import places, profiles
from hub_config.launcher.places import service_uid
from hub_config.settings import REPO, Settings
from hub_config.up import state
from hub_config.up.supervisor import Supervisor
from tests.access_control.campus import NOW, Campus
from tests.catalog.gateway.conftest import made_up

ROWS: Final = 100_000
KINDS: Final = ("notebook", "adbc")
PEOPLE: Final = ("minji", "junho")
ANSWERS_WITHIN: Final = 180.0  # s; on a machine with ten times the work the gateway takes 40 to come back
READER: Final = "/opt/campus/reader"
CONTROL: Final = "/run/control"
LOG: Final = "/run/log"


class Reader:
    """One client's process in a session's sandbox, and what it said."""

    def __init__(self, ground: Ground, session_id: str, person: str, kind: str) -> None:
        self.session_id, self.person, self.kind = session_id, person, kind
        self.steps: list[dict[str, Any]] = []
        self.running: Running | None = None
        self._ground = ground
        self._heard = asyncio.Event()

    def start(self) -> None:
        """A fresh process; from the thread that the sandbox is to live as long as."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        self.running = start(self._ground.sandbox(self), self._ground.isolation, output=writing)
        os.close(writing)
        os.set_blocking(reading, False)
        rest = bytearray()
        loop = asyncio.get_running_loop()

        def hear() -> None:
            data = os.read(reading, 1 << 16)
            if not data:
                loop.remove_reader(reading)
                os.close(reading)
                return
            rest.extend(data)
            *lines, last = bytes(rest).split(b"\n")
            rest[:] = last
            for line in lines:
                self._take(line)

        loop.add_reader(reading, hear)

    def _take(self, line: bytes) -> None:
        if not line.startswith(b"{"):
            self._ground.noise.append(f"{self.kind}: {line.decode(errors='replace')}")
            return
        self.steps.append(json.loads(line))
        self._ground.heard(self.steps[-1])

    def kill(self) -> None:
        """SIGKILL to the process itself, as to a notebook's kernel."""
        assert self.running is not None
        os.kill(program(self.running.pid), signal.SIGKILL)
        self.running.wait(10)

    def stop(self) -> None:
        """The end of the process, and of all that it left."""
        if self.running is not None:
            self.running.stop(0)

    def answered(self, since: float) -> bool:
        """Whether a question that was asked later than `since` got its rows."""
        asked = {s["n"] for s in self.steps[-400:] if s["step"] == "asks" and s["at"] > since}
        return any(
            s["step"] == "end" and s["n"] in asked and s["how"] in ("whole", "stopped") and s["at"] > since
            for s in self.steps[-400:]
        )


@dataclass
class Ground:
    """An installation of two sessions over one table, running; see the module's first line."""

    settings: Settings
    isolation: Isolation
    supervisor: Supervisor
    control: Path
    sessions: list[tuple[str, str]] = field(default_factory=list)  # id, person
    readers: list[Reader] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)  # what readers said beside their steps
    _waiting: list[tuple[str, asyncio.Event]] = field(default_factory=list)
    _holds: int = 0

    @property
    def log(self) -> Path:
        """The audit log's folder."""
        return self.settings.state / "audit"

    @property
    def launcher(self) -> Launcher:
        """Its client."""
        return Launcher(self.settings.socket("launcher"))

    def pid(self, service: str) -> int:
        """The process that the supervisor started for a service: the walls around it, where there are any."""
        lines = (self.settings.run / "services").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.split()[0] == service)

    def sandbox(self, reader: Reader) -> Sandbox:
        """The session's own sandbox, with our program in the notebook server's place.

        It runs as the services' user instead of the person's, so that it may look into the log.
        """
        made = profiles.session(
            self.settings,
            self.isolation,
            session_id=reader.session_id,
            person=reader.person,
            project="open-data",
            uid=service_uid(self.settings, self.isolation) or 0,
        )
        env = self.settings.session_env if reader.kind == "notebook" else self.settings.server_env
        mounts = [
            *made.mounts,
            *(m for m in places.environment(env) if m not in made.mounts),
            Mount(source=Path(__file__).with_name("reader.py"), target=f"{READER}/reader.py"),
            Mount(source=self.control, target=CONTROL),
            Mount(source=self.log, target=LOG),
        ]
        argv = (places.python(env), f"{READER}/reader.py", reader.kind, CONTROL, LOG)
        name = f"reader-{reader.kind}-{reader.person}"
        return dataclasses.replace(made, name=name, argv=argv, mounts=tuple(mounts))

    def heard(self, step: dict[str, Any]) -> None:
        """A reader took a step: wake who waits for one like it."""
        for kind, waits in self._waiting:
            if kind == step["step"]:
                waits.set()

    async def next_step(self, kind: str) -> None:
        """Wait until some reader takes such a step, or for a second."""
        entry = kind, asyncio.Event()
        self._waiting.append(entry)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(entry[1].wait(), 1.0)
        self._waiting.remove(entry)

    async def until(self, done: Callable[[], object], what: str, seconds: float = ANSWERS_WITHIN) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not done():
            broken = [r.kind for r in self.readers if r.running is not None and r.running.poll() is not None]
            assert not broken, "\n".join([f"{broken} ended by themselves", *self.noise])
            assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s\n{self.story()}"
            await asyncio.sleep(0.02)

    def said(self, since: float, reason: str) -> list[str]:
        """What everybody was told for this reason of a question later than `since`; empty until all were."""
        found = [
            [s["said"] for s in r.steps if s["step"] == "end" and s["at"] > since and s["how"] == reason]
            for r in self.readers
        ]
        return [words for each in found for words in each] if all(found) else []

    def rows_since(self, since: float) -> list[str]:
        """Queries whose first row came later than `since`."""
        return [s["id"] for r in self.readers for s in r.steps if s["step"] == "row" and s["at"] > since]

    def story(self) -> str:
        """What everybody said last, for who has to find out why nothing happens."""
        last = [f"{r.kind} of {r.person}: {r.steps[-3:]}" for r in self.readers]
        logs = [
            f"{name}: "
            + "\n".join((self.settings.state / "logs" / f"{name}.log").read_text().splitlines()[-15:])
            for name in ("gateway", "audit")
        ]
        return "\n".join([f"now {time.monotonic()}", *last, *logs, *self.noise[-40:]])

    def hold(self) -> None:
        """Let nobody ask."""
        self._holds += 1
        written = self.control / "hold-next"
        written.write_text(str(self._holds), "ascii")
        written.rename(self.control / "hold")

    def held(self) -> bool:
        """Whether everybody has seen the last of these, and asks nothing."""
        return all(r.steps[-1].get("by") == str(self._holds) for r in self.readers)

    def go_on(self) -> None:
        """Let them ask again."""
        (self.control / "hold").unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def ground(
    settings: Settings, isolation: Isolation, log_disk: int | None = None
) -> AsyncIterator[Ground]:
    """Make the installation, start it and its readers, and stop all at the end.

    Parameters
    ----------
    log_disk
        Size of a disk of the audit log's own, where this user may mount one; see `small_disk` [bytes].
    """
    owner = service_uid(settings, isolation)
    state.prepare(settings, owner)
    if log_disk is not None:
        with small_disk(settings.state / "audit", owner, log_disk):
            async with _started(settings, isolation, owner) as made:
                yield made
        return
    async with _started(settings, isolation, owner) as made:
        yield made


@contextlib.contextmanager
def small_disk(folder: Path, owner: int | None, size: int) -> Iterator[None]:
    """A disk of so many bytes in a folder's place while this lasts, and its files in the folder afterwards.

    Where this user may not mount one, nothing changes.
    """
    options = f"size={size},mode=0700" + ("" if owner is None else f",uid={owner},gid={owner}")
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        yield
        return
    kept = folder.with_name(f"{folder.name}-kept")
    try:
        yield
        shutil.copytree(folder, kept)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    shutil.copytree(kept, folder, dirs_exist_ok=True)


@contextlib.asynccontextmanager
async def _started(settings: Settings, isolation: Isolation, owner: int | None) -> AsyncIterator[Ground]:
    control = settings.state / "control"
    control.mkdir(mode=0o755)
    supervisor = Supervisor(settings, isolation)
    made = Ground(settings, isolation, supervisor, control)
    try:
        await supervisor.start("launcher", "audit")
        await asyncio.to_thread(_furnish, made)
        if owner is not None:
            for folder in ("access", "catalog", "warehouse", "exports", "homes"):
                _give(settings.state / folder, owner)
        await supervisor.start("gateway")
        made.readers = [Reader(made, *session, kind) for session in made.sessions for kind in KINDS]
        for reader in made.readers:
            reader.start()
        await made.until(lambda: all(r.answered(0.0) for r in made.readers), "the first answers")
        yield made
    finally:
        for reader in made.readers:
            reader.stop()
        await supervisor.stop()
        state.leave_no_sockets(settings)


def _furnish(made: Ground) -> None:
    settings = made.settings
    descriptions = load_all(REPO / "datasets")
    upgrade(settings.access_url)
    audit = AuditClient(settings.socket("audit"))
    campus = Campus(
        Database(settings.access_url, audit), audit, made.log, settings.state / "exports" / "blobs"
    )
    campus.projects.ensure_default(NOW, ["subway_ridership"])
    warehouse = Warehouse(settings.warehouse, settings.catalog_db)
    published = Publication(now=NOW, by="x", synthetic=True, source="made up", recipe="1")
    dataset = descriptions["subway_ridership"]
    warehouse.publish(dataset, "main", made_up(dataset, ROWS), published)
    for person in PEOPLE:
        session = campus.session(campus.person(person))
        made.sessions.append((session.session_id, person))
        places.home(settings, person, "open-data").mkdir(parents=True)
    audit.close()


def _give(folder: Path, owner: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, owner)


def family(pid: int) -> Iterator[int]:
    """A process and all below it, from the top; those that end meanwhile are left out."""
    yield pid
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from family(int(child))


def program(pid: int) -> int:
    """The first process in a sandbox that is not its walls.

    Raises
    ------
    ProcessLookupError
        It has gone already.
    """
    for found in family(pid):
        with contextlib.suppress(OSError):
            first = Path(f"/proc/{found}/cmdline").read_bytes().split(b"\0")[0]
            if b"python" in first.rpartition(b"/")[2]:
                return found
    raise ProcessLookupError(pid)
