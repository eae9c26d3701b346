"""From one code system and vintage to another, with everything that is lost on the way. Reads no file.

A crosswalk is a relation, not a function: a code may have no counterpart (unmatched), several (split), or
share one with others (merged). Each is listed; nothing is chosen in silence.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.codes.book import CodeBook, Node
from catalog.codes.model import Code, CodeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A code, and one it corresponds to wholly or in part."""

    source: Code
    target: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Crosswalk:
    """Every link between two systems, and what does not pass whole.

    Attributes
    ----------
    source, target
        (system, vintage) of each side.
    unmatched, unreached
        Codes of the source without a counterpart; codes of the target that nothing leads to.
    split, merged
        Source codes with several counterparts; target codes that several sources share.
    notes
        Code of the source → why it changed, Korean and English.
    """

    source: Node
    target: Node
    links: tuple[Link, ...]
    unmatched: tuple[Code, ...]
    unreached: tuple[Code, ...]
    split: tuple[str, ...]
    merged: tuple[str, ...]
    notes: Mapping[str, tuple[str, str]]

    @property
    def lossless(self) -> bool:
        """Whether every code has exactly one counterpart, and the other way round."""
        return not (self.unmatched or self.unreached or self.split or self.merged)


def crosswalk(
    book: CodeBook,
    from_: str,
    to: str,
    from_vintage: str | None = None,
    to_vintage: str | None = None,
) -> Crosswalk:
    """All links from one system to another; each at its newest vintage unless named.

    Raises
    ------
    CodeError
        `no-system`, `no-vintage`, or `no-crosswalk`: no table leads from one to the other, as from a gu
        to its dongs: a coarser code does not say which finer one is meant.
    """
    start, end = book.node(from_, from_vintage), book.node(to, to_vintage)
    pairs, notes = _along(book, start, end)
    names_from, names_to = book.names(start), book.names(end)
    ordered = sorted(pairs)
    starts = Counter(a for a, _ in ordered)
    ends = Counter(b for _, b in ordered)
    return Crosswalk(
        source=start,
        target=end,
        links=tuple(
            Link(source=Code(code=a, name=names_from[a]), target=Code(code=b, name=names_to[b]))
            for a, b in ordered
        ),
        unmatched=_without(names_from, starts),
        unreached=_without(names_to, ends),
        split=tuple(a for a, count in starts.items() if count > 1),
        merged=tuple(b for b, count in sorted(ends.items()) if count > 1),
        notes={a: note for a, note in notes.items() if a in starts},
    )


def _along(book: CodeBook, start: Node, end: Node) -> tuple[set[tuple[str, str]], dict[str, tuple[str, str]]]:
    """Pairs of codes along the shortest chain of tables between two vintages."""
    pairs = {(code, code) for code in book.names(start)}
    notes: dict[str, tuple[str, str]] = {}
    for here, there in _path(book, start, end):
        step: dict[str, list[str]] = {}
        for a, b in book.steps[here, there]:
            step.setdefault(a, []).append(b)
        why = book.notes.get((here, there), {})
        notes |= {a: why[b] for a, b in pairs if b in why}
        pairs = {(a, c) for a, b in pairs for c in step.get(b, ())}
    return pairs, notes


def _path(book: CodeBook, start: Node, end: Node) -> list[tuple[Node, Node]]:
    came: dict[Node, Node] = {}
    waiting = deque([start])
    while waiting and end not in came and start != end:
        here = waiting.popleft()
        for a, there in book.steps:
            if a == here and there not in came and there != start:
                came[there] = here
                waiting.append(there)
    if start != end and end not in came:
        raise CodeError(
            "no-crosswalk",
            ko=f"{start[0]} 코드를 {end[0]} 코드로 바꾸는 표가 없습니다. 구처럼 넓은 코드는 동처럼 좁은 "
            "코드로 나눌 수 없습니다. 반대 방향으로 바꾸어 합계를 내세요.",
            en=f"No table leads from {start[0]} to {end[0]}. A coarser code cannot be divided into finer "
            "ones: convert the other way and aggregate.",
        )
    steps: list[tuple[Node, Node]] = []
    while end != start:
        steps.append((came[end], end))
        end = came[end]
    return steps[::-1]


def _without(names: Mapping[str, str], found: Iterable[str]) -> tuple[Code, ...]:
    have = set(found)
    return tuple(Code(code=c, name=n) for c, n in sorted(names.items()) if c not in have)
