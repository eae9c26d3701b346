"""The gateway with the parts of this installation: `python -m hub_config.services.gateway --state VAR`."""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import signal
import sys
import threading

from access_control.audit.client import AuditClient
from access_control.database import Database
from access_control.errors import AuditError
from access_control.exports.desk import ExportsDesk
from access_control.guard import CampusGuard
from catalog.descriptions import load_all
from catalog.gateway.broker import Broker
from catalog.gateway.session import QueryLimits
from catalog.sandbox.launcher import Launcher
from catalog.sandbox.model import Mode
from catalog.warehouse import Warehouse
from hub_config.settings import Settings, load

SWITCH_SECONDS = 0.0005  # a query that blocks ten times must not wait 5 ms each for a long statement's judge
NESTING = 6_000  # Python frames; a statement as deep as the gateway reads needs about 2,000


def broker_of(settings: Settings) -> Broker:
    """The broker over this installation's desks, launcher and warehouse."""
    launcher = Launcher(settings.socket("launcher"))
    audit = AuditClient(settings.socket("audit"))
    db = Database(settings.access_url, audit)
    with contextlib.suppress(AuditError):  # the next change tries again
        db.relay_leftovers()
    return Broker(
        guard=CampusGuard(db, ExportsDesk(db, settings.state / "exports" / "blobs"), audit, launcher),
        warehouse=Warehouse(settings.warehouse, settings.catalog_db),
        descriptions=load_all(settings.repo / "datasets"),
        starter=launcher,
        run=settings.run,
        admin=settings.socket("gateway"),
        limits=QueryLimits(
            memory=settings.query_memory,
            spill=settings.query_spill,
            seconds=float(settings.query_seconds),
            result=settings.query_result,
            running=settings.query_running,
            open=settings.query_open,
        ),
        at_once=settings.queries_at_once,
        walled=launcher.ping()["mode"] != Mode.NONE,
        remote=(settings.socket("entrance"), settings.remote_url) if settings.remote_port else None,
    )


def main() -> int:
    """Serve until SIGTERM or SIGINT, let running queries end for a while; a second signal stops at once."""
    parser = argparse.ArgumentParser(description="The Campus gateway: every row passes here.")
    parser.add_argument("--state", required=True, help="folder that holds all state")
    settings = load({"state": parser.parse_args().state})
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sys.setrecursionlimit(NESTING)
    sys.setswitchinterval(SWITCH_SECONDS)
    broker = broker_of(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: broker.hurry() if stop.is_set() else stop.set())
    broker.start()
    gc.freeze()  # what is loaded stays: looking it all through takes 0.1 s, and every query would wait
    stop.wait()
    broker.drain(settings.gateway_drain)
    broker.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
