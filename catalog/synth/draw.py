"""Draws codes from declared shares, whole blocks at a time, by Walker's alias method. Knows no columns.

Walker 1977, Vose 1991: a draw costs two look-ups however many codes there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from catalog.synth.model import SynthError, Twin

MARGIN = 1.02
MOST_TRIES = 6
"""Draws for each wanted row before a period counts as too full."""


class Alias:
    """Alias tables of one factor: one row for each code of the column it depends on."""

    def __init__(self, shares: Any) -> None:
        self.codes = shares.shape[1]
        keep = np.empty(shares.shape, np.float32)
        other = np.empty(shares.shape, np.int32)
        for row, given in enumerate(shares):
            keep[row], other[row] = _alias(given)
        self._keep, self._other = keep.ravel(), other.ravel()

    def draw(self, generator: np.random.Generator, rows: int, parents: Any | None) -> Any:
        """Indices of `rows` codes [int32]; `parents` are indices of the codes depended on."""
        scaled = generator.random(rows, dtype=np.float32) * np.float32(self.codes)
        cell = np.minimum(scaled.astype(np.int32), np.int32(self.codes - 1))
        scaled -= cell
        at = cell if parents is None else parents * np.int32(self.codes) + cell
        return np.where(scaled < self._keep[at], cell, self._other[at])


def _alias(shares: Any) -> tuple[Any, Any]:
    scaled = (shares * len(shares)).tolist()
    keep, other = np.ones(len(shares), np.float32), np.arange(len(shares), dtype=np.int32)
    small = [i for i, s in enumerate(scaled) if s < 1]
    large = [i for i, s in enumerate(scaled) if s >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        keep[low], other[low] = scaled[low], high
        scaled[high] -= 1 - scaled[low]
        if scaled[high] < 1:
            small.append(large.pop())
    return keep, other


class Cells:
    """Draws whole rows of factor codes in the declared dependence.

    Parameters
    ----------
    twin
        Its factors, in an order where each comes after the one it depends on.
    """

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._alias = {f.column: Alias(f.shares) for f in twin.factors}
        self._sizes = [len(f.codes) for f in twin.factors]
        self._possible = float(np.prod([float(s) for s in self._sizes]))
        if self._possible >= 2.0**62:
            raise SynthError(
                "too-many-cells",
                ko="요인 조합이 너무 많습니다",
                en="there are too many combinations of factors",
            )

    def events(self, generator: np.random.Generator, rows: int) -> dict[str, Any]:
        """Indices by column; rows may repeat."""
        drawn: dict[str, Any] = {}
        for name in self._twin.order:
            given = self._twin.factor(name).given
            drawn[name] = self._alias[name].draw(generator, rows, drawn[given] if given else None)
        return drawn

    def distinct(self, generator: np.random.Generator, rows: int) -> tuple[dict[str, Any], Any]:
        """Indices by column of exactly `rows` different cells in order, and how often each was drawn.

        Raises
        ------
        SynthError
            `too-many-rows`: the declared shares do not reach that many different cells.
        """
        drawn = np.empty(0, np.int64)
        keys, times = drawn, drawn
        wanted = float(rows)
        while len(keys) < rows:
            if rows > self._possible or len(drawn) > MOST_TRIES * rows:
                raise SynthError(
                    "too-many-rows",
                    ko=f"한 기간에 서로 다른 행 {rows:,}개를 만들 수 없습니다. calendar.rows를 줄이세요",
                    en=f"cannot make {rows:,} different rows in one period; lower calendar.rows",
                )
            more = int(wanted * MARGIN) + 32
            drawn = np.concatenate([drawn, self._encode(self.events(generator, more))])
            drawn.sort()
            first = np.flatnonzero(np.concatenate([[True], drawn[1:] != drawn[:-1]]))
            keys, times = drawn[first], np.diff(first, append=len(drawn))
            wanted = max(rows - len(keys), 0) * min(len(drawn) / len(keys), 3.0)
        if len(keys) > rows:  # which cells go must not depend on what they are
            kept = np.ones(len(keys), bool)
            kept[generator.choice(len(keys), len(keys) - rows, replace=False, shuffle=False)] = False
            keys, times = keys[kept], times[kept]
        return self._decode(keys), times

    def grid(self, generator: np.random.Generator, rows: int) -> tuple[dict[str, Any], Any]:
        """Indices by column of `rows` cells in order (every one if there are so many), and their shares."""
        joint = self.joint()
        if rows > len(joint):
            raise SynthError(
                "too-many-rows",
                ko=f"한 기간의 칸은 {len(joint):,}개입니다. calendar.rows를 줄이세요",
                en=f"one period has {len(joint):,} cells; lower calendar.rows",
            )
        if rows == len(joint):
            return self._decode(np.arange(rows)), joint
        keys = np.sort(generator.choice(len(joint), rows, replace=False, shuffle=False))
        return self._decode(keys), joint[keys]

    def joint(self) -> Any:
        """Share of every combination of codes, in the order of the factors."""
        at = {f.column: i for i, f in enumerate(self._twin.factors)}
        joint = np.ones(self._sizes)
        for factor in self._twin.factors:
            shape = [1] * len(self._sizes)
            shape[at[factor.column]] = len(factor.codes)
            shares = factor.shares
            if factor.given:
                shape[at[factor.given]] = shares.shape[0]
                shares = shares if at[factor.given] < at[factor.column] else shares.T
            joint *= shares.reshape(shape)
        return joint.ravel()

    def _encode(self, drawn: dict[str, Any]) -> Any:
        key = np.zeros(len(next(iter(drawn.values()))), np.int64)
        for factor, size in zip(self._twin.factors, self._sizes, strict=True):
            key *= size
            key += drawn[factor.column]
        return key

    def _decode(self, keys: Any) -> dict[str, Any]:
        out = {}
        for factor, size in zip(reversed(self._twin.factors), reversed(self._sizes), strict=True):
            keys, rest = np.divmod(keys, size)
            out[factor.column] = rest.astype(np.int32)
        return out
