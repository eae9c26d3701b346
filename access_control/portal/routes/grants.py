"""Grants: who may read what until when; giving and taking back."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from access_control.errors import AccessError, Conflict, Denied, Invalid, Missing
from access_control.grants.model import MAIN
from access_control.grants.policy import may_revoke
from access_control.people.model import SYSTEM, Role
from access_control.people.policy import must_hold
from access_control.portal.scopes import worded
from access_control.portal.serving import get, post, problem, status_of
from access_control.portal.visit import Visit
from access_control.portal.wording import end_of_day

FIELDS = ("project", "dataset", "purpose", "expires")
USUAL_DAYS = 180


def grants(visit: Visit) -> Response:
    """Every grant that holds now, and the form for another."""
    return _page(visit)


def give(visit: Visit) -> Response:
    """Give a project permission to read a dataset."""
    person, form = visit.require(), visit.form
    expires = end_of_day(form.text("expires"))
    try:
        if form.text("dataset") not in visit.services.datasets:
            raise Invalid("dataset-unknown", dataset=form.text("dataset")[:64])
        if expires is None:
            raise Invalid("day-malformed", day=form.text("expires")[:20])
        visit.services.grants.give(
            person,
            form.text("project"),
            form.text("dataset"),
            MAIN,
            form.text("purpose"),
            expires,
            visit.now,
        )
    except (Invalid, Conflict, Missing, Denied) as error:
        return _page(visit, error)
    return visit.go("/grants", "grant-given")


def revoke(visit: Visit) -> Response:
    """Take a grant back."""
    try:
        visit.services.grants.revoke(
            visit.require(), int(visit.part("id")), visit.form.text("reason"), visit.now
        )
    except (Invalid, Conflict, Denied) as error:
        return _page(visit, error)
    return visit.go("/grants", "grant-revoked")


def _page(visit: Visit, error: AccessError | None = None) -> Response:
    person, datasets = visit.require(), visit.services.datasets
    found = visit.services.grants.all_effective(person, visit.now)
    given = {name: visit.form.text(name)[:3000] for name in FIELDS}
    given["expires"] = given["expires"] or visit.t.day(visit.now + timedelta(days=USUAL_DAYS))
    return visit.render(
        "grants.html",
        status=status_of(error) if error else 200,
        error=problem(visit, error) if error else "",
        given=given,
        grants=[g for g in found if g.given_by != SYSTEM],
        standing=[g for g in found if g.given_by == SYSTEM],
        scopes={g.id: worded(visit.t, datasets.get(g.dataset), g.variant, g.partitions) for g in found},
        projects=sorted({grant.project for grant in found}),
        datasets=datasets,
        may_give=bool(must_hold(person, Role.STAFF, Role.ADMINISTRATOR)),
        may_revoke={g.id: bool(may_revoke(person, g)) for g in found},
    )


ROUTES = [get("/grants", grants), post("/grants", give), post("/grants/{id:int}/revoke", revoke)]
