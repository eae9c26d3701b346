"""Loading publisher files: choosing and uploading, what the inspection found, exceptions, publishing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from access_control.errors import AccessError, Conflict, Denied, Invalid
from access_control.ingests import policy
from access_control.ingests.desk import Look
from access_control.ingests.model import IngestStatus
from access_control.ingests.uploads import Receiving
from access_control.portal.guarding import INERT_HEADERS
from access_control.portal.multipart import Event, Field, FileBegins, FileEnds, FileGoesOn, Malformed, events
from access_control.portal.serving import Refused, check_token, get, post, problem, status_of, upload
from access_control.portal.visit import Visit
from catalog.sandbox.errors import LauncherError

BLOCK = 1 << 20  # [bytes] collected before they are written
MOST_ROWS = 200  # failing rows on the page; the CSV has them all
REASON = "reason:"  # fields of exceptions are named so, and then the check


def runs(visit: Visit) -> Response:
    """What was loaded, how it went, and the form for more."""
    return _runs_page(visit, visit.query("dataset"))


async def begin(visit: Visit) -> Response:
    """Take files and have them inspected."""
    person = visit.require()
    await run_in_threadpool(visit.services.ingests.require_steward, person)
    with _receiving(visit) as (form, received):
        try:
            await form.read()
            if form.dataset not in visit.services.datasets:
                raise Invalid("dataset-unknown", dataset=form.dataset[:64])
            run = await run_in_threadpool(
                visit.services.ingests.begin, person, form.dataset, received, visit.now
            )
        except (Invalid, Denied) as error:
            return await run_in_threadpool(_runs_page, visit, form.dataset, error)
        except LauncherError as error:
            return await run_in_threadpool(_runs_page, visit, form.dataset, error)
    return visit.go(f"/ingest/{run.id}")


def run(visit: Visit) -> Response:
    """One run: where it stands, and everything its inspection found."""
    return _run_page(visit)


def progress(visit: Visit) -> Response:
    """The part of the page that changes while the work goes on; reloads the page when it is done."""
    look = visit.services.ingests.look(visit.require(), visit.part("id"), visit.now)
    response = visit.render("ingest_part.html", at="/ingest", look=look, run=look.run)
    if not look.run.working:
        response.headers["HX-Redirect"] = f"/ingest/{look.run.id}"
    return response


def publish(visit: Visit) -> Response:
    """Publish, with a reason for each failing check that is accepted."""
    form = visit.form
    reasons = {name: form.text(REASON + name) for name in form.all("accept")}
    try:
        visit.services.ingests.publish(visit.require(), visit.part("id"), reasons, visit.now)
    except (Invalid, Denied, Conflict, LauncherError) as error:
        return _run_page(visit, error)
    return visit.go(f"/ingest/{visit.part('id')}")


def again(visit: Visit) -> Response:
    """Inspect the same files once more."""
    try:
        visit.services.ingests.again(visit.require(), visit.part("id"), visit.now)
    except (Denied, Conflict, LauncherError) as error:
        return _run_page(visit, error)
    return visit.go(f"/ingest/{visit.part('id')}")


def discard(visit: Visit) -> Response:
    """Give the run up."""
    try:
        visit.services.ingests.discard(visit.require(), visit.part("id"), visit.now)
    except (Denied, Conflict) as error:
        return _run_page(visit, error)
    return visit.go("/ingest", "ingest-discarded")


def quarantine(visit: Visit) -> Response:
    """The failing rows, only to be saved."""
    path = visit.services.ingests.quarantine(visit.require(), visit.part("id"))
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=f"quarantine-{path.parent.name}.csv",
        headers=dict(INERT_HEADERS),
    )


class _Arriving:
    """The upload form as it streams in: the token first, then the dataset, then the files."""

    def __init__(self, visit: Visit, received: Receiving) -> None:
        self.dataset = ""
        self._visit = visit
        self._received = received
        self._block = bytearray()
        self._trusted = False
        self._skipping = False
        self._refused: AccessError | None = None
        self._drained = 0

    async def read(self) -> None:
        """Read to the end, also after a refusal, so that a browser sees the answer.

        Raises
        ------
        Refused
            No such form, or not this visitor's.
        Invalid, AccessError
            A file cannot be accepted.
        """
        try:
            async for event in events(self._visit.request):
                if self._refused is None:
                    try:
                        await self._take(event)
                    except AccessError as error:
                        self._refused = error
                elif isinstance(event, FileGoesOn):
                    self._drained += len(event.content)
                    if self._drained > policy.TOTAL_MAX:
                        break
        except Malformed as error:
            raise Refused(400, "error-form") from error
        if self._refused is not None:
            raise self._refused
        if not self._trusted:
            raise Refused(403, "error-form-old")

    async def _take(self, event: Event) -> None:
        match event:
            case Field("csrf", value):
                check_token(self._visit, value)
                self._trusted = True
            case Field("dataset", value):
                self.dataset = value
            case Field():
                pass
            case FileBegins(_, filename):
                if not self._trusted:
                    raise Refused(403, "error-form-old")
                self._skipping = not filename
                if filename:
                    await run_in_threadpool(self._received.open, policy.normal_name(filename))
            case FileGoesOn(content):
                if not self._skipping:
                    self._block += content
                    if len(self._block) >= BLOCK:
                        await self._write()
            case FileEnds():
                if not self._skipping:
                    await self._write()
                    await run_in_threadpool(self._received.close)

    async def _write(self) -> None:
        block, self._block = bytes(self._block), bytearray()
        await run_in_threadpool(self._received.write, block)


@contextmanager
def _receiving(visit: Visit) -> Iterator[tuple[_Arriving, Receiving]]:
    with visit.services.ingests.receiving() as received:
        yield _Arriving(visit, received), received


def _runs_page(visit: Visit, dataset: str, error: AccessError | LauncherError | None = None) -> Response:
    found = visit.services.ingests.runs(visit.require(), visit.now)
    return visit.render(
        "ingests.html",
        status=_status(error),
        at="/ingest",
        error=_said(visit, error),
        runs=found,
        dataset=dataset,
        datasets=visit.services.datasets,
        file_max=policy.FILE_MAX,
        total_max=policy.TOTAL_MAX,
        files_max=policy.FILES_MAX,
    )


def _run_page(visit: Visit, error: AccessError | LauncherError | None = None) -> Response:
    look = visit.services.ingests.look(visit.require(), visit.part("id"), visit.now)
    found = look.inspection
    return visit.render(
        "ingest.html",
        status=_status(error),
        at="/ingest",
        error=_said(visit, error),
        look=look,
        run=look.run,
        found=found,
        failing=found.failing if found else (),
        rows=found.quarantine[:MOST_ROWS] if found else (),
        rows_all=len(found.quarantine) if found else 0,
        given={name: visit.form.text(REASON + name)[:2000] for name in (found.failing if found else ())},
        accepted=set(visit.form.all("accept")),
        title=visit.services.datasets[look.run.dataset].title
        if look.run.dataset in visit.services.datasets
        else None,
        steps=_steps(look),
        may_discard=look.run.status in {IngestStatus.INSPECTED, IngestStatus.FAILED},
    )


def _steps(look: Look) -> list[tuple[str, str]]:
    """(key, done|active|empty) of the way a run goes."""
    at = {
        IngestStatus.INSPECTING: 1,
        IngestStatus.FAILED: 1,
        IngestStatus.INSPECTED: 2,
        IngestStatus.DISCARDED: 2,
        IngestStatus.PUBLISHING: 3,
        IngestStatus.PUBLISHED: 4,
    }[look.run.status]
    keys = ("ingest-step-upload", "ingest-step-inspect", "ingest-step-decide", "ingest-step-publish")
    return [(key, "done" if n < at else "active" if n == at else "") for n, key in enumerate(keys)]


def _said(visit: Visit, error: AccessError | LauncherError | None) -> str:
    if error is None:
        return ""
    if isinstance(error, LauncherError):
        return error.ko if visit.lang == "ko" else error.en
    return problem(visit, error)


def _status(error: AccessError | LauncherError | None) -> int:
    if error is None:
        return 200
    return status_of(error) if isinstance(error, AccessError) else 503


ROUTES = [
    get("/ingest", runs),
    upload("/ingest", begin),
    get("/ingest/{id}", run),
    get("/ingest/{id}/progress", progress),
    post("/ingest/{id}/publish", publish),
    post("/ingest/{id}/again", again),
    post("/ingest/{id}/discard", discard),
    get("/ingest/{id}/quarantine.csv", quarantine),
]
