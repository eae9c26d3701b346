"""Where the marks of a small chart go, as numbers for an inline SVG. Knows no data and no colour."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from access_control.portal.facts import Figure

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 36
LOW = 200  # height of a chart of columns
BAR, BAR_GAP, BAR_LABEL = 20, 8, 200
LONGEST_LABEL = 11.5  # of a bar, in Korean syllables: fits its place also in a phone's larger letters


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line chart."""

    points: str
    area: str  # only where the scale begins at zero: an area means a quantity
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar with its label."""

    label: str
    value: str
    top: float
    middle: float
    length: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars, the longest first."""

    bars: tuple[Bar, ...]
    height: int
    width: int = WIDTH
    left: int = BAR_LABEL
    thick: int = BAR


def marks(figure: Figure) -> Line | Bars | Columns | None:
    """The marks of a chart; none of a map, whose paths are drawn already."""
    match figure.kind:
        case "line":
            return line(figure)
        case "bars":
            return bars(figure)
        case "histogram":
            return columns(figure.points)
        case _:
            return None


def line(figure: Figure) -> Line | None:
    """A line through the figure's points, its scale from zero unless the values hardly differ."""
    values = [value for _, value in figure.points]
    if len(values) < 2:
        return None
    low, high = min(values), max(values)
    if low >= 0 and low < 0.5 * high:
        low = 0.0
    step = nice_step((high - low) / 4 or 1.0)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    high = high if high > low else low + step
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    places = [
        (LEFT + wide * i / (len(values) - 1), TOP + tall * (high - value) / (high - low))
        for i, value in enumerate(values)
    ]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    every = max(1, math.ceil(len(values) / (7 if len(figure.points[0][0]) < 8 else 5)))
    across = tuple(
        Tick(places[i][0], figure.points[i][0]) for i in range(0, len(values), every) if i < len(values)
    )
    count = round((high - low) / step)
    up = tuple(Tick(TOP + tall * (1 - i / count), short(low + i * step)) for i in range(count + 1))
    base = HEIGHT - BOTTOM
    area = f"{LEFT},{base} {points} {places[-1][0]:.1f},{base}" if low == 0 else ""
    return Line(points, area, across, up)


def bars(figure: Figure) -> Bars | None:
    """Bars of a figure's points."""
    return bars_of(figure.points)


def bars_of(points: Sequence[tuple[str, float]]) -> Bars | None:
    """Bars from zero."""
    if not points:
        return None
    longest = max(value for _, value in points) or 1.0
    room = WIDTH - BAR_LABEL - 72
    made = tuple(
        Bar(
            _cut(label),
            short(value),
            i * (BAR + BAR_GAP),
            i * (BAR + BAR_GAP) + BAR / 2,
            max(0.0, room * value / longest),
        )
        for i, (label, value) in enumerate(points)
    )
    return Bars(made, len(made) * (BAR + BAR_GAP))


def _cut(label: str) -> str:
    width = 0.0
    for i, letter in enumerate(label):
        width += 0.55 if ord(letter) < 0x300 else 1.0
        if width > LONGEST_LABEL:
            return label[: i - 1] + "…"
    return label


@dataclass(frozen=True, slots=True)
class Column:
    """One upright bar."""

    left: float
    top: float
    height: float
    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Columns:
    """Upright bars from zero in the order given, evenly wide; a hole is a place without a bar."""

    columns: tuple[Column, ...]
    wide: float
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    width: int = WIDTH
    height: int = LOW
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = LOW - BOTTOM


def columns(points: Sequence[tuple[str, float]]) -> Columns | None:
    """Upright bars; none for fewer than two points."""
    if len(points) < 2 or not any(value for _, value in points):
        return None
    highest = max(value for _, value in points)
    step = nice_step(highest / 3)
    high = math.ceil(highest / step) * step
    place, tall = (WIDTH - LEFT - RIGHT) / len(points), LOW - TOP - BOTTOM
    made = tuple(
        Column(LEFT + i * place, TOP + tall * (1 - value / high), tall * value / high, label, value)
        for i, (label, value) in enumerate(points)
    )
    every = max(1, math.ceil(len(points) / (7 if len(points[0][0]) < 8 else 5)))
    across = tuple(Tick(c.left + place / 2, c.label) for c in made[::every])
    up = tuple(
        Tick(TOP + tall * (1 - i * step / high), short(i * step)) for i in range(round(high / step) + 1)
    )
    return Columns(made, max(1.0, place * 0.8), across, up)


def in_caption(title: str) -> str:
    """A column's title within a caption: without what its brackets explain, and without a second 'total'."""
    return re.sub(r"\s*\([^()]*\)$", "", title).removesuffix(" 합계")


def nice_step(rough: float) -> float:
    """The next of 1, 2, 2.5, 5, 10 × a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999))


def short(value: float) -> str:
    """A number an axis has room for."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
