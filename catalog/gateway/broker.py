"""The broker: opens a socket per session, keeps the ledger, answers the hub. Assembled by the floor above."""

from __future__ import annotations

import logging
import re
import shutil
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from catalog.descriptions import Dataset
from catalog.descriptions.variants import MAIN, TWIN, sql_name
from catalog.gateway import refusals
from catalog.gateway.actions import Actions
from catalog.gateway.admin import AdminSocket
from catalog.gateway.door import Door
from catalog.gateway.entrance import Entrance
from catalog.gateway.flight import SessionServer
from catalog.gateway.governed.desk import Governance
from catalog.gateway.governed.releases import Releases
from catalog.gateway.guard import Guard, SessionId, SessionIdentity
from catalog.gateway.local import LocalServer
from catalog.gateway.metrics import CountedStarter, Metrics
from catalog.gateway.mounts import Mounted, open_mounts
from catalog.gateway.processes import Starter
from catalog.gateway.queries import Ledger
from catalog.gateway.session import RESTARTING, QueryLimits, SessionGateway
from catalog.gateway.turns import Turns
from catalog.gateway.watch import Watch
from catalog.gateway.workspace import Places, Versions
from catalog.warehouse import Warehouse

LOG = logging.getLogger(__name__)
SESSION_SOCKET: Final = "broker.sock"  # Flight SQL
LOCAL_SOCKET: Final = "local.sock"
RELEASES: Final = "releases.sqlite"  # beside the catalogue: what restricted data was answered
LOOK: Final = 0.05  # between two looks at what still runs before a stop [s]
QUIET: Final = 4  # looks in a row that find nothing
_SESSION_ID = re.compile(r"[0-9a-f]{20}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,60}")


