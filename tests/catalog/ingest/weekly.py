"""Small weekly files of the city's sensors as rows of text, in the layouts since 2023."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

Rows = list[list[str]]
MEASURES = {  # name of 2023, of 2026, unit of 2023, largest · mean · least
    "temperature": ("온도", "기온", "℃", ("31.2", "30.4", "29.9")),
    "humidity": ("습도", "상대습도", "%", ("71", "68", "66")),
    "wind_speed": ("풍속", "풍속", "m/s", ("", "", "")),
    "wind_direction": ("풍향", "풍향", "m/s", ("", "", "")),
    "illuminance": ("조도", "조도", "lux", ("5", "5", "4")),
    "uv": ("자외선", "자외선", "UV", ("0.0", "0.0", "0.0")),
    "noise": ("소음", "소음", "dB", ("59", "56", "56")),
    "vibration_x": ("진동(x)", "진동(x)", "mm/s", ("0.07", "0.06", "0.06")),
    "vibration_y": ("진동(y)", "진동(y)", "mm/s", ("0.04", "0.04", "0.03")),
    "vibration_z": ("진동(z)", "진동(z)", "mm/s", ("1.01", "1.01", "1.0")),
    "globe_temperature": ("흑구온도", "흑구온도", "℃", ("", "", "")),
    "no2": ("이산화질소", "이산화질소", "ppm", ("", "", "")),
    "co": ("일산화탄소", "일산화탄소", "ppm", ("", "", "")),
    "so2": ("이산화황", "이산화황", "ppm", ("", "", "")),
    "nh3": ("암모니아", "암모니아", "ppm", ("", "", "")),
    "h2s": ("황화수소", "황화수소", "ppm", ("", "", "")),
    "o3": ("오존", "오존", "ppm", ("0.051", "0.05", "0.048")),
}
WORDS = ("최대", "평균", "최소")
MONDAY = datetime(2026, 7, 27)
SENSORS = (
    ("V02Q1940947", "traditional_markets", "Dongjak-gu", "Sang-do1(il)-dong"),
    ("OC3CL200010", "parks", "Seoul_Grand_Park", "Seoul_Grand_Park"),
)


def headers(edition: int) -> list[str]:
    """The header of the edition of 2023 (58 columns) or of 2026 (59)."""
    if edition == 2023:
        wide = [f"{m[0]} {w}({m[2]})" for m in MEASURES.values() for w in WORDS]
        return ["모델번호", "시리얼", "측정시간", "지역", "자치구", "행정동", *wide, "등록일시"]
    wide = [f"{w} {m[1]}" for m in MEASURES.values() for w in WORDS]
    first = ["모델명", "시리얼", "센서 시간", "지역구분", "자치구역", "행정구역"]
    return [*first, *wide, "데이터수집시간", "데이터구분번호"]


def week(edition: int, *, days: int = 7, hours: Sequence[int] = range(24)) -> Rows:
    """Header and a row for each day, hour and sensor; the second sensor's clock is 20 hours late."""
    values = [v for m in MEASURES.values() for v in m[3]]
    rows = [headers(edition)]
    for day in range(days):
        for hour in hours:
            for number, (serial, kind, gu, dong) in enumerate(SENSORS):
                received = MONDAY + timedelta(days=day, hours=hour, minutes=7, seconds=15)
                measured = received - timedelta(hours=20 * number, seconds=15)
                shown = measured.strftime("%Y-%m-%d_%H-%M-%S" if number else "%Y-%m-%d_%H:%M:%S")
                row = [
                    "SDOT001",
                    serial,
                    shown,
                    kind,
                    gu,
                    dong,
                    *values,
                    received.strftime("%Y-%m-%d %H:%M:%S"),
                ]
                rows.append(row + ([] if edition == 2023 else ["1"]))
    return rows
