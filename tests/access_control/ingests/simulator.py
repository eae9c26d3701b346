"""Does at once, in this process, what the launcher would start in walls; can also die or take its time."""

from __future__ import annotations

import tempfile
from pathlib import Path

from access_control.audit.client import AuditClient
from access_control.ingests.record import publication_event
from catalog.descriptions import load_all
from catalog.ingest import Published
from catalog.ingest.run import Order, perform
from catalog.sandbox.launcher import GONE, Gone, Launcher, StartedSandbox
from catalog.warehouse import Warehouse

REPO = Path(__file__).resolve().parents[3]
DATASETS = load_all(REPO / "datasets")


class SimulatedLauncher(Launcher):
    """The launcher's ingest call over one folder of uploads and one warehouse.

    Attributes
    ----------
    dies
        Where the process ends without a word: "" never, "before" its work, "after" the version is published.
    slow
        Whether it is still at work when asked.
    """

    def __init__(self, uploads: Path, state: Path, audit: AuditClient) -> None:
        super().__init__(uploads / "launcher.sock")
        self.uploads = uploads
        self.warehouse = Warehouse(state / "warehouse", state / "catalog.sqlite")
        self.dies = ""
        self.slow = False
        self._audit = audit

    def start_ingest(self, run_id: str) -> StartedSandbox:
        """Run it to its end, unless told otherwise."""
        started = StartedSandbox(sandbox_id=f"ingest-{run_id}", pid=1)
        if not self.slow and self.dies != "before":
            self.work(run_id)
        return started

    def work(self, run_id: str) -> None:
        """What the walled process does."""
        with tempfile.TemporaryDirectory() as scratch:
            folder = self.uploads / "runs" / run_id
            try:
                perform(folder, self.uploads / "blobs", Path(scratch), DATASETS, self.warehouse, self._record)
            except KeyboardInterrupt:
                return

    def status(self, sandbox_id: str) -> int | Gone | None:
        """Running while slow, else long gone."""
        return None if self.slow else GONE

    def _record(self, order: Order, done: Published) -> None:
        if self.dies == "after":
            raise KeyboardInterrupt
        files = [(f.name, f.sha256) for f in done.files]
        self._audit.append(
            publication_event(
                order.by,
                order.now,
                done.dataset,
                done.snapshot_id,
                done.rows,
                files,
                order.exceptions,
                order.event_id,
            )
        )
