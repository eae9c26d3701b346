"""Made-up presence, rides and moves of made-up people, as telecom and card companies would deliver them.

Planted on purpose: habitual times, cells of one or two people, students away in vacation, one night worker.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.samples.tables import numbers, read_table
from catalog.synth.standin.people import AGES, SEX, People, Planted, people, texts

SEED = 52009
PEOPLE = 6000
PRESENT = (date(2025, 1, 8), date(2025, 1, 12), date(2025, 4, 9), date(2025, 4, 13))
"""A Wednesday and a Sunday in vacation and in term."""
RIDERS = 3000
WEEKS = (date(2025, 1, 6), date(2025, 4, 7))
MOVERS = 2500
MONTHS = (date(2025, 1, 1), date(2025, 4, 1))
WEEKDAYS = ("월", "화", "수", "목", "금", "토", "일")
KINDS = ("HW", "WH", "HE", "EH")
FARES = {"일반": 1400, "청소년": 800, "어린이": 500, "경로": 0}
NIGHT_WORKER = 0
"""This person boards at 03:40 every day, when nobody else does."""
GOLDEN = 0x9E3779B97F4A7C15


def telecom_population(datasets: Path) -> Planted:
    """People present by date, hour, dong, sex and age; each stands for about three."""
    folk = people(datasets, PEOPLE, SEED)
    generator = np.random.default_rng(SEED + 1)
    worth = generator.uniform(2.5, 4.0, PEOPLE)
    everybody = pa.array(np.arange(PEOPLE))
    parts = []
    for day in PRESENT:
        at_work = _works(folk, day)
        for hour in range(24):
            minute = hour * 60 + 30
            busy = at_work & (folk.leaves < minute) & (minute < folk.returns)
            out = ~busy & (generator.random(PEOPLE) < (0.22 if 9 <= hour < 22 else 0.02))
            where = np.where(busy, folk.work, folk.home)
            where = np.where(out, generator.integers(0, len(folk.dongs), PEOPLE), where)
            parts.append(
                pa.table(
                    {
                        "person": everybody,
                        "date": pa.repeat(pa.scalar(day, pa.date32()), PEOPLE),
                        "hour": pa.repeat(pa.scalar(hour, pa.int32()), PEOPLE),
                        "dong_code": texts(folk.dongs, where),
                        "sex": texts(SEX, folk.sex),
                        "age": texts(AGES, folk.age),
                        "population": pa.array(worth),
                    }
                )
            )
    return _summed(pa.concat_tables(parts), ["date", "hour", "dong_code", "sex", "age"], "population")


def transit_trips(datasets: Path) -> Planted:
    """Two weeks of rides; commuters ride at their own minute, day after day."""
    folk = people(datasets, RIDERS, SEED + 2)
    generator = np.random.default_rng(SEED + 3)
    table = read_table(datasets / "transit_trips" / "twin" / "stops.csv")
    busy = numbers(table, "boardings")
    near = generator.choice(len(busy), len(folk.dongs), p=busy / busy.sum(), replace=False)
    rides: list[tuple[Any, date, Any, Any, Any]] = []
    everybody = np.arange(RIDERS)
    for day in (monday + timedelta(days=i) for monday in WEEKS for i in range(7)):
        workers = everybody[_works(folk, day) & (generator.random(RIDERS) < 0.93)]
        home, work = near[folk.home[workers]], near[folk.work[workers]]
        rides.append((workers, day, home, work, folk.leaves[workers] + generator.normal(0, 4, len(workers))))
        rides.append(
            (workers, day, work, home, folk.returns[workers] + generator.normal(0, 14, len(workers)))
        )
        chance = np.minimum(0.15 * folk.keen * (1.4 if day.weekday() > 4 else 1.0), 0.9)
        idle = everybody[generator.random(RIDERS) < chance]
        there = generator.choice(len(busy), len(idle), p=busy / busy.sum())
        rides.append((idle, day, near[folk.home[idle]], there, generator.uniform(9 * 60, 21 * 60, len(idle))))
        night = np.array([NIGHT_WORKER])
        rides.append((night, day, near[:1], near[1:2], np.array([3 * 60 + 40.0])))
    return _rides(folk, table, rides, generator)


def _rides(folk: People, table: dict[str, list[str]], rides: list[Any], generator: Any) -> Planted:
    who = np.concatenate([r[0] for r in rides])
    days = np.concatenate([np.full(len(r[0]), r[1], "datetime64[D]") for r in rides])
    start, end, minute = (np.concatenate([r[i] for r in rides]) for i in (2, 3, 4))
    boarded = days.astype("datetime64[us]") + (minute * 60).astype("timedelta64[s]")
    travel = generator.gamma(6.0, 4.5, len(who)).clip(3, 110)
    alighted = boarded + (travel * 60).astype("timedelta64[s]")
    lost = generator.random(len(who)) < 0.004  # no tag at alighting
    kinds = np.select([folk.age == 0, folk.age == 1, folk.age == 7], [2, 1, 3], 0)[who]
    names = tuple(FARES)
    card = (who.astype(np.uint64) + np.uint64(SEED)) * np.uint64(GOLDEN)
    mixed = (card ^ (card >> np.uint64(29))) * np.uint64(GOLDEN)
    hashes = [f"{int(c):016x}" for c in mixed.tolist()]
    order = np.argsort(boarded, kind="stable")
    number = np.empty(len(who), int)
    number[order] = np.arange(len(who))
    stop, line = tuple(table["stop"]), tuple(table["line"])
    rows = pa.table(
        {
            "date": pa.array(days),
            "trip_id": [f"{n:010}" for n in number.tolist()],
            "card_hash": hashes,
            "user_type": texts(names, kinds),
            "mode": texts(("지하철",), np.zeros(len(who), int)),
            "boarding_line": texts(line, start),
            "boarding_stop": texts(stop, start),
            "boarding_time": pa.array(boarded),
            "alighting_line": pa.array(np.array(line)[end], pa.string(), mask=lost),
            "alighting_stop": pa.array(np.array(stop)[end], pa.string(), mask=lost),
            "alighting_time": pa.array(alighted, mask=lost),
            "fare": np.array(list(FARES.values()))[kinds],
        }
    )
    return Planted(rows=rows, contributions=rows.select(["trip_id"]).add_column(0, "person", pa.array(who)))


def living_mobility(datasets: Path) -> Planted:
    """Moves of a month by day of the week; every person moves on four such days."""
    folk = people(datasets, MOVERS, SEED + 4)
    generator = np.random.default_rng(SEED + 5)
    parts = []
    for month in MONTHS:
        for weekday, name in enumerate(WEEKDAYS):
            workers = np.flatnonzero(_works(folk, month + timedelta(days=(weekday - month.weekday()) % 7)))
            home, work = folk.home[workers], folk.work[workers]
            out = np.flatnonzero(generator.random(MOVERS) < np.minimum(0.3 * folk.keen, 0.95))
            there = generator.integers(0, len(folk.dongs), len(out))
            late = generator.integers(10, 20, len(out))
            for kind, who, start, end, hour in (
                (0, workers, home, work, (folk.leaves[workers] + 40) // 60),
                (1, workers, work, home, (folk.returns[workers] + 40) // 60),
                (2, out, folk.home[out], there, late),
                (3, out, there, folk.home[out], late + 2),
            ):
                parts.append(
                    pa.table(
                        {
                            "person": pa.array(who),
                            "month": pa.repeat(pa.scalar(month, pa.date32()), len(who)),
                            "weekday": pa.repeat(pa.scalar(name), len(who)),
                            "hour": pa.array(hour.astype(np.int32).clip(0, 23)),
                            "origin_dong": texts(folk.dongs, start),
                            "destination_dong": texts(folk.dongs, end),
                            "sex": texts(SEX, folk.sex[who]),
                            "age": texts(AGES, folk.age[who]),
                            "kind": texts(KINDS, np.full(len(who), kind)),
                            "persons": pa.array(np.full(len(who), 4.0)),
                        }
                    )
                )
    key = ["month", "weekday", "hour", "origin_dong", "destination_dong", "sex", "age", "kind"]
    made = _summed(pa.concat_tables(parts), key, "persons")
    same = np.array(made.rows["origin_dong"]) == np.array(made.rows["destination_dong"])
    minutes = np.where(same, 12, 34) * np.exp(generator.normal(0, 0.3, made.rows.num_rows))
    return Planted(
        rows=made.rows.append_column("minutes", pa.array(np.round(minutes, 1))),
        contributions=made.contributions,
    )


def _summed(made: pa.Table, key: list[str], measure: str) -> Planted:
    grouped: Any = made.group_by(key).aggregate([(measure, "sum")])
    rows = grouped.rename_columns([*key, measure])
    rows = rows.set_column(len(key), measure, pa.array(np.round(rows[measure].to_numpy(), 2)))
    return Planted(
        rows=rows.sort_by([(k, "ascending") for k in key]), contributions=made.select(["person", *key])
    )


def _works(folk: People, day: date) -> Any:
    """Who goes to work or to study that day: nobody at weekends, no student in January."""
    vacation = folk.student & (day.month in {1, 2, 7, 8})
    return (folk.work >= 0) & ~vacation & (day.weekday() < 5)
