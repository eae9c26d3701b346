"""The use cases of loading data through the portal. Reads no publisher file itself and knows no page.

The work is done by the walled ingest service, one process a run. What it is to do lies as an order in the
run's folder before it starts; how it went is read from there. A process that dies is noticed when somebody
looks: its run failed, unless the warehouse shows that its version was published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from access_control.accept import accept
from access_control.audit.event import Action, AuditEvent, new_event_id
from access_control.database import Database
from access_control.errors import Conflict, Denied, Missing
from access_control.ingests import policy, store
from access_control.ingests.model import WORKING, IngestRun, IngestStatus
from access_control.ingests.record import publication_event
from access_control.ingests.states import Step, advance, event
from access_control.ingests.uploads import Receiving, free_space, sweep
from access_control.people import store as people
from access_control.people.model import Person
from access_control.text import clean_block
from catalog.descriptions import Text
from catalog.ingest.findings import Inspection
from catalog.ingest.run import (
    QUARANTINE,
    Order,
    OrderedFile,
    Result,
    RunStep,
    Said,
    inspection_of,
    progress_of,
    result_of,
    write_order,
)
from catalog.sandbox.errors import LauncherError
from catalog.sandbox.launcher import Launcher
from catalog.warehouse import AcceptedException, Snapshot, Warehouse

STARTS_WITHIN = timedelta(seconds=15)  # before that, a process that is not there may still be starting
ORPHAN_AGE = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a steward sees of a run.

    Parameters
    ----------
    refused
        Why the last attempt ended without doing what was asked.
    """

    run: IngestRun
    progress: Said
    inspection: Inspection | None
    refused: Text | None

    @property
    def publishable(self) -> bool:
        """Whether publishing may be asked for."""
        found = self.inspection
        return self.run.status is IngestStatus.INSPECTED and found is not None and not found.refusals


