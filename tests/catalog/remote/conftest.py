"""A gateway that other machines reach: a real authority, a real front on a real port, real drivers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.flight as flight
import pytest

from catalog.gateway.guard import SessionIdentity
from catalog.remote.authority import Authority
from catalog.remote.certificates import new_key, request
from catalog.remote.front import Front, Limits
from catalog.remote.tls import Served
from catalog.warehouse import Warehouse
from tests.catalog.gateway.conftest import DESCRIPTIONS, LIMITS, run_folder, warehouse
from tests.catalog.gateway.simulator import Installation, installation, utc_now

__all__ = ["run_folder", "warehouse"]
NAMES = ("localhost", "127.0.0.1")
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Held:
    """What the holder of a session's certificate has."""

    identity: SessionIdentity
    key: bytes
    certificate: bytes
    serial: str


@dataclass
class Campus:
    """One gateway, its authority, and the front that serves its port."""

    gateway: Installation
    authority: Authority
    secret: Path
    served: Path
    port: int
    address: str
    limits: Limits
    clients: list[Any] = field(default_factory=list)

    def session(self, person: str = "minji", project: str = "open-data") -> SessionIdentity:
        self.gateway.open(person, project)
        return self.gateway.guard.sessions[-1]

    def certify(
        self,
        identity: SessionIdentity,
        lasts: timedelta = HOUR,
        now: datetime | None = None,
        authority: Authority | None = None,
        *,
        known: bool = True,
    ) -> Held:
        """A certificate of a session; `known`: the gateway's guard was told that it was issued."""
        key = new_key()
        issued = (authority or self.authority).certify(request(key), identity, now or utc_now(), lasts)
        if known:
            self.gateway.guard.certificates[issued.serial] = identity
        return Held(identity, key, issued.certificate, issued.serial)

    def connect(self, held: Held) -> Any:
        client: Any = flight.connect(
            self.address,
            tls_root_certs=self.authority.trusted().decode(),
            cert_chain=held.certificate.decode(),
            private_key=held.key.decode(),
            generic_options=[("grpc.use_local_subchannel_pool", 1)],
        )
        self.clients.append(client)
        return client


class LoopThread:
    """A task that serves until cancelled, in a loop of its own, as in a process of its own."""

    def __init__(self, serve: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._serve, self._begun = serve, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._begun.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._serve())
        self._begun.set()
        try:
            await self._task
        finally:
            await asyncio.sleep(0.05)  # transports that were cut are let go in the loop's next rounds


@pytest.fixture
def limits() -> Limits:
    """As long as a slow machine may take for a good connection."""
    return Limits(seconds=20.0)


@pytest.fixture
def campus(warehouse: Warehouse, run_folder: Path, tmp_path: Path, limits: Limits) -> Iterator[Campus]:
    secret, served = tmp_path / "authority", tmp_path / "remote"
    secret.mkdir()
    served.mkdir()
    authority = Authority(secret, served)
    authority.ensure(NAMES, utc_now())
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    address = f"grpc+tls://localhost:{port}"
    entrance = run_folder / "entrance.sock"
    with installation(warehouse, DESCRIPTIONS, run_folder, LIMITS, remote=(entrance, address)) as gateway:
        for name in ("subway_ridership", "dong_codes", "card_sales", "gu_boundary"):
            gateway.guard.grant(name)
        front = Front(Served(served), entrance, limits)
        thread = LoopThread(lambda: front.serve(listener))
        made = Campus(gateway, authority, secret, served, port, address, limits)
        try:
            yield made
        finally:
            for client in made.clients:
                client.close()
            thread.stop()
            listener.close()
