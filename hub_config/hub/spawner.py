"""JupyterHub's Spawner over sandboxes: one named server a project. Knows the order, not the walls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from jupyterhub.spawner import Spawner
from tornado import web

from access_control.errors import AccessError, Denied
from hub_config.hub.parts import Parts
from hub_config.hub.sandboxes import NotStarted, end_sandbox, gone, open_sandbox, target_of


class SpawnRefused(web.HTTPError):
    """What the hub answers when a server does not start, Korean first."""

    def __init__(self, status: int, reason: str) -> None:
        self.jupyterhub_message = (
            f"분석 세션을 시작할 수 없습니다 ({reason}). 포털에서 다시 시도하세요. / "
            f"The session cannot be started ({reason}). Please try again from the portal."
        )
        super().__init__(status, self.jupyterhub_message.replace("%", "%%"))


class SessionSpawner(Spawner):  # type: ignore[misc]
    """A person's session in one project.

    `parts` is set by the configuration; `stop_reason` by whoever asks for a stop.
    """

    parts: Parts
    session_id = ""
    sandbox_id = ""
    stop_reason = ""

    def get_state(self) -> dict[str, Any]:
        """What a restarted hub needs to find the sandbox again."""
        state: dict[str, Any] = super().get_state()
        return state | {"session_id": self.session_id, "sandbox_id": self.sandbox_id}

    def load_state(self, state: dict[str, Any]) -> None:
        """Find the sandbox again."""
        super().load_state(state)
        self.session_id = state.get("session_id", "")
        self.sandbox_id = state.get("sandbox_id", "")

    def clear_state(self) -> None:
        """Forget the sandbox."""
        super().clear_state()
        self.session_id = self.sandbox_id = self.stop_reason = ""

    async def start(self) -> str:
        """Open the session and answer where it listens."""
        if not self.name:
            raise SpawnRefused(400, "project-missing")
        try:
            opened = await open_sandbox(
                self.parts, self.user.name, self.name, f"/user/{self.user.name}/{self.name}/"
            )
        except Denied as error:
            raise SpawnRefused(403, error.reason) from error
        except (AccessError, NotStarted) as error:
            raise SpawnRefused(503, error.reason) from error
        self.session_id, self.sandbox_id = opened.session_id, opened.sandbox_id
        return self._address()

    async def get_url(self) -> str:
        """Where the session listens, for a restarted hub."""
        self._address()
        return str(self.server.url)

    async def stop(self, now: bool = False) -> None:
        """End the session."""
        if self.session_id:
            reason = self.stop_reason or "stopped"
            await end_sandbox(self.parts, self.session_id, self.sandbox_id, reason)

    async def poll(self) -> int | None:
        """None while the sandbox runs; a session that died is recorded as such."""
        if not self.session_id:
            return 0
        if not await gone(self.parts, self.sandbox_id):
            return None
        await end_sandbox(self.parts, self.session_id, "", "died")
        return 1

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """One step is enough: a session takes about a second."""
        yield {"progress": 30, "message": "분석 세션을 준비합니다 / Preparing the session"}

    def _address(self) -> str:
        target = target_of(self.parts, self.session_id)
        self.server.connect_url = target  # hub 6.1 stores ip and port of a unix URL and appends ":80"
        return target
