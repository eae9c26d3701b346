"""The statement that looks for differences of too few units between two governed answers. Pure text.

Rows are read once and become crossings: the units that are in a cell of the one answer and a cell of the
other (or outside of it). Whatever two answers can be subtracted to is a sum of crossings, and has no fewer
units than the largest of them; so what holds a crossing of enough units is told by counts of crossings alone,
and units are counted out only for what is made of small crossings.
"""
# ruff: noqa: S608 - all text here is made of identifiers and literals that `judge` wrote anew

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from catalog.gateway.governed.compose import Cells, chosen, name_of, ranked, unit_columns, units_of
from catalog.gateway.governed.plan import Rules

_WHOLE: Final = -1  # the label of all rows of one statement, whose totals its cells add up to
_OUTSIDE: Final = -2  # of rows the statement does not choose


def few(table: str, one: Cells, other: Cells, rules: Rules) -> str:
    """One row where subtracting two answers shows fewer than the minimum: two of their cells, or of their
    totals, that are different sets of rows but whose difference has too few units.

    Cells are compared in pairs that share rows, and each with the nearest union of the other answer's cells.
    """
    least = rules.minimum
    parts = [*_crossings(table, one, other, rules)]
    parts += [
        # each crossing under its cell and under its whole answer: of one side, of the other, of both
        f"x AS (SELECT *, unnest([a, {_WHOLE}]) AS one FROM t WHERE a <> {_OUTSIDE})",
        f"y AS (SELECT *, unnest([b, {_WHOLE}]) AS two FROM t WHERE b <> {_OUTSIDE})",
        f"xy AS (SELECT one, two, count_if(n >= {least}) AS large, sum(n) AS most FROM "
        f"(SELECT *, unnest([b, {_WHOLE}]) AS two FROM x WHERE b <> {_OUTSIDE}) GROUP BY one, two)",
        f"nx AS (SELECT one, count_if(n >= {least}) AS large, sum(n) AS most FROM x GROUP BY one)",
        f"ny AS (SELECT two, count_if(n >= {least}) AS large, sum(n) AS most FROM y GROUP BY two)",
        # pairs that differ by small crossings only
        "near AS (SELECT xy.one, xy.two, xy.most FROM xy JOIN nx USING (one) JOIN ny USING (two) "
        "WHERE nx.large = xy.large AND ny.large = xy.large)",
        *_units("ux", "x", "one", "near", rules),
        *_units("uy", "y", "two", "near", rules),
        # units(A \ B) ≥ units(A) - units(A ∩ B)
        "pairs AS (SELECT near.one, near.two FROM near JOIN ux USING (one) JOIN uy USING (two) "
        f"WHERE ux.units - near.most < {least} AND uy.units - near.most < {least})",
        "d AS (SELECT row(one, two) AS which, a, b, n FROM x JOIN pairs USING (one) "
        f"WHERE b = {_OUTSIDE} OR (two <> {_WHOLE} AND b <> two) UNION ALL "
        "SELECT row(one, two), a, b, n FROM y JOIN pairs USING (two) "
        f"WHERE a = {_OUTSIDE} OR (one <> {_WHOLE} AND a <> one))",
        *_unions("x", "y", "a", "b", "one", "two", rules),
        *_unions("y", "x", "b", "a", "two", "one", rules),
    ]
    found = " UNION ALL ".join(_counted(rows, rules) for rows in ("d", "d_x", "d_y"))
    return f"WITH {', '.join(parts)} SELECT 1 FROM ({found}) WHERE units BETWEEN 1 AND {least - 1} LIMIT 1"


def _crossings(table: str, one: Cells, other: Cells, rules: Rules) -> Iterable[str]:
    """`t(a, b, n)`: cells of either side and the units of both; `l(u0, a, b)`: which units those are."""
    columns, joins, cell = [*unit_columns(rules)], "", {1: "", 2: ""}
    later = []
    for side, answered in ((1, one), (2, other)):
        levels = answered.shape.levels
        keys = [f"k{side}_{i}" for i in range(len(levels))]
        columns.append(f"{chosen(answered.shape)} AS in{side}")
        columns += [f"{level.sql} AS {key}" for level, key in zip(levels, keys, strict=True)]
        if not keys:
            cell[side] = f"CASE WHEN in{side} THEN {0 if answered.merged else 1} ELSE {_OUTSIDE} END"
            continue
        listed = ", ".join(keys)
        if answered.merged:
            rank = f"row_number() OVER (ORDER BY {ranked(keys)})"
            grouped = f"SELECT {listed}, {units_of(rules)} AS units FROM r WHERE in{side} GROUP BY {listed}"
            merged = f"CASE WHEN rank <= {answered.merged} THEN 0 ELSE rank END AS cell"
            later.append(f"c{side} AS (SELECT *, {merged} FROM (SELECT *, {rank} AS rank FROM ({grouped})))")
        else:  # which number a cell has does not matter
            later.append(
                f"c{side} AS (SELECT *, row_number() OVER () AS cell "
                f"FROM (SELECT DISTINCT {listed} FROM r WHERE in{side}))"
            )
        same = [f"r.in{side}", *(f"r.{key} IS NOT DISTINCT FROM c{side}.{key}" for key in keys)]
        joins += f" LEFT JOIN c{side} ON {' AND '.join(same)}"
        cell[side] = f"coalesce(c{side}.cell, {_OUTSIDE})"
    either = f"{chosen(one.shape)} OR {chosen(other.shape)}"
    yield f"r AS (SELECT {', '.join(columns)} FROM {name_of(table)} WHERE {either})"
    yield from later
    # a unit once a crossing, and as a number: 64 bits tell a city's people apart
    unit = "hash(" + ", ".join(f"r.u{i}" for i in range(len(rules.unit))) + ")" if rules.unit else "sum(r.u0)"
    yield (
        f"l AS MATERIALIZED (SELECT {unit} AS u0, {cell[1]} AS a, {cell[2]} AS b FROM r{joins} GROUP BY ALL)"
    )
    count = "count(*)" if rules.unit else "coalesce(sum(u0), 0)::BIGINT"
    yield f"t AS MATERIALIZED (SELECT a, b, {count} AS n FROM l GROUP BY a, b)"


