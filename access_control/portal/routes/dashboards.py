"""The public gallery of dashboards."""

from __future__ import annotations

from starlette.responses import Response

from access_control.portal.dashboards import published
from access_control.portal.serving import get
from access_control.portal.visit import Visit


def gallery(visit: Visit) -> Response:
    """Every published dashboard."""
    found = published(visit.services.installation.dashboards)
    return visit.render(
        "dashboards.html",
        dashboards=found,
        datasets=visit.services.datasets,
        synthetic=visit.services.facts.synthetic(),
    )


ROUTES = [get("/dashboards", gallery)]
