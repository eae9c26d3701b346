"""What the pages stand on, in one value. Knows which parts there are, not how they were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from access_control.erasures.desk import ErasuresDesk
from access_control.exports.desk import ExportsDesk
from access_control.grants.desk import GrantsDesk
from access_control.ingests.desk import IngestsDesk
from access_control.people.desk import PeopleDesk
from access_control.portal.audit_log import AuditLog
from access_control.portal.facts import FactsShelf
from access_control.portal.gate_client import GateClient
from access_control.portal.hub_client import HubClient
from access_control.portal.own_record import OwnRecord
from access_control.portal.starts import StartBoard
from access_control.projects.desk import ProjectsDesk
from access_control.requests.desk import RequestsDesk
from access_control.sessions.desk import SessionsDesk
from catalog.descriptions import Dataset
from catalog.sandbox.launcher import Launcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What pages say about the place they run in.

    Parameters
    ----------
    url
        Public address, scheme to port; the only origin whose forms are accepted.
    host, port
        Its parts; every sandbox lives on a name below the host.
    isolation
        Mode the walls really have: root, userns or none.
    demo
        Whether every page says that this is a demonstration.
    web
        The installed front-end packages.
    dashboards
        Folder of the published dashboards.
    """

    url: str
    host: str
    port: int
    isolation: str
    demo: bool
    web: Path
    dashboards: Path

    @property
    def secure(self) -> bool:
        """Whether browsers reach it over TLS."""
        return self.url.startswith("https:")

    def site_url(self, site: str) -> str:
        """Public address of a sandbox's own origin."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{site}.{rest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a page may call.

    Parameters
    ----------
    internal_token
        Shared secret of the requests the gate makes under `/_internal/`.
    form_key
        Key of the tokens in forms.
    clock
        The time now, aware.
    """

    installation: Installation
    people: PeopleDesk
    projects: ProjectsDesk
    grants: GrantsDesk
    requests: RequestsDesk
    sessions: SessionsDesk
    exports: ExportsDesk
    ingests: IngestsDesk
    audit: AuditLog
    own_record: OwnRecord
    erasures: ErasuresDesk
    datasets: Mapping[str, Dataset]
    facts: FactsShelf
    launcher: Launcher
    hub: HubClient
    gate: GateClient
    starts: StartBoard
    internal_token: str
    form_key: bytes
    clock: Callable[[], datetime]
