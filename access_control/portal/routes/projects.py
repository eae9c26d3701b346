"""Making a project, and who works in it."""

from __future__ import annotations

from starlette.responses import Response

from access_control.errors import AccessError, Conflict, Denied, Invalid, Missing
from access_control.portal.scopes import worded
from access_control.portal.serving import get, post, problem, status_of
from access_control.portal.visit import Visit
from access_control.projects.model import OPEN_DATA
from access_control.projects.policy import administers, may_remove
from catalog.descriptions import Text

FIELDS = ("slug", "title_ko", "title_en", "purpose", "members")
LONGEST_TEXT = 3000  # characters of a form that is shown again


def new(visit: Visit) -> Response:
    """The empty form."""
    visit.require()
    return _new_page(visit)


def create(visit: Visit) -> Response:
    """Make a project with oneself and others in it."""
    person, form = visit.require(), visit.form
    title = Text(ko=form.text("title_ko"), en=form.text("title_en") or form.text("title_ko"))
    others = form.text("members").replace(",", " ").split()
    members = others if others and administers(person) else [person.handle, *others]
    try:
        project = visit.services.projects.create(
            person, form.text("slug"), title, form.text("purpose"), members, visit.now
        )
    except (Invalid, Conflict, Denied, Missing) as error:
        return _new_page(visit, error)
    return visit.go(f"/projects/{project.slug}", "project-created")


def project(visit: Visit) -> Response:
    """Who works in a project, and what it may read."""
    return _project_page(visit)


def add(visit: Visit) -> Response:
    """Let somebody work in a project."""
    slug, handle = visit.part("slug"), visit.form.text("handle").strip()
    try:
        visit.services.projects.add_member(visit.require(), slug, handle, visit.now)
    except (Conflict, Denied, Missing) as error:
        return _project_page(visit, error)
    return visit.go(f"/projects/{slug}", "member-added")


def remove(visit: Visit) -> Response:
    """Let somebody work in a project no longer."""
    person, slug = visit.require(), visit.part("slug")
    handle = visit.form.text("handle")
    try:
        visit.services.projects.remove_member(person, slug, handle, visit.now)
    except (Conflict, Denied, Missing) as error:
        return _project_page(visit, error)
    gone = handle == person.handle and not administers(person)
    return visit.go("/projects" if gone else f"/projects/{slug}", "member-removed")


def every(visit: Visit) -> Response:
    """Every project people work in, for those who administer them."""
    return visit.render("projects_all.html", projects=visit.services.projects.every(visit.require()))


def _new_page(visit: Visit, error: AccessError | None = None) -> Response:
    return visit.render(
        "project_new.html",
        status=status_of(error) if error else 200,
        error=problem(visit, error) if error else "",
        given={name: visit.form.text(name)[:LONGEST_TEXT] for name in FIELDS},
        for_others=bool(administers(visit.require())),
    )


def _project_page(visit: Visit, error: AccessError | None = None) -> Response:
    person, services = visit.require(), visit.services
    found, members = services.projects.look(person, visit.part("slug"))
    grants = services.grants.of_project(found)
    member = person.handle in {m.handle for m in members}
    return visit.render(
        "project.html",
        status=status_of(error) if error else 200,
        error=problem(visit, error) if error else "",
        p=found,
        members=() if found.slug == OPEN_DATA and not administers(person) else members,
        member=member,
        grants=[g for g in grants if g.effective(visit.now)],
        scopes={
            g.id: worded(visit.t, services.datasets.get(g.dataset), g.variant, g.partitions) for g in grants
        },
        datasets=services.datasets,
        may_add=services.projects.may_add(person, found.slug, visit.now),
        may_remove=may_remove(person, found, member=member, members=len(members)),
        handle=visit.form.text("handle")[:40],
    )


ROUTES = [
    get("/projects/new", new),
    get("/projects/all", every),
    post("/projects", create),
    get("/projects/{slug}", project),
    post("/projects/{slug}/members", add),
    post("/projects/{slug}/members/remove", remove),
]
