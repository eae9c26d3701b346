"""The audit writer with the paths of this installation: `python -m hub_config.services.audit --state VAR`."""

from __future__ import annotations

import argparse

from access_control.audit import writer
from hub_config.settings import load


def main() -> int:
    """Run the writer until it is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    settings = load({"state": parser.parse_args().state})
    return writer.main(
        [
            "--socket",
            str(settings.socket("audit")),
            "--folder",
            str(settings.state / "audit"),
            "--key",
            str(settings.state / "audit-key" / "audit.key"),
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
