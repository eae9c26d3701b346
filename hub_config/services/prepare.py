"""What has to be there before the doors open: tables, sample data, grants, links. Runs once a start.

Prints one JSON object a line: `{"step": …, "name": …}` while it works, and at the end
`{"setup": link or null, "demo": [[role, name, link], …]}`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from access_control import demo
from access_control.audit.client import AuditClient
from access_control.audit.event import Action, AuditEvent
from access_control.database import Database
from access_control.exports.desk import ExportsDesk
from access_control.migrations import upgrade
from access_control.people.desk import PeopleDesk
from access_control.people.model import SYSTEM
from access_control.projects.desk import ProjectsDesk
from access_control.sessions.desk import SessionsDesk
from catalog.descriptions import Dataset, load_all
from catalog.descriptions.published import described
from catalog.descriptions.variants import MAIN, TWIN, open_variants
from catalog.samples import load_samples
from catalog.synth.publish import load_twins
from catalog.synth.publish import twins as declared_twins
from catalog.warehouse import Warehouse, WarehouseError
from catalog.warehouse.plain import keep_only
from hub_config.dashboards.load import load_all as load_dashboards
from hub_config.settings import Settings, load

LOG = logging.getLogger(__name__)


def main() -> int:
    """Prepare one installation."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    logging.basicConfig(level=logging.WARNING)
    prepare(load({"state": parser.parse_args().state}), datetime.now(UTC))
    return 0


def prepare(settings: Settings, now: datetime) -> None:
    """Bring everything up to this release; safe to repeat."""
    _say(step="tables")
    upgrade(settings.access_url)
    audit = AuditClient(settings.socket("audit"))
    db = Database(settings.access_url, audit)
    db.relay_leftovers()
    sessions = SessionsDesk(db)
    for left in sessions.live():
        sessions.stopped(left.session_id, "campus-restarted", now)
    ExportsDesk(db, settings.state / "exports" / "blobs").sweep(now)

    _say(step="samples")
    descriptions = load_all(settings.repo / "datasets")
    warehouse = Warehouse(settings.warehouse, settings.catalog_db)
    loaded = load_samples(warehouse, descriptions, now, lambda text: _say(step="samples", name=text))
    twins = load_twins(warehouse, descriptions, now, lambda text: _say(step="samples", name=text))
    _lay_open(warehouse, descriptions)
    _list_bounds(warehouse)
    audit.append_all([_published(name, MAIN, now) for name in loaded])
    audit.append_all([_published(name, TWIN, now) for name in twins])

    _say(step="grants")
    projects = ProjectsDesk(db)
    opened = [(d.name, variant) for d in descriptions.values() for variant in open_variants(d)]
    mains = [name for name, variant in opened if variant == MAIN]
    others = [(name, variant) for name, variant in opened if variant != MAIN]
    projects.ensure_default(now, mains, declared_twins(descriptions), others)
    for board in load_dashboards(settings.repo / "notebooks" / "dashboards").values():
        projects.ensure_dashboard(board.name, board.title, board.datasets, now)

    people = PeopleDesk(db)
    links = demo.seed(people, now) if settings.demo else ()
    token = people.begin_setup(now)
    _say(
        setup=f"{settings.url}/setup/{token}" if token else None,
        demo=[
            [link.person.handle, link.person.display_name, f"{settings.url}/link/{link.token}"]
            for link in links
        ],
    )


def _lay_open(warehouse: Warehouse, descriptions: Mapping[str, Dataset]) -> None:
    """Offer the newest version of whatever is open as plain Parquet, and nothing else: no session runs."""
    newest = []
    for dataset in descriptions.values():
        for variant in {*open_variants(dataset), TWIN}.intersection(warehouse.variants(dataset.name)):
            warehouse.lay_open(described(dataset, variant), variant)
            newest.append(warehouse.snapshot(dataset.name, variant))
    keep_only(warehouse.root, newest)


def _list_bounds(warehouse: Warehouse) -> None:
    """Lists from before they said what files hold say it now; without that reading is slower, and right."""
    for name in warehouse.datasets():
        for variant in warehouse.variants(name):
            try:
                warehouse.list_bounds(name, variant)
            except (WarehouseError, OSError) as error:
                LOG.warning("the files of %s/%s were not looked at", name, variant, exc_info=error)


def _published(name: str, variant: str, now: datetime) -> AuditEvent:
    return AuditEvent(
        time=now,
        actor=SYSTEM,
        action=Action.DATASET_PUBLISHED,
        object=f"dataset:{name}",
        detail={"variant": variant, "synthetic": True},
    )


def _say(**values: object) -> None:
    sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
