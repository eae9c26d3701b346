"""What a reviewer is shown of a file: text that is escaped, or an image that is one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access_control.portal.preview import MOST_ROWS, image_type, preview


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_a_table_is_shown_as_a_table(tmp_path: Path, encoding: str) -> None:
    seen = preview("표.csv", _file(tmp_path, '구,값\n종로구,1\n"중구, 서울",2\n'.encode(encoding)))
    assert seen.kind == "table"
    assert seen.head == ("구", "값")
    assert seen.rows == (("종로구", "1"), ("중구, 서울", "2"))
    assert not seen.cut


def test_a_long_table_says_that_there_is_more(tmp_path: Path) -> None:
    seen = preview("a.csv", _file(tmp_path, b"a,b\n" + b"1,2\n" * 60))
    assert len(seen.rows) == MOST_ROWS
    assert seen.cut


def test_a_table_larger_than_what_is_read_never_shows_half_a_row(tmp_path: Path) -> None:
    seen = preview("a.tsv", _file(tmp_path, b"a\tb\n" + b"11111\t22222\n" * 40_000))
    assert set(seen.rows) == {("11111", "22222")}
    assert seen.cut


def test_text_is_shown_as_text_whatever_it_claims(tmp_path: Path) -> None:
    seen = preview("page.html", _file(tmp_path, "<script>alert('한글')</script>".encode()))
    assert (seen.kind, seen.text) == ("text", "<script>alert('한글')</script>")


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"PK\x03\x04\x00\x00", bytes(range(256))])
def test_bytes_are_not_shown(tmp_path: Path, content: bytes) -> None:
    assert preview("model.bin", _file(tmp_path, content)).kind == "none"


def test_an_image_is_one_by_its_first_bytes_not_by_its_name(tmp_path: Path) -> None:
    assert preview("a.txt", _file(tmp_path, b"\x89PNG\r\n\x1a\n....")).kind == "image"
    assert preview("a.png", _file(tmp_path, b"<svg onload=alert(1)>")).kind == "text"
    assert image_type(b"<svg xmlns='http://www.w3.org/2000/svg'>") == ""
    assert image_type(b"RIFF....WEBPVP8 ") == "image/webp"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(name=st.sampled_from(["a.csv", "a.tsv", "a.txt", "a"]), content=st.binary(max_size=400))
def test_any_file_can_be_looked_at(tmp_path: Path, name: str, content: bytes) -> None:
    assert preview(name, _file(tmp_path, content)).kind in {"table", "text", "image", "none"}


def _file(tmp_path: Path, content: bytes) -> Path:
    file = tmp_path / "content"
    file.write_bytes(content)
    return file
