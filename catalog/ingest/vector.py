"""Boundaries from GeoJSON and shapefiles, stored as WKB in the described system. Knows no dataset by name."""

from __future__ import annotations

import struct
import unicodedata
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.ingest.arrange import BadCell, read_cell, shaped
from catalog.ingest.evidence import read_bytes
from catalog.ingest.layouts import bad_value, unknown_layout
from catalog.ingest.model import Format, IngestError, Layout, Parsed, Piece, Recipe
from catalog.ingest.weekly_json import load_json

STORED = "EPSG:4326"
LONGITUDE_LATITUDE = {None, "urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84", "EPSG:4326"}
PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
CODE_PAGES = {"UTF-8": "UTF-8", "UTF8": "UTF-8", "CP949": "CP949", "949": "CP949", "EUC-KR": "CP949"}


def parse_geojson(content: bytes, name: str, recipe: Recipe, geometry: str) -> Parsed:
    """Every feature; RFC 7946 longitude and latitude only.

    Raises
    ------
    IngestError
        Broken JSON, other coordinates, unknown or refused properties, or a shape that is no valid polygon.
    """
    import shapely
    from shapely.geometry import shape

    document = load_json(content, name)
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or not features or not all(isinstance(f, dict) for f in features):
        raise IngestError(
            "unknown-layout",
            file=name,
            line=None,
            ko="GeoJSON 도형 모음이 아닙니다",
            en="is not a FeatureCollection",
        )
    crs = document.get("crs")
    named = crs.get("properties", {}).get("name") if isinstance(crs, dict) else None
    if named not in LONGITUDE_LATITUDE:
        raise _other_system(name, str(named), STORED)
    properties = [f.get("properties") for f in features]
    first = properties[0]
    headers = tuple(first) if isinstance(first, dict) else ()
    layout = next(
        (x for x in recipe.layouts if x.format is Format.GEOJSON and set(x.headers) == set(headers)), None
    )
    if layout is None:
        raise unknown_layout(headers, name, recipe, Format.GEOJSON)
    shapes = []
    for number, feature in enumerate(features, start=1):
        if not isinstance(properties[number - 1], dict) or set(properties[number - 1]) != set(headers):
            raise IngestError(
                "ragged-row",
                file=name,
                line=number,
                ko="다른 속성을 가진 도형입니다",
                en="has other properties",
            )
        try:
            shapes.append(shape(feature["geometry"]))
        except Exception as error:  # the library raises many kinds for malformed coordinates
            raise _bad_shape(name, number, str(error)) from error
    columns = _columns(layout, {h: [p[h] for p in properties] for h in headers}, name)
    columns[geometry] = _stored(shapely.force_2d(shapes), name)
    piece = Piece(columns=columns, lines=np.arange(1, len(features) + 1))
    return Parsed(file=name, layout=layout, piece=piece)


def parse_shapefile(path: Path, recipe: Recipe, geometry: str) -> Parsed:
    """Every record of a shapefile whose parts are all there and whole, converted to longitude and latitude.

    Raises
    ------
    IngestError
        A part is missing or cut, the reference system is not the declared one, or fields are unknown.
    """
    import shapely
    from pyogrio.raw import read
    from pyproj import CRS, Transformer

    parts = shapefile_parts(path)
    contents = {suffix: read_bytes(part) for suffix, part in parts.items()}
    _whole(contents, path.name)
    page = contents[".cpg"].decode("ascii", "replace").strip().upper()
    if page not in CODE_PAGES:
        raise IngestError(
            "wrong-encoding",
            file=path.name,
            line=None,
            ko=f"모르는 문자 집합 {page}",
            en=f"unknown code page {page}",
        )
    _told_truly(contents[".dbf"], CODE_PAGES[page], path.name)
    try:
        with warnings.catch_warnings():  # each shape is judged below
            warnings.filterwarnings("ignore", message=".*(winding order|Non closed ring)")
            meta, _, blobs, values = read(parts[".shp"], encoding=CODE_PAGES[page])
        system = CRS.from_wkt(contents[".prj"].decode("ascii"))
    except Exception as error:  # two libraries, many kinds
        raise _bad_shape(path.name, None, str(error)) from error
    headers = tuple(str(h) for h in meta["fields"])
    layout = next((x for x in recipe.layouts if x.format is Format.SHAPEFILE and x.headers == headers), None)
    if layout is None:
        raise unknown_layout(headers, path.name, recipe, Format.SHAPEFILE)
    if _projection(system) != _projection(CRS.from_user_input(layout.crs)):
        raise _other_system(path.name, system.name, layout.crs)
    move = Transformer.from_crs(layout.crs, STORED, always_xy=True)
    columns = _columns(layout, {h: list(v) for h, v in zip(headers, values, strict=True)}, path.name)
    with np.errstate(invalid="ignore"):  # a corner that is no number is refused below
        given = shapely.from_wkb(blobs, on_invalid="ignore")
    _require_polygons(given, path.name)
    if layout.polygon_area:
        columns[layout.polygon_area] = pa.array(np.round(shapely.area(given), 1))
    shapes = shapely.transform(given, lambda x, y: move.transform(x, y), interleaved=False)
    columns[geometry] = _stored(shapes, path.name)
    piece = Piece(columns=columns, lines=np.arange(1, len(blobs) + 1))
    return Parsed(file=path.name, layout=layout, piece=piece)


