"""Asking for data (이용 권한 신청), following a request, deciding about those of others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from starlette.responses import Response

from access_control.errors import AccessError, Conflict, Denied, Invalid, Missing
from access_control.portal.routes.grants import USUAL_DAYS
from access_control.portal.scopes import Choice, choices, chosen_scope, parts_of, worded
from access_control.portal.serving import get, post, problem, status_of
from access_control.portal.visit import Visit
from access_control.portal.wording import end_of_day
from access_control.projects.model import OPEN_DATA, Project
from access_control.requests.model import GrantRequest, seen_of
from access_control.requests.policy import may_queue
from catalog.descriptions import Dataset, Tier
from catalog.descriptions.variants import MAIN, tier_of, variant_title
from catalog.warehouse import partition_values

LONGEST_TEXT = 3000  # characters of a form that is shown again


def mine(visit: Visit) -> Response:
    """My requests, and how to make another."""
    person = visit.require()
    return visit.render(
        "requests.html",
        requests=visit.services.requests.mine(person),
        titles=_titles(visit),
        private=[d for d in visit.services.datasets.values() if d.tier is not Tier.OPEN],
    )


def new(visit: Visit) -> Response:
    """The form for one dataset's variant."""
    visit.require()
    return _new_page(visit, visit.query("dataset"), visit.query("variant") or MAIN)


def submit(visit: Visit) -> Response:
    """Ask."""
    person, form = visit.require(), visit.form
    name, variant = form.text("dataset"), form.text("variant")
    offered = _offered(visit, _dataset(visit, name), variant)
    try:
        scope = chosen_scope(visit.t, form, offered)
        expires = _day(form.text("expires"))
        request = visit.services.requests.submit(
            person, form.text("project"), name, variant, scope, form.text("purpose"), expires, visit.now
        )
    except (Invalid, Conflict, Denied, Missing) as error:
        return _new_page(visit, name, variant, error)
    return visit.go(f"/requests/{request.id}", "request-submitted")


def request(visit: Visit) -> Response:
    """One request, for who asked, their project and those who decide."""
    return _request_page(visit)


def withdraw(visit: Visit) -> Response:
    """Take one's own waiting request back."""
    number = int(visit.part("id"))
    try:
        visit.services.requests.withdraw(visit.require(), number, visit.now)
    except (Conflict, Denied) as error:
        return _request_page(visit, error)
    return visit.go(f"/requests/{number}", "request-withdrawn")


def queue(visit: Visit) -> Response:
    """What waits for a decision, and what I decided."""
    person, requests = visit.require(), visit.services.requests
    waiting = requests.queue(person)
    return visit.render(
        "decisions.html", waiting=waiting, decided=requests.decided(person), titles=_titles(visit)
    )


def decide(visit: Visit) -> Response:
    """Approve what was asked for or less, or reject with a reason."""
    person, form, requests = visit.require(), visit.form, visit.services.requests
    number = int(visit.part("id"))
    try:
        if form.text("decision") == "approve":
            asked, _, _, _ = requests.get(person, number)
            dataset = _dataset(visit, asked.dataset)
            offered = _offered(visit, dataset, asked.variant, asked)
            requests.approve(
                person,
                number,
                chosen_scope(visit.t, form, offered),
                _day(form.text("expires")),
                form.text("reason"),
                visit.now,
                form.text("seen"),
            )
            return visit.go("/decisions", "request-approved")
        requests.reject(person, number, form.text("reason"), visit.now)
    except (Invalid, Conflict, Denied) as error:
        return _request_page(visit, error)
    return visit.go("/decisions", "request-rejected")


def _new_page(visit: Visit, name: str, variant: str, error: AccessError | None = None) -> Response:
    person, services, form = visit.require(), visit.services, visit.form
    dataset = _dataset(visit, name)
    private = [v for v in (MAIN, *(v.name for v in dataset.variants)) if tier_of(dataset, v) is not Tier.OPEN]
    if variant not in private:
        raise Invalid("request-open") if _is_open(dataset, variant) else _no_variant(dataset, variant)
    given = {key: form.text(key)[:LONGEST_TEXT] for key in ("project", "purpose", "expires")}
    given["project"] = given["project"] or visit.query("project")
    given["expires"] = given["expires"] or visit.t.day(visit.now + timedelta(days=USUAL_DAYS))
    projects = [p for p in services.projects.of(person) if p.slug != OPEN_DATA and p.closed is None]
    return visit.render(
        "request_new.html",
        status=status_of(error) if error else 200,
        at="/requests",
        error=problem(visit, error) if error else "",
        d=dataset,
        variant=variant,
        variants=[(v, _variant_label(visit, dataset, v)) for v in private],
        choices=_offered(visit, dataset, variant),
        projects=projects,
        given=given,
    )


