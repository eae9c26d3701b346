"""The walls around the product's own processes: the folders each needs, at the same paths; starts nothing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from catalog.sandbox.model import Isolation, Limits, Mount, Sandbox
from hub_config.launcher import places
from hub_config.settings import Settings

_CODE = ("catalog", "access_control", "hub_config", "datasets", "notebooks")
_LIMITS = Limits(file_size=None, open_files=65_536)
_INGEST_PROCESSES = 512
_INGEST_FILE = 64 << 30  # [bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one service may see of the state folder, and more.

    Attributes
    ----------
    writable, readable
        Paths below the state folder.
    asks
        Services whose sockets it reaches; every other one's folder is not there.
    makes, enters
        Folders of the sandboxes' sockets: where it makes them, and where it only connects.
    """

    writable: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    session_env: bool = False
    web: bool = False
    network: bool = False
    asks: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    enters: tuple[str, ...] = ()


SERVICES: dict[str, Needs] = {
    "audit": Needs(writable=("audit", "audit-key", "audit-literals")),
    "prepare": Needs(writable=("access", "catalog", "exports", "warehouse"), asks=("audit",)),
    "ingest": Needs(writable=("catalog", "ingest", "warehouse"), asks=("audit",)),
    "gateway": Needs(
        writable=("access", "catalog", "exports"),
        readable=("warehouse", "secrets"),
        asks=("launcher", "audit"),
        makes=("gateway", "entrance.d"),
    ),
    "certify": Needs(writable=("access", "authority", "remote"), asks=("audit", "gateway")),
    "remote": Needs(readable=("remote",), network=True, asks=("entrance",)),
    "portal": Needs(
        writable=("access", "catalog", "exports", "dashboards", "uploads"),
        readable=("warehouse", "audit", "audit-literals", "secrets"),
        web=True,
        asks=("launcher", "audit", "hub", "gate"),
    ),
    "hub": Needs(
        writable=("access", "hub"),
        readable=("secrets",),
        asks=("launcher", "audit", "gateway", "gate"),
        enters=("sessions",),
    ),
    "gate": Needs(
        writable=("logs",),
        readable=("secrets/internal.token",),
        session_env=True,
        web=True,
        network=True,
        asks=("hub", "portal"),
        enters=("sessions",),
    ),
    "health": Needs(network=True, asks=("launcher", "audit", "gateway", "portal", "hub")),
}


def service(settings: Settings, isolation: Isolation, name: str) -> Sandbox:
    """One of the product's processes as a sandbox; the launcher itself has no walls.

    Raises
    ------
    KeyError
        No such service.
    """
    log = settings.state / "logs" / f"{name}.log"
    env = _environment(settings)
    python = places.python(settings.server_env)
    if name == "launcher":
        return Sandbox(
            name="launcher",
            argv=(python, "-m", "hub_config.launcher", "--state", str(settings.state)),
            env=env,
            workdir=str(settings.repo),
            limits=_LIMITS,
            walls=False,
            log=log,
        )
    return Sandbox(
        name=f"service-{name}",
        argv=(python, "-m", f"hub_config.services.{name}", "--state", str(settings.state)),
        mounts=tuple(_mounts(settings, name)),
        env=env,
        uid=places.service_uid(settings, isolation),
        network=SERVICES[name].network,
        limits=_ingest_limits(settings) if name == "ingest" else _LIMITS,
        workdir=str(settings.repo),
        log=log,
    )


def ingest_run(settings: Settings, isolation: Isolation, *, run_id: str) -> Sandbox:
    """One run of the ingest service over uploads: it reads them, and writes its own run's folder."""
    sandbox = service(settings, isolation, "ingest")
    folder = settings.state / "uploads" / "runs" / run_id
    uploads = settings.state / "uploads" / "blobs"
    return dataclasses.replace(
        sandbox,
        name=f"ingest-{run_id}",
        argv=(*sandbox.argv, "--run", run_id),
        mounts=(
            *sandbox.mounts,
            Mount(source=uploads, target=str(uploads)),
            Mount(source=folder, target=str(folder), writable=True),
        ),
        log=None,
    )


def _ingest_limits(settings: Settings) -> Limits:
    return dataclasses.replace(
        _LIMITS, memory=settings.ingest_memory, processes=_INGEST_PROCESSES, file_size=_INGEST_FILE
    )


def _mounts(settings: Settings, name: str) -> list[Mount]:
    needs = SERVICES[name]
    mounts = list(places.environment(settings.server_env))
    if needs.session_env:
        mounts += places.environment(settings.session_env)
    mounts += _same(settings.repo, _CODE)
    if needs.web and settings.web.exists():
        mounts.append(Mount(source=settings.web, target=str(settings.web)))
    mounts += _same(settings.state, ("campus.toml", "VERSION", *needs.readable))
    mounts += _same(settings.state, needs.writable, writable=True)
    mounts += _same(settings.run, (settings.socket(name).parent.name, *needs.makes), writable=True)
    mounts += _same(settings.run, needs.enters)
    mounts += _same(settings.run, tuple(settings.socket(asked).parent.name for asked in needs.asks))
    unique = {mount.target: mount for mount in mounts}
    return list(unique.values())


def _same(root: Path, names: tuple[str, ...], *, writable: bool = False) -> list[Mount]:
    paths = [root / name for name in names]
    return [Mount(source=path, target=str(path), writable=writable) for path in paths if path.exists()]


def _environment(settings: Settings) -> dict[str, str]:
    """Every setting as its variable, so a service reads what the supervisor was told."""
    env = {
        f"CAMPUS_{field.name.upper()}": str(getattr(settings, field.name))
        for field in dataclasses.fields(settings)
    }
    return env | {
        "PATH": f"{settings.server_env / 'bin'}:/usr/bin:/bin",
        "HOME": places.SCRATCH,
        "LANG": "C.UTF-8",
        "TZ": "Asia/Seoul",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
    }
