"""`campus audit verify`: prove that the log is whole, from its folder and public key alone."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from access_control.audit.verify import Verification, verify
from hub_config.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
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
    found = verify(folder, public, _progress if sys.stderr.isatty() else None, held)
    sys.stdout.write(report(found))
    return 0 if found.ok else 1


def report(found: Verification) -> str:
    """What was found, as lines for a person."""
    verdict = "온전합니다 / the log is whole" if found.ok else "손상되었습니다 / THE LOG IS DAMAGED"
    lines = [
        f"감사 기록 / audit log: {verdict}",
        f"  기록 / events:            {found.events:,}",
        f"  서명으로 덮인 기록 / signed: {found.covered:,} ({found.checkpoints:,} checkpoints)",
        f"  머클 루트 / Merkle root:   {found.root.hex()}",
        *(f"  ✗ {problem}" for problem in found.problems),
    ]
    return "\n".join(lines) + "\n"


def _progress(done: int, whole: int) -> None:
    sys.stderr.write(f"\r  {done >> 20:,} / {whole >> 20:,} MB")
    sys.stderr.flush()
