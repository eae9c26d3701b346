"""A publisher's file, in whatever format, as spooled rows. Knows formats and spools; no declared check."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.descriptions import Dataset
from catalog.ingest.blocks import Block
from catalog.ingest.delimited import Delimited, open_delimited, shown_encoding
from catalog.ingest.derive import complete
from catalog.ingest.evidence import decode, empty, read_bytes, regular, unreadable
from catalog.ingest.findings import FileSeen
from catalog.ingest.layouts import unknown_layout
from catalog.ingest.meter import Meter, Phase
from catalog.ingest.model import Format, IngestError, Layout, Parsed, Piece, Recipe
from catalog.ingest.packed import unpack_shapefile
from catalog.ingest.portal_json import parse_portal
from catalog.ingest.rows import BOUNDS, Bounds, Rows
from catalog.ingest.spool import LINE, ROW, TOTAL, Spool
from catalog.ingest.totals import require_totals
from catalog.ingest.unique import number_occurrences, require_unique
from catalog.ingest.vector import parse_geojson, parse_shapefile, shapefile_parts
from catalog.ingest.weekly_json import parse_weekly
from catalog.ingest.workbook import parse_xlsx
from catalog.warehouse import SourceFile

FORM = 1
"""Version of what a spool holds; another one starts anew."""
PEEKED = 4096  # bytes that show the format
AT_ONCE = 2  # blocks made while an earlier one is written; as many processors help


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is needed to read files of one dataset.

    Parameters
    ----------
    work
        Folder of the spools.
    """

    dataset: Dataset
    recipe: Recipe
    work: Path
    meter: Meter
    bounds: Bounds = BOUNDS

    @property
    def geometry(self) -> str:
        """The geometry column's name; empty where there is none."""
        return self.dataset.geometry.column if self.dataset.geometry is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One file whose rows are spooled, numbered and unique.

    Parameters
    ----------
    sources
        The file, and what belongs to it.
    resumed
        Blocks that an earlier run had spooled.
    """

    rows: Rows
    seen: FileSeen
    sources: tuple[SourceFile, ...]
    resumed: int


def take(path: Path, reading: Reading) -> Taken:
    """Read one file to its end.

    Raises
    ------
    IngestError
        It is refused; nothing of it is kept.
    """
    kind = _kind(path, {x.format for x in reading.recipe.layouts})
    if kind is Format.CSV:
        return _take_delimited(path, reading)
    if kind not in {x.format for x in reading.recipe.layouts}:
        raise unknown_layout((), path.name, reading.recipe, kind)
    return _take_whole(path, kind, reading)


def _take_delimited(path: Path, reading: Reading) -> Taken:
    meter, name = reading.meter, path.name
    source = open_delimited(
        path,
        reading.recipe,
        reading.geometry,
        seen=lambda done, size: meter.tell(name, Phase.SURVEY, done, size),
        size=reading.bounds.block,
    )
    survey = source.survey
    spool = Spool(reading.work, _key(survey.sha256, source.layout, reading), name)
    try:
        resumed = spool.resume(survey.blocks)
        rows = sum(p.rows for p in resumed)
        for number, crc, piece in _pieces(source, resumed[-1].number + 1 if resumed else 0):
            rows += _spool(spool, number, crc, piece, rows, source.layout, reading, name)
            end = survey.blocks[number].start + survey.blocks[number].size
            meter.tell(name, Phase.READ, end, survey.size, rows)
        made = _finished(name, source.layout, spool, source.carried, reading)
    except IngestError:
        spool.remove()
        raise
    except BaseException:
        spool.release()
        raise
    declared = source.layout.encoding
    file = SourceFile(
        name=name, sha256=survey.sha256, size=survey.size, rows=made.count, layout=source.layout.name
    )
    return Taken(
        rows=made,
        seen=_seen(file, source.layout, declared or shown_encoding(survey.encoding)),
        sources=(file,),
        resumed=len(resumed),
    )


def _pieces(source: Delimited, start: int) -> Iterator[tuple[int, int, Piece]]:
    """The rows of each block from that one on, in order; the next is made while one is written."""
    ahead: deque[tuple[Block, Future[Piece | None]]] = deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for block in source.survey.blocks[start:]:
                ahead.append((block, pool.submit(source.piece, block)))
                if len(ahead) > AT_ONCE:
                    yield from _made(*ahead.popleft())
            while ahead:
                yield from _made(*ahead.popleft())
        finally:
            for _, later in ahead:
                later.cancel()


def _made(block: Block, future: Future[Piece | None]) -> Iterator[tuple[int, int, Piece]]:
    piece = future.result()
    if piece is not None:
        yield block.number, block.crc, piece


def _take_whole(path: Path, kind: Format, reading: Reading) -> Taken:
    content = read_bytes(path)
    parsed = _parse(path, kind, content, reading)
    contents = {path.name: content}
    if kind is Format.SHAPEFILE and _bare(path):
        contents |= {p.name: read_bytes(p) for s, p in shapefile_parts(path).items() if s != ".shp"}
    digests = {name: hashlib.sha256(body).hexdigest() for name, body in contents.items()}
    spool = Spool(reading.work, _key("".join(sorted(digests.values())), parsed.layout, reading), path.name)
    try:
        spool.resume(())
        _spool(spool, 0, 0, parsed.piece, 0, parsed.layout, reading, path.name)
        made = _finished(path.name, parsed.layout, spool, tuple(parsed.piece.columns), reading)
    except IngestError:
        spool.remove()
        raise
    sources = tuple(
        SourceFile(
            name=name,
            sha256=digests[name],
            size=len(body),
            rows=made.count if name == path.name else 0,
            layout=parsed.layout.name,
        )
        for name, body in contents.items()
    )
    text = kind not in {Format.XLSX, Format.SHAPEFILE}
    encoding = shown_encoding(decode(content, path.name)[1]) if text else ""
    return Taken(rows=made, seen=_seen(sources[0], parsed.layout, encoding), sources=sources, resumed=0)


def _spool(
    spool: Spool,
    number: int,
    crc: int,
    piece: Piece,
    before: int,
    layout: Layout,
    reading: Reading,
    name: str,
) -> int:
    table = complete(piece, reading.recipe, reading.dataset, name)
    table = table.append_column(LINE, pa.array(piece.lines, pa.int64()))
    table = table.append_column(ROW, pa.array(np.arange(before, before + piece.rows), pa.int64()))
    totals = 0
    if layout.aside is not None:
        is_total = pc.is_in(
            _whole(piece.columns[layout.aside.column]), value_set=pa.array(layout.aside.values, pa.string())
        )
        table = table.append_column(TOTAL, is_total)
        totals = pc.sum(is_total).as_py() or 0
    spool.add(number, crc, table, totals)
    return piece.rows


def _whole(values: Any) -> Any:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _finished(name: str, layout: Layout, spool: Spool, carried: tuple[str, ...], reading: Reading) -> Rows:
    """The rows once the totals, the numbers of occurrences and the keys of the whole file are right."""
    rows = Rows(
        file=name,
        layout=layout,
        dataset=reading.dataset,
        spool=spool,
        carried=carried,
        engine_memory=reading.bounds.engine,
    )
    try:
        require_totals(rows)
        number_occurrences(rows, reading.recipe)
        require_unique(rows, reading.recipe)
    finally:
        rows.close()
    return rows


def _key(content: str, layout: Layout, reading: Reading) -> str:
    meaning = [FORM, content, repr(layout), repr(reading.recipe), repr(reading.dataset.columns)]
    return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:32]


def _seen(file: SourceFile, layout: Layout, encoding: str) -> FileSeen:
    return FileSeen(
        name=file.name,
        sha256=file.sha256,
        size=file.size,
        layout=layout.name,
        title=layout.title,
        encoding=encoding,
        rows=file.rows,
    )


def _parse(path: Path, kind: Format, content: bytes, reading: Reading) -> Parsed:
    recipe, geometry = reading.recipe, reading.geometry
    match kind:
        case Format.WEEKLY_JSON:
            return parse_weekly(content, path.name, recipe)
        case Format.PORTAL_JSON:
            return parse_portal(content, path.name, recipe, geometry)
        case Format.GEOJSON:
            return parse_geojson(content, path.name, recipe, geometry)
        case Format.SHAPEFILE:
            if _bare(path):
                return parse_shapefile(path, recipe, geometry)
            reading.work.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=reading.work) as folder:
                return parse_shapefile(unpack_shapefile(content, path.name, Path(folder)), recipe, geometry)
        case Format.XLSX:
            return parse_xlsx(content, path.name, recipe, geometry)
        case Format.CSV:
            raise AssertionError(kind)


def _bare(path: Path) -> bool:
    """Whether a shapefile's parts lie beside one another, not in an archive."""
    return path.suffix.lower() == ".shp"


def _kind(path: Path, takes: set[Format]) -> Format:
    """The format by content; the name decides only for shapefiles, which are several files."""
    if _bare(path):
        return Format.SHAPEFILE
    if not regular(path):
        raise empty(path.name)
    try:
        with path.open("rb") as file:
            start = file.read(PEEKED)
    except OSError as error:
        raise unreadable(path.name, error) from error
    if start.startswith(b"PK\x03\x04") and (packed := {Format.XLSX, Format.SHAPEFILE} & takes):
        return Format.XLSX if Format.XLSX in packed else Format.SHAPEFILE
    if start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in {b"{", b"["}:
        return next((f for f in (Format.WEEKLY_JSON, Format.PORTAL_JSON) if f in takes), Format.GEOJSON)
    return Format.CSV
