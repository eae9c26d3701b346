"""The product as it runs: launcher, log, database and gateway in their walls, and sessions of people."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from access_control.audit.client import AuditClient
from access_control.database import Database
from access_control.migrations import upgrade
from access_control.projects.model import OPEN_DATA
from benchmarks.gateway.contender import SESSION, Absent, Contender, Engine
from benchmarks.gateway.data import DATASET, Data
from catalog.gateway.broker import SESSION_SOCKET
from catalog.sandbox.isolation import Isolation, choose
from catalog.sandbox.process import Running, start
from hub_config.launcher.places import service_uid
from hub_config.launcher.services import service
from hub_config.settings import Settings
from hub_config.up.ready import answers, forget_socket
from hub_config.up.state import FOLDERS, prepare
from tests.access_control.campus import Campus

KEPT = ("warehouse", "catalog")  # of the state folder, from run to run
WITHIN = 60.0  # for a service to answer [s]


@dataclass(slots=True, kw_only=True)
class Product(Contender):
    """Campus, and as many sessions as people.

    Attributes
    ----------
    addresses
        Of the sessions' gateways, once it is started.
    """

    settings: Settings
    people: int = 1
    name: str = "Campus"
    module: str = "campus"
    python: Path = SESSION
    addresses: list[str] = field(default_factory=list)
    running: dict[str, Running] = field(default_factory=dict)

    def start(self, data: Data, engine: Engine) -> Mapping[str, Any]:
        """Everything that a query touches."""
        isolation = choose(self.settings.isolation)
        self.notes[:] = [f"walls: {isolation.mode}; decided, and on record before the first row"]
        for name in FOLDERS:
            if name.split("/")[0] not in KEPT:
                shutil.rmtree(self.settings.state / name, ignore_errors=True)
        owner = service_uid(self.settings, isolation)
        prepare(self.settings, owner)
        for name in ("launcher", "audit"):
            self._service(name, isolation)
        sessions = self._sessions()
        if owner is not None:
            for folder in ("access", "catalog", "exports", "warehouse"):
                give(self.settings.state / folder, owner)
        self._service("gateway", isolation)
        gateways = self.settings.run / "gateway"
        self.addresses = [f"grpc+unix://{gateways / s / SESSION_SOCKET}" for s in sessions]
        return {"address": self.addresses[0]}

    def stop(self) -> None:
        """The services, last started first."""
        for name, running in reversed(self.running.items()):
            running.stop(10.0)
            forget_socket(self.settings, name)
        self.running.clear()

    def pids(self) -> list[int]:
        """The services; workers and parsers are below the launcher."""
        return [running.pid for running in self.running.values()]

    def _service(self, name: str, isolation: Isolation) -> None:
        forget_socket(self.settings, name)
        self.running[name] = start(service(self.settings, isolation, name), isolation)
        deadline = time.monotonic() + WITHIN
        while not answers(self.settings, name):
            if self.running[name].poll() is not None or time.monotonic() > deadline:
                raise Absent(f"{name} did not start; see {self.settings.state / 'logs' / name}.log")
            time.sleep(0.05)

    def _sessions(self) -> list[str]:
        """Sessions of people who applied and were approved, over data that is open to them."""
        now = datetime.now(UTC)
        upgrade(self.settings.access_url)
        audit = AuditClient(self.settings.socket("audit"))
        db = Database(self.settings.access_url, audit)
        campus = Campus(db, audit, self.settings.state / "audit", self.settings.state / "exports" / "blobs")
        campus.projects.ensure_default(now, [], [DATASET])
        opened = []
        for number in range(self.people):
            person = campus.person(f"analyst{number}")
            session = campus.sessions.open(person, OPEN_DATA, now)
            opened.append(str(campus.sessions.started(session.session_id, now).session_id))
        audit.close()
        db.close()
        return opened


def give(folder: Path, owner: int) -> None:
    """Hand a folder with all that is in it to a user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)


def settings_in(state: Path) -> Settings:
    """An installation of its own, as it comes."""
    state.mkdir(mode=0o711, parents=True, exist_ok=True)
    if not SESSION.exists():
        sys.stderr.write("the session's environment is not there: bin/campus test makes it\n")
        raise SystemExit(1)
    settings = Settings(state=state)
    prepare(settings, service_uid(settings, choose(settings.isolation)))
    return settings
