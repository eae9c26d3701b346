"""Asks for files to leave: puts them into the outbox and submits them for review. Decides nothing."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from campus.errors import ExportRefused, QueryFailed, QueryRefused, UsageError
from campus.html import note, table
from campus.wire import Gateway, export_refused

Named = str | os.PathLike[str]


class Receipt:
    """An accepted request; it is reviewed by a person before anything leaves."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.request_id: str = answer["request_id"]
        self.link: str = os.environ.get("CAMPUS_URL", "") + answer["url_path"]
        self.files: list[dict[str, Any]] = answer["files"]

    def __repr__(self) -> str:
        lines = [f"  {f['name']}  {f['size']:,} bytes  sha256:{f['sha256'][:16]}…" for f in self.files]
        return "\n".join([f"반출신청 {self.request_id}: {self.link}", *lines])

    def _repr_html_(self) -> str:
        rows = [[f["name"], f["size"], f["sha256"]] for f in self.files]
        link = escape(self.link, quote=True)
        shown = f'<a href="{link}" target="_blank" rel="noopener">{link}</a>' if "://" in link else link
        return (
            f"<h4>반출신청 {escape(self.request_id)} · export request</h4>"
            + table(["파일 · file", "bytes", "sha256"], rows)
            + note("반출심사 뒤 포털에서 내려받을 수 있습니다. · Download it from the portal after review.")
            + f"<p>{shown}</p>"
        )


def export(gateway: Gateway, files: Named | Sequence[Named], purpose: str) -> Receipt:
    """Submit files of the outbox, or copies of others, for review.

    Raises
    ------
    UsageError
        No purpose, no file, or a name in the outbox that is taken by another file.
    ExportRefused
        Not accepted, with the reason.
    """
    if not purpose.strip():
        raise UsageError(
            "no-purpose",
            ko="반출 목적을 적어 주세요: campus.export(파일, purpose='…').",
            en="Say what it is for: campus.export(files, purpose='…').",
        )
    given = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    if not given:
        raise UsageError("no-file", ko="반출할 파일이 없습니다.", en="There is no file to export.")
    names = [_in_outbox(Path(file)) for file in given]
    try:
        return Receipt(gateway.action("campus.export", names=names, purpose=purpose))
    except (QueryRefused, QueryFailed) as error:
        raise export_refused(error) from None


def _in_outbox(file: Path) -> str:
    """The file's name below the outbox, after copying it there if need be."""
    outbox = Path(os.environ.get("CAMPUS_OUTBOX", "outbox")).resolve()
    for candidate in (file, outbox / file):
        if candidate.is_file() and candidate.resolve().is_relative_to(outbox):
            return str(candidate.resolve().relative_to(outbox))
    if not file.is_file():
        raise ExportRefused(
            "no-file",
            ko=f"'{file}' 파일이 없습니다. 먼저 저장한 뒤 다시 실행하세요.",
            en=f"There is no file '{file}'. Save it first.",
        )
    target = outbox / file.name
    if target.exists() and not filecmp.cmp(file, target, shallow=False):
        raise UsageError(
            "name-taken",
            ko=f"outbox 에 내용이 다른 '{file.name}' 이 이미 있습니다. 이름을 바꾸거나 그 파일을 지우세요.",
            en=f"The outbox holds another '{file.name}'. Rename yours, or delete that one.",
        )
    outbox.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return file.name
