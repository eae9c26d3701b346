"""What the gate asks, on the portal's own socket. Not pages: the gate refuses to proxy `/_internal/`."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from access_control.errors import AccessError
from access_control.portal.guarding import same_text
from access_control.portal.services import Services

SITE = re.compile(r"[a-z][a-z0-9-]{1,62}")
LARGEST_QUESTION = 4096  # [bytes]
TOKEN_HEADER = "x-campus-internal"  # noqa: S105 the name of a header

Answer = tuple[int, dict[str, Any]]
Asked = Callable[[Services, Request, dict[str, Any]], Answer]


def redeem(services: Services, request: Request, question: dict[str, Any]) -> Answer:
    """Who holds this ticket for this site, or for the hub where no site is named; uses it up."""
    ticket, site = question.get("ticket"), question.get("site")
    if not isinstance(ticket, str) or not (site is None or (isinstance(site, str) and SITE.fullmatch(site))):
        return 400, {"error": "question-malformed"}
    person = services.people.redeem_ticket(ticket, f"site:{site}" if site else "hub", services.clock())
    if person is None:
        return 403, {"error": "ticket-invalid"}
    return 200, {"person": person.handle, "display_name": person.display_name}


def site(services: Services, request: Request, question: dict[str, Any]) -> Answer:
    """Whose live session is on this site."""
    session = services.sessions.at_site(request.path_params["site"])
    if session is None or not session.live:
        return 404, {"error": "site-unknown"}
    return 200, {
        "person": session.person,
        "project": session.project,
        "session_id": session.session_id,
        "status": session.status,
    }


def active(services: Services, request: Request, question: dict[str, Any]) -> Answer:
    """Whether a person may act now."""
    person = services.people.person(request.path_params["handle"])
    return 200, {"active": person is not None and person.active}


def _route(path: str, asked: Asked, method: str) -> Route:
    return Route(path, _endpoint(asked), methods=[method])


def _endpoint(asked: Asked) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        services: Services = request.app.state.services
        if not same_text(request.headers.get(TOKEN_HEADER, ""), services.internal_token):
            return JSONResponse({"error": "not-found"}, status_code=404)
        question: dict[str, Any] = {}
        if request.method == "POST":
            body = await request.body()
            try:
                said = json.loads(body) if len(body) <= LARGEST_QUESTION else None
            except ValueError:
                said = None
            if not isinstance(said, dict):
                return JSONResponse({"error": "question-malformed"}, status_code=400)
            question = said
        try:
            status, answer = await run_in_threadpool(asked, services, request, question)
        except AccessError as error:
            return JSONResponse({"error": error.reason}, status_code=503)
        return JSONResponse(answer, status_code=status, headers={"Cache-Control": "no-store"})

    return serve


ROUTES = [
    _route("/_internal/redeem", redeem, "POST"),
    _route("/_internal/site/{site}", site, "GET"),
    _route("/_internal/person/{handle}/active", active, "GET"),
]
