"""`campus metrics`: from the gateway's socket in the state folder, or a sentence that says what to do."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.gateway.admin import AdminSocket
from hub_config.cli.main import main
from hub_config.settings import load


@pytest.fixture
def state() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="campus-test-"))
    yield folder
    shutil.rmtree(folder)


def test_it_prints_what_the_gateway_says(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = load({"state": state}, {}).socket("gateway")
    path.parent.mkdir(parents=True)
    asked: list[object] = []

    def answer(request: object) -> dict[str, object]:
        asked.append(request)
        return {"ok": True, "text": "campus_gateway_sessions 3.0\n"}

    served = AdminSocket(path, answer)
    assert path.stat().st_mode & 0o777 == 0o600, "its user's alone"
    assert main(["metrics", "--state", str(state)]) == 0
    served.close()
    assert asked == [{"op": "metrics"}]
    assert capsys.readouterr().out == "campus_gateway_sessions 3.0\n"


def test_a_gateway_that_is_not_there_is_said(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--state", str(state)]) == 1
    said = capsys.readouterr().err
    assert "데이터 관문이 답하지 않습니다" in said and "does not answer" in said and "gateway.sock" in said
