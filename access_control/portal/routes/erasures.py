"""The page of who erases literals: choose, see how many and whose, confirm with a reason."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from access_control.erasures.model import Found, Selection
from access_control.erasures.policy import may_erase
from access_control.errors import AccessError, Denied, Invalid
from access_control.portal.serving import get, post, problem, status_of
from access_control.portal.visit import Visit
from access_control.portal.wording import end_of_day

FIELDS = ("query", "person", "project", "before")
ONE_DAY = timedelta(days=1)


def look(visit: Visit) -> Response:
    """The form, and what the chosen queries are."""
    person = visit.require()
    may_erase(person).require()
    asked = {name: visit.query(name).strip()[:100] for name in FIELDS}
    if not any(asked.values()):
        return _page(visit, asked)
    try:
        found = visit.services.erasures.find(person, _selection(asked), visit.now)
    except (Denied, Invalid) as error:
        return _page(visit, asked, error=error)
    return _page(visit, asked, found=found)


def erase(visit: Visit) -> Response:
    """Erase what was shown."""
    person, form = visit.require(), visit.form
    asked = {name: form.text(name).strip()[:100] for name in FIELDS}
    seen = form.text("seen")
    try:
        if form.text("sure") != "yes":
            raise Invalid("erasure-not-confirmed")
        visit.services.erasures.erase(
            person,
            _selection(asked),
            form.text("reason"),
            int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 9 else -1,
            visit.now,
        )
    except (Denied, Invalid) as error:
        may_erase(person).require()
        return _page(visit, asked, error=error)
    return visit.go("/erasures", "literals-erased")


def _selection(asked: dict[str, str]) -> Selection:
    day = end_of_day(asked["before"]) if asked["before"] else None
    if asked["before"] and day is None:
        raise Invalid("day-malformed", day=asked["before"][:20])
    return Selection(
        query=asked["query"].removeprefix("query:"),
        person=asked["person"],
        project=asked["project"],
        before=day - ONE_DAY + timedelta(seconds=1) if day else None,
    )


def _page(
    visit: Visit, asked: dict[str, str], found: Found | None = None, error: AccessError | None = None
) -> Response:
    return visit.render(
        "erasures.html",
        status=status_of(error) if error else 200,
        error=problem(visit, error) if error else "",
        asked=asked,
        found=found,
    )


ROUTES = [get("/erasures", look), post("/erasures", erase)]
