"""Reads the small parameter tables in `datasets/<name>/sample/`. Knows their form only."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

SOURCE = "# source: "


def read_table(path: Path) -> dict[str, list[str]]:
    """Columns by name; the first line must say where the facts come from."""
    lines = path.read_text("utf-8").splitlines()
    if not lines[0].startswith(SOURCE):
        raise ValueError(f"{path}: the first line must begin '{SOURCE}'")
    header, *rows = csv.reader(lines[1:], strict=True)
    return {name: [r[i] for r in rows] for i, name in enumerate(header)}


def numbers(table: dict[str, list[str]], *names: str) -> Any:
    """Columns as floats, one array per name stacked along the last axis; a single name gives a vector."""
    out = np.array([[float(v) for v in table[n]] for n in names]).T
    return out[:, 0] if len(names) == 1 else out


def split(totals: Any, shares: Any) -> Any:
    """Whole numbers per share that add up to each whole total exactly (largest remainder).

    Parameters
    ----------
    totals
        (n,) whole totals.
    shares
        (n, k) shares; scaled to add up to 1.
    """
    exact = totals[:, None] * shares / shares.sum(axis=1, keepdims=True)
    parts = np.floor(exact)
    missing = (totals - parts.sum(axis=1)).astype(np.int64)
    order = np.argsort(parts - exact, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    return (parts + (rank < missing[:, None])).astype(np.int64)


def jitter(generator: Any, shares: Any, rows: int, spread: float) -> Any:
    """(rows, k) shares, each multiplied by log-normal noise of that spread."""
    return np.asarray(shares) * np.exp(generator.normal(0.0, spread, (rows, len(shares))))
