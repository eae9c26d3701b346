"""Made-up people of three gu with homes, workplaces and habits. Knows no dataset; nobody in it is real."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.samples.tables import numbers, read_table

GU = ("11110", "11440", "11680")
"""종로구, 마포구, 강남구: small enough to publish at every start, different enough to study."""
AGES = ("00", "10", "20", "30", "40", "50", "60", "70")
WORKING = (0.0, 0.0, 0.45, 0.8, 0.82, 0.76, 0.45, 0.1)
STUDENT = 0.4
"""Of people in their twenties."""
CAMPUS = "11440660"
"""서강동: where the made-up students study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """One array element a person; dongs are positions in `dongs`.

    Parameters
    ----------
    work
        Where a person works or studies; -1 for nowhere.
    leaves, returns
        Habitual minute of the day of leaving home and leaving work.
    keen
        How much a person does, 1 on average; strongly uneven.
    """

    dongs: tuple[str, ...]
    home: Any
    work: Any
    student: Any
    sex: Any
    age: Any
    leaves: Any
    returns: Any
    keen: Any

    @property
    def number(self) -> int:
        """How many."""
        return len(self.home)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A stand-in and what only its maker knows.

    Parameters
    ----------
    rows
        What is published, in the dataset's columns.
    contributions
        Who is behind each row: a column `person` beside the key; never published.
    """

    rows: pa.Table
    contributions: pa.Table


def people(datasets: Path, number: int, seed: int) -> People:
    """So many people; the same for the same seed."""
    table = read_table(datasets / "living_population" / "sample" / "dongs.csv")
    here = [i for i, c in enumerate(table["dong_code"]) if c[:5] in GU]
    dongs = tuple(table["dong_code"][i] for i in here)
    level, ratio, female = (numbers(table, c)[here] for c in ("mean", "day_night", "female"))
    generator = np.random.default_rng(seed)
    home = generator.choice(len(dongs), number, p=_shares(level / ratio))
    shares = np.array([numbers(table, f"age_{a}s")[here] for a in AGES[1:7]]).T
    rest = 1 - shares.sum(axis=1, keepdims=True)
    whole = np.cumsum(np.hstack([rest * 0.4, shares, rest * 0.6]), axis=1)
    age = (generator.random(number)[:, None] > whole[home]).sum(axis=1).clip(max=len(AGES) - 1)
    working = generator.random(number) < np.array(WORKING)[age]
    work = np.where(working, generator.choice(len(dongs), number, p=_shares(level * ratio)), -1)
    student = (age == 2) & (generator.random(number) < STUDENT)
    work = np.where(student, dongs.index(CAMPUS), work)
    return People(
        dongs=dongs,
        home=home,
        work=work,
        student=student,
        sex=(generator.random(number) < female[home]).astype(int),  # 1 is female
        age=age,
        leaves=generator.normal(7 * 60 + 50, 40, number).clip(5 * 60, 11 * 60),
        returns=generator.normal(18 * 60 + 40, 70, number).clip(14 * 60, 23 * 60),
        keen=np.exp(generator.normal(-0.32, 0.8, number)),
    )


def texts(values: tuple[str, ...], at: Any) -> Any:
    """Codes of positions as an Arrow array."""
    return pa.array(values, pa.string()).take(pa.array(at))


SEX = ("M", "F")


def _shares(weights: Any) -> Any:
    return weights / weights.sum()
