"""Every setting of the product in one table: name, default, unit, sentence. Alone reads the environment."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
LONGEST_SOCKET_SUFFIX = len("/gateway/0123456789abcdef0123/data/worker-9999.sock")
LONGEST_SOCKET_PATH = 107  # sockaddr_un.sun_path less its NUL, Linux unix(7)


class SettingsError(Exception):
    """A setting that cannot be used; says which, where it was read and what to write instead."""


def setting(default: Any, sentence: str) -> Any:
    """One row of the table: its default and what it does, unit included."""
    return field(default=default, metadata={"sentence": sentence})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an installation chooses, from `campus.toml` in the state folder, then CAMPUS_*, then flags."""

    state: Path = setting(REPO / "var", "Folder that holds all state.")
    host: str = setting("localhost", "Public host name; sessions live on names below it.")
    port: int = setting(8000, "TCP port of the one public listener.")
    bind: str = setting("127.0.0.1", "Address the listener binds to.")
    isolation: str = setting("auto", "Walls around sandboxes: auto, root, userns, or none (development).")
    demo: bool = setting(False, "Seed one person a role and mark every page as a demonstration.")
    uid_base: int = setting(200_000, "First of the numeric user ids used as root; never in /etc/passwd.")
    session_memory: int = setting(2 << 30, "Memory of one session [bytes].")
    session_cpu: float = setting(2.0, "Processor time of one session [cores].")
    session_processes: int = setting(512, "Processes and threads of one session.")
    session_idle: int = setting(3600, "Idle time after which a session is stopped; never a running cell [s].")
    query_memory: int = setting(1 << 30, "Memory of one query worker [bytes].")
    query_spill: int = setting(
        1 << 30, "Scratch of one query worker for what its memory does not hold, itself memory [bytes]."
    )
    query_seconds: int = setting(600, "Longest run of one query [s].")
    query_result: int = setting(4 << 30, "Most that one query gives, as Arrow [bytes].")
    query_running: int = setting(4, "Queries of one session that run at once; more wait their turn.")
    query_open: int = setting(16, "Queries of one session that run or wait; more are refused.")
    queries_at_once: int = setting(
        16, "Queries of all sessions that run at once, in turn; one that takes over 10 s no longer counts."
    )
    gateway_drain: float = setting(
        5.0, "How long running queries may go on when the gateway is told to stop; below 10 [s]."
    )
    ingest_memory: int = setting(
        3 << 30, "Most that one ingest may hold; it takes about half, whatever the file's size [bytes]."
    )
    health_port: int = setting(
        0, "TCP port of /health and, for Prometheus, /metrics on 127.0.0.1; 0 opens none."
    )
    remote_port: int = setting(
        0, "TCP port where sessions on other machines reach the gateway, by certificate; 0: nowhere."
    )
    remote_bind: str = setting("127.0.0.1", "Address that port binds to.")
    remote_names: str = setting(
        "", "Host names and addresses of that port, with commas, the best first; empty: that of the portal."
    )
    remote_hours: float = setting(12.0, "How long a session's certificate holds [h].")
    egress_budget: int = setting(256 << 20, "What one session may send to its browser [bytes].")
    server_env: Path = setting(REPO / ".venv", "The server's Python environment.")
    session_env: Path = setting(REPO / ".venv-session", "The session's Python environment.")
    web: Path = setting(REPO / ".web" / "node_modules", "Installed front-end packages.")

    @property
    def repo(self) -> Path:
        """The checkout the product runs from."""
        return REPO

    @property
    def run(self) -> Path:
        """Folder of the sockets: in the state folder, or a short private one where that path is too long."""
        inside = self.state / "run"
        if len(os.fsencode(inside)) + LONGEST_SOCKET_SUFFIX <= LONGEST_SOCKET_PATH:
            return inside
        name = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"campus-{name}"

    def socket(self, service: str) -> Path:
        """Where a service listens: in a folder of its own, so that walls can leave it out whole."""
        return self.run / f"{service}.d" / f"{service}.sock"

    @property
    def access_url(self) -> str:
        """Database of people and rules; in a folder of its own, since SQLite writes files beside it."""
        return f"sqlite:///{self.state}/access/campus.sqlite"

    @property
    def warehouse(self) -> Path:
        """Folder of the Parquet files and Iceberg metadata."""
        return self.state / "warehouse"

    @property
    def catalog_db(self) -> Path:
        """SQLite file of the Iceberg catalogue."""
        return self.state / "catalog" / "catalog.sqlite"

    @property
    def url(self) -> str:
        """Public address of the portal."""
        return f"http://{self.host}:{self.port}"

    @property
    def remote(self) -> tuple[str, ...]:
        """Names by which other machines reach the gateway, the best first."""
        return tuple(name for name in self.remote_names.replace(" ", "").split(",") if name) or (self.host,)

    @property
    def remote_url(self) -> str:
        """The same as a reader dials it."""
        name = f"[{self.remote[0]}]" if ":" in self.remote[0] else self.remote[0]
        return f"grpc+tls://{name}:{self.remote_port}"

    def site_url(self, site: str) -> str:
        """Public address of one sandbox's own origin."""
        return f"http://{site}.{self.host}:{self.port}"


def load(flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the file in the state folder, the environment and flags; later ones win.

    Raises
    ------
    SettingsError
        A name that is no setting, or a value of the wrong type.
    """
    environ = os.environ if environ is None else environ
    flags = {} if flags is None else {k: v for k, v in flags.items() if v is not None}
    given: dict[str, object] = {}
    from_environ = {k[7:].lower(): v for k, v in environ.items() if k.startswith("CAMPUS_")}
    state = Path(str(flags.get("state") or from_environ.get("state") or REPO / "var")).absolute()
    file = state / "campus.toml"
    if file.exists():
        given |= _known(tomllib.loads(file.read_text("utf-8")), str(file))
    given |= _known(from_environ, "the environment", ignore_unknown=True)
    given |= _known(dict(flags), "the command line")
    given["state"] = state
    return Settings(**given)  # type: ignore[arg-type]


def table() -> list[tuple[str, str, str]]:
    """(name, default, sentence) of every setting, for the documentation."""
    return [
        (f.name, str(f.default).replace(f"{REPO}/", ""), f.metadata["sentence"])
        for f in dataclasses.fields(Settings)
    ]


def _known(values: Mapping[str, object], where: str, *, ignore_unknown: bool = False) -> dict[str, object]:
    types: dict[str, type[Any]] = {f.name: type(f.default) for f in dataclasses.fields(Settings)}
    out: dict[str, object] = {}
    for name, value in values.items():
        if name not in types:
            if ignore_unknown:
                continue
            raise SettingsError(f"'{name}' in {where} is not a setting; known: {', '.join(sorted(types))}")
        out[name] = _typed(name, value, types[name], where)
    return out


def _typed(name: str, value: object, kind: type[Any], where: str) -> object:
    if kind is bool:
        text = str(value).lower()
        if text in {"1", "true", "yes"}:
            return True
        if text in {"0", "false", "no"}:
            return False
        raise SettingsError(f"{name} = {value!r} in {where} must be true or false")
    if isinstance(value, bool):
        raise SettingsError(f"{name} = {value!r} in {where} must be of type {kind.__name__}")
    try:
        return Path(str(value)).absolute() if issubclass(kind, Path) else kind(value)
    except ValueError as error:
        raise SettingsError(f"{name} = {value!r} in {where} must be of type {kind.__name__}") from error


if __name__ == "__main__":
    for row in table():
        sys.stdout.write("\t".join(row) + "\n")
