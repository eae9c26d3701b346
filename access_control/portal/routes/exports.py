"""Taking results out: asking, following a request, taking it back, downloading what was released."""

from __future__ import annotations

import os
from contextlib import ExitStack

from starlette.responses import FileResponse, Response

from access_control.errors import AccessError, Conflict, Denied, Invalid, Missing
from access_control.exports.model import ExportRequest, ExportStatus, Incoming
from access_control.exports.policy import FILE_MAX, TOTAL_MAX, may_queue
from access_control.people.model import Person
from access_control.portal.guarding import PAGE_HEADERS
from access_control.portal.looks import look
from access_control.portal.serving import get, post, problem
from access_control.portal.visit import Visit
from access_control.projects.model import Project
from catalog.errors import CatalogError
from catalog.sandbox.errors import LauncherError
from catalog.sandbox.launcher import OutboxFile

MOST_INLINE = 5  # files whose previews are on the request's own page


def mine(visit: Visit) -> Response:
    """My requests, and where to begin another."""
    person = visit.require()
    return visit.render(
        "exports.html",
        requests=visit.services.exports.mine(person),
        projects=visit.services.projects.of(person),
    )


def new(visit: Visit) -> Response:
    """What is in the project's outbox, to choose from."""
    person = visit.require()
    return _new_page(visit, person, visit.query("project"))


def submit(visit: Visit) -> Response:
    """Ask for the chosen files to leave; they are copied as they are at this moment."""
    person, form, services = visit.require(), visit.form, visit.services
    project = _my_project(visit, person, form.text("project"))
    names = form.all("file")
    try:
        if not names:
            raise Invalid("export-empty")
        with ExitStack() as opened:
            descriptors = services.launcher.open_outbox(person.handle, project.slug, names)
            for descriptor in descriptors:
                opened.callback(os.close, descriptor)
            files = [Incoming(name=n, source=d) for n, d in zip(names, descriptors, strict=True)]
            request = services.exports.submit(person, project, files, form.text("purpose"), visit.now)
    except (Invalid, Conflict, Denied, CatalogError) as error:
        return _new_page(visit, person, project.slug, error, set(names))
    return visit.go(f"/exports/{request.id}", "export-submitted")


def request(visit: Visit) -> Response:
    """One request, for its author or its reviewer."""
    return request_page(visit)


def withdraw(visit: Visit) -> Response:
    """Take one's own waiting request back."""
    services, number = visit.services, visit.part("id")
    try:
        services.exports.withdraw(visit.require(), number, visit.now)
    except (Conflict, Invalid) as error:
        return request_page(visit, error)
    return visit.go(f"/exports/{number}", "export-withdrawn")


def download(visit: Visit) -> Response:
    """A released file, byte for byte what was reviewed; never shown, only saved."""
    exports = visit.services.exports
    file, path = exports.open_file(visit.require(), visit.part("id"), int(visit.part("no")), visit.now)
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=file.name.rpartition("/")[2],
        headers=dict(PAGE_HEADERS) | {"Content-Security-Policy": "sandbox; default-src 'none'"},
    )


def request_page(visit: Visit, error: AccessError | None = None) -> Response:
    """The page of a request, with what its reader may do about it."""
    person, exports = visit.require(), visit.services.exports
    found = exports.get(person, visit.part("id"))
    reviewing = found.person != person.handle and bool(may_queue(person))
    waiting = found.status is ExportStatus.SUBMITTED
    shown = reviewing and waiting and len(found.files) <= MOST_INLINE
    return visit.render(
        "export.html",
        status=400 if error else 200,
        at="/reviews" if reviewing else "",
        error=problem(visit, error) if error else "",
        r=found,
        reviewing=reviewing,
        waiting=waiting,
        looks={f.no: look(exports, person, found, f.no, visit.now) for f in found.files} if shown else {},
        steps=_steps(found),
    )


def _steps(found: ExportRequest) -> list[tuple[str, str]]:
    """(key, done|active|empty) of the way a request goes."""
    ended = found.status not in {ExportStatus.SUBMITTED, ExportStatus.APPROVED}
    out = found.status in {ExportStatus.RELEASED, ExportStatus.RELEASE_FAILED}
    last = "export-step-released" if not ended or out else f"export-status-{found.status}"
    return [
        ("export-step-submitted", "done"),
        ("export-step-review", "done" if ended else "active"),
        (last, "active" if ended else ""),
    ]


def _new_page(
    visit: Visit,
    person: Person,
    slug: str,
    error: AccessError | CatalogError | None = None,
    chosen: set[str] | None = None,
) -> Response:
    project = _my_project(visit, person, slug)
    if isinstance(error, CatalogError):
        said = error.ko if visit.lang == "ko" else error.en
    else:
        said = problem(visit, error) if error else ""
    return visit.render(
        "export_new.html",
        status=400 if error else 200,
        error=said,
        project=project,
        files=_outbox(visit, person, project),
        chosen=chosen or set(),
        purpose=visit.form.text("purpose")[:5000],
        file_max=FILE_MAX,
        total_max=TOTAL_MAX,
    )


def _outbox(visit: Visit, person: Person, project: Project) -> tuple[OutboxFile, ...]:
    """What the outbox holds; nothing before the project's first session made one."""
    try:
        return visit.services.launcher.list_outbox(person.handle, project.slug)
    except LauncherError as error:
        if error.reason == "home-missing":
            return ()
        raise


def _my_project(visit: Visit, person: Person, slug: str) -> Project:
    for project in visit.services.projects.of(person):
        if project.slug == slug:
            return project
    raise Missing("project-unknown", project=slug[:64])


ROUTES = [
    get("/exports", mine),
    get("/exports/new", new),
    post("/exports", submit),
    get("/exports/{id}", request),
    post("/exports/{id}/withdraw", withdraw),
    get("/exports/{id}/files/{no:int}", download),
]
