"""Small tables for notebooks. Everything that is shown is escaped; no script, no outside address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

LONGEST = 120
_TABLE = "border-collapse:collapse;font-variant-numeric:tabular-nums"
_BADGE = "background:#fff3cd;color:#533f03;border:1px solid #d9b94b;border-radius:4px;padding:0 .4em"


def text(value: object) -> str:
    """One cell: short, escaped, bytes as their number."""
    if value is None:
        return '<span style="opacity:.55">NULL</span>'
    shown = f"({len(value):,} bytes)" if isinstance(value, (bytes, bytearray)) else str(value)
    return escape(shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a head."""
    head = "".join(f'<th scope="col" style="text-align:left">{escape(c)}</th>' for c in columns)
    body = "".join(
        "<tr>" + "".join(f"<td{_align(cell)}>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def note(words: str, label: str = "") -> str:
    """A line under a table; `label` stands out."""
    badge = f' <span style="{_BADGE}">{escape(label)}</span>' if label else ""
    return f"<p>{escape(words)}{badge}</p>"


def _align(cell: object) -> str:
    number = isinstance(cell, (int, float)) and not isinstance(cell, bool)
    return ' style="text-align:right"' if number else ' style="text-align:left"'
