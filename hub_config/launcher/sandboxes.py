"""The sandboxes of this launcher: what runs, how it ended, what it leaves behind; decides nothing."""

from __future__ import annotations

import dataclasses
import logging
import os
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.sandbox.model import Isolation, Sandbox
from catalog.sandbox.process import Running, start
from hub_config.launcher import folders, refusal, views
from hub_config.launcher.output import Output, prune
from hub_config.settings import Settings

log = logging.getLogger("campus.launcher")

_REMEMBERED = 1000  # exit codes kept after the end
_HELPERS = ("worker", "parser")
_ALONE = "ingest"  # has no session, no socket and no helper


@dataclass(slots=True, kw_only=True)
class Entry:
    """One running sandbox, the folder made for it alone, and until when it may end once asked to."""

    kind: str
    session_id: str
    running: Running
    output: Output
    view: Path | None = None
    kill_at: float | None = None


class Sandboxes:
    """Starts, ends, remembers; of one thread only: a sandbox dies with the thread that started it."""

    def __init__(self, settings: Settings, isolation: Isolation) -> None:
        self._settings = settings
        self._isolation = isolation
        self.running: dict[str, Entry] = {}
        self.on_end: Callable[[Entry], None] = lambda entry: None
        self._codes: OrderedDict[str, int] = OrderedDict()

    def start(
        self,
        kind: str,
        session_id: str,
        sandbox: Sandbox,
        fds: Mapping[int, int],
        view: Path | None = None,
    ) -> Entry:
        """Start `sandbox` with `fds`; a worker or parser replaces one of the same name.

        `view` is removed at its end; where it cannot be started, that is the caller's to do.
        """
        name = sandbox.name
        if name in self.running:
            if kind not in _HELPERS:
                raise refusal.running(name)
            self.running[name].running.stop(0)
            self.reap()
        logs = self._settings.state / "logs"
        prune(logs)
        output, writer = Output.open(logs / f"{name}.log", time.monotonic())
        try:
            complete = _with_fds(sandbox, fds)
            running = start(complete, self._isolation, output=writer)
        except Exception:
            output.drain(time.monotonic())
            output.close()
            raise
        finally:
            os.close(writer)
        self._codes.pop(name, None)
        entry = Entry(kind=kind, session_id=session_id, running=running, output=output, view=view)
        self.running[name] = entry
        log.info("started %s pid %d", name, running.pid)
        return entry

    def ask_to_end(self, name: str, grace: float) -> bool:
        """Send SIGTERM now and kill `grace` seconds later; False where nothing of that name runs."""
        entry = self.running.get(name)
        if entry is None:
            return False
        if grace > 0:
            entry.running.terminate()
        deadline = time.monotonic() + grace
        entry.kill_at = deadline if entry.kill_at is None else min(deadline, entry.kill_at)
        return True

    def code(self, name: str) -> int | None:
        """How a sandbox ended; None where it is not remembered."""
        return self._codes.get(name)

    def reap(self) -> None:
        """Notice what has ended, end what is overdue, and clear up after both."""
        now = time.monotonic()
        for name, entry in list(self.running.items()):
            code = entry.running.poll()
            if code is None:
                if entry.kill_at is not None and now >= entry.kill_at:
                    entry.running.kill()
                continue
            self._ended(name, entry, code)

    def overdue(self) -> bool:
        """Whether something has been asked to end."""
        return any(entry.kill_at is not None for entry in self.running.values())

    def stop_all(self, grace: float) -> None:
        """End everything; returns when it is gone."""
        for name in list(self.running):
            self.ask_to_end(name, grace)
        deadline = time.monotonic() + grace + 20
        while self.running and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.01)

    def _ended(self, name: str, entry: Entry, code: int) -> None:
        del self.running[name]
        self._codes[name] = code
        while len(self._codes) > _REMEMBERED:
            self._codes.popitem(last=False)
        for _ in range(32):  # its last words, never more than two files' worth
            if not entry.output.drain(time.monotonic()):
                break
        self.on_end(entry)
        entry.output.close()
        log.info("ended %s code %d", name, code)
        if entry.view is not None:
            views.remove(entry.view)
        if entry.kind in (*_HELPERS, _ALONE):
            return
        folders.remove(self._settings.run / "sessions", entry.session_id)
        for other, helper in list(self.running.items()):
            if helper.session_id == entry.session_id and helper.kind in _HELPERS:
                self.ask_to_end(other, 0)


def _with_fds(sandbox: Sandbox, fds: Mapping[int, int]) -> Sandbox:
    return dataclasses.replace(sandbox, fds=dict(fds))


def listening_socket(path: str, uid: int | None) -> socket.socket:
    """A listening local socket that only its owner and root may connect to."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        listener.bind(path)
        if uid is not None:
            os.chown(path, uid, uid, follow_symlinks=False)
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener
