"""Long lists of values: `x IN (1, 2, …)` written so that the engine reads them cheaply. Knows columns' types.

The engine's parser takes thousands of bytes for each value of such a list, and walking its tree takes long.
Here a long list of numbers or of texts is taken out of the text before it is parsed, and a mark stands in for
it. Where the tree has the mark alone in the list of `x IN (…)`, and the type of x is sure, the list is put
back as `x IN (SELECT unnest(CAST(string_split('1,2,…', ',') AS T[])))`: the same values, of the type that the
engine gives them beside x. In every other case it is put back as it was.

The places in the text need not be found safely: what is judged, recorded and run is the tree of the text that
comes out of it, and values are all that was moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from catalog.gateway.sql.constants import BETWEEN, WHOLE_TYPES
from catalog.gateway.sql.show import CATALOG, SCHEMA, Columns
from catalog.gateway.sql.tree import fold

Node = Mapping[str, Any]
Types = dict[str, str | None]
"""Folded column → the engine's type, None where it is not sure."""

LONG: Final = 1000  # values of a list that is taken out
MARK: Final = "campus_values_"
_NUMBER, _TEXT = r"-?[0-9]{1,18}+(?:\.[0-9]{1,15}+)?", r"'(?:[^']|'')*+'"
_LIST: Final = re.compile(
    "|".join(
        rf"\bIN\s*+\(\s*+(?P<{kind}>(?:{item}\s*+,\s*+){{{LONG - 1},}}+{item})\s*+\)"
        for kind, item in (("numbers", _NUMBER), ("texts", _TEXT))
    ),
    re.I,
)
_ITEM: Final = re.compile(rf"{_TEXT}|{_NUMBER}")
_AS_TEXT: Final = frozenset({"VARCHAR", "DATE", "TIME", "TIMESTAMP", "DOUBLE", "BOOLEAN", *WHOLE_TYPES})
_DECIMAL: Final = re.compile(r"DECIMAL\(([0-9]+),\s*([0-9]+)\)")
_ELSEWHERE: Final = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "LAMBDA", "PIVOT"}
_ASKABLE: Final = {("REGULAR", "INNER"), ("REGULAR", "LEFT")}  # joins whose condition may hold a query
_DIGITS: Final = 15  # of a number that is the same as a double, by whichever way it becomes one


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """A text with marks for its long lists, and where they stood: start, end, and whether they are texts."""

    text: str
    marked: str
    places: tuple[tuple[int, int, bool], ...]

    def settled(self, parsed: Any, columns: Columns) -> str:
        """The text with its lists put back, each as it may be.

        Parameters
        ----------
        parsed
            The parser's answer for `marked`.
        columns
            Granted table → its columns and their types.
        """
        types = _types(parsed, columns)
        lists = []
        for number, (start, end, texts) in enumerate(self.places):
            written = self.text[start:end]
            kind = types.get(f"{MARK}{number}")
            lists.append((kind and _cheap(written, texts=texts, kind=kind)) or written)
        return _filled(self.text, self.places, lists)


def shortened(text: str) -> Shortened | None:
    """The text with its long lists taken out; None where it has none."""
    if len(text) < 2 * LONG or MARK in text:
        return None
    places = tuple(
        (*match.span(match.lastgroup or 0), match.lastgroup == "texts") for match in _LIST.finditer(text)
    )
    if not places:
        return None
    marks = [f"'{MARK}{number}'" for number in range(len(places))]
    return Shortened(text=text, marked=_filled(text, places, marks), places=places)


def _filled(text: str, places: Sequence[tuple[int, int, bool]], lists: Sequence[str]) -> str:
    parts, at = [], 0
    for (start, end, _), written in zip(places, lists, strict=True):
        parts += [text[at:start], written]
        at = end
    return "".join([*parts, text[at:]])


def _cheap(written: str, *, texts: bool, kind: str) -> str | None:
    """The list as a query of values of this type; None where they may not be what they were."""
    items = _ITEM.findall(written)
    if texts:
        values = [item[1:-1].replace("''", "'") for item in items]
        wanted = kind if kind in _AS_TEXT or _DECIMAL.fullmatch(kind) else None
    else:
        values, wanted = items, _number_type(items, kind)
    between = next((mark for mark in BETWEEN if not any(mark in value for value in values)), None)
    if wanted is None or between is None:
        return None
    joined = between.join(values).replace("'", "''")
    listed = f"string_split('{joined}', '{between}')"
    return f"SELECT unnest({listed if wanted == 'VARCHAR' else f'CAST({listed} AS {wanted}[])'})"


