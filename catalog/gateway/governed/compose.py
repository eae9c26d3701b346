"""The SQL of a plan, written from its checked parts: cells, merged answers, differences. Pure text.

Cells are ranked by their units, then by their keys, so the first `merged` of them are the same ones in every
statement over one version. They go together into one remainder, whose key is `REMAINDER` where it is text and
NULL elsewhere.
"""

# ruff: noqa: S608 all text here is made of identifiers and literals that `judge` wrote anew

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from catalog.descriptions import ColumnType
from catalog.descriptions.model import Noise
from catalog.gateway.governed.plan import Figure, Level, Plan, Rules, Shape, quoted
from catalog.gateway.sql.show import CATALOG, SCHEMA

REMAINDER: Final = "기타 (others)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """A shape as it was answered: its first `merged` cells are one remainder."""

    shape: Shape
    merged: int


def cells(table: str, shape: Shape, rules: Rules, most: int) -> str:
    """`key…, units, rows` of every cell by rank, at most `most` + 1 of them, keys as text.

    Where counts are changed, then the cell's key by its units and by its rows.
    """
    keys = [f"c.k{i}::VARCHAR AS k{i}" for i in range(len(shape.levels))]
    sums = ["unit_key", "row_key"] if rules.noise else []
    return (
        f"SELECT {_list([*keys, 'units', 'counted', *sums])} FROM ({_grouped(table, shape, rules)}) AS c "
        f"ORDER BY {_ranked(shape, 'c.')} LIMIT {most + 1}"  # by c: a key as text has another order
    )


def remainder_units(table: str, answered: Cells, rules: Rules) -> str:
    """Units of the merged cells together; where counts are changed, then their key."""
    if rules.noise is None:
        return f"{_labelled(table, answered, rules, ())} SELECT {units_of(rules)} FROM l WHERE merged"
    units = _list(f"u{i}" for i in range(len(rules.unit)))
    return (
        f"{_labelled(table, answered, rules, (rules.noise.column,))} "
        f"SELECT count(*), coalesce(sum(key), 0) % {rules.noise.keys} "
        f"FROM (SELECT {units}, min(m0) AS key FROM l WHERE merged GROUP BY {units})"
    )


def answer(plan: Plan, merged: int, rules: Rules, *, nothing: bool = False) -> str:
    """The statement that runs: the plan's outputs over its cells, in a complete order.

    Parameters
    ----------
    merged
        Cells that go into the remainder.
    nothing
        Give no row: even the remainder is too small.
    """
    levels = plan.shape.levels
    figures = list(dict.fromkeys(o.value for o in plan.outputs if isinstance(o.value, Figure)))
    measures = list(dict.fromkeys(f.column for f in figures if f.column))
    if merged:
        inside = {column: f"m{i}" for i, column in enumerate(measures)}
        computed = [f"{_figure(f, units_of(rules), inside)} AS f{i}" for i, f in enumerate(figures)]
        head = _labelled(plan.table, Cells(shape=plan.shape, merged=merged), rules, measures) + ", "
        keys = [f"CASE WHEN NOT merged THEN k{i} END AS g{i}" for i in range(len(levels))]
        body = f"SELECT {_list(['merged', *keys, *computed])} FROM l GROUP BY ALL"
    else:
        head, inside = "WITH ", {column: quoted(column) for column in measures}
        unit = units_of(rules, over_table=True)
        computed = [f"{_figure(f, unit, inside)} AS f{i}" for i, f in enumerate(figures)]
        keys = [f"{level.sql} AS g{i}" for i, level in enumerate(levels)]
        by = _list(["1", *(str(i + 2) for i in range(len(levels)))])
        body = (
            f"SELECT {_list(['false AS merged', *keys, *computed])} "
            f"FROM {name_of(plan.table)}{_where(plan.shape)} GROUP BY {by}"
        )
    return _shown(plan, f"{head}a AS ({body})", figures, rules, merged=merged > 0, nothing=nothing)


def changed_answer(plan: Plan, counts: Mapping[int, tuple[int | None, int | None]], rules: Rules) -> str:
    """The statement that runs where counts are changed: they are written in, and only keys are read.

    Parameters
    ----------
    counts
        By rank of the cell from 1, 0 for the remainder: its units and rows as they are told, None where too
        few remain. Cells without an entry are not given.
    """
    figures = list(dict.fromkeys(o.value for o in plan.outputs if isinstance(o.value, Figure)))
    keys = [f"k{i}" for i in range(len(plan.shape.levels))]
    ranked = (
        f"SELECT *, row_number() OVER (ORDER BY {_ranked(plan.shape)}) AS rank "
        f"FROM ({_grouped(plan.table, plan.shape, rules)})"
    )
    told = [
        f"({rank}, {'NULL' if units is None else units}::BIGINT, {'NULL' if rows is None else rows}::BIGINT)"
        for rank, (units, rows) in counts.items()
    ]
    computed = [f"n.{figure.what} AS f{i}" for i, figure in enumerate(figures)]
    body = (
        f"SELECT {_list(['n.rank = 0 AS merged', *(f'c.{k} AS g{k[1:]}' for k in keys), *computed])} "
        "FROM n LEFT JOIN c USING (rank)"
    )
    head = f"WITH c AS ({ranked}), n(rank, units, rows) AS (VALUES {_list(told)}), a AS ({body})"
    return _shown(plan, head, figures, rules, merged=0 in counts)


def _shown(
    plan: Plan, head: str, figures: Sequence[Figure], rules: Rules, *, merged: bool, nothing: bool = False
) -> str:
    """The outputs in a complete order, from a relation `a` of `merged`, `g…` and `f…`."""
    levels = plan.shape.levels
    shown = []
    for output in plan.outputs:
        if isinstance(output.value, Level):
            place = levels.index(output.value)
            worded = merged and rules.levels[output.value] is ColumnType.STRING
            value = f"CASE WHEN merged THEN '{REMAINDER}' ELSE g{place} END" if worded else f"g{place}"
        else:
            value = f"f{figures.index(output.value)}"
        shown.append(f"{value} AS {quoted(output.name)}")
    order = [
        f"{o.output + 1} {'DESC' if o.descending else 'ASC'} NULLS {'FIRST' if o.nulls_first else 'LAST'}"
        for o in plan.order
    ]
    order += [f"a.g{i} NULLS FIRST" for i in range(len(levels))] + ["a.merged"]
    text = f"{head} SELECT {_list(shown)} FROM a ORDER BY {_list(order)}"
    if nothing:
        return text + " LIMIT 0"
    upto = f" LIMIT {plan.limit}" if plan.limit >= 0 else ""
    return text + upto + (f" OFFSET {plan.offset}" if plan.offset else "")


def _grouped(table: str, shape: Shape, rules: Rules) -> str:
    keys = [f"{level.sql} AS k{i}" for i, level in enumerate(shape.levels)]
    if rules.noise is not None:
        return _keyed(table, shape, rules, keys, rules.noise)
    unit = units_of(rules, over_table=True)
    by = f" GROUP BY {_list(str(i + 1) for i in range(len(keys)))}" if keys else ""
    return (
        f"SELECT {_list([*keys, f'{unit} AS units', 'count(*) AS counted'])} "
        f"FROM {name_of(table)}{_where(shape)}{by} HAVING count(*) > 0"
    )


def _keyed(table: str, shape: Shape, rules: Rules, keys: Sequence[str], noise: Noise) -> str:
    """The same with the sums of the record keys: of a cell's rows, and of its units once each."""
    names = [f"k{i}" for i in range(len(keys))]
    column = quoted(noise.column)
    sums = ["count(*) AS n", f"sum({column}) AS r", f"min({column}) AS u"]
    places = _list(str(i + 1) for i in range(len(keys) + len(rules.unit)))
    inner = (
        f"SELECT {_list([*keys, *unit_columns(rules), *sums])} "
        f"FROM {name_of(table)}{_where(shape)} GROUP BY {places}"
    )
    sums = [f"sum(u) % {noise.keys} AS unit_key", f"sum(r) % {noise.keys} AS row_key"]
    by = f" GROUP BY {_list(names)}" if names else ""
    return (
        f"SELECT {_list([*names, 'count(*) AS units', 'sum(n)::BIGINT AS counted', *sums])} "
        f"FROM ({inner}){by} HAVING count(*) > 0"
    )


