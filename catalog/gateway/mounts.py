"""Which open versions a starting session has mounted as plain Parquet. Knows no folder inside a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from catalog.descriptions import Dataset, Tier
from catalog.descriptions.variants import sql_name
from catalog.gateway import refusals
from catalog.gateway.guard import Guard, RecordFailed, ScannedTable, SessionIdentity
from catalog.warehouse import Warehouse, WarehouseError

Mounted = tuple[str, str, str, str]
"""Dataset, variant, version, name inside: `catalog.sandbox.launcher.OpenVersion`."""


def open_mounts(
    identity: SessionIdentity,
    guard: Guard,
    warehouse: Warehouse,
    descriptions: Mapping[str, Dataset],
    now: datetime,
) -> tuple[Mounted, ...]:
    """The newest version of every open dataset the project holds by a standing grant, once on record.

    Raises
    ------
    GatewayError
        `record-unavailable`: it could not be recorded, so nothing may be mounted.
    """
    found: dict[str, tuple[Mounted, ScannedTable]] = {}
    for grant in guard.standing(identity, now):
        dataset = descriptions.get(grant.dataset)
        if dataset is None or dataset.tier is not Tier.OPEN:
            continue
        try:
            snapshot = warehouse.snapshot(grant.dataset, grant.variant)
        except WarehouseError:
            continue
        if warehouse.plain_folder(snapshot) is not None:
            name, number = sql_name(grant.dataset, grant.variant), snapshot.snapshot_id
            scanned = ScannedTable(
                dataset=grant.dataset, variant=grant.variant, snapshot_id=number, grant_id=grant.grant_id
            )
            found[name] = (grant.dataset, grant.variant, str(number), name), scanned
    chosen = [found[name] for name in sorted(found)]
    if chosen:
        try:
            guard.record_mounts(identity, tuple(scanned for _, scanned in chosen), now)
        except RecordFailed as error:
            raise refusals.record_unavailable() from error
    return tuple(mounted for mounted, _ in chosen)
