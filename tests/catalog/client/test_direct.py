"""Open datasets as mounted files, in the session's own environment, and why others are not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import campus
import geopandas
import pytest
from campus.wire import Gateway

from tests.catalog.client.test_parallel import in_session
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import Installation


@pytest.fixture
def session(gateway: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """A session with two open datasets mounted, as the launcher would."""
    folders = {}
    for name in ("subway_ridership", "dong_codes"):
        folders[name] = gateway.warehouse.plain_folder(gateway.warehouse.snapshot(name))
        assert folders[name] is not None, "it is open, so it is laid out"
    monkeypatch.setenv("CAMPUS_GATEWAY", gateway.open())
    monkeypatch.setenv("CAMPUS_OPEN", ":".join(f"{name}={folder}" for name, folder in folders.items()))
    monkeypatch.setattr(campus, "_gateway", Gateway())
    yield gateway


def test_everybodys_readers_read_the_files(session: Installation, tmp_path: Path) -> None:
    said = in_session(
        tmp_path,
        """
import duckdb, pandas, polars
files = campus.path("subway_ridership")
direct = campus.dask("subway_ridership", columns=["line", "boardings"], direct=True)
show(
    pandas=int(pandas.concat(pandas.read_parquet(f) for f in files)["boardings"].sum()),
    polars=polars.scan_parquet(files).select(polars.col("boardings").sum()).collect().item(),
    dask=int(direct["boardings"].sum().compute(scheduler="synchronous")),
    duckdb=int(duckdb.sql(f"SELECT sum(boardings) FROM read_parquet({files})").fetchall()[0][0]),
    gateway=int(campus.sql("SELECT sum(boardings) AS n FROM subway_ridership").df()["n"][0]),
    columns=list(direct.columns), rows=len(direct),
)
""",
        CAMPUS_OPEN=os.environ["CAMPUS_OPEN"],
    )
    assert (said.pop("columns"), said.pop("rows")) == (["line", "boardings"], ROWS)
    assert len(set(said.values())) == 1, said


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("card_spending", ("공개(open)", "not open to everybody")),
        ("gu_boundary", ("세션을 다시 시작", "restart the session")),
        ("nothing", ("그런 데이터셋이 없습니다", "no such dataset")),
    ],
)
def test_what_is_not_mounted_says_why_and_what_to_use(
    session: Installation, name: str, says: tuple[str, str]
) -> None:
    session.guard.grant("card_spending")
    with pytest.raises(campus.UsageError) as refused:
        campus.path(name)
    assert refused.value.reason == "not-mounted"
    assert says[0] in refused.value.ko and says[1] in refused.value.en
    assert "dong_codes, subway_ridership" in refused.value.ko


def test_files_know_no_condition_and_no_version(session: Installation) -> None:
    for more in ({"where": "line = '1'"}, {"version": 1}):
        with pytest.raises(campus.UsageError) as refused:
            campus.dask("dong_codes", direct=True, **more)
        assert refused.value.reason == "not-direct"


def test_a_map_in_one_call(session: Installation) -> None:
    frame = campus.geo("gu_boundary")
    assert isinstance(frame, geopandas.GeoDataFrame) and len(frame) == 25
    assert str(frame.crs) == campus.describe("gu_boundary").crs
    assert list(campus.geo("gu_boundary", columns=["gu_name"]).columns) == ["gu_name", "geometry"]
    before = len(session.guard.events)
    with pytest.raises(campus.UsageError) as refused:
        campus.geo("dong_codes")
    assert refused.value.reason == "no-geometry" and "dong_code" in refused.value.ko
    assert len(session.guard.events) == before, "nothing was read in vain"
