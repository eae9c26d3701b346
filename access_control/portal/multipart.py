"""A form with files as it streams in (RFC 7578): fields and parts of files, in order, never whole in memory.

Knows no page. A name is a label here; whoever keeps a file decides about it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import python_multipart
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

LONGEST_HEADERS: Final = 8 << 10  # [bytes] of one part
LONGEST_FIELD: Final = 64 << 10  # [bytes]
MOST_PARTS: Final = 300


class Malformed(Exception):
    """This is no such form, or a part of it is out of bounds."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field and its value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileBegins:
    """A file and the name the browser gave it; empty where none was chosen."""

    name: str
    filename: str


@dataclass(frozen=True, slots=True)
class FileGoesOn:
    """More of the file that began last."""

    content: bytes


@dataclass(frozen=True, slots=True)
class FileEnds:
    """The file that began last is whole."""


Event = Field | FileBegins | FileGoesOn | FileEnds


async def events(request: Request) -> AsyncIterator[Event]:
    """What the form holds, as it arrives.

    Raises
    ------
    Malformed
        It is no multipart form, it is cut off, or it has too many or too long parts.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:
        raise Malformed
    parts = _Parts()
    parser = python_multipart.MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
    try:
        async for chunk in request.stream():
            parser.write(chunk)
            for event in parts.take():
                yield event
        parser.finalize()
    except FormParserError as error:
        raise Malformed from error
    if not parts.ended:
        raise Malformed


class _Parts:
    """Collects what the parser says into events."""

    def __init__(self) -> None:
        self.ended = False
        self._events: list[Event] = []
        self._count = 0
        self._begin()

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header(self._header_name, data[start:end]),
            "on_header_value": lambda data, start, end: self._header(self._header_value, data[start:end]),
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": lambda data, start, end: self._data(bytes(data[start:end])),
            "on_part_end": self._part_ends,
            "on_end": self._end,
        }

    def take(self) -> list[Event]:
        """What was collected since."""
        taken, self._events = self._events, []
        return taken

    def _begin(self) -> None:
        self._count += 1
        if self._count > MOST_PARTS:
            raise Malformed
        self._header_name, self._header_value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._field = bytearray()
        self._name = ""
        self._is_file = False

    def _header(self, into: bytearray, part: bytes) -> None:
        self._header_bytes += len(part)
        if self._header_bytes > LONGEST_HEADERS:
            raise Malformed
        into += part

    def _header_ends(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _headers_end(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if disposition != b"form-data" or b"name" not in options:
            raise Malformed
        self._name = _text(options[b"name"])
        self._is_file = b"filename" in options
        if self._is_file:
            self._events.append(FileBegins(self._name, _text(options[b"filename"])))

    def _data(self, part: bytes) -> None:
        if self._is_file:
            self._events.append(FileGoesOn(part))
            return
        self._field += part
        if len(self._field) > LONGEST_FIELD:
            raise Malformed

    def _part_ends(self) -> None:
        self._events.append(FileEnds() if self._is_file else Field(self._name, _text(bytes(self._field))))

    def _end(self) -> None:
        self.ended = True


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed from error
    if "\0" in text:
        raise Malformed
    return text
