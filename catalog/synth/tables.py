"""Turns the small parameter tables that `twin.yml` names into shares and distances. Knows no rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from catalog.descriptions.strict_yaml import Entry
from catalog.samples.tables import SOURCE, read_table

SUM_TOLERANCE = 0.02
"""Shares in published tables are rounded; rows further from 1 than this are a mistake."""


class Tables:
    """Parameter tables below `datasets/`, read once each."""

    def __init__(self, datasets: Path) -> None:
        self._datasets = datasets
        self._known: dict[str, dict[str, list[str]]] = {}

    def column(self, entry: Entry, file: str, name: str) -> list[str]:
        """One column of a table as text."""
        if file not in self._known:
            path = self._datasets / file
            if ".." in Path(file).parts or not path.is_file():
                raise entry.error("file", ko=f"'{file}' 파일이 없습니다", en=f"there is no file '{file}'")
            self._known[file] = read_table(path)
        table = self._known[file]
        if name not in table:
            raise entry.error(
                "file", ko=f"'{file}'에 '{name}' 열이 없습니다", en=f"'{file}' has no column '{name}'"
            )
        return table[name]

    def numbers(self, entry: Entry, file: str, name: str) -> Any:
        """One column of a table as numbers."""
        try:
            return np.array([float(v) for v in self.column(entry, file, name)])
        except ValueError as error:
            raise entry.error(
                "file", ko=f"'{name}' 열이 숫자가 아닙니다", en=f"column '{name}' is not numeric"
            ) from error

    def lookup(self, entry: Entry, file: str, key: str, value: str) -> dict[str, str]:
        """Key → value of a table."""
        keys = self.column(entry, file, key)
        if len(set(keys)) != len(keys):
            raise entry.error("key", ko=f"'{key}'가 겹칩니다", en=f"'{key}' repeats a value")
        return dict(zip(keys, self.column(entry, file, value), strict=True))

    def source(self, file: str) -> str:
        """Where the facts of a table come from, as its first line says."""
        return (self._datasets / file).read_text("utf-8").split("\n", 1)[0].removeprefix(SOURCE)


def normalised(entry: Entry, key: str, shares: Any) -> Any:
    """Rows of shares that add up to 1 exactly; refused where negative, empty or all zero."""
    rows = np.atleast_2d(np.asarray(shares, float))
    if not rows.size or not np.isfinite(rows).all() or (rows < 0).any() or (rows.sum(axis=1) <= 0).any():
        raise entry.error(
            key, ko="비중은 0 이상이고 합이 0보다 커야 합니다", en="shares must be 0 or more and not all 0"
        )
    return rows / rows.sum(axis=1, keepdims=True)


def demand_whole(entry: Entry, key: str, shares: Any) -> None:
    """Refuse rows of conditional shares that do not add up to about 1."""
    sums = np.atleast_2d(np.asarray(shares, float)).sum(axis=1)
    worst = float(sums[np.abs(sums - 1).argmax()])
    if abs(worst - 1) > SUM_TOLERANCE:
        raise entry.error(key, ko=f"비중의 합이 {worst:.3f}입니다", en=f"shares add up to {worst:.3f}")


def distances(tables: Tables, entry: Entry, places: str, codes: Sequence[str]) -> Any:
    """(codes, codes) distances between dong centres [km]; within a dong half the radius of its area."""
    where = {
        code: (float(x), float(y), float(area))
        for code, x, y, area in zip(
            *(tables.column(entry, places, c) for c in ("dong_code", "x", "y", "area")), strict=True
        )
    }
    lost = [c for c in codes if c not in where]
    if lost:
        raise entry.error("places", ko=f"'{lost[0]}' 위치가 없습니다", en=f"'{lost[0]}' has no place")
    x, y, area = np.array([where[c] for c in codes]).T
    out = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(out, np.sqrt(area / np.pi) / 2)
    return out / 1000.0


def pull(tables: Tables, entry: Entry, parents: Sequence[str]) -> tuple[tuple[str, ...], Any]:
    """Destinations drawn in proportion to a weight, less the further away or off the same line."""
    file, key = entry.text("file"), entry.text("key")
    codes = tuple(tables.column(entry, file, key))
    weight = tables.numbers(entry, file, entry.text("weight"))
    if entry.has("places"):
        away = distances(tables, entry, entry.text("places"), codes)
        shares = weight * np.exp(-away / entry.number("reach"))
    else:
        group = np.array(tables.column(entry, file, entry.text("group")))
        same = entry.number("same")
        other = normalised(entry, "weight", np.where(np.eye(len(codes)) > 0, 0.0, weight))
        own = np.where(group[:, None] == group, other, 0.0)
        alone = own.sum(axis=1) == 0
        own = np.where(alone[:, None], other, own)
        shares = same * normalised(entry, "group", own) + (1 - same) * other
    entry.done()
    rows = {code: shares[i] for i, code in enumerate(codes)}
    return codes, by_parent(entry, rows, parents)


def by_parent(entry: Entry, rows: Mapping[str, Any], parents: Sequence[str]) -> Any:
    """One row of shares for every code of the column depended on."""
    lost = [p for p in parents if p not in rows]
    if lost:
        raise entry.error(
            "given", ko=f"'{lost[0]}'의 비중이 없습니다", en=f"there are no shares for '{lost[0]}'"
        )
    return np.array([rows[p] for p in parents])
