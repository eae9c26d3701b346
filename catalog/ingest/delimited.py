"""Delimited text as publishers give it, block by block: nothing is skipped, a file of any size fits.

A first pass surveys the file (hash, encoding, record borders), then each block becomes typed rows by itself.
Knows no dataset.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from catalog.ingest.arrange import BadCell, arrange
from catalog.ingest.blocks import BLOCK, Block, Survey, survey
from catalog.ingest.evidence import UTF8, UTF8_MARKED
from catalog.ingest.layouts import bad_value, spreadsheet_damage
from catalog.ingest.model import Format, IngestError, Layout, Piece, Reader, Recipe
from catalog.ingest.plan import Plan
from catalog.ingest.recipe_parts import filled_columns
from catalog.ingest.recognise import recognise
from catalog.ingest.records import Shape, columns_of

EXPONENT = r"^-?[0-9](\.[0-9]+)?[eE][+-]?[0-9]{1,3}$"
MOST_SHOWN = 5  # damaged cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Delimited:
    """A surveyed file and the layout it is in.

    Parameters
    ----------
    heads
        Header lines.
    """

    survey: Survey
    plan: Plan
    heads: int
    geometry: str

    @property
    def layout(self) -> Layout:
        """What the file was recognised as."""
        return self.plan.layout

    @property
    def carried(self) -> tuple[str, ...]:
        """Columns of the description that the file itself gives."""
        layout, geometry = self.layout, (self.geometry,) if self.layout.point is not None else ()
        return (*dict.fromkeys((*filled_columns(layout), *geometry)),)

    def piece(self, block: Block) -> Piece | None:
        """The block's rows; None where it holds header lines only.

        Raises
        ------
        IngestError
            A record is cut, ragged, blank or holds a bad value; or the file changed meanwhile.
        """
        texts, lines = self._texts(block)
        if not len(lines):
            return None
        try:
            columns = arrange(self.plan, texts, self.geometry)
        except BadCell as bad:
            refusal = bad_value(bad.bad, self.survey.name, int(lines[bad.index]), bad.header)
            raise self._damage(refusal) or refusal from bad
        return Piece(columns=columns, lines=np.repeat(lines, len(self.plan.labels)))

    def _texts(self, block: Block) -> tuple[list[Any], np.ndarray]:
        content, before = self.survey.read(block), block.lines_before
        if block.number == 0 and self.survey.encoding == UTF8_MARKED:
            content = content.removeprefix(codecs.BOM_UTF8)
        while before < self.heads and content:
            _, _, content = content.partition(b"\n")
            before += 1
        if not content:
            return [], np.array([], np.int64)
        return columns_of(content, before, self._shape)

    @property
    def _shape(self) -> Shape:
        return Shape(
            name=self.survey.name,
            encoding=self.survey.encoding,
            delimiter=self.layout.delimiter,
            quoted_lines=self.layout.quoted_lines,
            width=self.plan.width,
            kept=self.plan.width - self.layout.trailing_empty,
            layout=self.layout.name,
        )

    def _damage(self, refusal: IngestError) -> IngestError | None:
        """The refusal that counts cells a spreadsheet turned into powers of ten, where there are any."""
        fields = [*self.plan.fixed, *(cell for row in self.plan.cells for cell in row)]
        watched = [(at, f.header) for at, f in fields if f.read is not Reader.TEXT]
        count, shown = 0, list[tuple[int, str, str]]()
        for texts, lines in self._readable():
            cells: list[tuple[int, str, str]] = []
            for at, header in watched:
                hit = pc.indices_nonzero(pc.match_substring_regex(texts[at], EXPONENT))
                count += len(hit)
                first = hit.slice(0, MOST_SHOWN).to_pylist()
                cells += [(int(lines[i]), header, texts[at][i].as_py()) for i in first]
            if len(shown) < MOST_SHOWN:
                shown += sorted(cells, key=lambda cell: cell[0])[: MOST_SHOWN - len(shown)]
        return spreadsheet_damage(shown, count, self.survey.name, refusal) if count else None

    def _readable(self) -> Iterator[tuple[list[Any], np.ndarray]]:
        """Every block until one that cannot be read."""
        for block in self.survey.blocks:
            try:
                texts, lines = self._texts(block)
            except IngestError:
                return
            if len(lines):
                yield texts, lines


def open_delimited(
    path: Path,
    recipe: Recipe,
    geometry: str = "",
    *,
    seen: Callable[[int, int], None] = lambda done, size: None,
    size: int = BLOCK,
) -> Delimited:
    """Survey a file and recognise its layout.

    Parameters
    ----------
    seen
        Told bytes read and bytes in all.
    size
        Block size [bytes]; any size gives the same rows.

    Raises
    ------
    IngestError
        The file cannot be read as text, its layout is unknown, or its last line is cut.
    """
    layouts = [x for x in recipe.layouts if x.format is Format.CSV]
    quoted_lines = any(x.quoted_lines for x in layouts)
    found = survey(
        path, lambda first: _declared(first, layouts), quoted_lines=quoted_lines, seen=seen, size=size
    )
    known = recognise(found.head().decode(found.encoding), found.name, recipe, geometry)
    if known.plan.layout.final_newline and not found.ended:
        raise IngestError(
            "truncated",
            file=found.name,
            line=found.lines,
            ko="마지막 줄이 줄바꿈 없이 끝났습니다. 내려받기가 중간에 끊겼는지 확인하세요",
            en="the last line has no line end; check whether the download was cut off",
        )
    return Delimited(survey=found, plan=known.plan, heads=known.heads, geometry=geometry)


def shown_encoding(encoding: str) -> str:
    """An encoding as people know it."""
    return {UTF8: "UTF-8", UTF8_MARKED: "UTF-8 (BOM)", "cp949": "CP949"}.get(encoding, encoding)


def _declared(first: bytes, layouts: list[Layout]) -> tuple[str, bytes] | None:
    """The encoding that a layout declares, where the header's bytes are that layout's in it."""
    for layout in layouts:
        if layout.encoding:
            expected = [h.encode(layout.encoding) for h in layout.headers]
            if [h.strip(b'"') for h in first.split(layout.delimiter.encode())] == expected:
                return layout.encoding, b"".join(expected)
    return None
