"""Small complete publisher files of the wider layouts, as rows of text, for the hostile suites."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import openpyxl

from tests.catalog.ingest.support import month

Rows = list[list[str]]
GU = [
    "종로구",
    "중구",
    "용산구",
    "성동구",
    "광진구",
    "동대문구",
    "중랑구",
    "성북구",
    "강북구",
    "도봉구",
    "노원구",
    "은평구",
    "서대문구",
    "마포구",
    "양천구",
    "강서구",
    "구로구",
    "금천구",
    "영등포구",
    "동작구",
    "관악구",
    "서초구",
    "강남구",
    "송파구",
    "강동구",
]
CODES = [
    "11110",
    "11140",
    "11170",
    "11200",
    "11215",
    "11230",
    "11260",
    "11290",
    "11305",
    "11320",
    "11350",
    "11380",
    "11410",
    "11440",
    "11470",
    "11500",
    "11530",
    "11545",
    "11560",
    "11590",
    "11620",
    "11650",
    "11680",
    "11710",
    "11740",
]
AGES = ("10", "20", "30", "40", "50", "60_이상")
BANDS = ("00_06", "06_11", "11_14", "14_17", "17_21", "21_24")
DAYS = "월화수목금토일"


def hourly() -> Rows:
    hours = ("06시-07시", "07시-08시", "08시-09시")
    header = ["사용월", "호선명", "지하철역", *(f"{h} {w}차인원" for h in hours for w in "승하"), "작업일자"]
    rows = [
        ["202602", "2호선", s, *(["100", "50", "200", "60", "300", "70"]), "20260303"]
        for s in ("강변", "잠실")
    ]
    return [header, *rows]


def congestion() -> Rows:
    slots = [f"{m // 60 % 24}시{m % 60:02}분" for m in range(330, 1500, 30)]
    slots = [s if not s.startswith("0시") else "0" + s for s in slots]
    header = ["연번", "요일구분", "호선", "역번호", "출발역", "상하구분", *slots]
    days = ("평일", "토요일", "일요일")
    return [header, *([str(i), d, "2", "222", "강남", "내선", *["12.5"] * 39] for i, d in enumerate(days, 1))]


def bike_stations() -> Rows:
    header = ["대여소_ID", "주소1", "주소2", "위도", "경도"]
    return [header, *([f"ST-{i}", "서울특별시", "", "37.55", "126.99"] for i in range(1, 321))]


def bike_demand() -> Rows:
    header = (
        "Date,Rented Bike Count,Hour,Temperature(°C),Humidity(%),Wind speed (m/s),Visibility (10m),"
        "Dew point temperature(°C),Solar Radiation (MJ/m2),Rainfall(mm),Snowfall (cm),Seasons,Holiday,"
        "Functioning Day"
    )
    values = ["-5.2", "37", "2.2", "2000", "-17.6", "0", "0", "0", "Winter"]
    rows = [["13/12/2017", "254", str(h), *values, "No Holiday", "Yes"] for h in range(24)]
    return [header.split(","), *rows]


def air() -> Rows:
    gases = [f"{g}농도(ppm)" for g in ("이산화질소", "오존", "일산화탄소", "아황산가스")]
    header = ["측정일시", "측정소명", *gases, "미세먼지농도(㎍/㎥)", "초미세먼지농도(㎍/㎥)"]
    return [header, *([d, "강남구", "0.03", "0.01", "0.5", "", "31", "23"] for d in month("202602"))]


def weather() -> Rows:
    header = ["지점", "지점명", "일시", "평균기온(°C)", "최저기온(°C)", "평균 풍속(m/s)", "평균 상대습도(%)"]
    days = [f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in month("202602")]
    return [header, *(["108", "서울", d, "-.4", "-5", "1.5", ""] for d in days)]


def _shops(quarter: list[str], code: str) -> Rows:
    names = [
        "점포_수",
        "유사_업종_점포_수",
        "개업_율",
        "개업_점포_수",
        "폐업_률",
        "폐업_점포_수",
        "프랜차이즈_점포_수",
    ]
    time = ["기준_년분기_코드"] if len(quarter) == 1 else ["기준_년_코드", "기준_분기_코드"]
    area = ["상권_구분_코드", "상권_구분_코드_명", "상권_코드", "상권_코드_명"]
    header = [*time, *area, "서비스_업종_코드", "서비스_업종_코드_명", *names]
    kinds = (("CS100001", "한식음식점"), ("CS100007", "치킨전문점"))
    where = ["U", "관광특구", code, "이태원 관광특구"]
    return [header, *([*quarter, *where, *kind, "7", "8", "0", "0", "13", "1", "1"] for kind in kinds)]


def stores() -> Rows:
    return _shops(["20241"], "3001491")


def old_stores() -> Rows:
    return _shops(["2021", "4"], "1001491")


def income() -> Rows:
    kinds = ["식료품", "의류_신발", "생활용품", "의료비", "교통", "교육", "유흥", "여가_문화", "기타", "음식"]
    names = [f"{k}_지출_총금액" for k in kinds]
    header = [
        "기준_년분기_코드",
        "자치구_코드",
        "자치구_코드_명",
        "월_평균_소득_금액",
        "소득_구간_코드",
        "지출_총금액",
    ]
    rows = [["20241", c, n, "3192971", "07", "100", *["10"] * 10] for c, n in zip(CODES, GU, strict=True)]
    return [[*header, *names], *rows]


def workers() -> Rows:
    word = "직장_인구_수"
    names = [f"{t}_{word}" for t in ("총", "남성", "여성", *(f"연령대_{a}" for a in AGES))]
    names += [f"{s}연령대_{a}_{word}" for s in ("남성", "여성") for a in AGES]
    values = ["120", "60", "60", *["20"] * 6, *["10"] * 12]
    rows = [["20241", f"111105{i}", f"{i}동", *values] for i in range(10, 60)]
    return [["기준_년분기_코드", "행정동_코드", "행정동_코드_명", *names], *rows]


def change() -> Rows:
    months = [f"{p}_영업_개월_평균" for p in ("운영", "폐업", "서울_운영", "서울_폐업")]
    header = [
        "기준_년분기_코드",
        "행정동_코드",
        "행정동_코드_명",
        "상권_변화_지표",
        "상권_변화_지표_명",
        *months,
    ]
    rows = [
        ["20241", f"111105{i}", f"{i}동", "LL", "다이나믹", "86", "52", "93", "48"] for i in range(10, 60)
    ]
    return [header, *rows]


def areas() -> Rows:
    header = [
        "상권_구분_코드",
        "상권_구분_코드_명",
        "상권_코드",
        "상권_코드_명",
        "엑스좌표_값",
        "와이좌표_값",
        "자치구_코드",
        "자치구_코드_명",
        "행정동_코드",
        "행정동_코드_명",
        "영역_면적",
    ]
    where = ["11110", "종로구", "11110515", "청운효자동", "149264"]
    rows = [["A", "골목상권", f"31{i:05}", f"상권{i}", "197093", "453418", *where] for i in range(500)]
    return [header, *rows]


def living() -> Rows:
    header = [
        "기준일ID",
        "시군구코드",
        "시군구명",
        "총생활인구수",
        "내국인생활인구수",
        "장기체류외국인인구수",
        "단기체류외국인인구수",
        "일최대인구수",
        "일최소인구수",
        "주간인구수(09~18)",
        "야간인구수(19~08)",
        "일최대이동인구수",
        "서울외유입인구수",
        "동일자치구행정동간이동인구수",
        "자치구간이동인구수",
    ]

    def row(code: str, name: str, times: int) -> list[str]:
        values = (2400, 2200, 150, 50, 3000, 2000, 2400, 2400, 600, 100, 200, 300)
        return ["20260424", code, name, *(f"{v * times}.00000" for v in values)]

    return [header, row("11000", "서울시", 25), *(row(c, n, 1) for c, n in zip(CODES, GU, strict=True))]


def register() -> Rows:
    quarters = ["2020 3/4", "2021    ", "2021 1/4"]
    first = ["동별(1)", "동별(2)"]
    rows = [["합계", name, "2000", "2100", "2200"] for name in GU]
    total = ["합계", "소계", "50000", "52500", "55000"]
    return [[*first, *quarters], [*first, *["계 (명)"] * 3], total, *rows]


def footfall() -> Rows:
    word = "생활인구_수"
    header = [
        "기준 년코드",
        "기준_분기_코드",
        "상권_구분_코드",
        " 상권_구분_코드_명",
        "상권_코드",
        "상권_코드_명",
    ]
    header += [f"{t}_{word}" for t in ("총", "남성", "여성", *(f"연령대_{a}" for a in AGES))]
    header += [f"시간대_{t}_{word}" for t in range(1, 7)] + [f"{d}요일_{word}" for d in DAYS]
    header += [
        f"{s}연령대_{a}_{d}요일시간대_{t}_{word}"
        for s in ("남성", "여성")
        for a in AGES
        for d in DAYS
        for t in range(1, 7)
    ]
    sums = ["504", "252", "252", *["84"] * 6, *["84"] * 6, *["72"] * 7]
    return [header, ["2021", "4", "U", "관광특구", "1001491", "이태원 관광특구", *sums, *["1"] * 504]]


def noise() -> Rows:
    header = ["noise_id", "lat", "lng", "noise_level_db", "occurred_at", "noise_type"]
    times = [f"2026-08-31T{h:02}:07:54+09:00" for h in range(3)]
    return [header, *([f"V02Q1940129_{t}", "37.5", "127.07", "46.0", t, "environment"] for t in times)]


def environment() -> Rows:
    header = ["시리얼", "date", "hour", "초미세먼지 (㎍/㎥)", "미세먼지 (㎍/㎥)", "기온 (℃)", "상대습도 (%)"]
    header += [
        "풍향 (°)",
        "풍속 (m/s)",
        "돌풍 풍향 (°)",
        "돌풍 풍속 (m/s)",
        "조도 (lux)",
        "자외선 (UVI)",
        "소음 (dB)",
    ]
    header += [f"진동({axis}){most} (g)" for most in ("", " 최대") for axis in "xyz"]
    header += ["흑구 온도 (℃)", "미세먼지 보정 (㎍/㎥)", "초미세먼지 보정 (㎍/㎥)"]
    values = [
        "7.9",
        "12.13333",
        "19.39664",
        "70.7",
        "0",
        "0",
        "0",
        "0",
        "2",
        "2",
        "43.86667",
        *["0.011"] * 6,
        "5",
    ]
    return [
        header,
        *(
            [f"V02Q19400{n}", "2020.5.1", str(h), *values, "24.26667", "-15.8"]
            for n in (43, 44)
            for h in range(3)
        ),
    ]


def bus() -> list[list[Any]]:
    header = ["NODE_ID", "ARS_ID", "정류소명", "X좌표", "Y좌표", "정류소타입"]
    return [header, *([100000000 + i, f"{i:05}", "정류소", 126.98, 37.56, "마을버스"] for i in range(1, 511))]


def codes() -> list[list[Any]]:
    names = [f"업종{size}분류{kind}" for size in "대중소" for kind in ("코드", "명")]
    return [names, *(["D", "소매", "D01", "음료", f"D01A{i:02}", f"업종{i}"] for i in range(10))]


SMALL: dict[str, Callable[[], Rows]] = {
    "subway_hourly": hourly,
    "subway_congestion": congestion,
    "bike_stations": bike_stations,
    "bike_demand": bike_demand,
    "air_quality_daily": air,
    "weather_daily": weather,
    "stores": stores,
    "income_spending_gu": income,
    "workers": workers,
    "area_change": change,
    "commercial_areas": areas,
    "living_population_gu": living,
    "registered_population": register,
    "floating_population_area": footfall,
    "floating_population_area_detail": footfall,
    "sdot_noise": noise,
    "sdot_environment": environment,
}
BOOKS: dict[str, Callable[[], list[list[Any]]]] = {"bus_stops": bus, "industry_codes": codes}


def csv_bytes(rows: Rows, encoding: str = "utf-8", end: str = "\n") -> bytes:
    """The rows as one file; nothing is quoted."""
    return (end.join(",".join(r) for r in rows) + end).encode(encoding)


def book_bytes(rows: list[list[Any]], *others: list[list[Any]]) -> bytes:
    """The rows as the first sheet of a workbook, others as further sheets."""
    book = openpyxl.Workbook()
    for number, table in enumerate((rows, *others)):
        sheet = book.active if number == 0 else book.create_sheet()
        for row in table:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
