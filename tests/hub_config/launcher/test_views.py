"""The folder a query worker has as its data: links to the granted files and nothing else, gone with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalog.sandbox.errors import SandboxError
from catalog.sandbox.isolation import Isolation, Mode
from hub_config.launcher import views
from hub_config.launcher.calls import Calls
from hub_config.launcher.sandboxes import Sandboxes
from hub_config.settings import Settings
from tests.hub_config.launcher.places import SESSION, settings_in


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = settings_in(tmp_path)
    (made.warehouse / "card").mkdir(parents=True, exist_ok=True)
    for name in ("a", "b"):
        (made.warehouse / "card" / name).write_text(name)
    return made


@pytest.fixture
def calls(settings: Settings) -> Calls:
    walls = Isolation(mode=Mode.NONE, reason="test")
    return Calls(settings, walls, Sandboxes(settings, walls))


def names(view: Path) -> list[str]:
    return sorted(str(p.relative_to(view)) for p in view.rglob("*") if p.is_file())


def test_a_view_has_the_granted_files_and_no_other(settings: Settings, calls: Calls) -> None:
    view = calls._view([("card/a", "/data/x/y/one")])
    assert names(view) == ["x/y/one"]
    assert (view / "x/y/one").samefile(settings.warehouse / "card" / "a")
    assert view.parent.stat().st_mode & 0o777 == 0o700
    assert all(p.stat().st_mode & 0o777 == 0o755 for p in (view, view / "x", view / "x/y"))
    views.remove(view)
    assert (settings.warehouse / "card" / "a").read_text() == "a"


def test_thousands_of_files_are_one_mount(settings: Settings, calls: Calls) -> None:
    many = [(f"card/{n}", f"/data/card/{n}") for n in range(3000)]
    for source, _ in many:
        (settings.warehouse / source).touch()
    assert len(names(calls._view(many))) == 3000


def test_what_is_no_file_of_the_warehouse_makes_no_view(
    settings: Settings, calls: Calls, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (settings.warehouse / "card" / "link").symlink_to(secret)
    os.mkfifo(settings.warehouse / "card" / "pipe")
    for source in ("card/link", "card/pipe", "card", "card/none", "../secret"):
        with pytest.raises(SandboxError):
            calls._view([("card/a", "/data/card/a"), (source, "/data/card/it")])
    assert list((settings.warehouse / views.FOLDER).iterdir()) == []


def test_a_worker_that_does_not_start_leaves_no_view(
    settings: Settings, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(Sandboxes, "start", fail)
    (settings.run / "gateway").mkdir(parents=True, exist_ok=True)
    call = {"call": "start_worker", "session_id": SESSION, "generation": 1, "memory": 1 << 30}
    with pytest.raises((OSError, SandboxError)):
        calls.answer({**call, "files": [["card/a", "/data/card/a"]]})
    assert list((settings.warehouse / views.FOLDER).iterdir()) == []


def test_what_an_earlier_launcher_left_is_swept(settings: Settings, calls: Calls) -> None:
    calls._view([("card/a", "/data/card/a")])
    views.sweep(settings.warehouse)
    views.sweep(settings.warehouse)
    assert not (settings.warehouse / views.FOLDER).exists()
    assert (settings.warehouse / "card" / "a").exists()
