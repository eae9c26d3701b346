"""Homes and outboxes, against a person who plays tricks in them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from catalog.sandbox.errors import LauncherError
from catalog.sandbox.isolation import Isolation, Mode
from hub_config.launcher import homes, outbox, places
from hub_config.settings import Settings
from tests.hub_config.launcher.places import PERSON_UID, settings_in

WALLS = Isolation(mode=Mode.ROOT if os.geteuid() == 0 else Mode.USERNS, reason="test")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def home(settings: Settings) -> Path:
    homes.prepare(settings, WALLS, "minji", "open-data", PERSON_UID)
    return places.home(settings, "minji", "open-data")


def owner() -> int:
    return PERSON_UID if WALLS.mode is Mode.ROOT else os.geteuid()


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def put(home: Path, name: str, text: str = "x") -> Path:
    path = home / "outbox" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.chown(path, owner(), owner())
    return path


def test_a_new_home_is_its_owners_alone(settings: Settings, home: Path) -> None:
    assert {path.name for path in home.iterdir()} == {"lessons", "outbox"}
    for path in (home, *home.rglob("*")):
        assert path.stat().st_uid == owner()
        assert path.stat().st_mode & 0o077 == 0
    assert [path.name for path in home.parent.iterdir()] == ["open-data"]


def test_lessons_are_copied_once_and_kept_as_the_person_left_them(settings: Settings, home: Path) -> None:
    lessons = (settings.repo / "notebooks" / "lessons").glob("*.ipynb")
    assert {path.name for path in lessons} <= {path.name for path in (home / "lessons").iterdir()}
    put(home, "kept")
    (home / "lessons").rename(home / "mine")
    homes.prepare(settings, WALLS, "minji", "open-data", PERSON_UID)
    assert (home / "outbox" / "kept").exists()
    assert not (home / "lessons").exists()


def test_a_home_of_somebody_else_is_refused(settings: Settings, home: Path) -> None:
    if WALLS.mode is not Mode.ROOT:
        pytest.skip("one user owns every home without root")
    with pytest.raises(LauncherError) as refused:
        homes.prepare(settings, WALLS, "minji", "open-data", PERSON_UID + 1)
    assert refused.value.reason == "home-missing"


def test_a_link_in_place_of_a_home_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (settings.state / "homes" / "minji").mkdir(parents=True)
    (settings.state / "homes" / "minji" / "open-data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LauncherError):
        homes.prepare(settings, WALLS, "minji", "open-data", PERSON_UID)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    with pytest.raises(LauncherError):
        outbox.entries(settings, "minji", "open-data")


def test_outbox_lists_regular_files_with_one_name_only(settings: Settings, home: Path) -> None:
    put(home, "result.csv", "12345")
    put(home, "charts/그림.png", "1")
    put(home, "double")
    os.link(home / "outbox" / "double", home / "outbox" / "second-name")
    os.mkfifo(home / "outbox" / "pipe")
    (home / "outbox" / "link").symlink_to("result.csv")
    (home / "outbox" / "folder-link").symlink_to("/etc")
    put(home, "line\nbreak")
    Path(os.fsdecode(os.fsencode(home / "outbox") + b"/\xff\xfe")).touch()
    listed = outbox.entries(settings, "minji", "open-data")
    assert [(name, size) for name, size, _ in listed] == [("charts/그림.png", 1), ("result.csv", 5)]


def test_outbox_opens_what_it_lists(settings: Settings, home: Path) -> None:
    put(home, "a", "first")
    put(home, "charts/b", "second")
    fds = outbox.open_files(settings, "minji", "open-data", ["charts/b", "a"])
    texts = []
    for fd in fds:
        assert os.get_inheritable(fd) is False
        with os.fdopen(fd, "rb") as file:
            texts.append(file.read())
    assert texts == [b"second", b"first"]
    with pytest.raises(OSError):
        os.write(os.open(home / "outbox" / "a", os.O_RDONLY), b"x")


@pytest.mark.parametrize(
    "name",
    [
        *("link", "pipe", "device", "double", "../lessons/x", "/etc/passwd", "..", ".", "", "foreign"),
        *("folder-link/passwd", "charts", "missing", "a/../a", "a\0", "a//b", "x" * 600),
    ],
)
def test_outbox_refuses_tricks(settings: Settings, home: Path, name: str) -> None:
    put(home, "a")
    put(home, "charts/b")
    put(home, "double")
    (home / "lessons" / "x").write_text("x")
    os.link(home / "outbox" / "double", home / "outbox" / "second-name")
    os.mkfifo(home / "outbox" / "pipe")
    (home / "outbox" / "link").symlink_to("/etc/passwd")
    (home / "outbox" / "folder-link").symlink_to("/etc")
    if os.geteuid() == 0:
        os.mknod(home / "outbox" / "device", 0o600 | 0o020000, os.makedev(1, 5))
        (home / "outbox" / "foreign").write_text("root's")
    before = open_descriptors()
    with pytest.raises(LauncherError) as refused:
        outbox.open_files(settings, "minji", "open-data", ["a", name])
    assert refused.value.reason == "file-refused"
    assert open_descriptors() == before


def test_an_outbox_that_is_a_link_is_empty(settings: Settings, home: Path) -> None:
    (home / "outbox").rmdir()
    (home / "outbox").symlink_to("/etc")
    assert outbox.entries(settings, "minji", "open-data") == []
    with pytest.raises(LauncherError):
        outbox.open_files(settings, "minji", "open-data", ["passwd"])


def test_outbox_has_limits(settings: Settings, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [put(home, f"f{n}", "12345").name for n in range(12)]
    monkeypatch.setattr(outbox, "MOST_FILES", 11)
    monkeypatch.setattr(outbox, "MOST_BYTES", 30)
    monkeypatch.setattr(outbox, "MOST_LISTED", 10)
    before = open_descriptors()
    for asked in (names, names[:7]):
        with pytest.raises(LauncherError) as refused:
            outbox.open_files(settings, "minji", "open-data", asked)
        assert refused.value.reason == "too-much"
    with pytest.raises(LauncherError) as refused:
        outbox.entries(settings, "minji", "open-data")
    assert refused.value.reason == "too-much"
    assert open_descriptors() == before


def test_a_file_swapped_for_a_link_is_never_followed(settings: Settings, home: Path) -> None:
    put(home, "a", "mine")
    (home.parent.parent.parent / "secret").write_text("secret")
    (home / "link").symlink_to(home.parent.parent.parent / "secret")
    stop = threading.Event()

    def swap() -> None:
        plain, link, kept = home / "outbox" / "a", home / "link", home / "kept"
        while not stop.is_set():
            plain.rename(kept)
            link.rename(plain)
            plain.rename(link)
            kept.rename(plain)

    thread = threading.Thread(target=swap)
    thread.start()
    read: set[bytes] = set()
    try:
        for _ in range(1500):
            outbox.entries(settings, "minji", "open-data")
            try:
                (fd,) = outbox.open_files(settings, "minji", "open-data", ["a"])
            except LauncherError:
                continue
            read.add(os.read(fd, 100))
            os.close(fd)
    finally:
        stop.set()
        thread.join()
    assert read <= {b"mine"}
