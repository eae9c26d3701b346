"""The page of one's own accesses: what the record says that the person did, and of nobody else."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from access_control.portal.serving import get
from access_control.portal.visit import Visit


def mine(visit: Visit) -> Response:
    """Newest first, by project and dataset."""
    person = visit.require()
    asked = {name: visit.query(name).strip()[:100] for name in ("project", "dataset")}
    before = visit.query("before")
    page = visit.services.own_record.page(person, asked["project"], asked["dataset"], before, visit.now)
    kept = {name: value for name, value in asked.items() if value}
    projects = {p.slug: visit.t.pick(p.title) for p in visit.services.projects.of(person)}
    return visit.render(
        "accesses.html",
        asked=asked,
        projects={**({asked["project"]: asked["project"]} if asked["project"] else {}), **projects},
        datasets={name: visit.t.pick(d.title) for name, d in visit.services.datasets.items()},
        accesses=page.accesses,
        kept=kept,
        older=f"/accesses?{urlencode({**kept, 'before': page.older})}" if page.older else "",
        newest=f"/accesses?{urlencode(kept)}" if before else "",
    )


ROUTES = [get("/accesses", mine)]
