"""What a client may ask for: a call checks its parameters, picks a profile, answers; reads no socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.sandbox.beneath import NotRegular, open_beneath, open_folder, open_regular
from catalog.sandbox.launcher import OpenVersion
from catalog.sandbox.model import Isolation, Mode, Sandbox
from hub_config.launcher import folders, forms, homes, outbox, places, profiles, refusal, views
from hub_config.launcher.sandboxes import Sandboxes, listening_socket
from hub_config.settings import Settings

_MOST_GENERATIONS = 10**9 - 1
_WORLD_READ = 0o044
_OVERHEAD = 1 << 30  # memory a worker may have beside its engine's own limit [bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A call's result, descriptors to send with it, and the sandbox whose end must be awaited first."""

    body: Mapping[str, Any]
    fds: tuple[int, ...] = ()
    when_ended: str | None = None


class Calls:
    """All calls, by name."""

    def __init__(self, settings: Settings, isolation: Isolation, sandboxes: Sandboxes) -> None:
        self._settings = settings
        self._isolation = isolation
        self._sandboxes = sandboxes
        self._by_name: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "ping": self._ping,
            "prepare_home": self._prepare_home,
            "start_session": self._start_session,
            "start_dashboard": self._start_dashboard,
            "start_worker": self._start_worker,
            "start_parser": self._start_parser,
            "start_ingest": self._start_ingest,
            "status": self._status,
            "stop": self._stop,
            "list": self._list,
            "list_outbox": self._list_outbox,
            "open_outbox": self._open_outbox,
        }

    def answer(self, given: object) -> Answer:
        """Do what one request asks.

        Raises
        ------
        SandboxError
            It is refused, or the sandbox could not be built.
        """
        if not isinstance(given, dict):
            raise refusal.malformed("request")
        name = given.get("call")
        if not isinstance(name, str) or name not in self._by_name:
            raise refusal.unknown_call(str(name))
        return self._by_name[name](given)

    def _ping(self, given: Mapping[str, Any]) -> Answer:
        forms.only(given)
        return Answer(body={"mode": str(self._isolation.mode), "reason": self._isolation.reason})

    def _prepare_home(self, given: Mapping[str, Any]) -> Answer:
        forms.only(given, "person", "project", "uid")
        person, project = forms.slug(given, "person"), forms.slug(given, "project")
        homes.prepare(self._settings, self._isolation, person, project, self._person_uid(given))
        return Answer(body={})

    def _start_session(self, given: Mapping[str, Any]) -> Answer:
        forms.only(given, "session_id", "person", "project", "uid", "prefix", "open")
        session_id = forms.session_id(given)
        person, project = forms.slug(given, "person"), forms.slug(given, "project")
        forms.prefix(given, f"/user/{person}/{project}/")
        versions = forms.opened(given)
        uid = self._person_uid(given)
        if homes.owner(self._settings, person, project) != self._expected_owner(uid):
            raise refusal.missing("home", f"{person}/{project}")
        sandbox = profiles.session(
            self._settings,
            self._isolation,
            session_id=session_id,
            person=person,
            project=project,
            uid=uid,
            opened=self._opened(versions),
        )
        return self._listening("session", session_id, sandbox)

    def _start_dashboard(self, given: Mapping[str, Any]) -> Answer:
        forms.only(given, "session_id", "name", "prefix", "open")
        session_id, name = forms.session_id(given), forms.dashboard(given)
        prefix, versions = forms.prefix(given), forms.opened(given)
        sandbox = profiles.dashboard(
            self._settings,
            self._isolation,
            session_id=session_id,
            name=name,
            prefix=prefix,
            folder=self._dashboard_folder(name),
            opened=self._opened(versions),
        )
        return self._listening("dashboard", session_id, sandbox)

    def _start_worker(self, given: Mapping[str, Any]) -> Answer:
        forms.only(given, "session_id", "generation", "files", "memory")
        session_id = forms.session_id(given)
        generation = forms.number(given, "generation", 0, _MOST_GENERATIONS)
        memory = forms.memory(given, self._settings.query_memory + _OVERHEAD)
        self._gateway_folder(session_id)
        view = self._view(forms.files(given))
        try:
            sandbox = profiles.worker(
                self._settings,
                self._isolation,
                session_id=session_id,
                generation=generation,
                view=view,
                memory=memory,
            )
            return self._controlled("worker", session_id, sandbox, view)
        except BaseException:
            views.remove(view)
            raise

    def _start_parser(self, given: Mapping[str, Any]) -> Answer:
        forms.only(given, "session_id")
        session_id = forms.session_id(given)
        sandbox = profiles.parser(self._settings, self._isolation, session_id=session_id)
        return self._controlled("parser", session_id, sandbox)

    def _start_ingest(self, given: Mapping[str, Any]) -> Answer:
        """The order lies in the run's folder, for the run to read: nothing of it is read here."""
        forms.only(given, "run_id")
        run_id = forms.run_id(given)
        try:
            with folders.opened(self._settings.state / "uploads" / "runs") as runs:
                os.close(open_folder(runs, run_id))
        except OSError as error:
            raise refusal.missing("run", run_id) from error
        sandbox = profiles.ingest_run(self._settings, self._isolation, run_id=run_id)
        entry = self._sandboxes.start("ingest", run_id, sandbox, {})
        return Answer(body=_started(sandbox.name, entry.running.pid))

    def _status(self, given: Mapping[str, Any]) -> Answer:
        forms.only(given, "sandbox_id")
        name = forms.sandbox_id(given)
        if name in self._sandboxes.running:
            return Answer(body={"code": None})
        code = self._sandboxes.code(name)
        return Answer(body={"gone": True} if code is None else {"code": code})

    def _stop(self, given: Mapping[str, Any]) -> Answer:
        forms.only(given, "sandbox_id", "grace")
        name = forms.sandbox_id(given)
        asked = self._sandboxes.ask_to_end(name, forms.grace(given))
        return Answer(body={}, when_ended=name if asked else None)

    def _list(self, given: Mapping[str, Any]) -> Answer:
        forms.only(given)
        running = self._sandboxes.running.items()
        return Answer(body={"sandboxes": [_started(name, entry.running.pid) for name, entry in running]})

    def _list_outbox(self, given: Mapping[str, Any]) -> Answer:
        forms.only(given, "person", "project")
        person, project = forms.slug(given, "person"), forms.slug(given, "project")
        return Answer(body={"files": outbox.entries(self._settings, person, project)})

    def _open_outbox(self, given: Mapping[str, Any]) -> Answer:
        forms.only(given, "person", "project", "names")
        person, project = forms.slug(given, "person"), forms.slug(given, "project")
        fds = outbox.open_files(self._settings, person, project, forms.names(given))
        return Answer(body={"count": len(fds)}, fds=tuple(fds))

    def _listening(self, kind: str, session_id: str, sandbox: Sandbox) -> Answer:
        if sandbox.name in self._sandboxes.running:
            raise refusal.running(sandbox.name)
        self._gateway_folder(session_id)
        uid = places.service_uid(self._settings, self._isolation)
        parent = self._settings.run / "sessions"
        folders.remove(parent, session_id)
        with folders.opened(parent) as fd, folders.made(fd, session_id, mode=0o700, uid=uid) as own:
            listener = listening_socket(f"/proc/self/fd/{own}/http.sock", uid)
        try:
            entry = self._sandboxes.start(kind, session_id, sandbox, {profiles.CHANNEL_FD: listener.fileno()})
        except Exception:
            folders.remove(parent, session_id)
            raise
        finally:
            listener.close()
        return Answer(body=_started(sandbox.name, entry.running.pid))

    def _controlled(self, kind: str, session_id: str, sandbox: Sandbox, view: Path | None = None) -> Answer:
        ours, theirs = socket.socketpair()
        with ExitStack() as undo:
            undo.callback(ours.close)
            with theirs:
                fds = {profiles.CHANNEL_FD: theirs.fileno()}
                entry = self._sandboxes.start(kind, session_id, sandbox, fds, view)
            undo.pop_all()
        return Answer(body=_started(sandbox.name, entry.running.pid), fds=(ours.detach(),))

    def _gateway_folder(self, session_id: str) -> None:
        """The session's sockets: the broker makes its own here, the worker its own below `data`."""
        service = places.service_uid(self._settings, self._isolation)
        engine = places.engine_uid(self._settings, self._isolation)
        with (
            folders.opened(self._settings.run / "gateway") as parent,
            folders.made(parent, session_id, mode=0o711, uid=service) as own,
            folders.made(own, "data", mode=0o771, uid=service, gid=engine),
        ):
            pass

    def _view(self, files: Sequence[tuple[str, str]]) -> Path:
        """A folder of links to published files."""
        root = self._settings.warehouse
        with folders.opened(root) as warehouse:

            def opened() -> Iterator[tuple[int, str]]:
                for source, target in files:
                    fd = self._granted(warehouse, source)
                    try:
                        yield fd, target.removeprefix(f"{places.DATA}/")
                    finally:
                        os.close(fd)

            return views.make(root, opened())

    def _granted(self, warehouse: int, source: str) -> int:
        """A published file, made readable to the engine's user; its folder keeps everybody else out."""
        try:
            # views and open versions are further names of it; a link to another's file is refused
            fd, found = open_regular(warehouse, source, may_link=os.fstat(warehouse).st_uid)
        except (NotRegular, OSError) as error:
            raise refusal.missing("file", source) from error
        if self._isolation.mode is Mode.ROOT and found.st_mode & _WORLD_READ != _WORLD_READ:
            os.fchmod(fd, (found.st_mode & 0o777) | _WORLD_READ)
        return fd

    def _opened(self, versions: Sequence[OpenVersion]) -> list[tuple[Path, str]]:
        """Folders of open versions, as the warehouse laid them out: (folder outside, name inside)."""
        found = []
        root = self._settings.warehouse / places.OPEN_TREE
        for dataset, variant, snapshot, name in versions:
            path = f"{dataset}/{variant}/{snapshot}"
            try:
                with folders.opened(root) as fd:
                    os.close(open_folder(fd, path))
            except OSError as error:
                raise refusal.missing("version", path) from error
            found.append((root / path, name))
        return found

    def _dashboard_folder(self, name: str) -> Path:
        root = self._settings.repo / "notebooks" / "dashboards"
        for folder in (name, name.replace("-", "_")):
            try:
                with folders.opened(root) as parent:
                    os.close(open_beneath(parent, f"{folder}/dashboard.ipynb", os.O_PATH, cross_mounts=True))
            except OSError:
                continue
            return root / folder
        raise refusal.missing("dashboard", name)

    def _person_uid(self, given: Mapping[str, Any]) -> int:
        uid = forms.number(given, "uid", 0, 2**31 - 1)
        if self._isolation.mode is Mode.ROOT and not places.is_person_uid(self._settings, uid):
            raise refusal.malformed("uid")
        return uid

    def _expected_owner(self, uid: int) -> int:
        return uid if self._isolation.mode is Mode.ROOT else os.geteuid()


def _started(name: str, pid: int) -> dict[str, object]:
    return {"sandbox_id": name, "pid": pid}
