"""Signs people on at the hub with a one-time ticket from the portal; makes nobody. Knows no password."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.handlers import BaseHandler

from access_control.people.model import Person, Role
from hub_config.hub.parts import Parts, now

AUDIENCE = "hub"


class TicketHandler(BaseHandler):  # type: ignore[misc]
    """`/hub/ticket?ticket=…&next=…`."""

    async def get(self) -> None:
        """Redeem the ticket and go on; a spent one leads to the portal."""
        user = await self.login_user({"ticket": self.get_argument("ticket", "")})
        if user is None:
            self.redirect(self.settings["login_url"])
            return
        self.redirect(self.get_next_url(user))


class TicketAuthenticator(Authenticator):  # type: ignore[misc]
    """People are the portal's; the hub knows those the portal has told it of."""

    parts: Parts
    auto_login = True
    manage_roles = False
    refresh_pre_spawn = True
    auth_refresh_age = 60  # s

    def login_url(self, base_url: str) -> str:
        """Signing in is the portal's."""
        return f"{self.parts.settings.url}/sign-in"

    def get_handlers(self, app: Any) -> list[tuple[str, type[BaseHandler]]]:
        """The ticket's address is all there is."""
        return [("/ticket", TicketHandler)]

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """The person of an unused ticket, if the hub knows them already."""
        ticket = data.get("ticket") or ""
        person = await asyncio.to_thread(self.parts.people.redeem_ticket, ticket, AUDIENCE, now())
        if person is None or handler.find_user(person.handle) is None:
            return None
        return self._model(person)

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """Active people, and nobody else."""
        return await self._person(username) is not None

    async def refresh_user(self, user: Any, handler: Any = None, **options: Any) -> dict[str, Any] | bool:
        """Ask the portal's desk again: a suspended person is signed out and starts nothing."""
        person = await self._person(user.name)
        return self._model(person) if person is not None else False

    async def _person(self, handle: str) -> Person | None:
        person = await asyncio.to_thread(self.parts.people.person, handle)
        return person if person is not None and person.active else None

    def _model(self, person: Person) -> dict[str, Any]:
        return {"name": person.handle, "admin": Role.ADMINISTRATOR in person.roles}
