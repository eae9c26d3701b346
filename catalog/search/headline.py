"""How much a title is about what was asked: all of it, its head, its beginning, or a part. Pure.

The head of a Korean title is its end: 생활인구 유입지 코드 is about codes, 행정동 단위 서울 생활인구 about
the population. That of an English one ends before its first preposition: living population of Seoul by dong.
The last of a list (대여와 날씨, rentals and weather) is no head.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from catalog.descriptions import Text
from catalog.search.words import Word, passage, plain, words

EQUAL, HEAD, START, PART = 1.0, 0.6, 0.3, 0.2
_BRACKETS: Final = re.compile(r"\(([^()]*)\)")
_AFTER_HEAD: Final = re.compile(r"[:(,]|\b(?:of|by|in|with|from|to|at|for|that)\b")
_LISTED: Final = ("와", "과", "및", "and")


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A title made ready: its Hangul without spaces or brackets, what its brackets say, its English head."""

    run: str
    asides: frozenset[str]
    head: tuple[str, ...]
    all: tuple[str, ...]


def headline(title: Text) -> Headline:
    """The title made ready."""
    ko = _BRACKETS.sub(" ", title.ko)
    return Headline(
        run=passage(ko).run,
        asides=frozenset(passage(aside).run for aside in _BRACKETS.findall(title.ko)) - {""},
        head=_stems(_AFTER_HEAD.split(plain(title.en))[0]),
        all=_stems(title.en),
    )


def prominence(asked: tuple[Word, ...], title: Headline) -> float:
    """From 0 to 1: what the words, as one phrase, are in the title; 0 where they are not in it."""
    korean = [word for word in asked if word.korean]
    if korean:
        stems = "".join(word.stem for word in korean)
        whole = "".join(word.text for word in korean)
        return max(_korean(phrase, title) for phrase in (stems, whole))
    return _english(tuple(word.stem for word in asked), title)


def _korean(phrase: str, title: Headline) -> float:
    if phrase in title.asides:
        return HEAD
    if not phrase or phrase not in title.run:
        return 0.0
    before = title.run.removesuffix(phrase)
    if before == "":
        return EQUAL
    if before != title.run and not before.endswith(_LISTED):
        return HEAD
    return START if title.run.startswith(phrase) else PART * len(phrase) / len(title.run)


def _english(phrase: tuple[str, ...], title: Headline) -> float:
    size = len(phrase)
    places = [i for i in range(len(title.all) - size + 1) if title.all[i : i + size] == phrase]
    if not phrase or not places:
        return 0.0
    if phrase in (title.all, title.head):
        return EQUAL
    if title.head[-size:] == phrase and title.head[-size - 1] not in _LISTED:
        return HEAD
    return START if places[0] == 0 else PART * size / len(title.all)


def _stems(text: str) -> tuple[str, ...]:
    return tuple(word.stem for word in words(text) if not word.korean)
