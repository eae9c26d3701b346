"""Becoming somebody and being signed in: application, set-up, sign-in, links; then deciding about people."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from access_control.errors import AccessError, Conflict, Denied, Invalid
from access_control.people.model import ApplicationStatus, Kind, Role
from access_control.people.policy import must_hold
from access_control.portal.guarding import SESSION_COOKIE, safe_next
from access_control.portal.hub_client import HubError
from access_control.portal.serving import get, post, problem, status_of
from access_control.portal.visit import Visit

APPLY_FIELDS = ("handle", "display_name", "email", "kind", "affiliation", "purpose")
SETUP_FIELDS = ("handle", "display_name", "email")


def apply_form(visit: Visit) -> Response:
    """The empty application."""
    return _apply_page(visit)


def apply(visit: Visit) -> Response:
    """Hand the application in."""
    form = visit.form
    if form.text("password") != form.text("password_again"):
        return _apply_page(visit, Invalid("passwords-differ"))
    if form.text("kind") not in set(Kind):
        return _apply_page(visit, Invalid("kind-missing"))
    try:
        visit.services.people.apply(
            form.text("handle"),
            form.text("display_name"),
            form.text("email"),
            Kind(form.text("kind")),
            form.text("affiliation"),
            form.text("purpose"),
            form.text("password"),
            form.flag("consent"),
            visit.now,
        )
    except (Invalid, Conflict, Denied) as error:
        return _apply_page(visit, error)
    return visit.go("/apply/done")


def applied(visit: Visit) -> Response:
    """What happens next."""
    return visit.render("apply_done.html")


def sign_in_form(visit: Visit) -> Response:
    """The sign-in page."""
    if visit.person is not None:
        return visit.go(visit.query("next"))
    return visit.render("sign_in.html", error="", handle="", next=safe_next(visit.query("next")))


def sign_in(visit: Visit) -> Response:
    """Sign in with handle and password."""
    form, onward = visit.form, safe_next(visit.form.text("next"))
    try:
        _, token = visit.services.people.sign_in(form.text("handle"), form.text("password"), visit.now)
    except (Denied, Invalid) as error:
        handle = form.text("handle")[:64]
        return visit.render(
            "sign_in.html", status=403, error=problem(visit, error), handle=handle, next=onward
        )
    return visit.signed_in(visit.go(onward if onward != "/" else "/projects"), token)


async def sign_out(visit: Visit) -> Response:
    """Sign out, here and at the origin of every session."""
    if visit.person is not None:
        await run_in_threadpool(visit.services.people.sign_out, visit.token, visit.now)
        await visit.services.gate.signed_out(visit.person.handle)
    response = visit.go("/", "signed-out")
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


def setup_form(visit: Visit) -> Response:
    """The first administrator's page, behind a link that works once."""
    if not visit.services.people.is_setup_link(visit.part("token"), visit.now):
        raise Denied("setup-link-invalid")
    return visit.render("setup.html", error="", given=dict.fromkeys(SETUP_FIELDS, ""))


def setup(visit: Visit) -> Response:
    """Make the first administrator and sign them in."""
    form, token = visit.form, visit.part("token")
    given = {name: form.text(name)[:300] for name in SETUP_FIELDS}
    try:
        if form.text("password") != form.text("password_again"):
            raise Invalid("passwords-differ")
        visit.services.people.complete_setup(
            token, given["handle"], given["display_name"], given["email"], form.text("password"), visit.now
        )
    except (Invalid, Conflict) as error:
        return visit.render("setup.html", status=400, error=problem(visit, error), given=given)
    _, session = visit.services.people.sign_in(given["handle"], form.text("password"), visit.now)
    return visit.signed_in(visit.go("/applications", "setup"), session)


def link_form(visit: Visit) -> Response:
    """Ask before a sign-in link is used: programs that preview links must not use it up."""
    return visit.render("link.html")


def link(visit: Visit) -> Response:
    """Sign in by link."""
    _, session = visit.services.people.redeem_link(visit.part("token"), visit.now)
    return visit.signed_in(visit.go("/projects", "signed-in"), session)


def applications(visit: Visit) -> Response:
    """Applications to decide, then those decided."""
    return _applications_page(visit)


def decide(visit: Visit) -> Response:
    """Approve or reject an application."""
    person, form, people = visit.require(), visit.form, visit.services.people
    number = int(visit.part("id"))
    try:
        if form.text("decision") == "approve":
            people.approve(person, number, visit.now)
            return visit.go("/applications", "application-approved")
        people.reject(person, number, form.text("reason"), visit.now)
    except (Invalid, Conflict) as error:
        return _applications_page(visit, error, number)
    return visit.go("/applications", "application-rejected")


def everybody(visit: Visit) -> Response:
    """The list of accounts."""
    return _people_page(visit)


def roles(visit: Visit) -> Response:
    """Give a person exactly the ticked roles."""
    person, wanted = visit.require(), set(visit.form.all("role")) & set(Role)
    try:
        visit.services.people.assign_roles(
            person, visit.part("handle"), {Role(role) for role in wanted}, visit.now
        )
    except (Invalid, Conflict, Denied) as error:
        return _people_page(visit, error)
    return visit.go("/people", "roles-assigned")


async def suspend(visit: Visit) -> Response:
    """Suspend a person and stop what they run."""
    person, services, handle = visit.require(), visit.services, visit.part("handle")
    try:
        await run_in_threadpool(services.people.suspend, person, handle, visit.form.text("reason"), visit.now)
    except (Invalid, Conflict, Denied) as error:
        return await run_in_threadpool(_people_page, visit, error)
    await services.gate.signed_out(handle)
    try:
        for session in await run_in_threadpool(services.sessions.of, handle):
            await services.hub.stop(handle, session.project)
    except HubError:
        return visit.go("/people", "suspended-hub-away")
    return visit.go("/people", "suspended")


def _apply_page(visit: Visit, error: AccessError | None = None) -> Response:
    given = {name: visit.form.text(name)[:3000] for name in APPLY_FIELDS}
    return visit.render(
        "apply.html",
        status=status_of(error) if error else 200,
        error=problem(visit, error) if error else "",
        given=given,
        kinds=list(Kind),
    )


def _applications_page(visit: Visit, error: AccessError | None = None, about: int = 0) -> Response:
    found = visit.services.people.applications(visit.require())
    return visit.render(
        "applications.html",
        status=status_of(error) if error else 200,
        error=problem(visit, error) if error else "",
        about=about,
        waiting=[a for a in found if a.status is ApplicationStatus.PENDING],
        decided=[a for a in reversed(found) if a.status is not ApplicationStatus.PENDING],
    )


def _people_page(visit: Visit, error: AccessError | None = None) -> Response:
    person = visit.require()
    return visit.render(
        "people.html",
        status=status_of(error) if error else 200,
        error=problem(visit, error) if error else "",
        people=visit.services.people.people(person),
        roles=list(Role),
        may_change=bool(must_hold(person, Role.ADMINISTRATOR)),
    )


ROUTES = [
    get("/apply", apply_form),
    post("/apply", apply),
    get("/apply/done", applied),
    get("/sign-in", sign_in_form),
    post("/sign-in", sign_in),
    post("/sign-out", sign_out),
    get("/setup/{token}", setup_form),
    post("/setup/{token}", setup),
    get("/link/{token}", link_form),
    post("/link/{token}", link),
    get("/applications", applications),
    post("/applications/{id:int}", decide),
    get("/people", everybody),
    post("/people/{handle}/roles", roles),
    post("/people/{handle}/suspend", suspend),
]
