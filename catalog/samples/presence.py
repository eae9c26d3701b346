"""A made-up week of living population and made-up quarters of footfall by dong. Nothing of storage."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.samples.tables import jitter, numbers, read_table, split

MONDAY = date(2025, 5, 12)
AGES = ("age_10s", "age_20s", "age_30s", "age_40s", "age_50s", "age_60s")
QUARTERS = {"20241": 0.938, "20242": 0.921, "20243": 0.911, "20244": 0.919, "20251": 0.917}
"""City index of passers-by against 2019 Q1 (OA-22178)."""
PER_PRESENT = 211.0
"""Passers-by a quarter per person present: medians 5.0 M and 23.7 k over dongs."""
HOURS = {
    "time_00_06": 0.258,
    "time_06_11": 0.207,
    "time_11_14": 0.121,
    "time_14_17": 0.121,
    "time_17_21": 0.166,
    "time_21_24": 0.127,
}
BANDS = {
    "age_10": 0.147,
    "age_20": 0.159,
    "age_30": 0.166,
    "age_40": 0.161,
    "age_50": 0.146,
    "age_60_over": 0.221,
}
WEEK = {
    "mon": 0.1432,
    "tue": 0.1432,
    "wed": 0.1432,
    "thu": 0.1432,
    "fri": 0.1440,
    "sat": 0.1416,
    "sun": 0.1416,
}


def living(folder: Path) -> pa.Table:
    """One row a day, hour and dong: a dong's own level, ratios and curve."""
    table = read_table(folder / "dongs.csv")
    dongs = table["dong_code"]
    mean, ratio, weekend, variation = numbers(table, "mean", "day_night", "weekend_weekday", "variation").T
    weekday_curve, weekend_curve = _curves(folder, ratio)
    generator = np.random.default_rng(20250512)
    week = np.concatenate(
        [np.tile(weekday_curve, (1, 5)), np.tile(weekend_curve * weekend[:, None], (1, 2))], axis=1
    )
    week /= week.mean(axis=1, keepdims=True)
    noise = np.exp(generator.normal(0.0, 1.0, week.shape) * np.clip(variation, 0.005, 0.04)[:, None] * 0.6)
    total = np.rint(mean[:, None] * week * noise).astype(np.int64).T.reshape(-1)  # hour by hour
    hours, n = week.shape[1], len(dongs)
    female_share = np.tile(numbers(table, "female"), hours) + generator.normal(0.0, 0.004, hours * n)
    female = np.rint(total * female_share).astype(np.int64)
    ages = np.tile(numbers(table, *AGES), (hours, 1)) * np.exp(
        generator.normal(0.0, 0.02, (hours * n, len(AGES)))
    )
    columns: dict[str, Any] = {
        "date": pa.array(
            [MONDAY + timedelta(days=h // 24) for h in range(hours) for _ in range(n)], pa.date32()
        ),
        "hour": pa.array(np.repeat(np.arange(hours) % 24, n), pa.int32()),
        "dong_code": pa.array(dongs * hours, pa.string()),
        "total": total.astype(float),
        "male": (total - female).astype(float),
        "female": female.astype(float),
    }
    columns |= {name: np.rint(total * ages[:, i]) for i, name in enumerate(AGES)}
    return pa.table(columns)


def _curves(folder: Path, ratio: Any) -> tuple[Any, Any]:
    """(dongs, 24) weekday and weekend curves, between or beyond the two nearest clusters."""
    profiles = read_table(folder / "profiles.csv")
    clusters = np.log(numbers(profiles, "day_night"))  # in rising order
    wanted = np.log(ratio)
    low = np.clip(np.searchsorted(clusters, wanted) - 1, 0, len(clusters) - 2)
    weight = np.clip((wanted - clusters[low]) / (clusters[low + 1] - clusters[low]), -1.0, 2.5)[:, None]
    curves = []
    for day in ("wd", "we"):
        logs = np.log(numbers(profiles, *(f"{day}{h:02}" for h in range(24))))
        curve = np.exp(logs[low] * (1 - weight) + logs[low + 1] * weight)
        curves.append(curve / curve.mean(axis=1, keepdims=True))
    return curves[0], curves[1]


def footfall(living_folder: Path, centres: Path) -> pa.Table:
    """One row a quarter and dong; passers-by follow the people present."""
    present = dict(
        zip(*(read_table(living_folder / "dongs.csv")[c] for c in ("dong_code", "mean")), strict=True)
    )
    female = dict(
        zip(*(read_table(living_folder / "dongs.csv")[c] for c in ("dong_code", "female")), strict=True)
    )
    table = read_table(centres)
    codes, names = table["dong_code"], table["dong_name"]
    generator = np.random.default_rng(20241)
    level = np.array([float(present.get(c, 12_000)) for c in codes]) * PER_PRESENT
    level *= np.exp(generator.normal(0.0, 0.25, len(codes)))
    women = np.array([float(female.get(c, 0.527)) for c in codes])
    pieces = []
    for quarter, index in QUARTERS.items():
        n = len(codes)
        total = np.rint(level * index / 0.92 * np.exp(generator.normal(0.0, 0.01, n))).astype(np.int64)
        columns: dict[str, Any] = {
            "quarter": [quarter] * n,
            "dong_code": codes,
            "dong_name": names,
            "total": total,
        }
        columns["female"] = np.rint(total * women).astype(np.int64)
        columns["male"] = total - columns["female"]
        for shares, spread in ((BANDS, 0.12), (HOURS, 0.08), (WEEK, 0.01)):
            parts = split(total, jitter(generator, list(shares.values()), n, spread))
            columns |= {name: parts[:, i] for i, name in enumerate(shares)}
        pieces.append(pa.table(columns))
    return pa.concat_tables(pieces)
