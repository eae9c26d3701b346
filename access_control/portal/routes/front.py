"""The front page, and choosing the language."""

from __future__ import annotations

from starlette.responses import Response

from access_control.errors import Missing
from access_control.locale import Lang
from access_control.portal.dashboards import published
from access_control.portal.guarding import LANGUAGE_COOKIE, safe_next
from access_control.portal.serving import get
from access_control.portal.visit import Visit

A_YEAR = 365 * 24 * 3600  # [s]


def front(visit: Visit) -> Response:
    """What the campus is, how a visit goes, what there is to see."""
    services = visit.services
    return visit.render(
        "front.html",
        datasets=list(services.datasets.values()),
        dashboards=published(services.installation.dashboards),
        synthetic=services.facts.synthetic(),
    )


def language(visit: Visit) -> Response:
    """Remember the language in a cookie and go back; nothing of the product changes."""
    wanted = visit.part("lang")
    if wanted not in set(Lang):
        raise Missing("page-unknown")
    response = visit.go(safe_next(visit.query("next")))
    visit.set_cookie(response, LANGUAGE_COOKIE, wanted, seconds=A_YEAR)
    return response


ROUTES = [get("/", front), get("/language/{lang}", language)]
