"""Which open versions a starting session gets: by standing grants, of the open tier, on record before."""

from __future__ import annotations

import json
import secrets
import socket
from pathlib import Path
from typing import Any

import pytest

from catalog.descriptions import Tier
from tests.catalog.gateway.conftest import DESCRIPTIONS
from tests.catalog.gateway.simulator import Installation


def opened(gateway: Installation) -> Any:
    """What the hub is told when it opens a session."""
    question = {
        "op": "open", "session_id": secrets.token_hex(10), "person": "minji", "project": "open-data",
    }  # fmt: skip
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(gateway.run / "gateway.sock"))
        wire.sendall(json.dumps(question).encode() + b"\n")
        return json.loads(wire.makefile().readline())


@pytest.fixture
def standing(gateway: Installation) -> Installation:
    """Grants of people on four datasets, and of the installation on four, one of them private."""
    assert DESCRIPTIONS["card_spending"].tier is not Tier.OPEN
    for name in ("dong_codes", "gu_boundary", "card_spending", "weather_hourly"):
        gateway.guard.grant(name, purpose="standing")
    gateway.guard.grant("card_spending", variant="twin", purpose="standing")
    return gateway


def test_open_versions_are_on_record_before_they_are_mounted(standing: Installation) -> None:
    answer = opened(standing)
    versions = {n: str(standing.warehouse.snapshot(n).snapshot_id) for n in ("dong_codes", "gu_boundary")}
    assert answer == {
        "ok": True, "open": [[name, "main", number, name] for name, number in versions.items()]
    }  # fmt: skip
    ((session_id, mounts),) = standing.guard.mounted
    assert len(session_id) == 20
    assert {m.dataset: str(m.snapshot_id) for m in mounts} == versions
    assert all(m.grant_id for m in mounts)


def test_without_a_record_the_session_does_not_open(standing: Installation) -> None:
    standing.guard.recording = False
    answer = opened(standing)
    assert answer["error"] == "record-unavailable" and "open" not in answer
    assert standing.broker.stats()["sessions"] == 0


def test_a_grant_of_a_person_mounts_nothing(gateway: Installation) -> None:
    assert opened(gateway) == {"ok": True, "open": []}
    assert gateway.guard.mounted == [], "and nothing is said of nothing"


def test_a_private_dataset_is_not_mounted_even_if_it_were_laid_out(
    standing: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(standing.warehouse), "plain_folder", lambda *_: Path("/x"))
    assert [name for *_, name in opened(standing)["open"]] == ["dong_codes", "gu_boundary"]


def test_a_version_without_a_folder_is_left_out(
    standing: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_codes(_: Any, snapshot: Any) -> Path | None:
        return Path("/x") if snapshot.dataset == "dong_codes" else None

    monkeypatch.setattr(type(standing.warehouse), "plain_folder", only_codes)
    assert [name for *_, name in opened(standing)["open"]] == ["dong_codes"]
