"""From a person's text to the canonical statement that may run. Knows the parser only as two questions."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol

from catalog.gateway import oversize, refusals
from catalog.gateway.sql.functions import Functions
from catalog.gateway.sql.joins import Systems, check_joins
from catalog.gateway.sql.pivot import take_marks, with_marks
from catalog.gateway.sql.scans import Demands, merged, named, scans
from catalog.gateway.sql.show import NO_KEYS, Columns, Keys
from catalog.gateway.sql.tree import NO_COLUMNS, authorise
from catalog.gateway.sql.values import shortened

MAX_BYTES: Final = 1 << 20  # one statement without its long lists of values [bytes]
MOST_BYTES: Final = 3 << 20  # with them
NO_CODES: Final[Systems] = MappingProxyType({})
_WORD = re.compile(r"(?:\s|--[^\n]*\n|(?>/\*.*?\*/)|\()*+([A-Za-z]+)", re.S)
_EXPLAIN = re.compile(
    r"(?:\s|--[^\n]*\n|(?>/\*.*?\*/))*+explain\b\s*(?P<analyze>analy[sz]e\b)?\s*"
    r"(?P<options>\((?=\s*(?:format|analy[sz]e)\b)[\w\s,]*\))?",
    re.S | re.I,
)
_NO_TEXT = re.compile(r"[\x00\ud800-\udfff]")
_OPTION = re.compile(r"\w+")
_OPTIONS = frozenset({"ANALYZE", "ANALYSE", "FORMAT", "TEXT", "JSON", "TRUE"})
_PLACES = frozenset({"query_location", "query_location_length"})


class Parser(Protocol):
    """The engine's parser behind a wall; here so that a test can put a liar in its place."""

    def serialise(self, text: str) -> str:
        """`json_serialize_sql` of the text."""
        ...

    def deserialise(self, tree: str) -> tuple[str, str]:
        """The engine's text of the tree, and `json_serialize_sql` of that text again."""
        ...

    def both(self, text: str) -> tuple[str, str, str]:
        """`serialise` of the text and `deserialise` of that in one trip; of a tree with tables the first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parsed:
    """A text's tree, to be judged and changed in place.

    Attributes
    ----------
    written
        The same as it came.
    text, again
        Its canonical text and that text's tree, where the parser gave them with it.
    """

    tree: Any
    written: str = ""
    text: str = ""
    again: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement that may run.

    Attributes
    ----------
    text, tables
        Its canonical text, and the granted tables it reads.
    lists
        Lists of values that a PIVOT leaves to the data: name, and the statement that gives them.
    explain
        Words after EXPLAIN where the plan is asked for (`EXPLAIN`, `ANALYZE`, `JSON`); empty otherwise.
    demands
        What each scan of a table demands of its rows, those of the lists among them.
    named
        Names that may be columns', folded; None where it may read any column.
    """

    text: str
    tables: frozenset[str]
    lists: tuple[tuple[str, str], ...] = ()
    explain: tuple[str, ...] = ()
    demands: Demands = field(default_factory=dict)
    named: frozenset[str] | None = None

    @property
    def shown(self) -> str:
        """The whole as it is recorded."""
        made = [f"CREATE TEMP TYPE {name} AS ENUM ({values})" for name, values in self.lists]
        how = f"EXPLAIN {'ANALYZE ' if 'ANALYZE' in self.explain else ''}" if self.explain else ""
        return "; ".join([*made, how + self.text])


def prepare(
    text: str,
    granted: Collection[str],
    functions: Functions,
    parser: Parser,
    systems: Systems = NO_CODES,
    parameters: frozenset[str] = frozenset(),
    columns: Columns = NO_COLUMNS,
    keys: Keys = NO_KEYS,
    *,
    partly: bool = False,
) -> Statement:
    """Parse, authorise, rewrite, and prove that the rewritten text means the tree that was checked.

    Parameters
    ----------
    systems
        Granted table → column → code system; joins of different systems are refused.
    parameters
        Names of the values that come with it (`1`, `2`, … for `?`): the statement asks for exactly these.
    columns
        Granted table → columns, for `information_schema` and the like.
    keys
        Granted table → the columns of its key, for the same.
    partly
        Whether it may ask for some of the values alone.

    Raises
    ------
    QueryRefused
        With the offending thing and what to do.
    """
    _demand_short(text, MOST_BYTES)
    if _NO_TEXT.search(text):
        raise refusals.syntax_error("U+0000 or a lone surrogate")
    explain, text = _explained(text)
    try:
        text = _with_cheap_lists(text, parser, columns)
        parsed = _parsed(text, parser)
        statement = _statements(parsed.tree, text)[0]
        lists = take_marks(statement)
        found = authorise(statement, granted, functions, columns, keys)
        if found.parameters != (found.parameters & parameters if partly else parameters):
            raise refusals.parameters_mismatch(found.parameters, parameters)
        check_joins(statement, systems)
        asked = [
            (name, _judged(tree, granted, functions, parser, parameters, columns, keys))
            for _, name, tree in lists
        ]
        names = named(statement)
        demands = merged(scans(statement, columns), *(values.demands for _, values in asked))
        for pivot, name, _ in lists:
            pivot["pivot_enum"] = name
        canonical = _canonical(parsed, parser)
    except RecursionError:
        raise refusals.too_deep() from None
    except MemoryError:
        raise oversize.statement_memory() from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise refusals.parser_failed() from error  # what came back is no tree of the engine's
    return Statement(
        text=canonical,
        tables=found.tables.union(*(values.tables for _, values in asked)),
        lists=tuple((name, values.text) for name, values in asked),
        explain=explain,
        demands=demands,
        named=names,
    )


def _demand_short(text: str, limit: int) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limit:
        raise refusals.too_long(size, limit)


def _with_cheap_lists(text: str, parser: Parser, columns: Columns) -> str:
    """The text with its long lists of values put so that they are cheap, where they can be."""
    short = shortened(text)
    if short is None:
        _demand_short(text, MAX_BYTES)
        return text
    _demand_short(short.marked, MAX_BYTES)
    settled = short.settled(json.loads(parser.serialise(short.marked)), columns)
    if settled == text:
        _demand_short(text, MAX_BYTES)
    return settled


def _parsed(text: str, parser: Parser) -> _Parsed:
    """The tree; of a PIVOT that leaves its values to the data, the tree with those lists named."""
    came, canonical, again = parser.both(text)
    tree = json.loads(came)
    if isinstance(tree, dict) and tree.get("error") and _may_lack_values(tree):
        marked = with_marks(text)
        if marked is not None:
            return _Parsed(tree=json.loads(parser.serialise(marked)))
    return _Parsed(tree=tree, written=json.dumps(tree), text=canonical, again=again)


def _may_lack_values(parsed: dict[str, Any]) -> bool:
    """Whether it may be a PIVOT refused for its values; with bound ones the engine says it another way."""
    said = str(parsed.get("error_message"))
    return parsed.get("error_type") != "parser" or "PIVOT statements with pivot elements" in said


def _judged(
    tree: dict[str, Any],
    granted: Collection[str],
    functions: Functions,
    parser: Parser,
    parameters: frozenset[str],
    columns: Columns,
    keys: Keys,
) -> Statement:
    """The statement of a PIVOT's values, judged as if a person had sent it; it need not ask for all bound."""
    text, _ = parser.deserialise(json.dumps({"error": False, "statements": [tree]}))
    return prepare(text, granted, functions, parser, NO_CODES, parameters, columns, keys, partly=True)


