"""Reads the table of the cell key method, a CSV file beside `dataset.yml`. Knows no rows of data.

Its shape is that of the UK Office for National Statistics: `pcv` (a count, 1 to 750), `ckey`, `pvalue`.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final

from catalog.descriptions.model import Noise
from catalog.descriptions.strict_yaml import DescriptionError, Entry

MOST_KEYS: Final = 4096
COLUMNS: Final = ("pcv", "ckey", "pvalue")
_FILE: Final = re.compile(r"[a-z0-9_]{1,60}\.csv")


def read_noise(entry: Entry) -> Noise:
    """`{column, table}`: the table is a file beside `dataset.yml`.

    Raises
    ------
    DescriptionError
        The file is missing, or not one whole table; names the file and the line.
    """
    column, name = entry.text("column"), entry.text("table")
    entry.done()
    if not _FILE.fullmatch(name):
        raise entry.error(
            "table",
            ko=f"'{name}': 이 폴더의 CSV 파일 이름이어야 합니다",
            en=f"'{name}' must be the name of a CSV file in this folder",
        )
    file = entry.file.parent / name
    found = _rows(file)
    keys = max((key for _, key in found), default=-1) + 1
    if not 1 < keys <= MOST_KEYS or len(found) != Noise.COUNTS * keys:
        raise _bad(
            file,
            0,
            ko=f"pcv 1~{Noise.COUNTS}마다 ckey가 0부터 빠짐없이 있어야 합니다({MOST_KEYS:,}개까지)",
            en=f"needs each ckey from 0 for each pcv from 1 to {Noise.COUNTS} (up to {MOST_KEYS:,} keys)",
        )
    changes = tuple(found[(count, key)] for count in range(1, Noise.COUNTS + 1) for key in range(keys))
    return Noise(column=column, keys=keys, changes=changes)


def _rows(file: Path) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream)
            if tuple(next(lines, ())) != COLUMNS:
                names = ", ".join(COLUMNS)
                raise _bad(file, 1, ko=f"첫 줄은 {names}이어야 합니다", en=f"must begin with {names}")
            for values in lines:
                count, key, change = _numbers(file, lines.line_num, values)
                if (count, key) in found:
                    raise _bad(file, lines.line_num, ko="같은 칸이 두 번 있습니다", en="gives a cell twice")
                found[(count, key)] = change
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _bad(file, 0, ko=f"읽을 수 없습니다 ({error})", en=f"cannot be read ({error})") from error
    return found


def _numbers(file: Path, line: int, values: list[str]) -> tuple[int, int, int]:
    try:
        count, key, change = (int(value) for value in values)
    except ValueError:
        raise _bad(file, line, ko="정수 세 개가 아닙니다", en="is not three whole numbers") from None
    if not 1 <= count <= Noise.COUNTS or not 0 <= key < MOST_KEYS or count + change < 0:
        raise _bad(
            file,
            line,
            ko="범위를 벗어났거나 개수가 음수가 됩니다",
            en="is out of range, or makes a count negative",
        )
    return count, key, change


def _bad(file: Path, line: int, *, ko: str, en: str) -> DescriptionError:
    return DescriptionError(file, f"{line}" if line else "-", ko=ko, en=en)
