"""Made-up card payments of made-up people, and the two tables a card company would deliver of them.

Planted on purpose: habits, shops with one dominant customer, cells of one person, seasons.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from catalog.samples.tables import numbers, read_table
from catalog.synth.standin.people import AGES, SEX, People, Planted, people, texts

pc: Any = pyarrow.compute
SEED = 41079
PEOPLE = 6000
PAYMENTS = 170_000
FIRSTS = (date(2025, 1, 6), date(2025, 4, 7), date(2025, 7, 7), date(2025, 10, 13))
"""Mondays of one week a season."""
WEEK = (0.138, 0.149, 0.149, 0.151, 0.159, 0.139, 0.114)
SEASONS = {
    "의류잡화": (0.9, 1.1, 0.6, 1.6),
    "여행교통": (0.8, 1.0, 1.8, 1.0),
    "스포츠문화레저": (0.6, 1.2, 1.1, 1.3),
    "교육학원": (1.5, 1.0, 0.9, 0.8),
    "가전가구": (0.8, 0.9, 1.7, 0.9),
}
"""Volume of January, April, July and October against their mean; other industries do not change."""
HABITS = 4
DOMINANT = 12
"""Shops (dong and industry) of which one customer has most of the amount."""
OVER = 2.5
"""That customer's amount against all other customers' together."""


def payments(datasets: Path) -> pa.Table:
    """One row a payment, with the person who made it; never published."""
    folk = people(datasets, PEOPLE, SEED)
    generator = np.random.default_rng(SEED + 1)
    table = read_table(datasets / "card_spending" / "twin" / "industries.csv")
    names, ticket = tuple(table["industry"]), numbers(table, "payment")
    place, trade, hour = _habits(folk, generator, numbers(table, "share"))
    who = generator.choice(PEOPLE, PAYMENTS, p=folk.keen / folk.keen.sum())
    slot = generator.choice(HABITS, PAYMENTS, p=(0.4, 0.28, 0.2, 0.12))
    day = generator.choice(28, PAYMENTS, p=np.tile(np.array(WEEK) / sum(WEEK) / 4, 4))
    industry = trade[who, slot]
    seasons = np.array([SEASONS.get(n, (1.0,) * 4) for n in names])
    kept = generator.random(PAYMENTS) < (seasons / seasons.max(axis=1, keepdims=True))[industry, day // 7]
    who, slot, day, industry = who[kept], slot[kept], day[kept], industry[kept]
    shift = generator.choice((-1, 0, 1), len(who), p=(0.12, 0.76, 0.12))
    amount = ticket[industry] * folk.keen[who] ** 0.3 * np.exp(generator.normal(-0.1, 0.5, len(who)))
    columns = {
        "person": who,
        "day": day,
        "hour": (hour[who, slot] + shift).clip(0, 23),
        "dong": place[who, slot],
        "industry": industry,
        "amount": np.rint(amount / 10).astype(np.int64) * 10,
    }
    columns = _with_dominant(columns, folk, generator)
    days = pa.array([first + timedelta(days=i) for first in FIRSTS for i in range(7)], pa.date32())
    at = columns["person"]
    home = _homes(datasets, folk, generator)
    return pa.table(
        {
            "person": at,
            "date": days.take(pa.array(columns["day"])),
            "hour": pa.array(columns["hour"], pa.int32()),
            "dong_code": texts(folk.dongs, columns["dong"]),
            "industry": texts(names, columns["industry"]),
            "holder": texts(("개인",), np.zeros(len(at), int)),
            "sex": texts(SEX, folk.sex[at]),
            "age": texts(AGES, folk.age[at].clip(1, 6)),
            "home_sido": texts(home[0], at),
            "home_sigungu": texts(home[1], at),
            "amount": columns["amount"],
        }
    )


def card_spending(datasets: Path) -> Planted:
    """By date, hour, dong, industry, holder, sex and age."""
    return _delivered(payments(datasets), ["date", "hour", "dong_code", "industry", "holder", "sex", "age"])


def card_spending_inflow(datasets: Path) -> Planted:
    """By date, dong, home of the customer and industry."""
    return _delivered(payments(datasets), ["date", "dong_code", "home_sido", "home_sigungu", "industry"])


def _delivered(made: pa.Table, key: list[str]) -> Planted:
    grouped: Any = made.group_by(key).aggregate([("amount", "sum"), ("amount", "count")])
    rows = grouped.rename_columns([*key, "amount", "count"]).sort_by([(k, "ascending") for k in key])
    return Planted(rows=rows, contributions=made.select(["person", *key, "amount"]))


def _habits(folk: People, generator: np.random.Generator, share: Any) -> tuple[Any, Any, Any]:
    """Where, on what and when each person usually spends: lunch near work first, then near home or work."""
    size = (folk.number, HABITS)
    near_work = (generator.random(size) < 0.45) & (folk.work >= 0)[:, None]
    place = np.where(near_work, folk.work[:, None], folk.home[:, None])
    away = generator.random(size) < 0.15
    place = np.where(away, generator.integers(0, len(folk.dongs), size), place)
    trade = generator.choice(len(share), size, p=share / share.sum())
    trade[:, 0] = np.where(folk.work >= 0, generator.choice(3, folk.number), trade[:, 0])
    place[:, 0] = np.where(folk.work >= 0, folk.work, place[:, 0])
    hour = generator.choice(np.arange(8, 23), size)
    hour[:, 0] = np.where(folk.work >= 0, 12, hour[:, 0])
    return place, trade, hour


def _with_dominant(columns: dict[str, Any], folk: People, generator: np.random.Generator) -> dict[str, Any]:
    """Add a customer to each of some middling shops who outspends all others, every Tuesday at 15 h."""
    shop = columns["dong"] * 100 + columns["industry"]
    shops, visits = np.unique(shop, return_counts=True)
    middling = shops[(visits > 40) & (visits < 160)]
    added: dict[str, list[Any]] = {name: [] for name in columns}
    for chosen in generator.choice(middling, DOMINANT, replace=False):
        total = int(columns["amount"][shop == chosen].sum() * OVER)
        person = int(generator.integers(0, folk.number))
        for day in (1, 8, 15, 22):
            new = (person, day, 15, chosen // 100, chosen % 100, total // 40 * 10)
            for name, value in zip(added, new, strict=True):
                added[name].append(value)
    return {name: np.concatenate([columns[name], np.array(added[name])]) for name in columns}


def _homes(
    datasets: Path, folk: People, generator: np.random.Generator
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Province and city of each person: their gu, or for one in five somewhere outside Seoul."""
    gu = read_table(datasets / "gu_boundary" / "sample" / "gu.csv")
    named = dict(zip(gu["gu_code"], gu["gu_name"], strict=True))
    table = read_table(datasets / "card_spending_inflow" / "twin" / "homes.csv")
    outside = [i for i, s in enumerate(table["home_sido"]) if s != "서울"]
    weight = numbers(table, "share")[outside]
    from_there = generator.random(folk.number) < 0.2
    where = generator.choice(outside, folk.number, p=weight / weight.sum())
    sido = tuple(table["home_sido"][w] if f else "서울" for w, f in zip(where, from_there, strict=True))
    city = tuple(
        table["home_sigungu"][w] if f else named[folk.dongs[h][:5]]
        for w, f, h in zip(where, from_there, folk.home, strict=True)
    )
    return sido, city


def dominant_shops(made: pa.Table, share: float) -> list[tuple[str, str]]:
    """Shops (dong, industry) of 40 payments or more where one person has that share of the amount."""
    shop = ["dong_code", "industry"]
    each: Any = made.group_by([*shop, "person"]).aggregate([("amount", "sum"), ("amount", "count")])
    whole: Any = each.group_by(shop).aggregate(
        [("amount_sum", "max"), ("amount_sum", "sum"), ("amount_count", "sum")]
    )
    held = pc.divide(pc.cast(whole["amount_sum_max"], pa.float64()), whole["amount_sum_sum"])
    hit = pc.and_(pc.greater_equal(held, share), pc.greater_equal(whole["amount_count_sum"], 40))
    found = whole.filter(hit)
    return sorted(zip(found["dong_code"].to_pylist(), found["industry"].to_pylist(), strict=True))
