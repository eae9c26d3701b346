"""Blocks and spools: any block size gives the same rows; what is written in a layout is read back exactly."""

from __future__ import annotations

import csv
import io
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.descriptions import Text
from catalog.ingest import IngestError
from catalog.ingest.delimited import open_delimited
from catalog.ingest.model import Format, Layout, Piece, Reader, Recipe, SourceField
from catalog.ingest.spool import Spool, sweep
from tests.catalog.ingest.support import month, parsed_csv, spooled, subway_rows

READERS = (("이름", "name", Reader.TEXT), ("말", "said", Reader.LINES), ("수", "count", Reader.WHOLE))
EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LETTERS = st.characters(codec="cp949", exclude_categories=("Cc", "Cs"))


def recipe(*, lines: bool, delimiter: str = ",") -> Recipe:
    fields = tuple(
        SourceField(header=h, column=c, read=r if lines or r is not Reader.LINES else Reader.TEXT)
        for h, c, r in READERS
    )
    layout = Layout(
        name="made",
        title=Text(ko="만든 것", en="made"),
        format=Format.CSV,
        fields=fields,
        trailing_empty=0,
        header_prefix="",
        final_newline=False,
        second_header=(),
        crs="",
        delimiter=delimiter,
    )
    return Recipe(version="1", layouts=(layout,), refused=(), derive=())


def visible(text: str) -> bool:
    return bool(text.strip()) and any(not c.isspace() for c in text)


WORDS = st.text(LETTERS, min_size=1, max_size=12).filter(lambda t: visible(t.replace("\xa0", "")))
PHRASES = st.lists(
    st.one_of(st.sampled_from(['"', '""', ",", "|", "\t", "\n", "\r\n", "'", " "]), WORDS),
    min_size=1,
    max_size=6,
).map(lambda parts: "가" + "".join(parts))
ROWS = st.lists(st.tuples(WORDS, PHRASES, st.integers(-(10**17), 10**17)), min_size=1, max_size=25)


def written(rows: list[tuple[str, str, int]], delimiter: str, end: str, quoting: int) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow([h for h, _, _ in READERS])
    writer.writerows(rows)
    return out.getvalue()


def read(piece: Piece) -> list[tuple[str, str, int]]:
    return list(zip(*(piece.columns[c].to_pylist() for _, c, _ in READERS), strict=True))


@EXAMPLES
@given(
    rows=ROWS,
    delimiter=st.sampled_from([",", "|", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp949"]),
    size=st.integers(1, 400),
)
def test_what_is_written_in_a_layout_is_read_back_exactly(
    tmp_path: Path,
    rows: list[tuple[str, str, int]],
    delimiter: str,
    end: str,
    quoting: int,
    encoding: str,
    size: int,
) -> None:
    text = written(rows, delimiter, end, quoting)
    declared = recipe(lines=True, delimiter=delimiter)
    for block in (size, 1 << 20):
        piece = parsed_csv(tmp_path, text.encode(encoding), declared, size=block)
        assert read(piece) == rows
        starts = np.cumsum([2, *(1 + said.count("\n") for _, said, _ in rows[:-1])])
        assert piece.lines.tolist() == starts.tolist()


@EXAMPLES
@given(rows=ROWS, size=st.integers(1, 400))
def test_a_value_of_several_lines_is_refused_where_the_layout_does_not_say_so(
    tmp_path: Path, rows: list[tuple[str, str, int]], size: int
) -> None:
    content = written(rows, ",", "\n", csv.QUOTE_MINIMAL).encode()
    several = next((i for i, (_, said, _) in enumerate(rows) if "\n" in said), None)
    if several is None:
        assert read(parsed_csv(tmp_path, content, recipe(lines=False), size=size)) == rows
        return
    with pytest.raises(IngestError) as refused:
        parsed_csv(tmp_path, content, recipe(lines=False), size=size)
    assert refused.value.reason in {"broken-quote", "line-end"}
    assert refused.value.line == several + 2


@EXAMPLES
@given(at=st.integers(0, 2000), byte=st.integers(0, 255), size=st.integers(1, 300))
def test_one_changed_byte_is_told_alike_whatever_the_blocks(
    tmp_path: Path, at: int, byte: int, size: int
) -> None:
    content = bytearray(("\n".join(subway_rows("A", month("202602"))) + "\n").encode())
    content[at % len(content)] = byte
    told: list[tuple[str, list[object]]] = []
    for block in (size, 1 << 20):
        folder = tmp_path / str(time.monotonic_ns())
        folder.mkdir()
        path = folder / "a.csv"
        path.write_bytes(bytes(content))
        try:
            taken = spooled(folder, "subway_ridership", bytes(content), block=block)
            told.append(("read", [r for b in taken.rows.described() for r in b.to_pylist()]))
        except IngestError as error:
            told.append((error.reason, [error.line]))
    assert told[0] == told[1]


def test_a_record_beyond_all_measure_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(("이름,말,수\n가,나,1\n" + "가" * 100_000).encode())
    for lines in (False, True):
        with pytest.raises(IngestError) as refused:
            open_delimited(path, recipe(lines=lines), size=1000)
        assert (refused.value.reason, refused.value.line) == ("long-record", 3)


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("size", [3, 1 << 20])
@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("이름,말,수\n가,나,1\n\n", "blank-line", 3),
        ("이름,말,수\r\n가,나,1\r\n\r\n나,다,2\r\n", "blank-line", 3),
        ("이름,말,수\n\n가,나,1\n", "blank-line", 2),
        ('이름,말,수\n가,"나"x,1\n', "broken-quote", 2),
        ('이름,말,수\n"가,나,1\n', "broken-quote", 2),
        ("이름,말,수\n가,나\n", "ragged-row", 2),
        ("이름,말,수\n가,나,1\n가,나,1,\n", "ragged-row", 3),
        ("이름,말,수\n", "empty", 1),
        ("\ufeff", "empty", None),
        ("\ufeff\n\n", "empty", None),
    ],
)
def test_broken_records_are_told_alike_in_every_block(
    tmp_path: Path, text: str, reason: str, line: int | None, size: int, lines: bool
) -> None:
    with pytest.raises(IngestError) as refused:
        parsed_csv(tmp_path, text.encode(), recipe(lines=lines), size=size)
    assert (refused.value.reason, refused.value.line) == (reason, line)


