"""The state folder is made once, kept private, and refused with a reason when it cannot serve."""

from __future__ import annotations

import collections
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hub_config.settings import load
from hub_config.up.state import SECRETS, SERVICES, CannotStart, check_port, leave_no_sockets, lock, prepare


def test_a_fresh_folder_gets_its_layout_and_private_secrets(tmp_path: Path) -> None:
    settings = load({"state": tmp_path / "var"}, {})
    prepare(settings, None)
    assert (settings.state / "VERSION").read_text() == "1\n"
    for name in SECRETS:
        file = settings.state / "secrets" / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert len(file.read_text()) == 64
    kept = (settings.state / "secrets" / SECRETS[0]).read_text()
    prepare(settings, None)
    assert (settings.state / "secrets" / SECRETS[0]).read_text() == kept
    assert stat.S_IMODE(settings.state.stat().st_mode) == 0o700


def test_a_folder_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("7\n")
    with pytest.raises(CannotStart, match="'7'"):
        prepare(load({"state": tmp_path}, {}), None)
    assert [p.name for p in tmp_path.iterdir()] == ["VERSION"]


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("")
    with pytest.raises(CannotStart, match="neither empty nor"):
        prepare(load({"state": tmp_path}, {}), None)


def test_a_full_disk_is_said_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1 << 30, 1 << 30, 5 << 20))
    with pytest.raises(CannotStart, match="5 MB free"):
        prepare(load({"state": tmp_path / "var"}, {}), None)
    assert not (tmp_path / "var" / "secrets").exists()


def test_a_second_campus_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    settings = load({"state": tmp_path / "var"}, {})
    prepare(settings, None)
    with lock(settings), pytest.raises(CannotStart, match="already runs"):
        lock(settings)
    lock(settings).close()


def test_a_taken_port_is_refused_by_number(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=str(port)):
            check_port(load({"state": tmp_path, "port": port}, {}))
        with pytest.raises(CannotStart, match=f"{port}.*remote_port"):
            check_port(load({"state": tmp_path, "port": 0, "remote_port": port}, {}))


def foreign(run: Path) -> None:
    run.mkdir()
    os.chown(run, 12345, 12345)


def open_to_all(run: Path) -> None:
    run.mkdir()
    run.chmod(0o777)


def a_link(run: Path) -> None:
    (run.parent / "elsewhere").mkdir()
    run.symlink_to(run.parent / "elsewhere")


@pytest.mark.parametrize("planted", [foreign, open_to_all, a_link])
def test_a_socket_folder_that_somebody_else_may_have_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: Callable[[Path], None]
) -> None:
    if planted is foreign and os.getuid() != 0:
        pytest.skip("only root gives folders away")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = load({"state": tmp_path / ("long" * 30)}, {})
    assert settings.run.parent == tmp_path
    planted(settings.run)
    with pytest.raises(CannotStart, match="cannot be trusted"):
        prepare(settings, None)
    assert not list(settings.run.iterdir())


def test_a_socket_folder_of_our_own_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = load({"state": tmp_path / ("long" * 30)}, {})
    prepare(settings, None)
    prepare(settings, None)
    assert stat.S_IMODE(settings.run.stat().st_mode) == 0o711
    assert {p.name for p in settings.run.glob("*.d")} == {f"{name}.d" for name in SERVICES}


@pytest.mark.parametrize("outside", [False, True])
def test_a_stop_leaves_no_sockets_but_what_is_not_on_record_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outside: bool
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    state = tmp_path / ("long" * 30) if outside else Path(tempfile.mkdtemp(prefix="c", dir="/tmp"))
    settings = load({"state": state}, {})
    prepare(settings, None)
    (settings.run / "gateway" / "open").mkdir()
    (settings.run / "gateway" / "open" / "q.json").write_text("{}")
    worker = settings.run / "gateway" / ("a" * 20) / "data"
    worker.mkdir(parents=True)
    (worker / "worker-1.sock").touch()
    settings.socket("entrance").touch()  # as a killed gateway leaves it
    leave_no_sockets(settings)
    assert not list(settings.run.rglob("*.sock"))
    assert (settings.run / "gateway" / "open" / "q.json").exists()
    (settings.run / "gateway" / "open" / "q.json").unlink()
    leave_no_sockets(settings)
    assert settings.run.exists() is not outside
    shutil.rmtree(state)
