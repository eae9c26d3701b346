"""Keys that occur more than once in a file of any size, and the n-th row of a repeated key. Knows no check.

Equal keys have equal hashes, so only rows whose hash repeats are compared exactly; the hashes themselves are
counted in shares that fit the engine's memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.descriptions import Dataset
from catalog.ingest.derive import applied
from catalog.ingest.model import Derived, IngestError, Recipe, Rule
from catalog.ingest.rows import Numbers, Rows, listed
from catalog.ingest.spool import LINE, ROW

SHARE = 8_000_000  # hashes counted at once


def number_occurrences(rows: Rows, recipe: Recipe) -> None:
    """Fill the column that counts how often a key occurred before.

    Raises
    ------
    IngestError
        `duplicate-key`: an identical row is repeated, or a key occurs more often than the recipe allows.
    """
    for rule in applied(recipe, rows.carried):
        if rule.rule is Rule.OCCURRENCE and _suspects(rows, rule.inputs):
            _number(rows, rule)


def require_unique(rows: Rows, recipe: Recipe) -> None:
    """Refuse a file that gives a key of the dataset twice.

    Raises
    ------
    IngestError
        `duplicate-key`, with both lines.
    """
    key = rows.dataset.key
    counted = [r for r in applied(recipe, rows.carried) if r.rule is Rule.OCCURRENCE]
    if any({*r.inputs, r.column} <= set(key) for r in counted) or not _suspects(rows, key):
        return  # a key that holds the number of its occurrence is unique by construction
    names = listed(key)
    found = rows.ask(
        f"SELECT {names}, min({ROW}, 2) AS two FROM rows WHERE hash({names}) IN (FROM suspects) "  # noqa: S608
        f"GROUP BY {names} HAVING count(*) > 1 ORDER BY two[2] LIMIT 1"
    )
    if found:
        *values, (earlier, later) = found[0]
        lines = dict(rows.ask(f"SELECT {ROW}, {LINE} FROM rows WHERE {ROW} IN (?, ?)", earlier, later))  # noqa: S608
        raise _duplicate(rows, lines[later], lines[earlier], values)


def key_of_version(dataset: Dataset) -> tuple[str, ...]:
    """The dataset's key, where that it is unique in each file makes it so in a whole version; else nothing.

    No two files of a version hold the same period, and a dataset without periods is one file.
    """
    return dataset.key if dataset.period is None or dataset.period.column in dataset.key else ()


def _suspects(rows: Rows, key: Sequence[str]) -> int:
    """Hashes that more than one row has, left in the engine's table `suspects`."""
    rows.do("CREATE OR REPLACE TEMP TABLE suspects (h UBIGINT)")
    shares = rows.count // SHARE + 1
    for share in range(shares):
        where = f"WHERE h % {shares} = {share} " if shares > 1 else ""
        rows.do(
            f"INSERT INTO suspects SELECT h FROM (SELECT hash({listed(key)}) AS h FROM rows) {where}"  # noqa: S608
            "GROUP BY h HAVING count(*) > 1"
        )
    ((count,),) = rows.ask("SELECT count(*) FROM suspects")
    return int(count)


def _number(rows: Rows, rule: Derived) -> None:
    names = listed(rule.inputs)
    whole = listed([c.name for c in rows.dataset.columns if c.name != rule.column])
    rows.do(
        "CREATE OR REPLACE TEMP TABLE numbered AS "  # noqa: S608 names of a description
        f"SELECT {names}, {ROW}, {LINE}, row_number() OVER keys AS n, "
        f"first_value({LINE}) OVER keys AS first, "
        f"row_number() OVER (PARTITION BY {whole} ORDER BY {ROW}) AS same "
        f"FROM rows WHERE hash({names}) IN (FROM suspects) "
        f"WINDOW keys AS (PARTITION BY {names} ORDER BY {ROW})"
    )
    wrong = rows.ask(
        f"SELECT {names}, {LINE}, first FROM numbered WHERE same > 1 OR n > {rule.number:d} "  # noqa: S608
        f"ORDER BY {ROW} LIMIT 1"
    )
    if wrong:
        *values, line, first = wrong[0]
        raise _duplicate(rows, line, first, values)
    path = rows.spool.scratch / "numbers.parquet"
    target = str(path).replace("'", "''")
    rows.do(
        f"COPY (SELECT {ROW}, n::INTEGER AS n FROM numbered WHERE n > 1 ORDER BY {ROW}) "  # noqa: S608
        f"TO '{target}' (FORMAT parquet, ROW_GROUP_SIZE 20000)"
    )
    rows.see_numbers(Numbers(column=rule.column, path=path))


def _duplicate(rows: Rows, line: int, first: int, key: Sequence[object]) -> IngestError:
    shown = " ".join(map(str, key))
    return IngestError(
        "duplicate-key",
        file=rows.file,
        line=line,
        ko=f"{first}행과 같은 키 '{shown}'입니다. 같은 자료를 두 번 붙였는지 확인하세요",
        en=f"repeats the key '{shown}' of line {first}; check whether rows were pasted twice",
    )
