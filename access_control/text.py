"""What a person's free text may hold: visible characters in one normal form. Knows no field, form or page."""

from __future__ import annotations

import re
import unicodedata

LONGEST_MARK_RUN = 3  # no script in use here stacks more combining marks on one letter
# Characters that draw nothing though their category says letter, mark or symbol.
INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(code) for start, end in ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF)) for code in range(start, end + 1)
}
# Cc control, Cf format and direction, Cs surrogate, Co private, Cn unassigned, Zl and Zp separators.
REMOVED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean_line(text: str) -> str:
    """One line in NFC without control, direction, invisible or unassigned characters, blanks collapsed."""
    spaced = re.sub(r"[\t\r\n\v\f\u0085\u2028\u2029]+", " ", text)
    visible = "".join(c for c in spaced if _visible(c))
    composed = _short_mark_runs(unicodedata.normalize("NFC", visible))
    return re.sub(r"\s+", " ", composed).strip()


def clean_block(text: str) -> str:
    """Like `clean_line`, paragraph by paragraph; at most one empty line between two."""
    lines = (clean_line(line) for line in re.split(r"\r\n|[\r\n\u0085\u2028\u2029]", text))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def has_letters(text: str) -> bool:
    """Whether a reader would see a word: at least one letter or digit."""
    return any(unicodedata.category(c)[0] in {"L", "N"} for c in text)


def has_hidden(text: str) -> bool:
    """Whether a character of the text draws nothing or changes how its neighbours are drawn."""
    return any(not _visible(c) for c in text)


def _visible(character: str) -> bool:
    return unicodedata.category(character) not in REMOVED and character not in INVISIBLE


def _short_mark_runs(text: str) -> str:
    kept: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if run <= LONGEST_MARK_RUN:
            kept.append(character)
    return "".join(kept)
