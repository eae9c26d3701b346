"""The portal's ASGI application: routes, static files, pages of errors. Knows no concept of the product."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from access_control.portal import serving
from access_control.portal.routes import (
    accesses,
    audit,
    catalogue,
    dashboards,
    erasures,
    exports,
    front,
    grants,
    ingest,
    internal,
    metadata,
    people,
    projects,
    requests,
    reviews,
    sessions,
)
from access_control.portal.services import Services

HERE: Final = Path(__file__).resolve().parent
A_YEAR: Final = 365 * 24 * 3600  # [s]
WEB: Final = (
    ("krds/css", "krds-uiux/resources/css"),
    ("krds/fonts", "krds-uiux/resources/fonts"),
    ("krds/img", "krds-uiux/resources/img"),
    ("htmx", "htmx.org/dist"),
)


def create_app(services: Services) -> Starlette:
    """The application over these services.

    Raises
    ------
    FileNotFoundError
        The front-end packages are not installed.
    """
    modules = (
        *(front, catalogue, metadata, people, projects, sessions, requests, exports, reviews, grants),
        *(accesses, ingest, audit, erasures, dashboards, internal),
    )
    routes: list[BaseRoute] = [route for module in modules for route in module.ROUTES]

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        yield
        await services.starts.close()

    async def failed(request: Request, error: Exception) -> Response:
        return await serving.not_found(request, error)

    app = Starlette(
        routes=[*_static(services.installation.web), *routes],
        lifespan=life,
        exception_handlers={HTTPException: failed},
    )
    app.state.services = services
    return app


def _static(web: Path) -> list[BaseRoute]:
    missing = [folder for _, folder in WEB if not (web / folder).is_dir()]
    if missing:
        raise FileNotFoundError(f"{web}: run hub_config/environments/install_web.sh ({', '.join(missing)})")
    mounts: list[BaseRoute] = [
        Mount(f"/static/{name}", _forever(StaticFiles(directory=web / folder))) for name, folder in WEB
    ]
    return [*mounts, Mount("/static", _forever(StaticFiles(directory=HERE / "static")))]


def _forever(files: ASGIApp) -> ASGIApp:
    """An address with a version always means the same bytes; one without is asked for again after an hour."""
    zipped = GZipMiddleware(files, minimum_size=1024)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *((k, v) for k, v in message["headers"] if k.lower() != b"cache-control"),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cross-origin-resource-policy", b"same-origin"),
                    (b"cache-control", _caching(message["status"], scope["query_string"])),
                ]
            await send(message)

        await zipped(scope, receive, sending)

    return serve


def _caching(status: int, query: bytes) -> bytes:
    if status not in {200, 304}:
        return b"no-store"
    return f"public, max-age={A_YEAR}, immutable".encode() if query.startswith(b"v=") else b"max-age=3600"
