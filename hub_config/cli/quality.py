"""`campus test`, `check` and `fix`: what CI runs and what a developer runs before a commit."""

from __future__ import annotations

import argparse
import subprocess
import sys

from hub_config.settings import REPO, Settings


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
    long = [] if arguments.long else ["-m", "not long"]
    return max(checks, _call(python, "-m", "pytest", *long, *arguments.rest))


def _call(*argv: str) -> int:
    return subprocess.run(argv, cwd=REPO, check=False).returncode