class Broker:
    """The gateway of one installation.

    Parameters
    ----------
    guard
        Who reads, what is granted, and the record.
    warehouse, descriptions
        Published versions and what is said of them.
    starter
        Starts parsers and workers: the launcher's client.
    run
        Folder of the sessions' sockets: `gateway/<session>/` is made below it.
    admin
        Where it listens for the hub.
    at_once
        Queries of all sessions together that run at once; see `Turns`.
    walled
        Whether sandboxes have their own view of files and sockets.
    remote
        Where the front announces connections from other machines, and its address for readers.
    """

    def __init__(
        self,
        *,
        guard: Guard,
        warehouse: Warehouse,
        descriptions: Mapping[str, Dataset],
        starter: Starter,
        run: Path,
        admin: Path,
        limits: QueryLimits,
        at_once: int = 16,
        walled: bool = True,
        remote: tuple[Path, str] | None = None,
    ) -> None:
        self._metrics = Metrics()
        self._guard, self._descriptions, self._limits = guard, descriptions, limits
        self._starter = CountedStarter(starter, self._metrics)
        self._draining = self._hurry = False
        self._warehouse = warehouse
        self._versions = Versions(warehouse)
        self._places = Places(run=run, warehouse=warehouse.root, walled=walled)
        (run / "gateway").mkdir(parents=True, exist_ok=True)
        self._ledger = Ledger(guard, run / "gateway" / "open", self._metrics)
        self._releases = Releases(warehouse.catalog.with_name(RELEASES))
        self._governance = Governance(descriptions, self._releases)
        self._turns = Turns(at_once, limits.running)
        self._geometry = {
            name: (d.geometry.column, d.geometry.crs) for name, d in descriptions.items() if d.geometry
        }
        self._codes = {name: {c.name: c.code_system for c in d.columns} for name, d in descriptions.items()}
        self._names = frozenset(
            sql_name(d.name, variant)
            for d in descriptions.values()
            for variant in (MAIN, TWIN, *(v.name for v in d.variants))
        )
        self._lock = threading.Lock()
        self._open: dict[SessionId, tuple[SessionGateway, Door, LocalServer]] = {}
        self._admin_path = admin
        self._admin: AdminSocket | None = None
        self._watch: Watch | None = None
        self._entrance = Entrance(remote[0], guard, remote[1]) if remote else None

    def start(self) -> None:
        """Settle what an earlier broker left, open the sessions that live, then listen for the hub."""
        self._ledger.recover()
        live = self._guard.live_sessions()
        self._sweep({identity.session_id for identity in live})
        for identity in live:
            self.open(identity)
        self._watch = Watch(self._guard, self._ledger, self._sessions)
        self._admin = AdminSocket(self._admin_path, self._administer)
        if self._entrance is not None:
            self._entrance.start()

    def open(self, identity: SessionIdentity) -> None:
        """Listen for one session; doing it twice is doing it once."""
        with self._lock:
            if identity.session_id in self._open:
                return
            folder = self._places.session(identity.session_id)
            (folder / "data").mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
            (folder / "data").chmod(0o777)  # the worker's user writes here; others reach it by sandbox only
            address, nearby = folder / SESSION_SOCKET, folder / LOCAL_SOCKET
            for left in (address, nearby, *(folder / "data").glob("worker-*.sock")):  # of a killed broker
                left.unlink(missing_ok=True)
            session = SessionGateway(
                identity,
                guard=self._guard,
                versions=self._versions,
                starter=self._starter,
                ledger=self._ledger,
                governance=self._governance,
                places=self._places,
                limits=self._limits,
                turns=self._turns,
                geometry=self._geometry,
                codes=self._codes,
                taken=self._names,
            )
            actions = Actions(session, self._guard, self._descriptions)
            door = Door(address, lambda inside: SessionServer(inside, session, actions))
            local = LocalServer(nearby, session)
            address.chmod(0o666)
            nearby.chmod(0o666)
            self._open[identity.session_id] = (session, door, local)
            if self._entrance is not None:
                self._entrance.add(session, actions)
        threading.Thread(target=session.warm, daemon=True).start()

    def close(self, session_id: SessionId) -> None:
        """Stop listening for a session and end its worker; unknown ones are closed already."""
        with self._lock:
            found = self._open.pop(session_id, None)
        if found is None:
            return
        session, door, local = found
        if self._entrance is not None:
            self._entrance.remove(session_id)
        session.close()
        local.shutdown()
        door.shutdown()
        shutil.rmtree(self._places.session(session_id), ignore_errors=True)

    def drain(self, seconds: float) -> None:
        """Take nothing new and let what was admitted end, for so long at most; `stop` is next."""
        self._draining = True
        for session in self._sessions():
            session.leave()
        deadline, quiet = time.monotonic() + seconds, 0
        while quiet < QUIET and time.monotonic() < deadline and not self._hurry:
            time.sleep(LOOK)
            quiet = 0 if self._ledger.counts[0] else quiet + 1  # one may just be on its way to the record

    def hurry(self) -> None:
        """Wait no longer for what runs; may be called from a signal's handler."""
        self._hurry = True

    def stop(self) -> None:
        """Close every session's worker and socket; folders stay for the next start."""
        if self._admin is not None:
            self._admin.close()
        if self._watch is not None:
            self._watch.close()
        if self._entrance is not None:
            self._entrance.close()
        with self._lock:
            found, self._open = list(self._open.values()), {}
        for session, door, local in found:
            session.close(RESTARTING)
            local.shutdown()
            door.shutdown()
        self._turns.close()
        self._ledger.close()
        self._releases.close()

    def stats(self) -> Mapping[str, Any]:
        """Counts only: nothing of people, statements or rows."""
        queries, owed = self._ledger.counts
        running, waiting = self._turns.counts
        with self._lock:
            sessions = len(self._open)
        return {
            "sessions": sessions,
            "queries": queries,
            "running": running,
            "waiting": waiting,
            "unrecorded_ends": owed,
            "draining": self._draining,
            "remote_connections": self._entrance.tunnels if self._entrance is not None else 0,
        }

    def metrics(self) -> str:
        """The same and everything counted since the start, as Prometheus text."""
        stats = self.stats()
        names = {"queries": "queries_open", "running": "queries_running", "waiting": "queries_waiting"}
        return self._metrics.text({names.get(name, name): int(value) for name, value in stats.items()})

    def _sessions(self) -> tuple[SessionGateway, ...]:
        with self._lock:
            return tuple(session for session, *_ in self._open.values())

    def _administer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        match request.get("op"):
            case "open":
                identity = _identity(request)
                mounts = () if request.get("elsewhere") is True else self._mounts(identity)
                for older in self._older(identity):
                    self.close(older)
                self.open(identity)
                return {"ok": True, "open": [list(mounted) for mounted in mounts]}
            case "close":
                self.close(SessionId(str(request.get("session_id"))))
            case "revoke":
                if self._entrance is not None:
                    self._entrance.revoke(str(request.get("serial")))
            case "stats":
                return {"ok": True, **self.stats()}
            case "metrics":
                return {"ok": True, "text": self.metrics()}
            case "ping":
                pass
            case other:
                raise refusals.malformed(str(other))
        return {"ok": True}

    def _older(self, identity: SessionIdentity) -> list[SessionId]:
        """Sessions that a new one of the same person and project takes the place of, wherever they ran."""
        with self._lock:
            known = [session.identity for session, *_ in self._open.values()]
        work = identity.person, identity.project
        return [
            k.session_id
            for k in known
            if (k.person, k.project) == work and k.session_id != identity.session_id
        ]

    def _mounts(self, identity: SessionIdentity) -> tuple[Mounted, ...]:
        """What a session of this machine has mounted; one elsewhere has no disk in common with us."""
        return open_mounts(identity, self._guard, self._warehouse, self._descriptions, datetime.now(UTC))

    def _sweep(self, live: set[SessionId]) -> None:
        """Remove folders of sessions that ended while no broker ran."""
        for folder in (self._places.run / "gateway").iterdir():
            if _SESSION_ID.fullmatch(folder.name) and folder.name not in live:
                shutil.rmtree(folder, ignore_errors=True)


def _identity(request: Mapping[str, Any]) -> SessionIdentity:
    session_id, person, project = (str(request.get(k, "")) for k in ("session_id", "person", "project"))
    if not _SESSION_ID.fullmatch(session_id) or not _NAME.fullmatch(project):
        raise refusals.malformed("session")
    if person and not _NAME.fullmatch(person):
        raise refusals.malformed("person")
    return SessionIdentity(session_id=SessionId(session_id), person=person, project=project)
