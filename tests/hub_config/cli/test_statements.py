"""`campus audit show` and `erase` against a running log and a real database: signed in, sure, recorded."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from access_control import migrations
from access_control.audit.client import AuditClient
from access_control.audit.event import Action
from access_control.audit.reader import AuditReader
from access_control.database import Database
from access_control.people import passwords
from access_control.people.model import Role
from hub_config.cli.main import main
from hub_config.settings import REPO, Settings, load
from hub_config.up import state
from tests.access_control.campus import PASSWORD, Campus
from tests.access_control.conftest import CHEAP
from tests.access_control.erasures.test_erasures import NORMAL, REASON, TEXT, ask


@dataclass(frozen=True)
class Running:
    settings: Settings
    query: str

    def actions(self) -> list[Action]:
        return [e.event.action for e in AuditReader(self.settings.state / "audit").everything()]


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(passwords, "HASHER", CHEAP)
    settings = load({"state": tmp_path / "v"}, {})
    state.prepare(settings, None)
    argv = [sys.executable, "-m", "hub_config.services.audit", "--state", str(settings.state)]
    process = subprocess.Popen(argv, cwd=REPO, stderr=subprocess.DEVNULL)
    audit = AuditClient(settings.socket("audit"), patience=30)
    try:
        audit.ping()
        migrations.upgrade(settings.access_url)
        with contextlib.closing(Database(settings.access_url, audit)) as db:
            campus = Campus(db, audit, settings.state / "audit", tmp_path / "blobs")
            campus.person("officer", Role.PRIVACY)
            campus.person("auditor", Role.AUDITOR)
            yield Running(settings=settings, query=ask(campus, "minji"))
    finally:
        audit.close()
        process.terminate()
        process.wait(20)


@pytest.fixture
def campus_says(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> object:
    def run(*argv: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        code = main(["audit", *argv, "--state", str(running.settings.state)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_statement_is_shown_then_erased_then_marked(running: Running, campus_says: object) -> None:
    assert callable(campus_says)
    code, out, _ = campus_says("show", running.query)
    assert code == 0 and TEXT in out and "who = '홍길동'" in out
    assert running.actions()[-1] is Action.AUDIT_READ
    given = ("erase", "--as", "officer", "--query", running.query, "--reason", REASON)
    code, out, err = campus_says(*given, typed=f"{PASSWORD}\nno\n")
    assert code == 1 and "minji" in out and "nothing was erased" in err
    assert TEXT in campus_says("show", running.query)[1]
    code, out, _ = campus_says(*given, typed=f"{PASSWORD}\nerase\n")
    assert code == 0 and "✓ 1" in out
    assert Action.AUDIT_LITERALS_ERASED in running.actions()
    code, out, _ = campus_says("show", running.query)
    assert code == 0 and NORMAL in out and "홍길동" not in out and "erased" in out
    code, out, _ = campus_says("verify")
    assert code == 0 and "1 지움 erased" in out


@pytest.mark.parametrize(
    ("given", "typed", "said"),
    [
        (("--as", "officer", "--person", "minji"), "wrong\n", "The handle or the password is wrong."),
        (("--as", "auditor", "--person", "minji"), f"{PASSWORD}\n", "Only the privacy officer may do this."),
        (("--as", "officer"), f"{PASSWORD}\n", "Nothing was chosen."),
        (("--as", "officer", "--person", "minji", "--before", "2020-01-01"), f"{PASSWORD}\n", "nothing was"),
        (("--as", "officer", "--query", "x"), f"{PASSWORD}\n", "is no query number"),
    ],
)
def test_nothing_is_erased_without_right_choice_and_password(
    running: Running, campus_says: object, given: tuple[str, ...], typed: str, said: str
) -> None:
    assert callable(campus_says)
    code, _, err = campus_says("erase", *given, "--reason", REASON, "--yes", typed=typed)
    assert code == 1 and said in err
    assert Action.AUDIT_LITERALS_ERASED not in running.actions()


def test_without_a_running_log_nothing_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state.prepare(load({"state": tmp_path / "v"}, {}), None)
    assert main(["audit", "show", "0" * 16, "--state", str(tmp_path / "v")]) == 1
    assert "audit log" in capsys.readouterr().err
