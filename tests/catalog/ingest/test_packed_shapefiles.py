"""A shapefile in the ZIP it came in loads as its parts do; archives that trick or break are refused."""

from __future__ import annotations

import hashlib
import io
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.ingest import IngestError
from tests.catalog.ingest.areas import MANY, attributes, squares, write_shapefile
from tests.catalog.ingest.support import new_warehouse, query, take
from tests.catalog.ingest.test_hostile_containers import encrypted

NAME = "commercial_area_boundary"
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("parts")
    shapes = squares()
    write_shapefile(folder, shapes, attributes(shapes), encoding="CP949")
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def packed(files: Files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return out.getvalue()


def within(folder: str, files: Files) -> Files:
    return {f"{folder}/{name}": body for name, body in files.items()}


GOOD: dict[str, Callable[[Files], Files]] = {
    "as it is": lambda files: files,
    "in a folder": lambda files: within("영역-상권", files),
    "in decomposed letters": lambda files: {unicodedata.normalize("NFD", n): b for n, b in files.items()},
    "suffixes in capitals": lambda files: {n[:-4] + n[-4:].upper(): b for n, b in files.items()},
    "with what others add": lambda files: {
        **files,
        "읽어보세요.txt": b"hello",
        "__MACOSX/._a.shp": b"junk",
        "._b.shp": b"junk",
        "a.sbn": b"index",
    },
}


@pytest.mark.parametrize("case", GOOD)
def test_an_archive_loads_as_its_parts_do(tmp_path: Path, parts: Files, case: str) -> None:
    path = tmp_path / "영역-상권.zip"
    path.write_bytes(packed(GOOD[case](parts)))
    warehouse = new_warehouse(tmp_path)
    made = take(warehouse, NAME, path)
    assert made.rows == MANY
    (source,) = made.files
    assert (source.name, source.rows) == (path.name, MANY)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert query(warehouse, NAME, "sum(area), min(area_name)") == (MANY * 1e4 - 400, "종로·청계 0")


def without(suffix: str) -> Callable[[Files], bytes]:
    return lambda files: packed({n: b for n, b in files.items() if not n.endswith(suffix)})


def cut(files: Files) -> bytes:
    return packed({n: b[:-300] if n.endswith(".dbf") else b for n, b in files.items()})


def spoilt(files: Files) -> bytes:
    content = bytearray(packed(files))
    middle = content.find(b"PK\x03\x04", 4) - 40
    content[middle : middle + 8] = bytes(8)
    return bytes(content)


def bomb(files: Files) -> bytes:
    return packed({**files, "a.txt": bytes(300 << 20)})


BAD: dict[str, tuple[Callable[[Files], bytes], str]] = {
    "no shapefile": (lambda files: packed({"a.csv": b"1,2\n"}), "unknown-layout"),
    "an archive in an archive": (lambda files: packed({"a.zip": packed(files)}), "unknown-layout"),
    "two shapefiles": (lambda files: packed({**files, **within("b", files)}), "unknown-layout"),
    "no .prj": (without(".prj"), "missing-part"),
    "no .dbf": (without(".dbf"), "missing-part"),
    "a part cut": (cut, "truncated"),
    "outside": (lambda files: packed(within("../..", files)), "hostile-archive"),
    "from the root": (lambda files: packed(within("/etc", files)), "hostile-archive"),
    "a drive": (lambda files: packed(within("C:", files)), "hostile-archive"),
    "a password": (lambda files: encrypted(packed(files)), "hostile-archive"),
    "hundreds of files": (
        lambda files: packed({**files, **{f"{i}.txt": b"" for i in range(200)}}),
        "too-large",
    ),
    "a bomb": (bomb, "too-large"),
    "cut off": (lambda files: packed(files)[:-100], "broken-archive"),
    "bytes changed": (spoilt, "broken-archive"),
    "only the first letters": (lambda files: b"PK\x03\x04" + bytes(60), "broken-archive"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_archive_that_tricks_or_breaks_is_refused(tmp_path: Path, parts: Files, case: str) -> None:
    make, reason = BAD[case]
    path = tmp_path / "deep" / "영역-상권.zip"
    path.parent.mkdir()
    path.write_bytes(make(parts))
    warehouse = new_warehouse(tmp_path)
    before = {p for p in tmp_path.rglob("*") if p.suffix.lower() in {".shp", ".dbf"}}
    with pytest.raises(IngestError) as refused:
        take(warehouse, NAME, path)
    assert refused.value.reason == reason
    assert refused.value.file.startswith("영역-상권")
    assert warehouse.versions(NAME) == ()
    assert {p for p in tmp_path.rglob("*") if p.suffix.lower() in {".shp", ".dbf"}} == before, (
        "nothing is left"
    )
