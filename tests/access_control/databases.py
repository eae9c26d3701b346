"""Fresh databases for tests: a SQLite file, or a PostgreSQL server of one's own where it is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'campus.sqlite'}"


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """A throw-away PostgreSQL server on a unix socket; yields the URL of its maintenance database."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed: the PostgreSQL half of this suite needs it")
    binaries = [*Path("/usr/lib/postgresql").glob("*/bin"), Path("/usr/local/bin"), Path("/usr/bin")]
    home = next((each for each in binaries if (each / "initdb").exists()), None)
    if home is None:
        pytest.skip("no PostgreSQL server is installed")
    as_user = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []
    if as_user:
        shutil.chown(folder, "nobody")
        for part in folder.parents:
            if part.is_relative_to("/tmp") and part != Path("/tmp"):
                part.chmod(0o711)
    data = folder / "data"
    run = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run([*as_user, home / "initdb", "-D", data, "-U", "campus", "-A", "trust", "-N"], **run)  # type: ignore[call-overload]
    options = f"-k {folder} -c listen_addresses="
    control = [*as_user, home / "pg_ctl", "-D", data, "-w"]
    subprocess.run([*control, "-l", folder / "server.log", "-o", options, "start"], **run)  # type: ignore[call-overload]
    try:
        yield f"postgresql+psycopg://campus@/postgres?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **run)  # type: ignore[call-overload]


def new_database(url: str) -> str:
    """An empty database on the server; returns its URL."""
    name = f"campus_{secrets.token_hex(4)}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return url.replace("/postgres?", f"/{name}?")
