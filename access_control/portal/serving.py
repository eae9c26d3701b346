"""From a request to a handler and from its errors to a page. Knows no concept of the product.

One table says which error is which status; anything else is a 500 with an incident number and no detail.
"""

from __future__ import annotations

import inspect
import logging
import secrets
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, cast

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from access_control.errors import (
    AccessError,
    AuditError,
    Conflict,
    DatabaseBusy,
    DatabaseOutdated,
    Denied,
    Invalid,
    Missing,
)
from access_control.locale import Lang, both
from access_control.people.model import Person
from access_control.portal.guarding import (
    FORM_COOKIE,
    LANGUAGE_COOKIE,
    LARGEST_FORM,
    PAGE_HEADERS,
    SESSION_COOKIE,
    Form,
    cookie,
    from_own_page,
    parse_form,
    same_text,
)
from access_control.portal.hub_client import HubError
from access_control.portal.services import Services
from access_control.portal.visit import SignInNeeded, Visit
from catalog.errors import CatalogError

log = logging.getLogger(__name__)

Handler = Callable[[Visit], Response] | Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]

STATUS_OF: Final[tuple[tuple[type[AccessError], int], ...]] = (
    (Denied, 403),
    (Missing, 404),
    (Conflict, 409),
    (Invalid, 400),
    (DatabaseBusy, 503),
    (DatabaseOutdated, 503),
    (AuditError, 503),
)
HOUSE: Final = f"{Path(__file__).resolve().parents[2]}/"
WRITES: Final = frozenset({"POST"})


class Refused(Exception):
    """A request that no handler should see; `key` is the key of its words."""

    def __init__(self, status: int, key: str) -> None:
        super().__init__(key)
        self.status = status
        self.key = key


def get(path: str, handler: Handler) -> Route:
    """A page that changes nothing."""
    return Route(path, endpoint(handler), methods=["GET"])


def post(path: str, handler: Handler) -> Route:
    """A form that changes something: only from our own pages, only with the form's token."""
    return Route(path, endpoint(handler), methods=["POST"])


def upload(path: str, handler: Callable[[Visit], Awaitable[Response]]) -> Route:
    """A form with files: only from our own pages. The handler reads the body and checks the form's token."""
    return Route(path, endpoint(handler, streamed=True), methods=["POST"])


def endpoint(handler: Handler, *, streamed: bool = False) -> Endpoint:
    """The handler as Starlette calls it; a plain function runs in a thread, since desks wait for the disk."""

    async def serve(request: Request) -> Response:
        visit = anonymous(request)
        try:
            visit = await _visit(request, visit, streamed=streamed)
            if streamed:
                check_origin(visit)
            elif request.method in WRITES:
                check_origin(visit)
                check_token(visit, visit.form.text("csrf"))
            if inspect.iscoroutinefunction(handler):
                return cast("Response", await handler(visit))
            return await run_in_threadpool(cast("Callable[[Visit], Response]", handler), visit)
        except SignInNeeded:
            return visit.to_sign_in()
        except Exception as error:  # the edge: every error becomes a page
            return _answered(visit, error)

    return serve


def answer(visit: Visit, error: Exception) -> Response:
    """The page of an error, in the reader's language."""
    match error:
        case HTTPException():
            return _error(visit, error.status_code, f"error-{error.status_code}")
        case Refused():
            return _error(visit, error.status, error.key)
        case AccessError():
            status = status_of(error)
            if status < 500:
                return visit.render("error.html", status=status, reason=problem(visit, error), incident="")
            incident = _incident(error)
            return _error(visit, status, f"error-{status}", incident)
        case HubError():
            return _error(visit, 503, "error-hub", _incident(error))
        case CatalogError():
            reason = error.ko if visit.lang is Lang.KO else error.en
            return visit.render("error.html", status=503, reason=reason, incident=_incident(error))
        case ClientDisconnect():
            return PlainTextResponse("", status_code=400)
        case _:
            return _error(visit, 500, "error-500", _incident(error))


def status_of(error: AccessError) -> int:
    """The status of an error people can act on."""
    return next((code for kind, code in STATUS_OF if isinstance(error, kind)), 500)


def problem(visit: Visit, error: AccessError) -> str:
    """What a person is told about an error they can act on."""
    return visit.t(error.reason, **error.params)


def anonymous(request: Request) -> Visit:
    """The request before anybody is asked about it."""
    services = cast("Services", request.app.state.services)
    browser = cookie(request.headers, FORM_COOKIE)
    known = len(browser) == 43
    return Visit(
        request=request,
        services=services,
        lang=_language(request),
        person=None,
        token="",
        browser=browser if known else secrets.token_urlsafe(32),
        new_browser=not known,
        form=Form([]),
        now=services.clock(),
    )


async def not_found(request: Request, error: Exception) -> Response:
    """The page for an address or a method that does not exist."""
    visit = anonymous(request)
    try:
        visit = await _visit(request, visit)
    except Exception as other:  # the database may be what is broken
        log.info("an error page without its reader: %s", type(other).__name__)
    return _answered(visit, error)


def _answered(visit: Visit, error: Exception) -> Response:
    try:
        return answer(visit, error)
    except Exception as worse:  # the page of an error failed itself: a plain one cannot
        said = f"{both('error-500')}\n{_incident(worse)}\n"
        return PlainTextResponse(said, status_code=500, headers=dict(PAGE_HEADERS))


async def _visit(request: Request, visit: Visit, *, streamed: bool = False) -> Visit:
    form = await _form(request) if request.method in WRITES and not streamed else Form([])
    token = cookie(request.headers, SESSION_COOKIE)
    person: Person | None = None
    if token:
        person = await run_in_threadpool(visit.services.people.who, token, visit.now)
    return Visit(
        request=request,
        services=visit.services,
        lang=visit.lang,
        person=person,
        token=token if person else "",
        browser=visit.browser,
        new_browser=visit.new_browser,
        form=form,
        now=visit.now,
    )


async def _form(request: Request) -> Form:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise Refused(413, "error-413")
    form = parse_form(request.headers.get("content-type", ""), bytes(body))
    if form is None:
        raise Refused(400, "error-form")
    return form


def check_origin(visit: Visit) -> None:
    """Stop what no page of ours sent."""
    if not from_own_page(visit.request.headers, visit.services.installation.url):
        raise Refused(403, "error-origin")


def check_token(visit: Visit, token: str) -> None:
    """Stop a form whose token is not this visitor's."""
    if not same_text(token, visit.csrf):
        raise Refused(403, "error-form-old")


def _language(request: Request) -> Lang:
    return Lang.EN if cookie(request.headers, LANGUAGE_COOKIE) == Lang.EN else Lang.KO


def _error(visit: Visit, status: int, key: str, incident: str = "") -> Response:
    key = key if visit.t.known(key) else "error-500"
    reason = visit.t(key, url=visit.services.installation.url)
    return visit.render("error.html", status=status, reason=reason, incident=incident)


def _incident(error: Exception) -> str:
    """A number for the reader, the place for the log; never the message: it may hold rows or names."""
    incident = secrets.token_hex(4)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(HOUSE)]
    where = " < ".join(f"{frame.filename.removeprefix(HOUSE)}:{frame.lineno}" for frame in reversed(frames))
    log.error("incident %s: %s at %s", incident, type(error).__name__, where)
    return incident
