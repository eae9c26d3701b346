"""`bin/campus` says what is wrong and what to do when the machine cannot serve. Runs the real script."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
BASICS = (
    "sh",
    "readlink",
    "dirname",
    "id",
    "env",
    "df",
    "awk",
    "cat",
    "cksum",
    "tr",
    "grep",
    "printf",
    "rm",
    "sed",
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The script and the locks alone, as in a fresh clone without environments."""
    for name in (
        "bin/campus",
        *(f"hub_config/environments/{n}.lock" for n in ("uv", "server", "session", "test")),
    ):
        target = tmp_path / "clone" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / name, target)
    return tmp_path / "clone"


def run(clone: Path, path: Path, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(clone / "bin" / "campus"), *argv],
        env={"PATH": str(path), "HOME": str(clone), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def tools(folder: Path, **scripts: str) -> Path:
    """A PATH that holds only the basics and the given stand-ins for tools of the machine."""
    folder.mkdir()
    for name in BASICS:
        found = shutil.which(name)
        if found and name not in scripts:
            (folder / name).symlink_to(found)
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


def test_an_old_python_is_named_with_what_to_install(clone: Path, tmp_path: Path) -> None:
    old = "case $2 in *version_info*) exit 1;; *) echo 3.9.2;; esac"
    done = run(clone, tools(tmp_path / "bin", python3=old), "doctor")
    assert done.returncode == 1
    assert "3.11" in done.stderr and "3.9.2" in done.stderr and "apt-get install python3" in done.stderr
    assert not (clone / ".venv").exists()


def test_no_python_at_all_is_said(clone: Path, tmp_path: Path) -> None:
    done = run(clone, tools(tmp_path / "bin"), "doctor")
    assert done.returncode == 1
    assert "none" in done.stderr


def test_a_full_disk_stops_before_anything_is_installed(clone: Path, tmp_path: Path) -> None:
    full = "echo 'Filesystem 1M-blocks Used Available Use% Mounted'; echo '/dev/x 1000 960 40 96% /'"
    done = run(clone, tools(tmp_path / "bin", df=full), "doctor")
    assert done.returncode == 1
    assert "40 MB" in done.stderr
    assert not (clone / ".venv").exists()


def test_the_script_runs_from_any_folder_and_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "campus"
    link.symlink_to(REPO / "bin" / "campus")
    done = subprocess.run(
        [str(link), "audit", "verify", "--state", "nowhere"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "nowhere" in done.stderr