def _canonical(parsed: _Parsed, parser: Parser) -> str:
    """The engine's text of the tree that was judged, proved to mean it.

    The text that came with the tree is of use only where judging changed nothing; the proof is the same.
    """
    tree = json.dumps(parsed.tree)
    if parsed.text and tree == parsed.written:
        canonical, again = parsed.text, parsed.again
    else:
        canonical, again = parser.deserialise(tree)
    if plain(json.loads(again)) != plain(parsed.tree):
        raise refusals.canonical_mismatch()
    return canonical


def _explained(text: str) -> tuple[tuple[str, ...], str]:
    """What EXPLAIN before a statement asks for, and the statement."""
    match = _EXPLAIN.match(text)
    if match is None:
        return (), text
    words = frozenset(_OPTION.findall((match["options"] or "").upper()))
    if words - _OPTIONS:
        raise refusals.explain_unsupported()
    how = ["EXPLAIN"]
    if match["analyze"] or "ANALYZE" in words:
        how.append("ANALYZE")
    if "JSON" in words:
        how.append("JSON")
    return tuple(how), text[match.end() :]


def plain(node: Any) -> Any:
    """The tree without places in the text, and with `(SELECT * FROM (VALUES …) v) v` as `(VALUES …) v`."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: plain(value) for key, value in node.items() if key not in _PLACES}
    if out.keys() == {"node", "named_param_map"}:  # a list of names that has no order
        out["named_param_map"] = sorted(str(entry["key"]) for entry in out["named_param_map"])
    if out.keys() == {"name", "expression"} and out["name"] and isinstance(out["expression"], dict):
        out["expression"].pop("alias", None)  # f(a := 1): the engine's text repeats the name as an alias
    inner = _values_of(out)
    return out if inner is None else inner


def _values_of(ref: dict[str, Any]) -> Any:
    """The VALUES list that a subquery merely wraps under the same name, or None."""
    if ref.get("type") != "SUBQUERY" or ref.get("column_name_alias") or ref.get("sample"):
        return None
    select = ref["subquery"].get("node", {}) if isinstance(ref.get("subquery"), dict) else {}
    values = select.get("from_table", {})
    if not isinstance(values, dict) or values.get("type") != "EXPRESSION_LIST":
        return None
    if values.get("alias") != ref.get("alias") or not _only_star(select):
        return None
    return values


def _only_star(select: dict[str, Any]) -> bool:
    empty = ("modifiers", "where_clause", "group_expressions", "group_sets", "having", "sample", "qualify")
    stars = select.get("select_list", [])
    if any(select.get(key) for key in empty) or select.get("cte_map") != {"map": []} or len(stars) != 1:
        return False
    star = stars[0]
    return star.get("class") == "STAR" and not any(
        value for key, value in star.items() if key not in {"class", "type"}
    )


def _statements(parsed: Any, text: str) -> list[dict[str, Any]]:
    if not isinstance(parsed, dict):
        raise refusals.parser_failed()
    if parsed.get("error"):
        if parsed.get("error_type") == "parser":
            raise refusals.syntax_error(str(parsed.get("error_message", "")))
        if short_of_memory(str(parsed.get("error_type")), str(parsed.get("error_message"))):
            raise oversize.statement_memory()
        if parsed.get("error_type") != "not implemented":  # no word on what it is
            raise refusals.parser_failed()
        raise _not_select(text)
    statements = parsed.get("statements")
    if not isinstance(statements, list) or len(statements) != 1:
        raise refusals.one_statement(len(statements) if isinstance(statements, list) else 0)
    return statements


def short_of_memory(*said: str) -> bool:
    """Whether the engine's words on an error are of memory."""
    return any(
        word in text.lower() for text in said for word in ("out of memory", "bad_alloc", "failed to alloc")
    )


def _not_select(text: str) -> refusals.QueryRefused:
    match = _WORD.match(text)
    word = match.group(1).lower() if match else ""
    if word == "pivot" or re.search(r"\bpivot\b", text, re.I):
        return refusals.pivot_needs_values()
    return refusals.not_select(word)