def _units(made: str, crossings: str, cell: str, wanted: str, rules: Rules) -> Iterable[str]:
    """Units of those cells (or totals) of one answer that are asked about."""
    asked = f"SELECT DISTINCT {cell} FROM {wanted}"
    if not rules.unit:
        yield (
            f"{made} AS (SELECT {cell}, sum(n) AS units FROM {crossings} "
            f"SEMI JOIN ({asked}) USING ({cell}) GROUP BY 1)"
        )
        return
    side = "a" if cell == "one" else "b"
    yield (
        f"{made} AS (SELECT {side} AS {cell}, count(DISTINCT u0) AS units FROM l "
        f"WHERE {side} IN ({asked}) GROUP BY 1 UNION ALL "
        f"SELECT {_WHOLE}, count(DISTINCT u0) FROM l WHERE {side} <> {_OUTSIDE} AND {_WHOLE} IN ({asked}))"
    )


def _counted(rows: str, rules: Rules) -> str:
    """Units of every difference, from its crossings: counted out only where their sum does not tell."""
    if not rules.unit:
        return f"SELECT sum(n) AS units FROM {rows} GROUP BY which"
    summed = f"SELECT which, count(*) AS crossings, sum(n) AS units FROM {rows} GROUP BY which"
    unsure = f"crossings > 1 AND units >= {rules.minimum}"
    return (
        f"SELECT units FROM ({summed}) WHERE NOT ({unsure}) UNION ALL "
        f"SELECT count(DISTINCT l.u0) FROM {rows} SEMI JOIN (SELECT which FROM ({summed}) WHERE {unsure}) "
        f"USING (which) JOIN l USING (a, b) GROUP BY which"
    )


def _unions(
    cells: str, wholes: str, cell: str, other: str, one: str, two: str, rules: Rules
) -> Iterable[str]:
    """For each cell (or total) of one answer, the crossings by which it differs from the nearest union of
    cells of the other: each that shares rows with it is in the union where it lies in it for the most part.

    Only a whole that every such cell is nearly in or nearly out of can be few units from a union.
    """
    least = rules.minimum
    yield (
        f"p_{cells} AS (SELECT {two} AS whole, {one} AS part, xy.large AS inside, "
        f"n{cells}.large - xy.large AS rest, xy.most "
        f"FROM xy JOIN n{cells} USING ({one}) WHERE {one} <> {_WHOLE})"
    )
    yield (
        f"w_{cells} AS (SELECT whole FROM p_{cells} GROUP BY whole HAVING bool_and(least(inside, rest) = 0) "
        f"INTERSECT SELECT {two} FROM {wholes} GROUP BY {two} "
        f"HAVING count_if(n >= {least} AND {cell} = {_OUTSIDE}) = 0)"
    )
    yield (
        f"e_{cells} AS (SELECT whole, part, most FROM p_{cells} SEMI JOIN w_{cells} USING (whole) "
        "WHERE inside + rest = 0)"
    )
    yield from _either(cells, cell, other, rules)
    yield (
        f"i_{cells} AS (SELECT whole, part FROM p_{cells} SEMI JOIN w_{cells} USING (whole) "
        "WHERE rest = 0 AND inside > 0 UNION ALL "
        f"SELECT whole, part FROM v_{cells} WHERE units - inside < inside)"
    )
    yield (
        f"d_{cells} AS (SELECT v.{two} AS which, v.a, v.b, v.n FROM {wholes} v "
        f"SEMI JOIN w_{cells} w ON v.{two} = w.whole "
        f"ANTI JOIN i_{cells} i ON i.whole = v.{two} AND i.part = v.{cell} UNION ALL "
        f"SELECT i.whole, t.a, t.b, t.n FROM t JOIN i_{cells} i ON t.{cell} = i.part "
        f"WHERE t.{other} = {_OUTSIDE} OR (i.whole <> {_WHOLE} AND t.{other} <> i.whole))"
    )


def _either(cells: str, cell: str, other: str, rules: Rules) -> Iterable[str]:
    """Where counts of crossings do not tell whether a part is nearly in a whole or nearly out of it: its
    units, and those that are inside.
    """
    wanted = f"(SELECT DISTINCT part FROM e_{cells})"
    count, rows = ("count(DISTINCT u0)", "l") if rules.unit else ("sum(n)", "t")
    yield (
        f"o_{cells} AS (SELECT {cell} AS part, {count} AS units FROM {rows} "
        f"WHERE {cell} IN {wanted} GROUP BY 1)"
    )
    # in a cell they are one crossing, in a total as many as there are
    yield (
        f"v_{cells} AS (SELECT whole, part, units, most AS inside FROM e_{cells} JOIN o_{cells} USING (part) "
        f"WHERE whole <> {_WHOLE} UNION ALL SELECT whole, part, o.units, inside FROM e_{cells} "
        f"JOIN o_{cells} o USING (part) JOIN (SELECT {cell} AS part, {count} AS inside FROM {rows} "
        f"WHERE {cell} IN {wanted} AND {other} <> {_OUTSIDE} GROUP BY 1) USING (part) WHERE whole = {_WHOLE})"
    )
