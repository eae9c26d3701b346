"""A run as the portal has it started: by the real launcher, in walls, from an order in its folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access_control.audit.event import Action, new_event_id
from access_control.audit.reader import AuditReader
from catalog.ingest.run import Order, OrderedFile, RunStep, inspection_of, progress_of, result_of, write_order
from catalog.sandbox.launcher import Launcher
from catalog.warehouse import Warehouse
from hub_config.launcher.places import service_uid
from hub_config.settings import Settings
from hub_config.up import state as folders
from hub_config.up.supervisor import Supervisor
from tests.catalog.ingest.support import month, subway_rows
from tests.hub_config.launcher.places import SESSION, isolation, serving

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def settings() -> Iterator[Settings]:
    path = Path(tempfile.mkdtemp(prefix="campus-test-"))
    made = Settings(state=path / "v")
    folders.prepare(made, service_uid(made, isolation()))
    path.chmod(0o755)
    yield made
    shutil.rmtree(path)


def order(settings: Settings, step: RunStep, attempt: int) -> Path:
    """What the portal leaves before it asks the launcher."""
    content = ("\n".join(subway_rows("B", month("202602"))) + "\n").encode()
    sha256 = hashlib.sha256(content).hexdigest()
    folder = settings.state / "uploads" / "runs" / SESSION
    folder.mkdir(exist_ok=True)
    (settings.state / "uploads" / "blobs" / sha256).write_bytes(content)
    write_order(
        folder,
        Order(
            attempt=attempt,
            step=step,
            dataset="subway_ridership",
            files=(OrderedFile(name="2월.csv", sha256=sha256),),
            by="sora",
            now=NOW,
            event_id=new_event_id(),
            base=None,
            exceptions=(),
        ),
    )
    owner = service_uid(settings, isolation())
    if owner is not None:
        for path in (settings.state / "uploads", *(settings.state / "uploads").rglob("*")):
            os.chown(path, owner, owner)
    return folder


def work(launcher: Launcher, settings: Settings) -> None:
    started = launcher.start_ingest(SESSION)
    assert started.sandbox_id == f"ingest-{SESSION}"
    deadline = time.monotonic() + 120
    while launcher.status(started.sandbox_id) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    log = settings.state / "logs" / f"{started.sandbox_id}.log"
    assert launcher.status(started.sandbox_id) == 0, log.read_text("utf-8")


async def test_inspect_then_publish_in_walls(settings: Settings) -> None:
    supervisor = Supervisor(settings, isolation())
    await supervisor.start("audit")
    try:
        with serving(settings.state) as launcher:
            folder = order(settings, RunStep.INSPECT, 1)
            await asyncio.to_thread(work, launcher, settings)
            result, found = result_of(folder, 1), inspection_of(folder)
            assert result is not None and result.refused is None and result.snapshot is None
            assert found is not None and found.failing == () and found.files[0].name == "2월.csv"
            assert progress_of(folder, 1)
            order(settings, RunStep.PUBLISH, 2)
            assert result_of(folder, 2) is None
            await asyncio.to_thread(work, launcher, settings)
            done = result_of(folder, 2)
    finally:
        await supervisor.stop()
    assert done is not None and done.refused is None and done.rows == 56
    version = Warehouse(settings.warehouse, settings.catalog_db).snapshot("subway_ridership")
    assert (version.snapshot_id, version.published_at) == (done.snapshot, NOW)
    events = [entry.event for entry in AuditReader(settings.state / "audit").everything()]
    published = [e for e in events if e.action is Action.DATASET_PUBLISHED]
    assert [(e.actor, e.detail["rows"]) for e in published] == [("sora", 56)]
