"""The public dashboards' origins: open to everybody, started on the first visit by whoever listens for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import web

from hub_config.gate.hosts import Kind
from hub_config.gate.policy import Refusal, Way
from hub_config.gate.serving import Serving
from hub_config.gate.upstreams import Upstreams

MOST_WAITING = 64  # names; more are nobody's dashboards


class State(StrEnum):
    """What the keeper said of a dashboard that does not run."""

    STARTING = "starting"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(slots=True, kw_only=True)
class Wanted:
    """Dashboards somebody asked for and that do not run; the keeper waits for them."""

    states: dict[str, State] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    _rang: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self, name: str) -> State:
        """Note that a dashboard is wanted; what is known of it so far."""
        state = self.states.get(name, State.STARTING)
        if state is not State.UNKNOWN and len(self.names) < MOST_WAITING:
            self.names.add(name)
            self._rang.set()
        return state

    def said(self, name: str, state: State) -> None:
        """What the keeper found out."""
        if len(self.states) >= MOST_WAITING:
            self.states.clear()
        self.states[name] = state
        self.names.discard(name)

    def running(self, name: str) -> None:
        """The dashboard runs."""
        self.states.pop(name, None)
        self.names.discard(name)

    async def wait(self, seconds: float) -> list[str]:
        """The wanted names, as soon as there are any or after some seconds."""
        try:
            await asyncio.wait_for(self._rang.wait(), seconds)
        except TimeoutError:
            return []
        self._rang.clear()
        names, self.names = sorted(self.names), set()
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboards:
    """Serves every dashboard."""

    serving: Serving
    upstreams: Upstreams
    wanted: Wanted

    async def serve(self, request: web.BaseRequest, name: str, own: str) -> web.StreamResponse:
        """Answer one request to a dashboard's origin."""
        raw = request.raw_path.partition("?")[0]
        rule = self.serving.judged(request, Kind.DASHBOARD, raw, own)
        if isinstance(rule, Refusal):
            return self.serving.refuse(request, rule.reason, None, Kind.DASHBOARD)
        if rule.way is Way.STATIC:
            return self.serving.static(request, Kind.DASHBOARD, raw)
        upstream = self.upstreams.at(f"d-{name}")
        if upstream is None:
            return self.serving.pages.answer(f"dashboard-{self.wanted.ask(name)}", request)
        answer = await self.serving.serve(request, upstream, rule, ("", ""), own, Kind.DASHBOARD)
        if rule.way is Way.PAGE and not answer.prepared and answer.status == 503:
            self.wanted.ask(name)
            return self.serving.pages.answer("dashboard-starting", request)
        return answer
