"""My projects, and opening, entering and stopping their sessions."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from access_control.errors import Missing
from access_control.portal.guarding import safe_next
from access_control.portal.hub_client import HubError, ServerState
from access_control.portal.scopes import worded
from access_control.portal.serving import get, post
from access_control.portal.starts import Phase
from access_control.portal.visit import Visit
from access_control.projects.model import Project
from access_control.projects.policy import administers
from access_control.sessions.model import site as site_of

UNKNOWN = ServerState(exists=False, ready=False, pending="")


async def projects(visit: Visit) -> Response:
    """The projects I belong to, with their data and their sessions."""
    person, services = visit.require(), visit.services
    mine = await run_in_threadpool(services.projects.of, person)
    grants = {p.slug: await run_in_threadpool(services.grants.effective, p, visit.now) for p in mine}
    allowed = {p.slug: await run_in_threadpool(services.sessions.admit, person, p, visit.now) for p in mine}
    hub_away = False
    states: dict[str, ServerState] = {}
    try:
        for project in mine:
            states[project.slug] = await services.hub.state(person.handle, project.slug)
    except HubError:
        hub_away = True
    return visit.render(
        "projects.html",
        projects=mine,
        grants=grants,
        allowed=allowed,
        states={p.slug: states.get(p.slug, UNKNOWN) for p in mine},
        sites={p.slug: site_of(person.handle, p.slug) for p in mine},
        hub_away=hub_away,
        datasets=services.datasets,
        scopes={
            g.id: worded(visit.t, services.datasets.get(g.dataset), g.variant, g.partitions)
            for held in grants.values()
            for g in held
        },
        administers=bool(administers(person)),
    )


async def open_session(visit: Visit) -> Response:
    """Start the project's session, or go to it when it runs."""
    person, services = visit.require(), visit.services
    project = await run_in_threadpool(_my_project, visit, visit.part("slug"))
    (await run_in_threadpool(services.sessions.admit, person, project, visit.now)).require()
    site = site_of(person.handle, project.slug)
    services.starts.forget(site)
    await services.hub.ensure_user(person.handle)
    await services.hub.start(person.handle, project.slug)
    services.starts.follow(site, person.handle, project.slug)
    return visit.go(f"/sessions/{site}/starting")


async def stop_session(visit: Visit) -> Response:
    """Stop the project's session; files in the home folder stay."""
    person, services = visit.require(), visit.services
    project = await run_in_threadpool(_my_project, visit, visit.part("slug"))
    await services.hub.stop(person.handle, project.slug)
    services.starts.forget(site_of(person.handle, project.slug))
    return visit.go("/projects", "session-stopped")


async def starting(visit: Visit) -> Response:
    """Wait for a session: refreshes by itself without a script, and in place with one."""
    person, project = visit.require(), await run_in_threadpool(_project_of_site, visit)
    site = visit.part("site")
    start = await visit.services.starts.look(site, person.handle, project.slug)
    if start.phase is Phase.READY:
        return visit.go(f"/enter/{site}")
    template = "starting_part.html" if visit.query("part") else "starting.html"
    return visit.render(template, start=start, project=project, site=site)


async def progress(visit: Visit) -> Response:
    """The part of the waiting page that changes; sends the browser on when the session is ready."""
    person, project = visit.require(), await run_in_threadpool(_project_of_site, visit)
    site = visit.part("site")
    start = await visit.services.starts.look(site, person.handle, project.slug)
    response = visit.render("starting_part.html", start=start, project=project, site=site)
    if start.phase is Phase.READY:
        response.headers["HX-Redirect"] = f"/enter/{site}"
    return response


def enter(visit: Visit) -> Response:
    """On to the session's own origin, with a ticket that works once and for a minute.

    By a page and not by a redirect: whoever comes here from one of our forms (starting a session, signing in)
    would be held by the rule that a form ends at this origin.
    """
    person, site = visit.require(), visit.part("site")
    _project_of_site(visit)
    ticket = visit.services.people.issue_ticket(person, f"site:{site}", visit.now)
    onward = urlencode({"ticket": ticket, "next": safe_next(visit.query("next"))})
    address = f"{visit.services.installation.site_url(site)}/_campus/enter?{onward}"
    return visit.render("enter.html", at="/projects", address=address)


def _my_project(visit: Visit, slug: str) -> Project:
    return _found(visit.services.projects.of(visit.require()), lambda p: p.slug == slug, slug)


def _project_of_site(visit: Visit) -> Project:
    person, site = visit.require(), visit.part("site")
    mine = visit.services.projects.of(person)
    return _found(mine, lambda p: site_of(person.handle, p.slug) == site, site)


def _found(projects: tuple[Project, ...], wanted: object, name: str) -> Project:
    assert callable(wanted)
    for project in projects:
        if wanted(project):
            return project
    raise Missing("project-unknown", project=name[:64])


ROUTES = [
    get("/projects", projects),
    post("/projects/{slug}/open", open_session),
    post("/projects/{slug}/stop", stop_session),
    get("/sessions/{site}/starting", starting),
    get("/sessions/{site}/progress", progress),
    get("/enter/{site}", enter),
]
