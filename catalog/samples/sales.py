"""Made-up card sales by quarter, dong and industry that keep the publisher's identities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.samples.tables import jitter, numbers, read_table, split

QUARTERS = {"20241": 0.95, "20242": 1.01, "20243": 1.02, "20244": 1.02}
TIMES = ("time_00_06", "time_06_11", "time_11_14", "time_14_17", "time_17_21", "time_21_24")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AGES = ("age_10", "age_20", "age_30", "age_40", "age_50", "age_60_over")


def sales(folder: Path, centres: Path) -> pa.Table:
    """One row a quarter, dong and industry; a few small dongs lack an industry, as they do in fact."""
    names = dict(zip(*(read_table(centres)[c] for c in ("dong_code", "dong_name")), strict=True))
    table = read_table(folder / "dongs.csv")
    coffee, payment = numbers(table, "coffee_sales", "payment").T
    industries = read_table(folder / "industries.csv")
    generator = np.random.default_rng(22175)
    pieces = []
    for i, code in enumerate(industries["industry_code"]):
        value = {k: float(v[i]) for k, v in industries.items() if k not in {"industry_code", "industry_name"}}
        level = (
            coffee * value["sales_to_coffee"] * np.exp(generator.normal(0.0, value["spread"], len(coffee)))
        )
        kept = level > np.quantile(level, 0.01)
        codes = [c for c, k in zip(table["dong_code"], kept, strict=True) if k]
        for quarter, index in QUARTERS.items():
            n = len(codes)
            amount = np.rint(level[kept] * index * np.exp(generator.normal(0.0, 0.04, n))).astype(np.int64)
            ticket = payment[kept] * value["payment_to_coffee"] * np.exp(generator.normal(0.0, 0.03, n))
            count = np.maximum(np.rint(amount / ticket), 1).astype(np.int64)
            columns: dict[str, Any] = {
                "quarter": [quarter] * n,
                "dong_code": codes,
                "dong_name": [names[c] for c in codes],
                "industry_code": [code] * n,
                "industry_name": [industries["industry_name"][i]] * n,
            }
            shares = _shares(generator, value, n)
            columns |= _parts("amount", amount, shares) | _parts("count", count, shares)
            pieces.append(pa.table(columns))
    return pa.concat_tables(pieces)


def _shares(generator: Any, value: dict[str, float], n: int) -> dict[str, Any]:
    """The shares of one industry, a little different in every dong."""
    return {
        "days": jitter(generator, [value[d] for d in DAYS], n, 0.08),
        "times": jitter(generator, [value[t] for t in TIMES], n, 0.12),
        "ages": jitter(generator, [value[a] for a in AGES], n, 0.1),
        "female": np.clip(
            value["female"] / (value["male"] + value["female"]) + generator.normal(0, 0.03, n), 0.05, 0.95
        ),
        "allocated": np.clip(value["male"] + value["female"] + generator.normal(0, 0.03, n), 0.5, 0.99),
    }


def _parts(suffix: str, total: Any, shares: dict[str, Any]) -> dict[str, Any]:
    """Weekdays, days and hours add up to the total; sex and age to the part the publisher can allocate."""
    days = split(total, shares["days"])
    times = split(total, shares["times"])
    allocated = np.floor(total * shares["allocated"]).astype(np.int64)
    female = np.floor(allocated * shares["female"]).astype(np.int64)
    ages = split(allocated, shares["ages"])
    out = {f"sales_{suffix}": total, f"weekday_{suffix}": days[:, :5].sum(axis=1)}
    out[f"weekend_{suffix}"] = days[:, 5:].sum(axis=1)
    out |= {f"{d}_{suffix}": days[:, i] for i, d in enumerate(DAYS)}
    out |= {f"{t}_{suffix}": times[:, i] for i, t in enumerate(TIMES)}
    out |= {f"male_{suffix}": allocated - female, f"female_{suffix}": female}
    return out | {f"{a}_{suffix}": ages[:, i] for i, a in enumerate(AGES)}
