"""The auditor's pages: the record of everything, filtered, and its proof."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from starlette.responses import Response

from access_control.audit.event import Action
from access_control.audit.reader import Filter
from access_control.errors import Invalid
from access_control.portal.reads import reads
from access_control.portal.serving import get, post
from access_control.portal.visit import Visit
from access_control.portal.wording import end_of_day

FIELDS = ("actor", "action", "project", "since", "until", "text")
ONE_DAY = timedelta(days=1)


def events(visit: Visit) -> Response:
    """Events, newest first."""
    person = visit.require()
    asked = {name: visit.query(name).strip()[:200] for name in FIELDS}
    page = visit.services.audit.page(person, _filter(asked), visit.query("before") or None, visit.now)
    kept = {name: value for name, value in asked.items() if value}
    return visit.render(
        "audit.html",
        asked=asked,
        actions=sorted(Action),
        entries=page.entries,
        reads={e.seq: reads(visit.t, visit.services.datasets, e.event.detail) for e in page.entries},
        statements=visit.services.audit.statements(person, page),
        older=f"/audit?{urlencode({**kept, 'before': page.older})}" if page.older else "",
        newest=not visit.query("before"),
        checkpoint=visit.services.audit.checkpoint(person),
    )


def verify(visit: Visit) -> Response:
    """Verify the whole log now and show what was found."""
    person = visit.require()
    kept = visit.form.text("held").replace("\r\n", "\n")
    held = [kept if kept.endswith("\n") else kept + "\n"] if kept.strip() else []
    found = visit.services.audit.verify(person, visit.now, held)
    return visit.render(
        "audit_verified.html", found=found, held=held, checkpoint=visit.services.audit.checkpoint(person)
    )


def _filter(asked: dict[str, str]) -> Filter:
    if asked["action"] and asked["action"] not in set(Action):
        raise Invalid("audit-action-unknown", action=asked["action"])
    days = {}
    for name in ("since", "until"):
        days[name] = end_of_day(asked[name]) if asked[name] else None
        if asked[name] and days[name] is None:
            raise Invalid("day-malformed", day=asked[name][:20])
    since = days["since"]
    return Filter(
        actor=asked["actor"],
        actions=frozenset({Action(asked["action"])}) if asked["action"] else frozenset(),
        project=asked["project"],
        since=since - ONE_DAY + timedelta(seconds=1) if since else None,
        until=days["until"],
        text=asked["text"],
    )


ROUTES = [get("/audit", events), post("/audit/verify", verify)]
