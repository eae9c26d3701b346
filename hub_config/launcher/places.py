"""Where things are outside and what they are called inside; knows folders and numbers, starts nothing."""

from __future__ import annotations

from pathlib import Path

from catalog.sandbox.model import Isolation, Mode, Mount
from hub_config.settings import Settings

INSIDE = "/opt/campus/inside"
CLIENT = "/opt/campus/client"
WORKERS = "/opt/campus/workers"
PROGRAMS = f"{WORKERS}/.."  # by way of the mount, so that it holds without walls too
NOTEBOOK = "/opt/campus/notebook"
SOCKETS = "/run/campus"
DATA = "/data"
OPEN = "/campus/open"
OPEN_TREE = ".open"  # below the warehouse: `catalog.warehouse.plain`, not imported to keep the launcher small
SCRATCH = "/tmp"  # noqa: S108  the sandbox's own
FIRST_PERSON = 1000  # Person.number starts here; lower offsets belong to the services
_LAST_UID = 2**31 - 1


def service_uid(settings: Settings, isolation: Isolation) -> int | None:
    """Numeric user of the services; None where everything runs as the caller."""
    return settings.uid_base if isolation.mode is Mode.ROOT else None


def engine_uid(settings: Settings, isolation: Isolation) -> int | None:
    """Numeric user of query workers, parsers and dashboards."""
    return settings.uid_base + 1 if isolation.mode is Mode.ROOT else None


def is_person_uid(settings: Settings, uid: int) -> bool:
    """Whether a number can be a person's."""
    return settings.uid_base + FIRST_PERSON <= uid <= _LAST_UID


def home(settings: Settings, person: str, project: str) -> Path:
    """Folder of a person's work in a project."""
    return settings.state / "homes" / person / project


def environment(env: Path) -> tuple[Mount, ...]:
    """A Python environment at its own path, and every installation its interpreter is a link to."""
    mounts = [Mount(source=env, target=str(env))]
    python = env / "bin" / "python"
    for _ in range(40):  # as many links as the kernel follows
        if not python.is_symlink():
            break
        link = python.readlink()
        python = link if link.is_absolute() else python.parent / link
        prefix = python.parent.parent
        known = any(prefix.is_relative_to(mount.target) for mount in mounts)
        if not known and not prefix.is_relative_to("/usr") and prefix != Path("/"):
            mounts.append(Mount(source=prefix, target=str(prefix)))
    return tuple(mounts)


def python(env: Path) -> str:
    """The interpreter of an environment."""
    return str(env / "bin" / "python")
