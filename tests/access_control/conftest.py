"""A real database and a real audit writer process for the tests of people and rules."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from access_control import migrations
from access_control.audit.client import AuditClient
from access_control.database import Database
from access_control.people import passwords
from tests.access_control.campus import Campus

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def audit_writer() -> Iterator[Path]:
    """Folder of a running writer; its socket is `writer.sock` inside, its log in `log`."""
    with tempfile.TemporaryDirectory(prefix="campus-") as name:
        folder = Path(name)
        argv = [sys.executable, "-m", "access_control.audit.writer"]
        argv += ["--socket", str(folder / "writer.sock"), "--folder", str(folder / "log")]
        writer = subprocess.Popen([*argv, "--key", str(folder / "key")], cwd=REPO)
        try:
            client = AuditClient(folder / "writer.sock", patience=30)
            client.ping()
            client.close()
            yield folder
        finally:
            writer.terminate()
            writer.wait(30)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows, to be copied."""
    file = tmp_path_factory.mktemp("empty") / "campus.sqlite"
    migrations.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def campus(
    tmp_path: Path, audit_writer: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Campus]:
    """An installation nobody has set up yet; its password hashes are cheap, everything else is real."""
    monkeypatch.setattr(passwords, "HASHER", CHEAP)
    file = tmp_path / "campus.sqlite"
    shutil.copy(empty_database, file)
    audit = AuditClient(audit_writer / "writer.sock")
    db = Database(f"sqlite:///{file}", audit)
    try:
        yield Campus(db, audit, audit_writer / "log", tmp_path / "blobs")
    finally:
        db.close()
        audit.close()