class IngestsDesk:
    """Takes uploads, has them inspected, and has published what a steward decides.

    Parameters
    ----------
    folder
        Holds `blobs/`, uploads by content, and `runs/`, a folder for each run.
    """

    def __init__(self, db: Database, folder: Path, launcher: Launcher, warehouse: Warehouse) -> None:
        self._db = db
        self._folder = folder
        self._launcher = launcher
        self._warehouse = warehouse

    def require_steward(self, actor: Person | str) -> None:
        """Stop who may not load data.

        Raises
        ------
        Denied
            `only-staff`
        """
        with self._db.read() as connection:
            policy.may_steward(people.get_person(connection, actor)).require()

    @contextmanager
    def receiving(self) -> Iterator[Receiving]:
        """Files that arrive now; removed on leaving unless `begin` took them."""
        received = Receiving(self._folder / "blobs", free_space)
        try:
            yield received
        finally:
            received.clear()

    def begin(self, actor: Person | str, dataset: str, received: Receiving, now: datetime) -> IngestRun:
        """Keep the uploads and have them inspected.

        Raises
        ------
        Invalid
            `ingest-…`: the files cannot be accepted.
        Denied
            `only-staff`, `ingest-busy`.
        """
        accept(policy.check_files(received.files))
        with self._db.unit() as unit:
            steward = people.get_person(unit.connection, actor)
            policy.may_steward(steward).require()
            policy.may_start(len(store.working(unit.connection))).require()
            kept = store.held(unit.connection)
            sweep(self._folder / "blobs", kept, (now - ORPHAN_AGE).timestamp())
            received.keep()
            run = IngestRun(
                id=store.new_id(),
                number=0,
                dataset=dataset,
                person=steward.handle,
                status=IngestStatus.INSPECTING,
                attempt=1,
                event_id=new_event_id(),
                base=None,
                snapshot=None,
                rows=0,
                created=now,
                changed=now,
                files=received.files,
                exceptions=(),
            )
            run = store.add(unit.connection, run)
            listed = [[f.name, f.sha256, f.size] for f in run.files]
            unit.record(event(Action.INGEST_REQUESTED, run, steward.handle, now, files=listed))
        return self._start(run, RunStep.INSPECT)

    def runs(self, actor: Person | str, now: datetime) -> tuple[IngestRun, ...]:
        """The newest runs, the newest first."""
        self.require_steward(actor)
        with self._db.read() as connection:
            found = store.newest(connection)
        return tuple(self._settled(run, now) if run.working else run for run in found)

    def look(self, actor: Person | str, run_id: str, now: datetime) -> Look:
        """How a run stands now, and what its inspection found."""
        self.require_steward(actor)
        with self._db.read() as connection:
            run = store.get(connection, run_id)
        run = self._settled(run, now)
        folder = self._of(run)
        result = result_of(folder, run.attempt)
        return Look(
            run=run,
            progress=progress_of(folder, run.attempt),
            inspection=None if run.status is IngestStatus.INSPECTING else inspection_of(folder),
            refused=None if result is None else result.refused,
        )

    def publish(
        self, actor: Person | str, run_id: str, reasons: Mapping[str, str], now: datetime
    ) -> IngestRun:
        """Have the inspected files published; `reasons` accepts each failing check by its name.

        Raises
        ------
        Invalid
            `ingest-check-fails`, `ingest-exception-unneeded`, `ingest-reason-missing`.
        Denied
            `only-staff`, `ingest-not-open`, `ingest-busy`.
        """
        looked = self.look(actor, run_id, now)
        found = looked.inspection
        exceptions = tuple(
            AcceptedException(check=name, reason=clean_block(reason))
            for name, reason in sorted(reasons.items())
        )
        failing = found.failing if found is not None else ()
        accept(
            policy.check_exceptions([e.check for e in exceptions], failing, looked.run),
            *(policy.check_reason(e.check, e.reason) for e in exceptions),
        )
        if not looked.publishable:
            raise Denied("ingest-not-open", number=looked.run.number, status=looked.run.status)
        said = [{"check": e.check, "reason": e.reason} for e in exceptions]
        return self._restart(
            actor, run_id, Step.PUBLISH, RunStep.PUBLISH, now, exceptions=exceptions, accepted=said
        )

    def again(self, actor: Person | str, run_id: str, now: datetime) -> IngestRun:
        """Have the same files inspected again."""
        return self._restart(actor, run_id, Step.AGAIN, RunStep.INSPECT, now)

    def discard(self, actor: Person | str, run_id: str, now: datetime) -> IngestRun:
        """Give a run up; its uploads are removed."""
        with self._db.unit() as unit:
            steward = people.get_person(unit.connection, actor)
            policy.may_steward(steward).require()
            before = store.get(unit.connection, run_id)
            after, recorded = advance(before, Step.DISCARD, steward.handle, now)
            store.save(unit.connection, before, after)
            unit.record(recorded)
        self._remove_uploads(after)
        return after

    def quarantine(self, actor: Person | str, run_id: str) -> Path:
        """The failing rows as CSV.

        Raises
        ------
        Missing
            `ingest-unknown`: there is no such run, or it has none yet.
        """
        self.require_steward(actor)
        with self._db.read() as connection:
            path = self._of(store.get(connection, run_id)) / QUARANTINE
        if not path.is_file():
            raise Missing("ingest-unknown", id=run_id[:40])
        return path

    def _restart(
        self,
        actor: Person | str,
        run_id: str,
        step: Step,
        work: RunStep,
        now: datetime,
        exceptions: tuple[AcceptedException, ...] = (),
        **detail: object,
    ) -> IngestRun:
        with self._db.unit() as unit:
            steward = people.get_person(unit.connection, actor)
            policy.may_steward(steward).require()
            before = store.get(unit.connection, run_id)
            policy.may_start(len(store.working(unit.connection))).require()
            fresh = replace(before, attempt=before.attempt + 1, exceptions=exceptions)
            after, recorded = advance(fresh, step, steward.handle, now, **detail)
            store.save(unit.connection, before, after)
            unit.record(recorded)
        return self._start(after, work, by=steward.handle)

    def _start(self, run: IngestRun, work: RunStep, by: str = "") -> IngestRun:
        folder = self._of(run)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        order = Order(
            attempt=run.attempt,
            step=work,
            dataset=run.dataset,
            files=tuple(OrderedFile(name=f.name, sha256=f.sha256) for f in run.files),
            by=by or run.person,
            now=run.changed,
            event_id=run.event_id,
            base=run.base,
            exceptions=run.exceptions,
        )
        write_order(folder, order)
        try:
            self._launcher.start_ingest(run.id)
        except LauncherError as error:
            self._step(run, Step.FAIL, run.changed, because=error.reason)
            raise
        return run

    def _settled(self, run: IngestRun, now: datetime) -> IngestRun:
        """A run whose process has ended, brought to where that led."""
        if run.status not in WORKING:
            return run
        folder = self._of(run)
        result = result_of(folder, run.attempt)
        if result is None:
            try:
                over = self._launcher.status(f"ingest-{run.id}") is not None
            except LauncherError:
                return run  # nobody can tell; looking changes nothing
            result = result_of(folder, run.attempt)  # it may have ended since
            if result is None:
                if not over or now - run.changed < STARTS_WITHIN:
                    return run
                return self._died(run, now)
        return self._ended(run, result, now)

    def _ended(self, run: IngestRun, result: Result, now: datetime) -> IngestRun:
        if result.refused is not None:
            after = replace(run, base=self._base(run))
            return self._step(run, Step.REFUSE, now, after=after, because=result.refused.ko[:500])
        if run.status is IngestStatus.INSPECTING:
            found = inspection_of(self._of(run))
            assert found is not None
            failing, refused = list(found.failing), len(found.refusals)
            after = replace(run, base=self._base(run))
            return self._step(run, Step.SHOW, now, after=after, failing=failing, refused_files=refused)
        after = replace(run, snapshot=result.snapshot, rows=result.rows)
        return self._published(run, after, now)

    def _died(self, run: IngestRun, now: datetime) -> IngestRun:
        """Without a result: published if the warehouse has a version of that very moment, else failed."""
        if run.status is IngestStatus.PUBLISHING:
            for version in self._warehouse.versions(run.dataset):
                own = version.published_at == run.changed and version.publication.compaction_of is None
                if own and not version.synthetic:
                    rows = sum(f.rows for f in version.publication.files)
                    after = replace(run, snapshot=version.snapshot_id, rows=rows)
                    return self._published(run, after, now, version)
        return self._step(run, Step.FAIL, now, because="died")

    def _published(
        self, run: IngestRun, after: IngestRun, now: datetime, version: Snapshot | None = None
    ) -> IngestRun:
        recorded: list[AuditEvent] = []
        if version is not None:
            made = version.publication
            files = [(f.name, f.sha256) for f in made.files]
            recorded.append(
                publication_event(
                    made.by,
                    made.now,
                    run.dataset,
                    version.snapshot_id,
                    after.rows,
                    files,
                    made.exceptions,
                    run.event_id,
                )
            )
        done = self._step(
            run, Step.PUBLISHED, now, after=after, also=recorded, snapshot=after.snapshot, rows=after.rows
        )
        self._remove_uploads(done)
        return done

    def _step(
        self,
        run: IngestRun,
        step: Step,
        now: datetime,
        *,
        after: IngestRun | None = None,
        also: list[AuditEvent] | None = None,
        **detail: object,
    ) -> IngestRun:
        """Take a step of the system's; where somebody was quicker, how it stands then."""
        moved, recorded = advance(after or run, step, "", now, **detail)
        try:
            with self._db.unit() as unit:
                store.save(unit.connection, run, moved)
                for one in (*(also or ()), recorded):
                    unit.record(one)
        except Conflict:
            with self._db.read() as connection:
                return store.get(connection, run.id)
        return moved

    def _base(self, run: IngestRun) -> int | None:
        found = inspection_of(self._of(run))
        return found.difference.base if found is not None and found.difference is not None else run.base

    def _remove_uploads(self, run: IngestRun) -> None:
        with self._db.read() as connection:
            needed = store.held(connection)
        for file in run.files:
            if file.sha256 not in needed:
                (self._folder / "blobs" / file.sha256).unlink(missing_ok=True)

    def _of(self, run: IngestRun) -> Path:
        return self._folder / "runs" / run.id
