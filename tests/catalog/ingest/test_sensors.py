"""Hourly means of the city's sensors: CP949, days as 2020.5.1, corrected particles below zero."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.ingest.model import IngestError
from tests.catalog.ingest.small import SMALL, csv_bytes
from tests.catalog.ingest.support import new_warehouse, take

NAME = "sdot_environment"


def test_hourly_means_load_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "sdot_20200507.csv"
    file.write_bytes(csv_bytes(SMALL[NAME](), "cp949", "\r\n"))
    warehouse = new_warehouse(tmp_path)
    assert take(warehouse, NAME, file).rows == 6
    (made,) = warehouse.snapshot(NAME).files
    rows = pq.read_table(warehouse.path(made.path)).to_pylist()
    assert [(r["date"], r["hour"]) for r in rows[::2]] == [(date(2020, 5, 1), h) for h in range(3)]
    assert {r["serial"] for r in rows} == {"V02Q1940043", "V02Q1940044"}
    assert {(r["pm25"], r["temperature"], r["noise"]) for r in rows} == {(7.9, 19.39664, 43.86667)}
    assert {r["pm25_corrected"] for r in rows} == {-15.8}


@pytest.mark.parametrize(
    "written", ["2020.13.1", "2020.2.30", "2020-05-01", "20.5.1", "2020.5.1.", "2020.005.1"]
)
def test_what_is_no_day_is_refused_with_its_line(tmp_path: Path, written: str) -> None:
    rows = SMALL[NAME]()
    rows[3][1] = written
    file = tmp_path / "sdot.csv"
    file.write_bytes(csv_bytes(rows, "cp949"))
    with pytest.raises(IngestError) as refused:
        take(new_warehouse(tmp_path), NAME, file)
    assert (refused.value.reason, refused.value.line) == ("bad-value", 4)
    assert written in refused.value.ko
