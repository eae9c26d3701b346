"""`python -m hub_config.launcher --state VAR`: finds the walls, then answers; knows only how to begin."""

from __future__ import annotations

import argparse
import logging
import os
import stat
import sys

from catalog.sandbox.errors import SandboxError
from catalog.sandbox.isolation import choose
from hub_config.launcher import folders, places, refusal, views
from hub_config.launcher.calls import Calls
from hub_config.launcher.sandboxes import Sandboxes
from hub_config.launcher.server import Server
from hub_config.settings import Settings, load


def main() -> int:
    """Serve until stopped; 1 where no walls can be built."""
    parser = argparse.ArgumentParser(prog="hub_config.launcher")
    parser.add_argument("--state")
    settings = load(vars(parser.parse_args()))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    os.umask(0o077)
    try:
        isolation = choose(settings.isolation)
        owner = places.service_uid(settings, isolation)
        _prepare(settings, owner)
    except SandboxError as error:
        sys.stderr.write(f"{error.ko}\n{error.en}\n")
        return 1
    peers = {os.getuid()} if owner is None else {os.getuid(), owner}
    sandboxes = Sandboxes(settings, isolation)
    calls = Calls(settings, isolation, sandboxes)
    server = Server(settings.socket("launcher"), calls, sandboxes, owner=owner, peers=peers)
    logging.getLogger("campus.launcher").info("ready, mode %s", isolation.mode)
    server.run()
    return 0


def _prepare(settings: Settings, owner: int | None) -> None:
    """The folders of the sockets: services make theirs in them, sandboxes reach theirs through them."""
    settings.state.mkdir(mode=0o711, parents=True, exist_ok=True)
    (settings.state / "logs").mkdir(mode=0o700, exist_ok=True)
    own = settings.socket("launcher").parent
    for folder in (settings.run, settings.run / "sessions", settings.run / "gateway", own):
        folder.mkdir(mode=0o711, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.getuid(), owner}:
            raise refusal.foreign_folder(str(folder))  # its short name in the temporary folder can be guessed
        folder.chmod(0o711)
        if owner is not None:
            os.chown(folder, owner, owner)
    views.sweep(settings.warehouse)
    for left in (settings.run / "sessions").iterdir():  # nothing outlives its launcher but its socket
        folders.remove(left.parent, left.name)


if __name__ == "__main__":
    sys.exit(main())