def _labelled(table: str, answered: Cells, rules: Rules, measures: Sequence[str]) -> str:
    """`WITH r, c, l`: rows with their keys, and whether their cell is merged."""
    shape = answered.shape
    keys = [f"{level.sql} AS k{i}" for i, level in enumerate(shape.levels)]
    values = [f"{quoted(m)} AS m{i}" for i, m in enumerate(measures)]
    names = [f"k{i}" for i in range(len(keys))]
    by = f" GROUP BY {_list(names)}" if names else ""
    same = " AND ".join(f"r.{k} IS NOT DISTINCT FROM c.{k}" for k in names) or "true"
    return (
        f"WITH r AS (SELECT {_list([*unit_columns(rules), *keys, *values])} "
        f"FROM {name_of(table)}{_where(shape)}), "
        f"c AS (SELECT *, row_number() OVER (ORDER BY {_ranked(shape)}) AS rank FROM "
        f"(SELECT {_list([*names, f'{units_of(rules)} AS units'])} FROM r{by})), "
        f"l AS (SELECT r.*, c.rank <= {answered.merged} AS merged FROM r JOIN c ON {same})"
    )


def _ranked(shape: Shape, of: str = "") -> str:
    return ranked([f"k{i}" for i in range(len(shape.levels))], of)


def ranked(keys: Sequence[str], of: str = "") -> str:
    """The order of cells: the smallest first."""
    return _list([f"{of}units", *(f"{of}{key} NULLS FIRST" for key in keys)])


def unit_columns(rules: Rules) -> list[str]:
    return [f"{quoted(c)} AS u{i}" for i, c in enumerate(rules.unit or (rules.counted,))]


def units_of(rules: Rules, *, over_table: bool = False) -> str:
    """Units of a group of rows."""
    names = [quoted(c) if over_table else f"u{i}" for i, c in enumerate(rules.unit or (rules.counted,))]
    if not rules.unit:
        return f"coalesce(sum({names[0]}), 0)::BIGINT"
    return f"count(DISTINCT {names[0] if len(names) == 1 else 'row(' + _list(names) + ')'})"


def _figure(figure: Figure, units: str, measures: Mapping[str, str]) -> str:
    match figure.what:
        case "rows":
            return "count(*)"
        case "units":
            return units
        case _:
            return f"{figure.what}({measures[figure.column]})"


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)


def name_of(table: str) -> str:
    return f"{CATALOG}.{SCHEMA}.{quoted(table)}"


def _terms(shape: Shape) -> str:
    return " AND ".join(f"({choice.sql})" for choice in shape.choices)


def chosen(shape: Shape) -> str:
    """Whether a row is chosen, never NULL."""
    return f"coalesce({_terms(shape)}, false)" if shape.choices else "true"


def _where(shape: Shape) -> str:
    return f" WHERE {_terms(shape)}" if shape.choices else ""
