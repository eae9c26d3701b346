"""What the launcher refuses to be told; every call against the real state folder, nothing started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from catalog.sandbox.errors import SandboxError
from catalog.sandbox.isolation import Isolation, Mode
from hub_config.launcher import folders, places
from hub_config.launcher.calls import Calls
from hub_config.launcher.sandboxes import Sandboxes
from hub_config.settings import Settings
from tests.hub_config.launcher.places import SESSION, settings_in

SESSION_CALL = {
    "call": "start_session",
    "session_id": SESSION,
    "person": "minji",
    "project": "open-data",
    "uid": 201_000,
    "prefix": "/user/minji/open-data/",
}
WORKER_CALL = {
    "call": "start_worker",
    "session_id": SESSION,
    "generation": 1,
    "files": [["card/a.parquet", "/data/card/a.parquet"]],
    "memory": 1 << 30,
}
DASHBOARD_CALL = {"call": "start_dashboard", "session_id": SESSION, "name": "living", "prefix": "/"}
INGEST_CALL = {"call": "start_ingest", "run_id": SESSION}
OUTBOX_CALL = {"call": "open_outbox", "person": "minji", "project": "open-data", "names": ["a"]}
OPEN_VERSION = ["bus_stops", "main", "123", "bus_stops"]
MALFORMED_OPEN: tuple[Any, ...] = (
    "bus_stops",
    ["bus_stops"],
    [OPEN_VERSION, OPEN_VERSION],
    [["..", "main", "123", "bus_stops"]],
    [["bus_stops", "..", "123", "bus_stops"]],
    [["bus_stops", "main", "..", "bus_stops"]],
    [["bus_stops", "main", "123", ".."]],
    [["bus_stops", "main", "123", "../../home/minji"]],
    [["bus_stops", "main", "123", "a=b:c"]],
    [["bus_stops/main", "main", "123", "x"]],
    [["bus_stops", "main", "123\n", "x"]],
    [["bus_stops", "main", 123, "x"]],
    [["bus_stops", "main", "123"]],
    [["bus_stops", "main", "123", "x", "rw"]],
    [["Bus", "main", "123", "x"]],
    [["bus_stops", "main", "123", f"x{n}"] for n in range(501)],
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def calls(settings: Settings) -> Calls:
    walls = Isolation(mode=Mode.ROOT, reason="test")
    return Calls(settings, walls, Sandboxes(settings, walls))


def refused(calls: Calls, request: Any) -> str:
    with pytest.raises(SandboxError) as error:
        calls.answer(request)
    assert error.value.ko
    assert error.value.en
    return error.value.reason


@pytest.mark.parametrize("request_", [None, [], "start_session", {}, {"call": 1}, {"call": ["list"]}])
def test_a_request_is_an_object_with_a_call(calls: Calls, request_: object) -> None:
    assert refused(calls, request_) in {"parameter-malformed", "call-unknown"}


@pytest.mark.parametrize(
    "call", ["run", "start", "mount", "__class__", "_start_session", "answer", "service", ""]
)
def test_only_named_profiles(calls: Calls, call: str) -> None:
    assert refused(calls, {"call": call}) == "call-unknown"


@pytest.mark.parametrize(
    ("base", "change"),
    [
        (SESSION_CALL, {"session_id": "../../../../etc/x"}),
        (SESSION_CALL, {"session_id": SESSION.upper()}),
        (SESSION_CALL, {"session_id": SESSION + "\n"}),
        (SESSION_CALL, {"session_id": 1}),
        (SESSION_CALL, {"person": "../root"}),
        (SESSION_CALL, {"person": "minji/x"}),
        (SESSION_CALL, {"person": "Minji"}),
        (SESSION_CALL, {"person": ""}),
        (SESSION_CALL, {"person": "a"}),
        (SESSION_CALL, {"person": "a" * 40}),
        (SESSION_CALL, {"project": ".."}),
        (SESSION_CALL, {"project": ["open-data"]}),
        (SESSION_CALL, {"uid": 0}),
        (SESSION_CALL, {"uid": 1000}),
        (SESSION_CALL, {"uid": 200_000}),
        (SESSION_CALL, {"uid": 200_001}),
        (SESSION_CALL, {"uid": 200_999}),
        (SESSION_CALL, {"uid": 2**32}),
        (SESSION_CALL, {"uid": True}),
        (SESSION_CALL, {"uid": "201000"}),
        (SESSION_CALL, {"prefix": "/user/other/open-data/"}),
        (SESSION_CALL, {"prefix": "//evil/"}),
        (SESSION_CALL, {"argv": ["/bin/sh"]}),
        (SESSION_CALL, {"mounts": [["/", "/host"]]}),
        (SESSION_CALL, {"network": True}),
        (SESSION_CALL, {"env": {"LD_PRELOAD": "/x"}}),
        (WORKER_CALL, {"generation": -1}),
        (WORKER_CALL, {"generation": 1.5}),
        (WORKER_CALL, {"memory": 1}),
        (WORKER_CALL, {"memory": 1 << 50}),
        (WORKER_CALL, {"files": "x"}),
        (WORKER_CALL, {"files": [["a"]]}),
        (WORKER_CALL, {"files": [["a", "/data/a"]] * 2}),
        (WORKER_CALL, {"files": [["a", "/data/a"], ["b", "/data/a/b"]]}),
        (WORKER_CALL, {"files": [["a", "/data/a", "rw"]]}),
        (WORKER_CALL, {"files": [["../secrets/key", "/data/a"]]}),
        (WORKER_CALL, {"files": [["/etc/shadow", "/data/a"]]}),
        (WORKER_CALL, {"files": [["a", "/etc/passwd"]]}),
        (WORKER_CALL, {"files": [["a", "/data/../etc/passwd"]]}),
        (WORKER_CALL, {"files": [["a", "/data/"]]}),
        (WORKER_CALL, {"files": [["a\0b", "/data/a"]]}),
        (WORKER_CALL, {"files": [["a", "/data/a"]] * 10_001}),
        *((SESSION_CALL, {"open": value}) for value in MALFORMED_OPEN),
        *((DASHBOARD_CALL, {"open": value}) for value in MALFORMED_OPEN[:3]),
        (DASHBOARD_CALL, {"name": "../lessons"}),
        (DASHBOARD_CALL, {"prefix": "x"}),
        (DASHBOARD_CALL, {"folder": "/etc"}),
        (INGEST_CALL, {"run_id": "../../secrets/0123456789ab"}),
        (INGEST_CALL, {"run_id": SESSION[1:]}),
        (INGEST_CALL, {"dataset": "subway_ridership"}),
        (INGEST_CALL, {"argv": ["/bin/sh"]}),
        (OUTBOX_CALL, {"names": "a"}),
        (OUTBOX_CALL, {"names": [1]}),
        (OUTBOX_CALL, {"names": ["a", "a"]}),
        (OUTBOX_CALL, {"person": "../../etc"}),
        ({"call": "stop", "sandbox_id": "session-x"}, {}),
        ({"call": "stop", "sandbox_id": f"service-{SESSION}"}, {}),
        ({"call": "stop", "sandbox_id": f"session-{SESSION}"}, {"grace": 1e9}),
        ({"call": "stop", "sandbox_id": f"session-{SESSION}"}, {"grace": float("nan")}),
        ({"call": "status", "sandbox_id": None}, {}),
        ({"call": "list"}, {"all": True}),
        ({"call": "prepare_home", "person": "minji", "project": "open-data", "uid": 0}, {}),
    ],
)
def test_refuses_parameters_out_of_form(calls: Calls, base: dict[str, Any], change: dict[str, Any]) -> None:
    assert refused(calls, base | change) == "parameter-malformed"


def test_refuses_files_that_are_not_published(calls: Calls, settings: Settings) -> None:
    (settings.state / "secret").write_text("x")
    card = settings.warehouse / "card"
    card.mkdir()
    (card / "link.parquet").symlink_to("../../secret")
    os.mkfifo(card / "pipe.parquet")
    (settings.warehouse / "out").symlink_to("..")
    for source in ("card/missing.parquet", "card/link.parquet", "card/pipe.parquet", "out/secret", "card"):
        assert refused(calls, WORKER_CALL | {"files": [[source, "/data/x"]]}) == "file-missing"


def test_a_files_second_name_below_open_is_no_hindrance_but_its_owner_is(
    calls: Calls, settings: Settings
) -> None:
    """Open versions have two names; a link to a file of somebody else would give it away."""
    file = settings.warehouse / "a.parquet"
    file.write_text("x")
    os.link(file, settings.warehouse / "b.parquet")
    with folders.opened(settings.warehouse) as warehouse:
        os.close(calls._granted(warehouse, "a.parquet"))
    if os.getuid() != 0:
        pytest.skip("only root may give a file away")
    os.chown(file, 201_007, 201_007)
    assert refused(calls, WORKER_CALL | {"files": [["a.parquet", "/data/a"]]}) == "file-missing"


def test_refuses_versions_that_are_not_laid_open(calls: Calls, settings: Settings) -> None:
    home = settings.state / "homes" / "minji" / "open-data"
    home.mkdir(parents=True)
    os.chown(home, 201_000, 201_000) if os.getuid() == 0 else pytest.skip("homes are made by root")
    asked = SESSION_CALL | {"open": [OPEN_VERSION]}
    assert refused(calls, asked) == "version-missing", "there is no tree at all"
    variant = settings.warehouse / places.OPEN_TREE / "bus_stops" / "main"
    variant.mkdir(parents=True)
    assert refused(calls, asked) == "version-missing"
    (variant / "123").symlink_to(settings.state)
    assert refused(calls, asked) == "version-missing", "a link leads elsewhere"
    (variant / "123").unlink()
    (variant / "123").write_text("no folder")
    assert refused(calls, asked) == "version-missing"
    (variant / "123").unlink()
    variant.rename(variant.with_name("elsewhere"))
    variant.symlink_to("elsewhere")
    (variant / "123").mkdir()
    assert refused(calls, asked) == "version-missing", "nor on the way"


def test_refuses_a_home_that_is_missing_or_somebody_elses(calls: Calls, settings: Settings) -> None:
    assert refused(calls, SESSION_CALL) == "home-missing"
    home = settings.state / "homes" / "minji" / "open-data"
    home.mkdir(parents=True)
    assert refused(calls, SESSION_CALL | {"uid": home.stat().st_uid + 201_000}) == "home-missing"


def test_refuses_an_ingest_run_without_a_folder_of_its_own(calls: Calls, settings: Settings) -> None:
    assert refused(calls, INGEST_CALL) == "run-missing"
    runs = settings.state / "uploads" / "runs"
    runs.mkdir(parents=True)
    assert refused(calls, INGEST_CALL) == "run-missing"
    (runs / SESSION).symlink_to(settings.state)
    assert refused(calls, INGEST_CALL) == "run-missing"
    (runs / SESSION).unlink()
    (runs / SESSION).write_text("{}")
    assert refused(calls, INGEST_CALL) == "run-missing"


def test_refuses_a_dashboard_that_is_not_published(calls: Calls) -> None:
    assert refused(calls, DASHBOARD_CALL) == "dashboard-missing"


def test_knows_nothing_of_sandboxes_it_did_not_start(calls: Calls) -> None:
    name = f"session-{SESSION}"
    assert calls.answer({"call": "status", "sandbox_id": name}).body == {"gone": True}
    assert calls.answer({"call": "stop", "sandbox_id": name}).when_ended is None