def _request_page(visit: Visit, error: AccessError | None = None) -> Response:
    person = visit.require()
    found, grant, members, may = visit.services.requests.get(person, int(visit.part("id")))
    dataset = visit.services.datasets.get(found.dataset)
    deciding = found.person != person.handle and bool(may_queue(person))
    project = visit.services.projects.project(found.project)
    return visit.render(
        "request.html",
        status=status_of(error) if error else 200,
        at="/decisions" if deciding else "/requests",
        error=problem(visit, error) if error else "",
        r=found,
        grant=grant,
        lives=grant is not None and grant.effective(visit.now),
        title=_title(visit, found),
        project=_project_title(visit, project, found),
        project_purpose=project.purpose if project else "",
        members=members,
        asked=worded(visit.t, dataset, found.variant, found.partitions),
        given=worded(visit.t, dataset, found.variant, grant.partitions) if grant else [],
        deciding=deciding,
        may=may,
        choices=_offered(visit, dataset, found.variant, found) if dataset and may and found.waiting else (),
        expires=visit.form.text("expires")[:20] or visit.t.day(found.expires),
        seen=seen_of(found, [m.handle for m in members]),
        comment=visit.form.text("reason")[:LONGEST_TEXT],
    )


def _offered(
    visit: Visit, dataset: Dataset, variant: str, asked: GrantRequest | None = None
) -> tuple[Choice, ...]:
    """What can be chosen: declared partitions, with the values the newest version has."""
    snapshot = visit.services.facts.snapshot(dataset.name, variant)
    values: Mapping[str, tuple[str, ...]] = partition_values(snapshot) if snapshot else {}
    scope = asked.partitions if asked else None
    return choices(visit.t, parts_of(dataset, variant), values, visit.form, scope)


def _titles(visit: Visit) -> object:
    return lambda found: _title(visit, found)


def _title(visit: Visit, found: GrantRequest) -> str:
    dataset = visit.services.datasets.get(found.dataset)
    if dataset is None:
        return found.dataset
    return _variant_title(visit, dataset, found.variant)


def _variant_title(visit: Visit, dataset: Dataset, variant: str) -> str:
    label = variant_title(dataset, variant)
    return visit.t.pick(dataset.title) + (f" ({visit.t.pick(label)})" if label else "")


def _variant_label(visit: Visit, dataset: Dataset, variant: str) -> str:
    label = variant_title(dataset, variant)
    return visit.t.pick(label) if label else visit.t("request-variant-main")


def _project_title(visit: Visit, project: Project | None, found: GrantRequest) -> str:
    return f"{visit.t.pick(project.title)} ({found.project})" if project else found.project


def _dataset(visit: Visit, name: str) -> Dataset:
    found = visit.services.datasets.get(name)
    if found is None:
        raise Missing("dataset-unknown", dataset=name[:64])
    return found


def _is_open(dataset: Dataset, variant: str) -> bool:
    try:
        return tier_of(dataset, variant) is Tier.OPEN
    except KeyError:
        return False


def _no_variant(dataset: Dataset, variant: str) -> Missing:
    return Missing("grant-variant-unknown", dataset=dataset.name, variant=variant[:64])


def _day(text: str) -> datetime:
    expires = end_of_day(text)
    if expires is None:
        raise Invalid("day-malformed", day=text[:20])
    return expires


ROUTES = [
    get("/requests", mine),
    get("/requests/new", new),
    post("/requests", submit),
    get("/requests/{id:int}", request),
    post("/requests/{id:int}/withdraw", withdraw),
    post("/requests/{id:int}/decision", decide),
    get("/decisions", queue),
]
