"""`campus test`, `check` and `fix`: what CI runs and what a developer runs before a commit.

The whole suite runs a file a core at a time, then the stories one by one; named tests run as they are named.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from hub_config.settings import REPO, Settings

STORIES = "tests/stories"  # each starts the whole product, so one after the other


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run the tests; `check` adds format and types, `fix` only formats."""
    python = sys.executable
    if arguments.command == "fix":
        return max(
            _call(python, "-m", "ruff", "check", "--fix", "--quiet", "."),
            _call(python, "-m", "ruff", "format", "--quiet", "."),
            _call(python, "-m", "hub_config.cli.reference"),
            _call(python, "-m", "access_control.portal.pictures"),
        )
    checks = 0
    if arguments.command == "check":
        checks = max(
            _call(python, "-m", "ruff", "format", "--check", "--quiet", "."),
            _call(python, "-m", "ruff", "check", "--quiet", "."),
            _call(python, "-m", "mypy", "hub_config", "access_control", "catalog", "tests"),
        )
    pytest = (python, "-m", "pytest", *([] if arguments.long else ["-m", "not long"]))
    if arguments.rounds:
        pytest += ("--rounds", str(arguments.rounds))
    if arguments.rest:
        return max(checks, _call(*pytest, *arguments.rest))
    beside = ("-n", str(len(os.sched_getaffinity(0))), "--dist", "loadfile", f"--ignore={STORIES}")
    return max(checks, _call(*pytest, *beside), _call(*pytest, STORIES))


def _call(*argv: str) -> int:
    return subprocess.run(argv, cwd=REPO, check=False).returncode
