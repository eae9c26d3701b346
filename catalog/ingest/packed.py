"""ZIP archives before anything in them is read: honest ones only, and the shapefile in one. Knows no dataset.

Nothing is ever written under a name that an archive gives.
"""

from __future__ import annotations

import io
import posixpath
import unicodedata
import zipfile
import zlib
from pathlib import Path

from catalog.ingest.evidence import LARGEST_WHOLE
from catalog.ingest.model import IngestError

ZIP_ENCRYPTED = 0x1
MOST_PARTS = 100
"""Most files beside a shapefile in one archive."""
SUFFIXES = frozenset({".shp", ".shx", ".dbf", ".prj", ".cpg"})
APPLE = ("__MACOSX/", "._")  # what one system adds to every archive


def require_honest(archive: zipfile.ZipFile, name: str, *, unpacked: int, parts: int, reason: str) -> None:
    """Refuse an archive that unfolds too far, points outside, is encrypted or holds a name twice.

    Parameters
    ----------
    unpacked
        Most bytes that all files together may say they have [bytes].
    parts
        Most files.

    Raises
    ------
    IngestError
        `too-large`, or `reason` for a trick.
    """
    inside = archive.infolist()
    size = sum(i.file_size for i in inside)
    if size > unpacked:
        raise _too_large(
            name, f"풀면 {size:,}바이트가 되어 한도를 넘습니다", f"unpacks to {size:,} bytes, over the limit"
        )
    if len(inside) > parts:
        raise _too_large(name, f"안에 파일이 {len(inside):,}개 있습니다", f"holds {len(inside):,} files")
    for part in inside:
        path = part.filename.replace("\\", "/")
        shown = part.filename[:60]
        if path.startswith("/") or ":" in path or ".." in posixpath.normpath(path).split("/"):
            raise trick(name, reason, f"'{shown}'이(가) 밖을 가리킵니다", f"'{shown}' points outside")
        if part.flag_bits & ZIP_ENCRYPTED:
            ko, en = "암호가 걸려 있습니다. 암호를 풀어 올리세요", "is encrypted; give it without a password"
            raise trick(name, reason, ko, en)
    names = [p.filename for p in inside]
    if len(set(names)) != len(names):
        ko, en = "같은 이름의 파일이 두 번 들어 있습니다", "holds one file name twice"
        raise trick(name, reason, ko, en)


def unpack_shapefile(content: bytes, name: str, folder: Path) -> Path:
    """The one shapefile of an archive, its parts set down in an empty folder under the archive's own name.

    Raises
    ------
    IngestError
        The archive is damaged, dishonest or far too large, or holds no shapefile or several.
    """
    stem = Path(name).stem
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            require_honest(
                archive, name, unpacked=2 * LARGEST_WHOLE, parts=MOST_PARTS, reason="hostile-archive"
            )
            for suffix, part in _parts(archive, name).items():
                (folder / f"{stem}{suffix}").write_bytes(archive.read(part))
    except IngestError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise IngestError(
            "broken-archive",
            file=name,
            line=None,
            ko=f"ZIP 파일이 손상되었습니다 ({type(error).__name__})",
            en=f"the ZIP archive is damaged ({type(error).__name__})",
        ) from error
    return folder / f"{stem}.shp"


def _parts(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The parts of the one shapefile by suffix; what else lies beside them is left."""
    found: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for part in archive.infolist():
        folder, file = posixpath.split(part.filename.replace("\\", "/"))
        base, suffix = posixpath.splitext(file)
        if part.is_dir() or f"{folder}/".startswith(APPLE[0]) or file.startswith(APPLE[1]):
            continue
        if suffix.lower() in SUFFIXES:
            key = unicodedata.normalize("NFC", f"{folder}/{base}")
            found.setdefault(key, {})[suffix.lower()] = part
    shapes = [parts for parts in found.values() if ".shp" in parts]
    if len(shapes) != 1:
        raise IngestError(
            "unknown-layout",
            file=name,
            line=None,
            ko=f"ZIP 안에 셰이프파일(.shp)이 {len(shapes)}개입니다. 하나만 든 파일을 올리세요",
            en=f"the ZIP holds {len(shapes)} shapefiles (.shp); give an archive with exactly one",
        )
    return shapes[0]


def trick(name: str, reason: str, ko: str, en: str) -> IngestError:
    """A refusal for what no honest archive holds."""
    return IngestError(reason, file=name, line=None, ko=ko, en=en)


def _too_large(name: str, ko: str, en: str) -> IngestError:
    return IngestError("too-large", file=name, line=None, ko=ko, en=en)
