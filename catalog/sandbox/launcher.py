"""Asks the launcher for sandboxes by profile name; knows the wire, nothing of walls or rules.

One connection per call over a local stream socket: a line of JSON each way, descriptors beside the answer.
Safe to use from several threads.
"""

from __future__ import annotations

import array
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from catalog.sandbox.errors import LauncherError

MOST_FDS: Final = 200  # the kernel carries at most 253 a message (SCM_MAX_FD)
_LONGEST_ANSWER = 8 << 20
GONE: Final = "gone"
Gone = Literal["gone"]
OpenVersion = tuple[str, str, str, str]
"""An open version to mount read-only: dataset, variant, version, and the name its folder has inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedSandbox:
    """A sandbox the launcher has started."""

    sandbox_id: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxFile:
    """One regular file in an outbox: path below it, size [bytes], last change (UTC)."""

    name: str
    size: int
    modified: datetime


class Launcher:
    """Client of the launcher's socket.

    Parameters
    ----------
    path
        The launcher's socket.
    seconds
        How long a call may take before the launcher counts as unreachable.
    """

    def __init__(self, path: Path | str, seconds: float = 30.0) -> None:
        self.path = Path(path)
        self.seconds = seconds

    def ping(self) -> dict[str, Any]:
        """The launcher's mode and its reason."""
        return dict(self._call("ping")[0])

    def prepare_home(self, person: str, project: str, uid: int) -> None:
        """Create the home with its outbox and lessons, if it does not exist."""
        self._call("prepare_home", person=person, project=project, uid=uid)

    def start_session(
        self,
        session_id: str,
        person: str,
        project: str,
        uid: int,
        prefix: str,
        opened: Sequence[OpenVersion] = (),
    ) -> StartedSandbox:
        """Start a person's notebook server; it listens at run/sessions/<session_id>/http.sock."""
        answer, _ = self._call(
            "start_session",
            session_id=session_id,
            person=person,
            project=project,
            uid=uid,
            prefix=prefix,
            open=[list(version) for version in opened],
        )
        return _started(answer)

    def start_dashboard(
        self, session_id: str, name: str, prefix: str, opened: Sequence[OpenVersion] = ()
    ) -> StartedSandbox:
        """Start a published dashboard; it listens at run/sessions/<session_id>/http.sock."""
        answer, _ = self._call(
            "start_dashboard",
            session_id=session_id,
            name=name,
            prefix=prefix,
            open=[list(version) for version in opened],
        )
        return _started(answer)

    def start_worker(
        self, session_id: str, generation: int, files: Sequence[tuple[str, str]], memory: int
    ) -> tuple[StartedSandbox, socket.socket]:
        """Start a query worker over `files` (path below the warehouse, path below /data); memory [bytes].

        Returns
        -------
        tuple
            The sandbox and the broker's end of its control socket pair.
        """
        answer, fds = self._call(
            "start_worker",
            session_id=session_id,
            generation=generation,
            files=[list(pair) for pair in files],
            memory=memory,
        )
        return _started(answer), socket.socket(fileno=_only(fds))

    def start_parser(self, session_id: str) -> tuple[StartedSandbox, socket.socket]:
        """Start a session's statement parser, which sees no data; returns it and its control socket."""
        answer, fds = self._call("start_parser", session_id=session_id)
        return _started(answer), socket.socket(fileno=_only(fds))

    def start_ingest(self, run_id: str) -> StartedSandbox:
        """Start the run whose order lies in the folder of that name among the uploads."""
        answer, _ = self._call("start_ingest", run_id=run_id)
        return _started(answer)

    def status(self, sandbox_id: str) -> int | Gone | None:
        """The exit code, None while running, or GONE for one the launcher does not know."""
        answer, _ = self._call("status", sandbox_id=sandbox_id)
        if answer.get("gone"):
            return GONE
        code = answer.get("code")
        return None if code is None else int(code)

    def stop(self, sandbox_id: str, grace: float = 5.0) -> None:
        """End a sandbox and all in it, asking first for up to `grace` seconds; returns when it is gone."""
        patient = Launcher(self.path, self.seconds + grace)
        patient._call("stop", sandbox_id=sandbox_id, grace=grace)

    def list(self) -> tuple[StartedSandbox, ...]:
        """What is running."""
        answer, _ = self._call("list")
        return tuple(_started(entry) for entry in answer["sandboxes"])

    def list_outbox(self, person: str, project: str) -> tuple[OutboxFile, ...]:
        """Regular files in the outbox, sorted by name."""
        answer, _ = self._call("list_outbox", person=person, project=project)
        return tuple(
            OutboxFile(name=name, size=size, modified=datetime.fromtimestamp(modified, UTC))
            for name, size, modified in answer["files"]
        )

    def open_outbox(self, person: str, project: str, names: Sequence[str]) -> tuple[int, ...]:
        """Read-only descriptors of outbox files, in the order of `names`; the caller closes them."""
        _, fds = self._call("open_outbox", person=person, project=project, names=list(names))
        if len(fds) != len(names):
            for fd in fds:
                os.close(fd)
            raise _unreachable(self.path, "descriptors were lost")
        return tuple(fds)

    def _call(self, call: str, **parameters: Any) -> tuple[Mapping[str, Any], tuple[int, ...]]:
        with self._connection() as connection:
            connection.sendall(json.dumps({"call": call, **parameters}).encode() + b"\n")
            answer, fds = _receive(connection)
        if "error" in answer:
            for fd in fds:
                os.close(fd)
            error = answer["error"]
            raise LauncherError(error["reason"], ko=error["ko"], en=error["en"])
        return answer, fds

    @contextmanager
    def _connection(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(self.seconds)
            try:
                connection.connect(str(self.path))
                yield connection
            except (OSError, ValueError) as error:
                raise _unreachable(self.path, str(error)) from error


def _receive(connection: socket.socket) -> tuple[Mapping[str, Any], tuple[int, ...]]:
    text = bytearray()
    fds = array.array("i")
    try:
        while not text.endswith(b"\n"):
            part, beside, _, _ = connection.recvmsg(
                65536, socket.CMSG_SPACE(MOST_FDS * fds.itemsize), socket.MSG_CMSG_CLOEXEC
            )
            for level, kind, data in beside:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
            if not part or len(text) > _LONGEST_ANSWER:
                raise ValueError("the answer was cut off")
            text += part
        return json.loads(text), tuple(fds)
    except (OSError, ValueError):
        for fd in fds:
            os.close(fd)
        raise


def _started(answer: Mapping[str, Any]) -> StartedSandbox:
    return StartedSandbox(sandbox_id=answer["sandbox_id"], pid=answer["pid"])


def _only(fds: tuple[int, ...]) -> int:
    if len(fds) == 1:
        return fds[0]
    for fd in fds:
        os.close(fd)
    raise LauncherError(
        "launcher-unreachable",
        ko="런처가 제어 소켓을 보내지 않았습니다.",
        en="the launcher sent no control socket",
    )


def _unreachable(path: Path, why: str) -> LauncherError:
    return LauncherError(
        "launcher-unreachable",
        ko=f"런처에 연결할 수 없습니다({path.name}): {why}. campus up이 실행 중인지 확인하세요.",
        en=f"the launcher does not answer at {path.name}: {why}; check that campus up is running",
    )
