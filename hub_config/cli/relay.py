"""`campus relay …`: a campus elsewhere, its sessions here. Keys stay here, outside sandboxes."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

from catalog.errors import CatalogError
from catalog.remote.relay import Relay, accept, prepare
from hub_config.settings import Settings
from hub_config.up import state


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Ask, accept or serve; 1 where it cannot, with the reason."""
    sessions = settings.state / "relay"
    try:
        match arguments.relay_command:
            case "request":
                sys.stdout.write(prepare(sessions, arguments.session).decode())
            case "accept":
                for name in arguments.files:
                    session = accept(sessions, Path(name).read_bytes())
                    sys.stderr.write(f"{name}: {session or 'trusted.pem'}\n")
            case _:
                return _serve(arguments.campus, sessions, settings)
    except CatalogError as error:
        sys.stderr.write(f"campus: {error.ko}\n        {error.en}\n")
        return 1
    except state.CannotStart as error:
        sys.stderr.write(f"campus: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"campus: {error.filename}: {error.strerror}\n")
        return 1
    return 0


def _serve(campus: str, sessions: Path, settings: Settings) -> int:
    host, colon, port = campus.rpartition(":")
    if not colon or not port.isdecimal() or not host:
        sys.stderr.write(f"campus: '{campus}' 은(는) 호스트:포트가 아닙니다 / is not HOST:PORT\n")
        return 1
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    sessions.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (sessions / "trusted.pem").is_file():
        sys.stderr.write(
            "campus: 믿을 인증 기관이 없습니다. campus remote trust 로 받은 파일을 campus relay accept 로 "
            "넣으세요.\n"
            "        there is no authority to trust; get it with `campus remote trust`, and put it here with "
            "`campus relay accept`.\n"
        )
        return 1
    state.make_run(settings.run, {os.getuid()})
    relay = Relay(sessions, settings.run, host.strip("[]"), int(port))
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(_until_stopped(relay))
    return 0


async def _until_stopped(relay: Relay) -> None:
    serving = asyncio.create_task(relay.serve())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    await serving
