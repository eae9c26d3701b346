"""`campus synth` writes a file or prints a report, and refuses in both languages."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hub_config.cli.main import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_file_of_the_asked_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", "card_spending_inflow", "--rows", "12_345", "--out", "a.parquet"]) == 0
    assert main(["synth", "card_spending_inflow", "--rows", "12345", "--seed", "9"]) == 0
    first, second = (pq.read_table(tmp_path / n) for n in ("a.parquet", "card_spending_inflow_twin.parquet"))
    assert first.num_rows == second.num_rows == 12_345
    assert not first.equals(second), "another seed, other rows"
    assert "합성 데이터 12,345행" in capsys.readouterr().out


def test_the_report_names_every_margin_and_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", "telecom_population", "--report"]) == 0
    shown = capsys.readouterr().out
    for part in ("dong_code × hour", "OA-14991", "모두 허용 오차 안", "weight: population"):
        assert part in shown
    assert "✗" not in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "데이터셋은 없습니다"),
        (["dong_codes"], "twin.yml"),
        (["card_spending", "--rows", "0"], "행 수는"),
        (["card_spending", "--rows", "5", "--out", "no/such/folder.parquet"], "쓸 수 없습니다"),
    ],
)
def test_refusals(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", *arguments]) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("rows", ["-1", "many", "1.5"])
def test_a_number_of_rows_is_a_whole_number(rows: str) -> None:
    with pytest.raises(SystemExit):
        main(["synth", "card_spending", "--rows", rows])
