"""Deliveries of private datasets in their publicly described layouts load through the same ingest."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from catalog.ingest import IngestError, ingest
from catalog.warehouse import Warehouse
from tests.catalog.ingest.support import DATASETS

NOW = datetime(2026, 3, 2, tzinfo=UTC)
HOURS = "".join(f"20260209,{h},여,60대이상,11110515,3.5\n" for h in range(24))
FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "card_spending": (
        "기준일자,시간대,가맹점행정동코드,업종대분류,성별,연령대,카드이용금액계,카드이용건수계\n"
        "20260209,12,1111051500,한식,남,20대,52000,4\n",
        {
            "date": date(2026, 2, 9),
            "hour": 12,
            "dong_code": "11110515",
            "holder": "개인",
            "sex": "M",
            "age": "20",
        },
    ),
    "card_spending_inflow": (
        "기준일자,가맹점행정동코드,고객주소광역시도,고객주소시군구,업종대분류,카드이용금액계,카드이용건수계\n"
        "20260209,1111051500,경기,수원시,한식,52000,4\n",
        {"home_sido": "경기", "home_sigungu": "수원시", "amount": 52000, "count": 4},
    ),
    "transit_trips": (
        "운행일자,트랜잭션ID,가상카드번호,이용자구분,교통수단,승차노선,승차정류장ID,승차일시,"
        "하차노선,하차정류장ID,하차일시,이용금액\n"
        "20260209,1,ab12,일반,지하철,2호선,0222,20260209081501,,,,1550\n",
        {"boarding_time": datetime(2026, 2, 9, 8, 15, 1), "alighting_stop": None, "alighting_time": None},
    ),
    "living_mobility": (
        "대상연월,요일,도착시간,출발 행정동 코드,도착 행정동 코드,성별,나이,이동유형,"
        "평균 이동 시간(분),이동인구(합)\n"
        "202602,월,8,11110515,11680510,F,0,HW,31.5,*\n",
        {"month": date(2026, 2, 1), "age": "00", "minutes": 31.5, "persons": None},
    ),
}


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse", tmp_path / "catalog.sqlite")


def load(warehouse: Warehouse, folder: Path, name: str, text: str, encoding: str = "cp949") -> dict[str, Any]:
    file = folder / f"{name}.csv"
    file.write_bytes(text.encode(encoding))
    ingest(DATASETS[name], [file], warehouse, NOW, "custodian")
    return warehouse.preview(warehouse.snapshot(name), 1)[0]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("encoding", ["cp949", "utf-8", "utf-8-sig"])
def test_a_described_delivery_loads(warehouse: Warehouse, tmp_path: Path, name: str, encoding: str) -> None:
    text, wanted = FILES[name]
    row = load(warehouse, tmp_path, name, text, encoding)
    assert {k: row[k] for k in wanted} == wanted
    assert not warehouse.snapshot(name).synthetic


def test_a_day_of_telecom_population_needs_every_hour(warehouse: Warehouse, tmp_path: Path) -> None:
    head = "base_ymd,tmzon_se_code,sexdstn_se_code,agrde_se_code,adstrd_code,popltn_cascnt\n"
    row = load(warehouse, tmp_path, "telecom_population", head + HOURS)
    assert (row["sex"], row["age"], row["population"]) == ("F", "60", 3.5)
    with pytest.raises(IngestError, match="23가지"):
        load(warehouse, tmp_path, "telecom_population", head + HOURS[: HOURS.rindex("20260209")])


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("card_spending", "남,", "남녀,", "bad-value"),
        ("card_spending", "20대", "스물", "bad-value"),
        ("card_spending", "52000,4", "52000,0", "check-failed"),
        ("card_spending", "1111051500", "1111051512", "bad-value"),
        ("transit_trips", "20260209081501", "20260230081501", "bad-value"),
        ("transit_trips", "20260209081501", "", "bad-value"),
        ("living_mobility", "202602,", "202613,", "bad-value"),
        ("card_spending", "가맹점행정동코드", "고객행정동코드", "refused-layout"),
        ("card_spending_inflow", "고객주소시군구", "고객시군구", "unknown-layout"),
    ],
)
def test_a_damaged_delivery_is_refused(
    warehouse: Warehouse, tmp_path: Path, name: str, old: str, new: str, reason: str
) -> None:
    with pytest.raises(IngestError) as refused:
        load(warehouse, tmp_path, name, FILES[name][0].replace(old, new))
    assert refused.value.reason == reason
    assert warehouse.versions(name) == ()