def test_a_carriage_return_alone_ends_no_line(tmp_path: Path) -> None:
    with pytest.raises(IngestError) as refused:
        parsed_csv(tmp_path, "이름,말,수\n가,나,1\r나,다,2\n".encode(), recipe(lines=False))
    assert (refused.value.reason, refused.value.line) == ("line-end", 2)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("이름,말,수\n가,나,1\n".encode())
    source = open_delimited(path, recipe(lines=False))
    path.write_bytes("이름,말,수\n가,나,2\n".encode())
    with pytest.raises(IngestError) as refused:
        source.piece(source.survey.blocks[0])
    assert refused.value.reason == "changed-while-reading"


def test_cp949_is_proven_for_every_block_and_mixtures_are_refused(tmp_path: Path) -> None:
    """Blocks that fit UTF-8 by chance must fit CP949 as well once a later one shows it."""
    korean = "이름,말,수\n".encode("cp949")
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b,1\n" + "가,나,1\n".encode() + korean)
    with pytest.raises(IngestError) as refused:
        open_delimited(path, recipe(lines=False), size=8)
    assert refused.value.reason == "wrong-encoding"
    path.write_bytes(korean + b"a,b,1\n" * 50 + "가,나,1\n".encode("cp949"))
    assert open_delimited(path, recipe(lines=False), size=8).survey.encoding == "cp949"


CONTENT = ("\n".join(subway_rows("B", month("202602"))) + "\n").encode()


def test_a_spooled_block_that_was_tampered_with_is_made_again(tmp_path: Path) -> None:
    first = spooled(tmp_path, "subway_ridership", CONTENT, block=400)
    rows = [r for b in first.rows.described() for r in b.to_pylist()]
    damaged = first.rows.spool.files[2]
    first.rows.spool.release()
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(bytes(content))
    again = spooled(tmp_path, "subway_ridership", CONTENT, block=400)
    assert again.resumed == 2
    assert [r for b in again.rows.described() for r in b.to_pylist()] == rows


def test_another_content_or_recipe_resumes_nothing(tmp_path: Path) -> None:
    spooled(tmp_path, "subway_ridership", CONTENT).rows.spool.release()
    assert spooled(tmp_path, "subway_ridership", CONTENT).resumed == 1
    assert spooled(tmp_path, "subway_ridership", CONTENT.replace(b"1001", b"1007")).resumed == 0


def test_two_runs_of_one_file_do_not_meet(tmp_path: Path) -> None:
    one = spooled(tmp_path, "subway_ridership", CONTENT)
    two = spooled(tmp_path, "subway_ridership", CONTENT)
    assert one.rows.spool.folder != two.rows.spool.folder
    assert two.resumed == 0


def test_a_refused_file_leaves_no_spool(tmp_path: Path) -> None:
    with pytest.raises(IngestError):
        spooled(tmp_path, "subway_ridership", CONTENT.replace(b"1005", b"x", 1), block=400)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_full_disk_is_told_with_the_files_name(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "key", "2월.csv")
    (spool.folder / "000000.parquet.new").symlink_to("/dev/full")
    rows = pa.table({"x": ["a"], "_line": [1], "_row": [0]})
    with pytest.raises(IngestError) as refused:
        spool.add(0, 0, rows, 0)
    assert (refused.value.reason, refused.value.file) == ("no-space", "2월.csv")


def test_unused_spools_are_swept_by_age_and_by_size(tmp_path: Path) -> None:
    spools = [Spool(tmp_path, f"key{number}", "a.csv") for number in range(4)]

    def aged() -> list[bool]:
        """Their folders, a hundred seconds apart, the last one the newest."""
        for number, spool in enumerate(spools):
            if spool.folder.is_dir():
                (spool.folder / "000000.parquet").write_bytes(bytes(1000))
                os.utime(spool.folder, (0, time.time() - 100 * (4 - number)))
        return [spool.folder.is_dir() for spool in spools]

    for spool in spools[1:]:
        spool.release()
    aged()
    sweep(tmp_path, kept=10_000, most=2_500)
    assert aged() == [True, False, True, True], "the held one stays, the oldest of the others goes"
    sweep(tmp_path, kept=150, most=10_000)
    assert aged() == [True, False, False, True]
    spools[0].release()
    aged()
    sweep(tmp_path, kept=150, most=10_000)
    assert aged() == [False, False, False, True]
