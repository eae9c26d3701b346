"""Entry point of the hub's process: `python -m hub_config.services.hub --state VAR`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # 2 s a start for an unused format

from hub_config.hub.app import CampusHub  # noqa: E402

CONFIGURATION = Path(__file__).resolve().parent.parent / "hub" / "jupyterhub_config.py"


def main() -> None:
    """Read the arguments and run JupyterHub, whose configuration loads the settings of the same folder."""
    parser = argparse.ArgumentParser(description="The Campus hub: JupyterHub with sandboxes for servers.")
    parser.add_argument("--state", required=True, help="folder that holds all state")
    state = Path(parser.parse_args().state).absolute()
    os.environ["CAMPUS_STATE"] = str(state)
    (state / "hub").mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chdir(state / "hub")  # whatever JupyterHub writes beside itself stays in its folder
    CampusHub.launch_instance(["-f", str(CONFIGURATION)])


if __name__ == "__main__":
    main()
