"""The sandboxes the launcher can start, complete but for their checked parameters; starts nothing.

What each profile sees is the whole of its rights: no server code, no other home, no data but the files
named, no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from catalog.sandbox.model import Isolation, Limits, Mount, Sandbox
from hub_config.launcher import places
from hub_config.launcher.services import ingest_run, service
from hub_config.settings import Settings

__all__ = ["CHANNEL_FD", "dashboard", "ingest_run", "parser", "service", "session", "worker"]

CHANNEL_FD = 3  # a session's listening socket; a worker's or parser's control socket
_PARSER_MEMORY = 1 << 30  # mostly stacks of threads, counted where only per-process limits exist
_WORKER_PROCESSES = 512
_SMALL_SCRATCH = 32 << 20


def session(
    settings: Settings,
    isolation: Isolation,
    *,
    session_id: str,
    person: str,
    project: str,
    uid: int,
    opened: Sequence[tuple[Path, str]] = (),
) -> Sandbox:
    """A person's notebook server and its kernels; `opened`: (folder of an open version, name inside)."""
    del isolation
    home = f"/home/{person}"
    env = _common(settings.session_env, home, person) | {
        "PYTHONPATH": places.CLIENT,
        "CAMPUS_LISTEN_FD": str(CHANNEL_FD),
        "CAMPUS_PREFIX": f"/user/{person}/{project}/",
        "CAMPUS_GATEWAY": f"grpc+unix://{places.SOCKETS}/broker.sock",
        "CAMPUS_PROJECT": project,
        "CAMPUS_PERSON": person,
        "CAMPUS_OUTBOX": f"{home}/outbox",
        "CAMPUS_URL": settings.url,
        **_open_data(opened),
    }
    mounts = (
        *_notebook_mounts(settings, session_id, opened),
        Mount(source=places.home(settings, person, project), target=home, writable=True),
    )
    return Sandbox(
        name=f"session-{session_id}",
        argv=(places.python(settings.session_env), f"{places.INSIDE}/lab.py"),
        mounts=mounts,
        env=env,
        uid=uid,
        user=person,
        home=home,
        workdir=home,
        limits=_session_limits(settings),
        tmp_size=settings.session_memory // 2,
    )


def dashboard(
    settings: Settings,
    isolation: Isolation,
    *,
    session_id: str,
    name: str,
    prefix: str,
    folder: Path,
    opened: Sequence[tuple[Path, str]] = (),
) -> Sandbox:
    """A published dashboard: its notebook folder read-only, nothing kept."""
    env = _common(settings.session_env, places.SCRATCH, "dashboard") | {
        "PYTHONPATH": places.CLIENT,
        "CAMPUS_LISTEN_FD": str(CHANNEL_FD),
        "CAMPUS_PREFIX": prefix,
        "CAMPUS_GATEWAY": f"grpc+unix://{places.SOCKETS}/broker.sock",
        "CAMPUS_PROJECT": f"dashboard-{name}",
        "CAMPUS_PERSON": "",
        "CAMPUS_NOTEBOOK": f"{places.NOTEBOOK}/dashboard.ipynb",
        **_open_data(opened),
    }
    mounts = (*_notebook_mounts(settings, session_id, opened), Mount(source=folder, target=places.NOTEBOOK))
    return Sandbox(
        name=f"dashboard-{session_id}",
        argv=(places.python(settings.session_env), f"{places.INSIDE}/voila_app.py"),
        mounts=mounts,
        env=env,
        uid=places.engine_uid(settings, isolation),
        user="dashboard",
        workdir=places.NOTEBOOK,
        limits=_session_limits(settings),
        tmp_size=settings.session_memory // 4,
    )


