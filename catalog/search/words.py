"""From text to what is compared: Korean without spaces and particles, English without endings. Pure.

Korean is written with and without spaces (생활 인구, 생활인구) and with particles on the word (생활인구를).
So a text's Hangul is compared with all spaces taken out; a query word also counts without its particle; and
what does not occur as written is compared by pairs of neighbouring syllables (bigrams), which forgives one
syllable more or less. A word of two syllables must stand within one word of the text, else it would be found
wherever a word ends and the next begins. Initials (초성) are not looked for. English words are compared by
their stem and by their beginning.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

PARTICLES: Final = re.compile(
    r"(에서의|으로는|에서는|까지의|부터의|이라는|에게서|으로|에서|에게|까지|부터|처럼|보다|마다|이나|이랑|하고"
    r"|별로|라는|들의|들을|들이|은|는|이|가|을|를|의|에|로|와|과|도|만|별|들)$"
)
ENDINGS: Final = ("ings", "ing", "ies", "es", "s")
SIBILANTS: Final = ("ses", "xes", "zes", "ches", "shes")
LEAST_SHARE: Final = 0.6  # of a word's bigrams, to count as found
MOST_WORDS: Final = 12
_WORD = re.compile(r"[가-힣ᄀ-ᇿㄱ-ㆎ一-鿿]+|[a-z0-9]+")
_HANGUL = re.compile(r"[가-힣ᄀ-ᇿㄱ-ㆎ一-鿿]+")


def plain(text: str) -> str:
    """Compatible forms folded (full width, ㎥, NFD of file systems), lower case, no dots inside names."""
    return unicodedata.normalize("NFKC", text).casefold().replace("·", "").replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of a query: as written, without its particle or ending, and its bigrams."""

    text: str
    stem: str
    pairs: frozenset[str]

    @property
    def korean(self) -> bool:
        """Whether it is compared without regard to spaces."""
        return bool(_HANGUL.match(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A text to be searched: its Hangul words, the same without spaces, bigrams, stems of its Latin words."""

    tokens: tuple[str, ...]
    run: str
    pairs: frozenset[str]
    stems: frozenset[str]


def words(query: str) -> tuple[Word, ...]:
    """The words of a query; a query of nothing but spaces has none."""
    found = dict.fromkeys(_WORD.findall(plain(query)))
    return tuple(_word(text) for text in found)[:MOST_WORDS]


def passage(text: str) -> Passage:
    """A text made ready."""
    found = _WORD.findall(plain(text))
    tokens = tuple(dict.fromkeys(word for word in found if _HANGUL.match(word)))
    run = "".join(word for word in found if _HANGUL.match(word))
    return Passage(
        tokens=tokens,
        run=run,
        pairs=_pairs(run),
        stems=frozenset(_stem(word) for word in found if not _HANGUL.match(word)),
    )


def share(word: Word, passage: Passage) -> float:
    """How well a text has a word: 1 as written, less for a part of its bigrams or a beginning, else 0."""
    if word.korean:
        if len(word.stem) <= 2:
            return 1.0 if any(word.stem in token for token in passage.tokens) else 0.0
        if word.stem in passage.run:
            return 1.0
        common = len(word.pairs & passage.pairs) / len(word.pairs) if word.pairs else 0.0
        return 0.5 * common if common >= LEAST_SHARE else 0.0
    if word.stem in passage.stems:
        return 1.0
    if len(word.stem) >= 3 and any(stem.startswith(word.stem) for stem in passage.stems):
        return 0.7
    return 0.0


def _word(text: str) -> Word:
    if not _HANGUL.match(text):
        return Word(text=text, stem=_stem(text), pairs=frozenset())
    stem = PARTICLES.sub("", text)
    stem = stem if len(stem) >= 2 else text
    return Word(text=text, stem=stem, pairs=_pairs(stem))


def _pairs(run: str) -> frozenset[str]:
    return frozenset(run[i : i + 2] for i in range(len(run) - 1))


def _stem(word: str) -> str:
    for ending in ENDINGS:
        sibilant = ending != "es" or word.endswith(SIBILANTS)  # boxes lose es, codes lose s
        if sibilant and word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word
