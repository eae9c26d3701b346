"""JupyterHub's Proxy over the gate's control socket. The gate runs by itself."""

from __future__ import annotations

import logging
from typing import Any

from jupyterhub.proxy import Proxy

from hub_config.gate.client import GateAway
from hub_config.hub.parts import Parts

log = logging.getLogger("campus.hub")


class GateProxy(Proxy):  # type: ignore[misc]
    """Tells the gate; when it is away, the routes are compared as soon as it is back."""

    parts: Parts
    should_start = False

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        """Tell the gate of a route."""
        try:
            await self.parts.gate.put(_slashed(routespec), target, data)
        except GateAway:
            log.warning("the gate is away; it is told of %s when it is back", routespec)

    async def delete_route(self, routespec: str) -> None:
        """Tell the gate to forget a route."""
        try:
            await self.parts.gate.delete(_slashed(routespec))
        except GateAway:
            log.warning("the gate is away; it forgets %s when it is back", routespec)

    async def get_all_routes(self) -> dict[str, Any]:
        """The hub's own routes as the gate knows them; the dashboards' are the keeper's."""
        try:
            routes = await self.parts.gate.routes()
        except GateAway:
            return {}
        return {spec: route for spec, route in routes.items() if "dashboard" not in route["data"]}


def _slashed(routespec: str) -> str:
    return routespec if routespec.endswith("/") else routespec + "/"
