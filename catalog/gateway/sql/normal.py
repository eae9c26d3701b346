"""The canonical statement without what a person put into it, and what that was. Knows words, no meaning.

What may stay is a closed vocabulary: the engine's keywords, names on the allow-lists, and names of tables and
columns that the statement reads. Whatever else stands there (strings, numbers, aliases, names of WITH queries
and of parameters) is taken out and numbered, so a form nobody thought of is taken out too. The text is what
the engine wrote from the tree that was judged: without comments, and quoted in one way only.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from catalog.gateway.sql import functions
from catalog.gateway.sql.show import CATALOG, SCHEMA

HERE: Final = Path(__file__).parent
LONGEST: Final = 1 << 16  # characters of a statement without its literals; of a longer one nothing stays
RUN: Final = 8  # literals in a row that keep a number each; more of them share one
REMEMBERED: Final = 1 << 14  # characters of a statement whose parts are kept for the next time
_TOKEN: Final = re.compile(
    r"(?P<literal>(?:\b[xX])?'(?:[^']|'')*+'"
    r"|(?:\d[\d_]*+(?:\.[\d_]*+)?|\.\d[\d_]*+)(?:[eE][+-]?\d++)?)"
    r'|(?P<name>"(?:[^"]|"")*+"|\$?(?:\w|[^\x00-\x7f])++)'
    r"|(?P<mark>[\x00-\x7f])"
)
_BETWEEN: Final = frozenset("(), -")  # of literals in a row, and of rows of them
_PLACE: Final = re.compile(r"\$([0-9]+)")
_OTHER_WORDS: Final = ("system", "bernoulli", "reservoir", "main", "part")  # written by engine or gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """A statement in parts.

    Attributes
    ----------
    text
        The statement with `$1`, `$2`, … where something was taken out.
    literals
        What was taken out, in the order of the numbers.
    parameters
        Placeholder of a bound value's name, and of the value.
    """

    text: str
    literals: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...] = ()


def normalise(text: str, names: Collection[str] = (), parameters: Iterable[tuple[str, str]] = ()) -> Normal:
    """Take out of a canonical statement whatever is not known beforehand.

    Parameters
    ----------
    names
        Names of the tables and columns that it reads, which may stay.
    parameters
        Name and SQL literal of every bound value.
    """
    known = frozenset(name.lower() for name in names)
    find = _remembered if len(text) <= REMEMBERED else _taken_out
    normal, taken, numbers = find(text, known)
    if len(normal) > LONGEST:
        return whole(text, parameters)
    return _bound(normal, list(taken), numbers, parameters)


def whole(text: str, parameters: Iterable[tuple[str, str]] = ()) -> Normal:
    """A text of which nothing is known: all of it is taken out; what UTF-8 cannot hold is escaped."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return _bound("$1", [text], {}, parameters)


def fill(normal: str, literals: Sequence[str]) -> str:
    """The statement as it was; inverse of `normalise`.

    Raises
    ------
    ValueError
        They do not belong together.
    """

    def of(match: re.Match[str]) -> str:
        number = int(match[1]) if len(match[1]) < 10 else 0
        if not 0 < number <= len(literals):
            raise ValueError(f"there is no literal {match[0][:12]}")
        return literals[number - 1]

    return _PLACE.sub(of, normal)


def _taken_out(text: str, names: frozenset[str]) -> tuple[str, tuple[str, ...], Mapping[str, int]]:
    """What stays, what was taken out, and the numbers of names among it: the same name has the same."""
    words = _vocabulary()
    taken: list[str] = []
    numbers: dict[str, int] = {}
    parts: list[str] = []
    for kind, token in _tokens(text):
        if kind == "mark" or (kind == "name" and ((bare := _bare(token)) in words or bare in names)):
            parts.append(token)
            continue
        number = numbers.get(token) if kind == "name" else None
        if number is None:
            taken.append(token)
            number = len(taken)
            if kind == "name":
                numbers[token] = number
        parts.append(f"${number}")
    return "".join(parts), tuple(taken), numbers


_remembered = lru_cache(maxsize=512)(_taken_out)


def _bound(
    normal: str, taken: list[str], numbers: Mapping[str, int], parameters: Iterable[tuple[str, str]]
) -> Normal:
    pairs = []
    for name, value in parameters:
        number = numbers.get(f"${name}")
        if number is None:
            taken.append(f"${name}")
            number = len(taken)
        taken.append(value)
        pairs.append((f"${number}", f"${len(taken)}"))
    return Normal(text=normal, literals=tuple(taken), parameters=tuple(pairs))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Kind and text of every token; literals in a row are one. Joined they are the text."""
    found = [(str(match.lastgroup), match[0]) for match in _TOKEN.finditer(text)]
    at = 0
    while at < len(found):
        kind, token = found[at]
        if kind != "literal":
            yield kind, token
            at += 1
            continue
        last, count = at, 1
        for ahead in range(at + 1, len(found)):
            kind, token = found[ahead]
            if kind == "literal":
                last, count = ahead, count + 1
            elif token not in _BETWEEN:
                break
        run = found[at : last + 1]
        if count > RUN:
            yield "literal", "".join(token for _, token in run)
        else:
            yield from run
        at = last + 1


def _bare(name: str) -> str:
    """A name without its quotes, folded."""
    return (name[1:-1].replace('""', '"') if name[0] == '"' else name).lower()


@cache
def _vocabulary() -> frozenset[str]:
    """Words that say nothing of a person, folded to lower case."""
    allowed = functions.load()
    lines = (HERE / "keywords.txt").read_text("utf-8").splitlines()
    names = [*allowed.scalar, *allowed.aggregate, *allowed.window, *allowed.table, *allowed.types]
    words = {word for word in (*lines, *names, CATALOG, SCHEMA, *_OTHER_WORDS) if not word.startswith("#")}
    return frozenset(word.lower() for word in words)


def generate() -> str:
    """Text of `keywords.txt` for the engine of this environment."""
    import duckdb

    with duckdb.connect() as connection:
        rows = connection.execute("SELECT DISTINCT keyword_name FROM duckdb_keywords() ORDER BY 1").fetchall()
    head = "# Keywords of the engine, which stay in a normalised statement. Generated; see normal.py."
    return "\n".join([head, *(str(row[0]) for row in rows)]) + "\n"


if __name__ == "__main__":
    made = generate()
    (HERE / "keywords.txt").write_text(made, "utf-8")
    sys.stdout.write(f"{len(made.splitlines())} lines\n")
