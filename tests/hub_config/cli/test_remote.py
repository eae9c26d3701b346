"""`campus remote` and `campus relay` say what is missing; the story shows that they work."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hub_config.cli.main import main
from hub_config.settings import load

SESSION = "ab" * 10


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAMPUS_REMOTE_PORT", "8443")
    return tmp_path / "s"


def test_nothing_is_signed_where_nothing_runs(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remote", "list", "--state", str(state)]) == 1
    said = capsys.readouterr().err
    assert "campus up" in said and "실행되고 있지 않습니다" in said
    assert not (state / "authority").exists()


def test_a_port_that_is_off_is_said(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CAMPUS_REMOTE_PORT")
    assert load({"state": state}).remote_port == 0, "off by default"
    assert main(["remote", "open", "minji", "open-data", "--state", str(state)]) == 1
    assert "remote_port" in capsys.readouterr().err


def test_a_missing_request_is_named(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remote", "issue", SESSION, "/no/such.csr", "--state", str(state)]) == 1
    assert "/no/such.csr" in capsys.readouterr().err


def test_a_request_travels_and_the_key_stays(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["relay", "request", SESSION, "--state", str(state)]) == 0
    first = capsys.readouterr().out
    key = state / "relay" / SESSION / "key.pem"
    assert first.startswith("-----BEGIN CERTIFICATE REQUEST-----") and "PRIVATE" not in first
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    assert main(["relay", "request", SESSION, "--state", str(state)]) == 0
    assert key.read_bytes() == before
    capsys.readouterr()
    assert main(["relay", "request", "../x", "--state", str(state)]) == 1
    assert "20 hex digits" in capsys.readouterr().err


def test_a_relay_that_cannot_work_says_why(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["relay", "run", "localhost:1", "--state", str(state)]) == 1
    assert "campus remote trust" in capsys.readouterr().err
    for address in ("localhost", ":8443", "localhost:http"):
        assert main(["relay", "run", address, "--state", str(state)]) == 1
        assert "HOST:PORT" in capsys.readouterr().err
    (tmp_path / "odd.pem").write_bytes(b"\xff")
    assert main(["relay", "accept", str(tmp_path / "odd.pem"), "--state", str(state)]) == 1
    assert "PEM" in capsys.readouterr().err
    assert main(["relay", "accept", "/no/such.pem", "--state", str(state)]) == 1
    assert "/no/such.pem" in capsys.readouterr().err


def test_readers_are_sent_to_the_first_name(tmp_path: Path) -> None:
    def url(**values: object) -> str:
        return load({"state": tmp_path, "remote_port": 8443, **values}, {}).remote_url

    assert url() == "grpc+tls://localhost:8443"
    assert url(host="campus.example") == "grpc+tls://campus.example:8443"
    assert url(remote_names=" data.example , 10.0.0.1,") == "grpc+tls://data.example:8443"
    assert url(remote_names="fd00::1") == "grpc+tls://[fd00::1]:8443"
