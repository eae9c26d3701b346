"""The command line says what it did, and refuses in words a person can act on. Runs the real commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from catalog.sandbox.isolation import Mode, probe
from hub_config.cli.doctor import examine
from hub_config.cli.main import main
from hub_config.cli.reference import pages
from hub_config.settings import REPO, load
from tests.catalog.ingest.support import month, subway_rows


def campus(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "hub_config.cli", *argv],
        env={"PYTHONPATH": str(REPO), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "USER": "steward"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_generated_pages_are_current() -> None:
    for path, text in pages().items():
        assert path.read_text("utf-8") == text, f"{path.name} is old: run `bin/campus fix`"


def test_doctor_names_the_isolation_mode_and_why() -> None:
    done = campus("doctor", "--state", str(REPO / "var"))
    mode = probe().mode
    assert {Mode.ROOT: "root launcher", Mode.USERNS: "user namespaces", Mode.NONE: "no walls"}[
        mode
    ] in done.stdout


def test_doctor_without_walls_gives_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.sandbox.isolation.BWRAP", str(tmp_path / "bwrap"))
    findings = examine(load({"state": tmp_path}, {}))
    assert not findings[0].good and "is not installed" in findings[0].text
    assert "apt-get install bubblewrap" in findings[1].text and "--isolation=none" in findings[1].text


def test_up_without_walls_refuses_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("catalog.sandbox.isolation.BWRAP", str(tmp_path / "bwrap"))
    assert main(["up", "--state", str(tmp_path / "var"), "--port", "0"]) == 1
    said = capsys.readouterr().err
    assert "bwrap is not installed" in said
    assert "apt-get install bubblewrap" in said and "--isolation=none" in said
    assert not (tmp_path / "var").exists()


def test_up_refuses_a_state_folder_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("99\n")
    done = campus("up", "--state", str(tmp_path), "--port", "0")
    assert done.returncode == 1
    assert "'99'" in done.stderr


def test_up_refuses_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "campus.toml").write_text("portt = 1\n")
    done = campus("up", "--state", str(tmp_path))
    assert done.returncode == 2
    assert "'portt'" in done.stderr


def test_ingest_refuses_a_missing_file_and_an_unknown_dataset(tmp_path: Path) -> None:
    missing = campus("ingest", "--state", str(tmp_path / "v"), "subway_ridership", str(tmp_path / "none.csv"))
    assert missing.returncode == 1
    assert "none.csv" in missing.stderr
    (tmp_path / "some.csv").write_text("a,b\n1,2\n")
    unknown = campus("ingest", "--state", str(tmp_path / "v"), "subwey", str(tmp_path / "some.csv"))
    assert unknown.returncode == 1
    assert "subway_ridership" in unknown.stderr


def test_ingest_names_file_and_reason_and_publishes_nothing(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("사용일자,역\n20250101,강남\n", "utf-8")
    done = campus("ingest", "--state", str(tmp_path / "v"), "subway_ridership", str(tmp_path / "odd.csv"))
    assert done.returncode == 1
    assert "odd.csv" in done.stderr
    assert not list((tmp_path / "v" / "warehouse").rglob("*.parquet"))


def test_ingest_checks_then_publishes_with_a_named_exception(tmp_path: Path) -> None:
    """The steps of a steward on the command line, each within the walls of this machine."""
    lines = subway_rows("B", month("202602"))
    lines[4] = lines[4].replace(",2001,", ",-5,")
    file = tmp_path / "february.csv"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    given = ("--state", str(tmp_path / "v"), "subway_ridership", str(file))
    looked = campus("ingest", "--check", *given)
    assert looked.returncode == 1, looked.stderr
    assert "✗ range-boardings" in looked.stdout and "february.csv:5" in looked.stdout
    assert not list((tmp_path / "v" / "warehouse").rglob("*.parquet"))
    refused = campus("ingest", *given)
    assert refused.returncode == 1 and "-5" in refused.stderr
    done = campus("ingest", "--accept", "range-boardings=제공기관이 확인한 취소 건입니다", *given)
    assert done.returncode == 0, done.stderr
    assert "56행 적재" in done.stdout
    events = (tmp_path / "v" / "audit").rglob("*")
    recorded = b"".join(path.read_bytes() for path in events if path.is_file())
    assert "제공기관이 확인한 취소 건입니다".encode() in recorded


def test_audit_verify_without_a_log_says_so(tmp_path: Path) -> None:
    done = campus("audit", "verify", "--state", str(tmp_path))
    assert done.returncode == 1
    assert "there is no audit log" in done.stderr
