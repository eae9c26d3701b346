"""Runs one service to its end within its walls and hands on what it says. Knows no particular service."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from catalog.sandbox.isolation import Isolation
from catalog.sandbox.model import Mount
from catalog.sandbox.process import start
from hub_config.launcher.profiles import service
from hub_config.settings import Settings
from hub_config.up.state import CannotStart

LAST_WORDS = 20  # lines shown of what a failed one wrote


async def run_once(
    settings: Settings,
    isolation: Isolation,
    name: str,
    arguments: Sequence[str] = (),
    readable: Sequence[Path] = (),
) -> AsyncGenerator[dict[str, object], None]:
    """Start the service, yield each JSON object it prints, and wait for its end.

    Parameters
    ----------
    arguments
        Added to its command line.
    readable
        Files outside the state folder that it may read, at their own paths.

    Raises
    ------
    CannotStart
        It ended with an error; carries its last lines.
    """
    sandbox = service(settings, isolation, name)
    sandbox = dataclasses.replace(
        sandbox,
        argv=(*sandbox.argv, *arguments),
        mounts=(*sandbox.mounts, *(Mount(source=path, target=str(path)) for path in readable)),
        log=None,
    )
    reader, writer = os.pipe2(os.O_CLOEXEC)
    running = start(sandbox, isolation, output=writer)
    os.close(writer)
    stream = asyncio.StreamReader(limit=1 << 20)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reader, "rb", buffering=0)
    )
    other: list[str] = []
    try:
        while line := await stream.readline():
            text = line.decode("utf-8", "replace").rstrip("\n")
            if text.startswith("{"):
                yield json.loads(text)
            else:
                other.append(text)
        code = await asyncio.to_thread(running.wait, 30.0)
    finally:
        transport.close()
        if running.poll() is None:
            running.stop()
    if code != 0:
        said = "\n".join(other[-LAST_WORDS:])
        raise CannotStart(
            f"{name} 단계가 실패했습니다 (코드 {code}).\n{said}", f"the step {name} failed (code {code})."
        )