def shapefile_parts(path: Path) -> dict[str, Path]:
    """The five parts by suffix; names are compared as NFC because some archives store NFD."""
    stem = unicodedata.normalize("NFC", path.stem)
    found = {
        p.suffix.lower(): p
        for p in sorted(path.parent.iterdir())
        if p.suffix.lower() in PARTS and unicodedata.normalize("NFC", p.stem) == stem
    }
    missing = [s for s in PARTS if s not in found]
    if missing:
        raise IngestError(
            "missing-part",
            file=path.name,
            line=None,
            ko=f"같은 폴더에 {', '.join(missing)} 파일이 없습니다. 압축을 풀어 함께 두세요",
            en=f"{', '.join(missing)} is missing beside it; unpack all parts together",
        )
    return found


def _whole(parts: dict[str, bytes], name: str) -> None:
    """Compare the lengths that the headers declare with the files' (ESRI 1998; dBASE III)."""
    shp, shx, dbf = parts[".shp"], parts[".shx"], parts[".dbf"]
    if len(shp) < 100 or len(shx) < 100 or len(dbf) < 32 or shp[:4] != b"\x00\x00\x27\x0a":
        raise IngestError("truncated", file=name, line=None, ko="셰이프파일이 아닙니다", en="is no shapefile")
    records, header, width = struct.unpack("<IHH", dbf[4:12])
    declared = {
        ".shp": 2 * struct.unpack(">i", shp[24:28])[0],
        ".shx": 2 * struct.unpack(">i", shx[24:28])[0],
    }
    actual = {".shp": len(shp), ".shx": len(shx)}
    short = [s for s, size in declared.items() if actual[s] != size]
    if len(dbf) not in {header + records * width, header + records * width + 1}:
        short.append(".dbf")
    if short or (len(shx) - 100) // 8 != records:
        parts_named = ", ".join(short) or ".shx/.dbf"
        raise IngestError(
            "truncated",
            file=name,
            line=None,
            ko=f"{parts_named}의 길이가 머리글이 말하는 것과 다릅니다. 잘린 파일입니다",
            en=f"the length of {parts_named} is not what its header says; the file is cut off",
        )


def _told_truly(dbf: bytes, page: str, name: str) -> None:
    """Refuse attributes in another encoding than the .cpg names; UTF-8 read as CP949 is other letters."""
    header, width = struct.unpack("<HH", dbf[8:12])
    body = dbf[header:]
    if page == "CP949" and not body.isascii() and _fails(body, "UTF-8") is None:
        line, found = None, "UTF-8"
    else:
        at = _fails(body, page)
        if at is None:
            return
        line, found = at // max(width, 1) + 1, f"0x{body[at]:02X}"
    raise IngestError(
        "wrong-encoding",
        file=name,
        line=line,
        ko=f".cpg는 {page}라고 하지만 속성은 {found}입니다. 제공기관의 파일 다섯 개를 그대로 올리세요",
        en=f"the .cpg says {page}, the attributes hold {found}; give the publisher's five parts as they are",
    )


def _fails(body: bytes, encoding: str) -> int | None:
    """Where strict decoding ends; None where all of it is in that encoding."""
    try:
        body.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start
    return None


def _projection(system: Any) -> tuple[Any, ...]:
    """What fixes a coordinate: method, its numbers and the ellipsoid; names alone are not evidence."""
    operation = system.coordinate_operation
    numbers = {p.name: round(p.value, 9) for p in operation.params} if operation is not None else {}
    method = operation.method_name if operation is not None else ""
    shape = (round(system.ellipsoid.semi_major_metre, 3), round(system.ellipsoid.inverse_flattening, 6))
    return method, tuple(sorted(numbers.items())), shape


def _columns(layout: Layout, values: dict[str, list[Any]], name: str) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for field in layout.fields:
        texts = pa.array(["" if v is None else str(v) for v in values[field.header]], pa.string())
        try:
            if field.column:
                columns[field.column] = read_cell(texts, field)
            elif field.pattern:
                shaped(texts, field.pattern, field.header)
        except BadCell as bad:
            raise bad_value(bad.bad, name, bad.index + 1, bad.header) from bad
    return columns


def _require_polygons(shapes: Any, name: str) -> None:
    import shapely

    for number, item in enumerate(shapes, start=1):
        if item is None or item.is_empty or item.geom_type not in {"Polygon", "MultiPolygon"}:
            kind = "none" if item is None else item.geom_type
            raise _bad_shape(name, number, f"{kind} is no polygon")
        if not np.isfinite(shapely.get_coordinates(item)).all():
            raise _bad_shape(name, number, "a corner is no number")
        if not item.is_valid:
            raise _bad_shape(name, number, shapely.is_valid_reason(item))


def _stored(shapes: Any, name: str) -> Any:
    import shapely

    _require_polygons(shapes, name)
    for west, south, east, north in shapely.bounds(shapes):
        if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
            raise _other_system(name, f"{west:.0f}, {south:.0f}", STORED)
    return pa.array([bytes(b) for b in shapely.to_wkb(shapes)], pa.binary())


def _other_system(name: str, given: str, wanted: str) -> IngestError:
    return IngestError(
        "wrong-crs",
        file=name,
        line=None,
        ko=f"좌표계가 {given}입니다. {wanted}이어야 합니다",
        en=f"coordinates are in {given}; {wanted} is needed",
    )


def _bad_shape(name: str, number: int | None, detail: str) -> IngestError:
    return IngestError(
        "bad-geometry",
        file=name,
        line=number,
        ko=f"쓸 수 없는 도형입니다 ({detail})",
        en=f"the shape cannot be used ({detail})",
    )
