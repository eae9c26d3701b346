"""`campus audit verify`: prove that the log is whole, from folder and public key alone. And its siblings."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from access_control.audit.verify import Verification, verify
from hub_config.cli import statements
from hub_config.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do what was asked; 0 where the log holds, or it was done, 1 otherwise."""
    match arguments.audit_command:
        case "show":
            return statements.show(arguments, settings)
        case "erase":
            return statements.erase(arguments, settings)
        case _:
            return _verify(arguments, settings)


def _verify(arguments: argparse.Namespace, settings: Settings) -> int:
    """Verify the log of a state folder; 0 where it holds, 1 where it does not or there is none."""
    folder = settings.state / "audit"
    key = Path(arguments.key) if arguments.key else folder / "public_key"
    held = [Path(name).read_text("utf-8") for name in arguments.checkpoint or ()]
    try:
        public = key.read_text("utf-8")
    except OSError as error:
        sys.stderr.write(
            f"campus: 감사 기록이 없습니다: {key} ({error.strerror}). --state 를 확인하세요.\n"
            f"        there is no audit log: {key} ({error.strerror}); check --state.\n"
        )
        return 1
    progress = _progress if sys.stderr.isatty() else None
    found = verify(folder, public, progress, held, literals=not arguments.without_literals)
    sys.stdout.write(report(found))
    return 0 if found.ok else 1


def report(found: Verification) -> str:
    """What was found, as lines for a person."""
    verdict = "온전합니다 / the log is whole" if found.ok else "손상되었습니다 / THE LOG IS DAMAGED"
    lines = [
        f"감사 기록 / audit log: {verdict}",
        f"  기록 / events:            {found.events:,}",
        f"  서명으로 덮인 기록 / signed: {found.covered:,} ({found.checkpoints:,} checkpoints)",
        f"  값 / literals:            {found.kept:,} 맞음 kept, {found.erased:,} 지움 erased",
        f"  머클 루트 / Merkle root:   {found.root.hex()}",
        *(f"  ✗ {problem}" for problem in found.problems),
    ]
    return "\n".join(lines) + "\n"


def _progress(done: int, whole: int) -> None:
    sys.stderr.write(f"\r  {done >> 20:,} / {whole >> 20:,} MB")
    sys.stderr.flush()
