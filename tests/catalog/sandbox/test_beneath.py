"""Opening below a hostile folder: links, pipes, hard links and races."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.sandbox import beneath
from catalog.sandbox.beneath import NotRegular, open_folder, open_regular
from catalog.sandbox.errors import SandboxError


@pytest.fixture
def root(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "outbox"
    (folder / "sub").mkdir(parents=True)
    (folder / "plain").write_text("plain")
    (folder / "sub" / "plain").write_text("below")
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    yield folder, fd
    os.close(fd)


@pytest.mark.parametrize("name", ["plain", "sub/plain", "./plain"])
def test_opens_plain_files(root: tuple[Path, int], name: str) -> None:
    fd, found = open_regular(root[1], name)
    with os.fdopen(fd, "rb") as file:
        assert len(file.read()) == found.st_size


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "sub/../../secret", "..", "", "plain\0x", "missing"]
)
def test_refuses_ways_out(root: tuple[Path, int], name: str) -> None:
    with pytest.raises(OSError):
        open_regular(root[1], name)


def test_refuses_links_even_inside(root: tuple[Path, int]) -> None:
    folder, fd = root
    (folder / "out").symlink_to("../secret")
    (folder / "in").symlink_to("plain")
    (folder / "sub" / "up").symlink_to("..")
    (folder / "proc").symlink_to("/proc/self/fd/0")
    for name in ("out", "in", "sub/up/plain", "proc"):
        with pytest.raises(OSError):
            open_regular(fd, name)


def test_refuses_everything_but_a_regular_file_with_one_name(root: tuple[Path, int]) -> None:
    folder, fd = root
    os.link(folder / "plain", folder / "second-name")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        before = Path.cwd()
        os.chdir(folder)
        listener.bind("socket")
        os.chdir(before)
        for name in ("plain", "second-name", "pipe", "socket", "sub"):
            with pytest.raises(NotRegular):
                open_regular(fd, name)
    if os.geteuid() == 0:
        os.mknod(folder / "device", 0o600 | 0o020000, os.makedev(1, 3))
        with pytest.raises(NotRegular):
            open_regular(fd, "device")


def test_refuses_somebody_elses_file(root: tuple[Path, int]) -> None:
    with pytest.raises(NotRegular):
        open_regular(root[1], "plain", owner=os.getuid() + 1)


def test_folders_are_opened_through_no_link(root: tuple[Path, int]) -> None:
    folder, fd = root
    os.close(open_folder(fd, "sub"))
    (folder / "link").symlink_to("sub")
    for name in ("link", "..", "plain"):
        with pytest.raises(OSError):
            open_folder(fd, name)


def test_a_swapped_folder_never_leads_out(root: tuple[Path, int]) -> None:
    folder, fd = root
    (folder.parent / "plain").write_text("secret")
    (folder / "link").symlink_to("..")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (folder / "sub").rename(folder / "kept")
            (folder / "link").rename(folder / "sub")
            (folder / "sub").rename(folder / "link")
            (folder / "kept").rename(folder / "sub")

    thread = threading.Thread(target=swap)
    thread.start()
    read: set[str] = set()
    refused = 0
    try:
        for _ in range(3000):
            try:
                file, _ = open_regular(fd, "sub/plain")
            except OSError:
                refused += 1
                continue
            read.add(os.read(file, 100).decode())
            os.close(file)
    finally:
        stop.set()
        thread.join()
    assert read <= {"below"}
    assert refused


def test_an_old_kernel_is_refused_not_made_less_safe(
    root: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beneath, "_OPENAT2", 100_000)  # a number no kernel has: ENOSYS
    with pytest.raises(SandboxError) as refused:
        open_regular(root[1], "plain")
    assert refused.value.reason == "kernel-too-old"
