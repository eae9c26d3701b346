"""The portal with the parts of this installation: `python -m hub_config.services.portal --state VAR`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import logging
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from access_control.audit.client import AuditClient
from access_control.database import Database
from access_control.erasures.desk import ErasuresDesk
from access_control.errors import AuditError
from access_control.exports.desk import ExportsDesk
from access_control.grants.desk import GrantsDesk
from access_control.ingests.desk import IngestsDesk
from access_control.people.desk import PeopleDesk
from access_control.portal.app import create_app
from access_control.portal.audit_log import AuditLog
from access_control.portal.facts import FactsShelf
from access_control.portal.gate_client import GateClient
from access_control.portal.hub_client import HubClient
from access_control.portal.own_record import OwnRecord
from access_control.portal.services import Installation, Services
from access_control.portal.starts import StartBoard
from access_control.projects.desk import ProjectsDesk
from access_control.requests.desk import RequestsDesk
from access_control.sessions.desk import SessionsDesk
from catalog.descriptions import load_all
from catalog.sandbox.launcher import Launcher
from catalog.warehouse import Warehouse
from hub_config.settings import Settings, load

KEEP_ALIVE = 75  # [s]; longer than the gate keeps an idle connection
LAST_REQUESTS = 10  # [s] a stopping portal gives requests under way


def services_of(settings: Settings) -> Services:
    """Everything the pages stand on."""
    state = settings.state
    audit = AuditClient(settings.socket("audit"))
    db = Database(settings.access_url, audit)
    with contextlib.suppress(AuditError):  # the next change tries again
        db.relay_leftovers()
    datasets = load_all(settings.repo / "datasets")
    internal = _secret(state / "secrets" / "internal.token")
    warehouse = Warehouse(settings.warehouse, settings.catalog_db)
    launcher = Launcher(settings.socket("launcher"))
    hub = HubClient(settings.socket("hub"), _secret(state / "secrets" / "hub_api.token"))
    return Services(
        installation=Installation(
            url=settings.url,
            host=settings.host,
            port=settings.port,
            isolation=settings.isolation,
            demo=settings.demo,
            web=settings.web,
            dashboards=settings.repo / "notebooks" / "dashboards",
        ),
        people=PeopleDesk(db),
        projects=ProjectsDesk(db),
        grants=GrantsDesk(db, datasets),
        requests=RequestsDesk(db, datasets),
        sessions=SessionsDesk(db),
        exports=ExportsDesk(db, state / "exports" / "blobs"),
        ingests=IngestsDesk(db, state / "uploads", launcher, warehouse),
        audit=AuditLog(state / "audit", audit),
        own_record=OwnRecord(state / "audit", audit, _key(internal, b"campus own record")),
        erasures=ErasuresDesk(state / "audit", audit),
        datasets=datasets,
        facts=FactsShelf(warehouse, datasets),
        launcher=launcher,
        hub=hub,
        gate=GateClient(settings.socket("gate")),
        starts=StartBoard(hub),
        internal_token=internal,
        form_key=_key(internal, b"campus portal forms"),
        clock=lambda: datetime.now(UTC),
    )


def listen(path: Path) -> socket.socket:
    """A listening unix socket that only this user and root can reach."""
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
    finally:
        os.umask(before)
    listening.listen(256)
    return listening


async def serve(services: Services, path: Path) -> None:
    """Serve until SIGTERM or SIGINT. Addresses are never logged: some carry one-time links."""
    config = uvicorn.Config(
        create_app(services),
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=LAST_REQUESTS,
        lifespan="on",
    )
    await uvicorn.Server(config).serve(sockets=[listen(path)])
    path.unlink(missing_ok=True)


def main() -> int:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="The Campus portal: every page.")
    parser.add_argument("--state", required=True, help="folder that holds all state")
    settings = load({"state": parser.parse_args().state})
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(services_of(settings), settings.socket("portal")))
    return 0


def _key(internal: str, purpose: bytes) -> bytes:
    """A key for one purpose, the same after a restart."""
    return hmac.new(internal.encode(), purpose, hashlib.sha256).digest()


def _secret(file: Path) -> str:
    return file.read_text("ascii").strip()


if __name__ == "__main__":
    raise SystemExit(main())
