"""What a start lays open: the newest version of every open dataset, nothing of others, nothing older."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from catalog.descriptions import load_all
from catalog.warehouse import Publication, Snapshot, Warehouse, plain
from hub_config.services.prepare import _lay_open
from tests.catalog.gateway.conftest import made_up
from tests.catalog.gateway.simulator import REPO


def test_a_start_lays_open_what_is_open_and_clears_the_rest(tmp_path: Path) -> None:
    descriptions = load_all(REPO / "datasets")
    warehouse = Warehouse(tmp_path / "files", tmp_path / "catalog.sqlite")

    def publish(name: str) -> Snapshot:
        made = Publication(now=datetime.now(UTC), by="x", synthetic=True, source="s", recipe="1")
        return warehouse.publish(descriptions[name], "main", made_up(descriptions[name], 5), made)

    older, newest, private = publish("dong_codes"), publish("dong_codes"), publish("card_spending")
    closed = warehouse.root / plain.OPEN / "once_open" / "main" / "7"
    closed.mkdir(parents=True)
    lost = warehouse.plain_folder(newest)
    assert lost is not None
    lost.rename(lost.with_name("8"))  # as in an installation from before there was such a folder
    _lay_open(warehouse, descriptions)
    assert warehouse.plain_folder(newest) is not None
    assert warehouse.plain_folder(older) is None and warehouse.plain_folder(private) is None
    assert not closed.exists() and not lost.with_name("8").exists()
