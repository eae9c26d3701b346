"""Ranks datasets by the words of a query and counts what each facet would leave. Pure, over descriptions.

A dataset is found when every word of the query is somewhere in it; where none has them all, those with the
most words are shown and the answer says so. Its rank is the sum over words of the best place a word stands in
(name and title before keywords before columns before prose), times how rare the word is among all datasets;
more where the title is about the query (`headline`). Of equal rank open datasets come first, then the shorter
name, since `living_population` is more general than `living_population_gu`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from catalog.descriptions import Column, Dataset
from catalog.search.facets import FACETS, ORDER
from catalog.search.headline import Headline, headline, prominence
from catalog.search.words import Passage, Word, passage, share, words

TITLE, KEYWORD, COLUMN, PROSE = 8.0, 6.0, 3.0, 2.0
SHOWN_COLUMNS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A dataset that was found; `columns` are those whose name or meaning has a word of the query."""

    dataset: Dataset
    score: float
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value of a facet: how many datasets it would leave beside the other facets."""

    value: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was found, the best first; `partial` when no dataset had all the words."""

    hits: tuple[Hit, ...]
    options: Mapping[str, tuple[Option, ...]]
    partial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    dataset: Dataset
    title: Headline
    places: tuple[tuple[float, Passage], ...]
    columns: tuple[tuple[Column, Passage], ...]


class Index:
    """All datasets, made ready once."""

    def __init__(self, datasets: Mapping[str, Dataset]) -> None:
        self._entries = tuple(_entry(d) for d in datasets.values())

    def search(
        self, query: str, chosen: Mapping[str, Sequence[str]], this_year: int, *, like: str = "ko"
    ) -> Results:
        """Datasets with these words and in these facets.

        Parameters
        ----------
        chosen
            Facet → values; a dataset must have one of them, and of every facet that has any.
        this_year
            The end of a coverage that goes on.
        like
            Language whose titles order datasets of equal rank.
        """
        found, partial = self._by_words(words(query))
        values = {hit.dataset.name: {f.name: f.of(hit.dataset, this_year) for f in FACETS} for hit in found}
        hits = [h for h in found if _fits(values[h.dataset.name], chosen)]
        title = {h.dataset.name: getattr(h.dataset.title, like) for h in hits}
        if words(query):
            hits.sort(key=lambda h: (-round(h.score, 6), *_general(h.dataset), title[h.dataset.name]))
        else:
            hits.sort(key=lambda h: title[h.dataset.name])
        options = {f.name: _options(f.name, values, chosen) for f in FACETS}
        return Results(hits=tuple(hits), options=options, partial=partial)

    def _by_words(self, asked: tuple[Word, ...]) -> tuple[list[Hit], bool]:
        if not asked:
            return [Hit(dataset=e.dataset, score=0.0, columns=()) for e in self._entries], False
        table = [[_best(word, entry) for word in asked] for entry in self._entries]
        holders = [sum(row[i] > 0 for row in table) for i in range(len(asked))]
        rarity = [math.log(1 + len(self._entries) / (1 + n)) + 0.1 for n in holders]
        most = max((sum(s > 0 for s in row) for row in table), default=0)
        hits = []
        for entry, row in zip(self._entries, table, strict=True):
            if most and sum(s > 0 for s in row) == most:
                score = sum(s * r for s, r in zip(row, rarity, strict=True))
                score *= 1 + prominence(asked, entry.title)
                hits.append(Hit(dataset=entry.dataset, score=score, columns=_columns(asked, entry)))
        return hits, 0 < most < len(asked)


def _general(d: Dataset) -> tuple[int, int]:
    return ORDER["tier"].index(d.tier), len(d.name)


def _entry(d: Dataset) -> _Entry:
    texts = (
        (TITLE, f"{d.name} {d.title.ko} {d.title.en}"),
        (KEYWORD, " ".join(d.keywords)),
        (PROSE, f"{d.description.ko} {d.description.en}"),
        (PROSE, f"{d.unit_of_observation.ko} {d.unit_of_observation.en} {d.spatial.ko} {d.spatial.en}"),
        (PROSE, f"{d.custodian.ko} {d.custodian.en} {d.source.ko} {d.source.en}"),
    )
    columns = tuple((c, passage(f"{c.name} {c.title.ko} {c.title.en} {c.code_system}")) for c in d.columns)
    return _Entry(
        dataset=d, title=headline(d.title), places=tuple((w, passage(t)) for w, t in texts), columns=columns
    )


def _best(word: Word, entry: _Entry) -> float:
    of_text = max(weight * share(word, text) for weight, text in entry.places)
    return max(of_text, COLUMN * max((share(word, text) for _, text in entry.columns), default=0.0))


def _columns(asked: tuple[Word, ...], entry: _Entry) -> tuple[Column, ...]:
    found = [c for c, text in entry.columns if any(share(word, text) == 1.0 for word in asked)]
    return tuple(found[:SHOWN_COLUMNS])


def _fits(values: Mapping[str, Sequence[str]], chosen: Mapping[str, Sequence[str]], but: str = "") -> bool:
    return all(
        not wanted or name == but or set(wanted) & set(values.get(name, ()))
        for name, wanted in chosen.items()
    )


def _options(
    facet: str, values: Mapping[str, Mapping[str, Sequence[str]]], chosen: Mapping[str, Sequence[str]]
) -> tuple[Option, ...]:
    left = [v for v in values.values() if _fits(v, chosen, but=facet)]
    counts = Counter(value for v in left for value in v[facet])
    wanted = [value for value in chosen.get(facet, ()) if value]
    known = [value for value in ORDER.get(facet, ()) if value in counts or value in wanted]
    rest = sorted((set(counts) | set(wanted)) - set(known), reverse=facet == "year")
    return tuple(Option(value=v, count=counts[v], chosen=v in wanted) for v in [*known, *rest])
