"""Time travel: earlier versions by number, in the client and in SQL, under the same grant and on record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import campus
import pytest
from campus.wire import Gateway

from catalog.gateway.guard import QueryEventKind
from catalog.warehouse import Publication, Warehouse
from tests.catalog.client.test_parallel import in_session
from tests.catalog.gateway.conftest import DESCRIPTIONS, LIMITS, made_up
from tests.catalog.gateway.simulator import Installation, installation, utc_now


def publish(warehouse: Warehouse, name: str, rows: int, *, synthetic: bool = True) -> int:
    """Publish and return the version's number."""
    dataset = DESCRIPTIONS[name]
    made = Publication(now=utc_now(), by="custodian", synthetic=synthetic, source=f"{rows}", recipe="1")
    return warehouse.publish(dataset, "main", made_up(dataset, rows), made).snapshot_id


@pytest.fixture
def history(tmp_path: Path) -> tuple[Warehouse, list[int]]:
    """Three versions of one dataset and one of another."""
    warehouse = Warehouse(tmp_path / "files", tmp_path / "catalog.sqlite")
    publish(warehouse, "gu_boundary", 25)
    numbers = [publish(warehouse, "dong_codes", rows) for rows in (10, 20)]
    return warehouse, [*numbers, publish(warehouse, "dong_codes", 30, synthetic=False)]


@pytest.fixture
def session(
    history: tuple[Warehouse, list[int]], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    with installation(history[0], DESCRIPTIONS, run_folder, LIMITS) as made:
        made.guard.grant("dong_codes")
        monkeypatch.setenv("CAMPUS_GATEWAY", made.open())
        monkeypatch.setattr(campus, "_gateway", Gateway())
        yield made


def test_every_version_can_be_read_and_is_on_record(
    session: Installation, history: tuple[Warehouse, list[int]]
) -> None:
    numbers = history[1]
    listed = campus.versions("dong_codes")
    assert [int(v["version"]) for v in listed] == numbers[::-1]
    assert [v["rows"] for v in listed] == [30, 20, 10] and [v["synthetic"] for v in listed] == [
        False,
        True,
        True,
    ]
    assert repr(listed).count("합성 데이터") == 2 and "<table" in listed._repr_html_()
    for number, rows in zip(numbers, (10, 20, 30), strict=True):
        result = campus.table("dong_codes", columns=["dong_code"], version=number)
        assert len(result) == rows and result.columns == ["dong_code"]
        assert result.snapshots == {f"dong_codes@{number}": str(number)}
        assert result.synthetic is (rows < 30)
        event = [e for e in session.guard.events if e.kind is QueryEventKind.ADMITTED][-1]
        assert [(t.dataset, t.snapshot_id) for t in event.tables] == [("dong_codes", number)]
    assert len(campus.table("dong_codes")) == 30


def test_versions_are_compared_in_one_statement(
    session: Installation, history: tuple[Warehouse, list[int]]
) -> None:
    first, second, _ = history[1]
    text = (
        f'SELECT count(*) AS n FROM "dong_codes" a LEFT JOIN campus."DONG_CODES@{first}" b USING (dong_code) '
        f'LEFT JOIN "dong_codes@{second}" c USING (dong_code)'
    )
    assert campus.sql(text).arrow().num_rows == 1
    workers = len(session.starter.files)
    assert campus.sql(text).arrow().num_rows == 1
    assert len(campus.table("dong_codes")) == 30
    assert len(session.starter.files) == workers  # the versions stay mounted
    assert all(len(files) == len(set(files)) for files in session.starter.files)
    assert campus.datasets().names == ["dong_codes"]


def test_joins_of_earlier_versions_keep_their_code_systems(
    session: Installation, history: tuple[Warehouse, list[int]]
) -> None:
    with pytest.raises(campus.QueryRefused) as caught:
        campus.sql(
            f'SELECT * FROM dong_codes a JOIN "dong_codes@{history[1][0]}" b ON a.dong_code = b.kostat_code'
        )
    assert caught.value.reason == "mixed-code-systems"


def test_what_is_not_there_or_not_granted_is_refused(
    session: Installation, history: tuple[Warehouse, list[int]]
) -> None:
    warehouse, numbers = history
    with pytest.raises(campus.QueryRefused, match=str(numbers[2])) as missing:
        campus.table("dong_codes", version=7)
    assert missing.value.reason == "no-version"
    assert session.guard.kinds()[-1] is QueryEventKind.REFUSED
    boundary = warehouse.snapshot("gu_boundary").snapshot_id
    for ask in (
        lambda: campus.table("gu_boundary", version=boundary),
        lambda: campus.sql(f'SELECT * FROM "gu_boundary@{boundary}"'),
        lambda: campus.table("dong_codes", version=boundary),
        lambda: campus.versions("gu_boundary"),
    ):
        with pytest.raises(campus.QueryRefused):
            ask()
    with pytest.raises(campus.UsageError, match="판 번호"):
        campus.table("dong_codes", version='1" x')
    many = " UNION ALL ".join(f'SELECT * FROM "dong_codes@{n}"' for n in range(9))
    with pytest.raises(campus.QueryRefused) as crowd:
        campus.sql(many)
    assert crowd.value.reason == "too-many-versions"


def test_a_version_goes_when_the_grant_does(
    session: Installation, history: tuple[Warehouse, list[int]]
) -> None:
    assert len(campus.table("dong_codes", version=history[1][0])) == 10
    session.guard.grants.clear()
    session.guard.grant("dong_codes", expires=utc_now() + timedelta(seconds=0.2))
    time.sleep(0.3)
    with pytest.raises(campus.QueryRefused):
        campus.table("dong_codes", version=history[1][0])


def test_an_earlier_version_in_parts(
    session: Installation, history: tuple[Warehouse, list[int]], tmp_path: Path
) -> None:
    oldest = history[1][0]
    said = in_session(
        tmp_path,
        f"""
old = campus.dask("dong_codes", columns=["dong_code"], version={oldest})
some = campus.dask("dong_codes", version={oldest}, where="dong_code < 'dong_code-05'")
show(old=len(old), some=len(some), new=len(campus.dask("dong_codes")))
""",
    )
    assert said == {"old": 10, "some": 5, "new": 30}
    read = [t.snapshot_id for e in session.guard.events for t in e.tables if e.kind == "admitted"]
    assert read == [oldest, oldest, history[1][-1]]