def worker(
    settings: Settings,
    isolation: Isolation,
    *,
    session_id: str,
    generation: int,
    view: Path,
    memory: int,
) -> Sandbox:
    """A query engine over exactly the files of a view; see `views`."""
    data = settings.run / "gateway" / session_id / "data"
    env = _common(settings.session_env, places.SCRATCH, "engine") | {
        "CAMPUS_CONTROL_FD": str(CHANNEL_FD),
        "CAMPUS_DATA": places.DATA,
        "CAMPUS_SOCKETS": f"{places.SOCKETS}/data",
        "CAMPUS_GENERATION": str(generation),
        "CAMPUS_MEMORY": str(memory),
        "PYTHONPATH": places.PROGRAMS,
    }
    mounts = (
        *places.environment(settings.session_env),
        Mount(source=settings.repo / "catalog" / "workers", target=places.WORKERS),
        Mount(source=data, target=f"{places.SOCKETS}/data", writable=True),
        Mount(source=view, target=places.DATA),
    )
    return Sandbox(
        name=f"worker-{session_id}-{generation}",
        argv=_program(settings, "query_worker"),
        mounts=mounts,
        env=env,
        uid=places.engine_uid(settings, isolation),
        user="engine",
        workdir=places.SCRATCH,
        limits=Limits(
            memory=memory
            + settings.query_spill,  # its scratch is memory; it keeps its own data below `memory`
            processes=_WORKER_PROCESSES,
            cpu=settings.session_cpu,
        ),
        tmp_size=settings.query_spill,
        umask=0o000,  # the session's user must be able to connect to the socket the worker makes
    )


def parser(settings: Settings, isolation: Isolation, *, session_id: str) -> Sandbox:
    """A statement parser that sees no data at all."""
    env = _common(settings.session_env, places.SCRATCH, "engine") | {
        "CAMPUS_CONTROL_FD": str(CHANNEL_FD),
        "PYTHONPATH": places.PROGRAMS,
    }
    mounts = (
        *places.environment(settings.session_env),
        Mount(source=settings.repo / "catalog" / "workers", target=places.WORKERS),
    )
    return Sandbox(
        name=f"parser-{session_id}",
        argv=_program(settings, "parser"),
        mounts=mounts,
        env=env,
        uid=places.engine_uid(settings, isolation),
        user="engine",
        workdir=places.SCRATCH,
        limits=Limits(memory=_PARSER_MEMORY, processes=64, cpu=1.0, file_size=_SMALL_SCRATCH),
        tmp_size=_SMALL_SCRATCH,
    )


def _program(settings: Settings, name: str) -> tuple[str, ...]:
    """A module of `catalog.workers`; `-P`: nothing is imported from the folder it runs in."""
    return (places.python(settings.session_env), "-P", "-m", f"workers.{name}")


def _open_data(opened: Sequence[tuple[Path, str]]) -> dict[str, str]:
    """The client's variable: open datasets as `name=folder`, each mounted by itself."""
    return {"CAMPUS_OPEN": ":".join(f"{name}={places.OPEN}/{name}" for _, name in opened)}


def _notebook_mounts(
    settings: Settings, session_id: str, opened: Sequence[tuple[Path, str]]
) -> tuple[Mount, ...]:
    return (
        *(Mount(source=source, target=f"{places.OPEN}/{name}") for source, name in opened),
        *places.environment(settings.session_env),
        Mount(source=settings.repo / "catalog" / "client" / "src", target=places.CLIENT),
        Mount(source=settings.repo / "hub_config" / "inside", target=places.INSIDE),
        Mount(source=settings.run / "gateway" / session_id, target=places.SOCKETS),
    )


def _common(env: Path, home: str, user: str) -> dict[str, str]:
    return {
        "PATH": f"{env / 'bin'}:/usr/bin:/bin",
        "HOME": home,
        "USER": user,
        "LOGNAME": user,
        "SHELL": "/bin/bash",
        "TMPDIR": places.SCRATCH,
        "LANG": "C.UTF-8",
        "TZ": "Asia/Seoul",
        "CAMPUS_LANG": "ko",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
    }


def _session_limits(settings: Settings) -> Limits:
    return Limits(
        memory=settings.session_memory, processes=settings.session_processes, cpu=settings.session_cpu
    )
