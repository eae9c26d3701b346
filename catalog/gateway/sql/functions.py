"""The reviewed allow-list of functions and types, read from `functions.txt`. Knows no statement.

`functions.txt` is made by `python -m catalog.gateway.sql.functions` from the engine's own table less
`exclusions.txt`; both are in the repository so that a change of either is read by a person.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
SECTIONS = ("scalar", "aggregate", "window", "table", "type")
_ENGINE_KINDS = {
    "scalar": "scalar",
    "macro": "scalar",
    "aggregate": "aggregate",
    "window": "window",
    "table": "table",
    "table_macro": "table",
    "pragma": "pragma",
}
# Words the parser uses for expressions that the engine binds by itself and does not list as functions.
PARSER_WORDS = {"scalar": ("unnest", "columns")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """Names that may be called, folded to lower case; types in upper case. Macros count as scalar."""

    scalar: frozenset[str]
    aggregate: frozenset[str]
    window: frozenset[str]
    table: frozenset[str]
    types: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Names of one kind that may not be called, and why; `pattern` matches the whole name."""

    kind: str
    pattern: re.Pattern[str]
    reason: str


@cache
def load() -> Functions:
    """The allow-list of this product."""
    sections: dict[str, set[str]] = {name: set() for name in SECTIONS}
    current = ""
    for line in (HERE / "functions.txt").read_text("utf-8").splitlines():
        if line.startswith("## "):
            current = line[3:]
        elif line and not line.startswith("# "):
            sections[current].add(line)
    return Functions(
        scalar=frozenset(sections["scalar"]),
        aggregate=frozenset(sections["aggregate"]),
        window=frozenset(sections["window"]),
        table=frozenset(sections["table"]),
        types=frozenset(sections["type"]),
    )


def exclusions() -> tuple[Exclusion, ...]:
    """The reviewed exclusions, in file order."""
    found = []
    reason = ""
    for line in (HERE / "exclusions.txt").read_text("utf-8").splitlines():
        if line.startswith("## "):
            reason = line[3:]
        elif line and not line.startswith("# "):
            kind, _, names = line.partition(":")
            found += [
                Exclusion(kind=kind.strip(), pattern=re.compile(name), reason=reason)
                for name in names.split()
            ]
    return tuple(found)


def engine_functions() -> Mapping[str, frozenset[str]]:
    """What the engine of this environment offers: section → names."""
    import duckdb

    with duckdb.connect() as connection:
        rows = connection.execute("SELECT DISTINCT function_type, function_name FROM duckdb_functions()")
        names: dict[str, set[str]] = {}
        for kind, name in rows.fetchall():
            names.setdefault(_ENGINE_KINDS[kind], set()).add(str(name).lower())
        types = connection.execute("SELECT DISTINCT upper(type_name) FROM duckdb_types()").fetchall()
    for section, words in PARSER_WORDS.items():
        names.setdefault(section, set()).update(words)
    names["type"] = {str(row[0]) for row in types}
    return {section: frozenset(found) for section, found in names.items()}


def allowed(section: str, names: Iterable[str], excluded: Iterable[Exclusion]) -> tuple[str, ...]:
    """Names of a section that no exclusion matches, sorted."""
    patterns = [e.pattern for e in excluded if e.kind == section]
    return tuple(sorted(n for n in names if not any(p.fullmatch(n) for p in patterns)))


def generate() -> str:
    """Text of `functions.txt` for the engine of this environment."""
    engine = engine_functions()
    excluded = exclusions()
    lines = ["# Functions and types a statement may use. Generated; review every change. See functions.py."]
    for section in SECTIONS:
        lines += ["", f"## {section}", *allowed(section, engine.get(section, ()), excluded)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = generate()
    (HERE / "functions.txt").write_text(text, "utf-8")
    sys.stdout.write(f"{len(text.splitlines())} lines\n")