def _number_type(items: Sequence[str], kind: str) -> str | None:
    """The type in which these numbers are compared with one of this type, or one that holds both."""
    before = max(len(item.partition(".")[0].lstrip("-").lstrip("0")) for item in items)
    after = max(len(item.partition(".")[2]) for item in items)
    if kind in WHOLE_TYPES and not after:
        bits, unsigned = WHOLE_TYPES[kind]
        least, most = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        numbers = [int(item) for item in items]
        return kind if least <= min(numbers) and max(numbers) <= most else "BIGINT"
    if kind == "DOUBLE":
        return kind if before + after <= _DIGITS else None
    if found := _DECIMAL.fullmatch(kind):
        width, scale = int(found[1]), int(found[2])
        return kind if before <= width - scale and after <= scale else None
    return None


def _types(parsed: Any, columns: Columns) -> dict[str, str]:
    """Mark → type of what is looked for in its list, where mark and type are sure."""
    shadowed = frozenset(
        fold(str(entry.get("key") or ""))
        for node in _nodes(parsed)
        if isinstance(node.get("cte_map"), dict)
        for entry in node["cte_map"].get("map", ())
    )
    known = {fold(name): columns[name] for name in columns}
    found: dict[str, str] = {}
    for node in _nodes(parsed):
        if node.get("type") != "SELECT_NODE" or not isinstance(node.get("from_table"), dict):
            continue
        leaves = [(_alias(leaf), _columns(leaf, known, shadowed)) for leaf in _leaves(node["from_table"])]
        named = {fold(str(item.get("alias") or "")) for item in node.get("select_list") or ()}
        if _merges(node["from_table"]):  # a name may stand for the columns of two tables together
            named |= {name for _, types in leaves for name in types or ()}
        for mark, term in _asked(node):
            kind = _type_of(term, leaves, named)
            if kind is not None:
                found[mark] = kind
    written = [text for node in _nodes(parsed) for text in node.values() if _is_mark(text)]
    return {mark: kind for mark, kind in found.items() if written.count(mark) == 1}


def _asked(select: Node) -> Iterator[tuple[str, Node]]:
    """Mark and x of every `x IN (mark)` that belongs to this SELECT itself."""
    waiting: list[Any] = [value for key, value in select.items() if key != "cte_map"]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict) and node.get("type") not in _ELSEWHERE:
            askable = node.get("type") != "JOIN" or (node["ref_type"], node["join_type"]) in _ASKABLE
            waiting += [value for key, value in node.items() if askable or key != "condition"]
            children: Sequence[Node] = node.get("children") or []
            if node.get("type") == "COMPARE_IN" and len(children) == 2 and _mark(children[1]):
                yield _mark(children[1]), children[0]


def _type_of(term: Node, leaves: Sequence[tuple[str, Types | None]], named: set[str]) -> str | None:
    if term.get("class") == "CAST":
        made = term["type_expr"]
        return None if made.get("children") else str(made.get("type_name")).upper()
    if term.get("class") != "COLUMN_REF":
        return None
    parts = [fold(part) for part in term["column_names"]]
    of, name = parts[:-1], parts[-1]
    if len(of) > 1 or (not of and name in named):
        return None
    holders = [types for alias, types in leaves if types and name in types and of in ([], [alias])]
    return holders[0][name] if len(holders) == 1 else None


def _leaves(ref: Node) -> Iterator[Node]:
    if ref.get("type") == "JOIN":
        yield from _leaves(ref["left"])
        yield from _leaves(ref["right"])
    else:
        yield ref


def _merges(ref: Node) -> bool:
    if ref.get("type") != "JOIN":
        return False
    merges = bool(ref.get("using_columns")) or ref.get("ref_type") == "NATURAL"
    return merges or _merges(ref["left"]) or _merges(ref["right"])


def _columns(
    leaf: Node, known: Mapping[str, Sequence[tuple[str, str]]], shadowed: frozenset[str]
) -> Types | None:
    """The columns of a granted table as it stands there; None of anything else."""
    table = fold(str(leaf.get("table_name") or ""))
    place = fold(str(leaf.get("catalog_name") or "")), fold(str(leaf.get("schema_name") or ""))
    if leaf.get("type") != "BASE_TABLE" or leaf.get("column_name_alias") or table not in known:
        return None
    if place[0] not in ("", CATALOG) or place[1] not in ("", SCHEMA) or (table in shadowed and not place[1]):
        return None
    return {fold(name): kind for name, kind in known[table]}


def _alias(leaf: Node) -> str:
    return fold(str(leaf.get("alias") or leaf.get("table_name") or ""))


def _mark(node: Node) -> str:
    literal = node.get("literal") if node.get("class") == "CONSTANT" else None
    text = literal.get("text") if isinstance(literal, dict) else None
    return str(text) if _is_mark(text) else ""


def _is_mark(text: object) -> bool:
    return isinstance(text, str) and text.startswith(MARK)


def _nodes(tree: Any) -> Iterator[Node]:
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            yield node
