"""`campus audit verify`: prove that the log is whole, from its folder and public key alone."""

from __future__ import annotations

import argparse
import sys

from hub_config.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Verify the log of a state folder; 0 where it holds, 1 where it does not or there is none."""
    raise NotImplementedError
