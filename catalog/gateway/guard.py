"""What the gateway asks of the rules: who reads, what is granted, what is recorded. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol

from catalog.descriptions.scope import WHOLE, Scope
from catalog.errors import CatalogError
from catalog.gateway.sql.normal import Normal

SessionId = NewType("SessionId", str)
QueryId = NewType("QueryId", str)


class RecordFailed(CatalogError):
    """The event is not durable; nothing may be given out."""


class RecordUnsure(RecordFailed):
    """Nobody answered in time: the event may be durable or not. Recording it again settles that."""


class ExportRefused(CatalogError):
    """An export request that was not accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionIdentity:
    """Whose session a gateway socket belongs to; `person` is empty for a dashboard."""

    session_id: SessionId
    person: str
    project: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedTable:
    """One dataset variant, or parts of it, that the project may read until `expires` (None: no end).

    Attributes
    ----------
    partitions
        The parts; several grants on one variant cover together what each of them covers.
    """

    dataset: str
    variant: str
    grant_id: str
    purpose: str
    expires: datetime | None
    partitions: Scope = WHOLE


class Transport(StrEnum):
    """How a call reaches the gateway."""

    SOCKET = "socket"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a call came: over the session's own socket, or by TLS with a certificate of this serial [hex]."""

    transport: Transport = Transport.SOCKET
    certificate: str = ""


NEARBY = Route()


class QueryEventKind(StrEnum):
    """What happened to a query; every `admitted` is followed by exactly one of the last three."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedTable:
    """A dataset variant, the exact version of it, and the grant by which a query reads its parts."""

    dataset: str
    variant: str
    snapshot_id: int
    grant_id: str
    partitions: Scope = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What of one version a query reads, by the engine's plan and the files it is given.

    Attributes
    ----------
    columns
        Those the engine reads, in order; None where it could not say, so take it for every column.
    files, granted
        Data files that it is given, and those that it might be given [files].
    partitions
        The partitions these files are; empty where every granted file is given, or none has partitions.
    """

    dataset: str
    variant: str
    snapshot_id: int
    columns: tuple[str, ...] | None
    files: int
    granted: int
    partitions: Scope = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a governed answer was made of; each group's units lie with the gateway, by the query's id.

    Attributes
    ----------
    groups, merged
        Groups that were given, and those that went into the remainder [groups].
    minimum, least_units
        That a group must have, and that the smallest one given has [units].
    noise
        Whether counts were told with cell-key noise.
    """

    dataset: str
    snapshot_id: int
    groups: int
    merged: int
    minimum: int
    least_units: int
    noise: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryEvent:
    """One line for the access log.

    Attributes
    ----------
    statement, parameters
        The canonical statement that runs, or the beginning of a refused text; name and SQL literal of every
        value that was bound. Both may name people: only `normal` goes into the record that stays.
    rows, bytes
        What was sent to the session, as Arrow buffers [bytes].
    seconds
        From admission to the end [s].
    normal
        The statement without what a person put into it, and that, to be kept where it can be erased. None:
        nothing of the statement may stay.
    evidence
        Of a governed answer; None for any other.
    digest
        sha256 of a governed result that was given, as an Arrow IPC stream of one batch.
    route
        How the statement came.
    scans
        What is read, table by table; a query over saved tables alone reads nothing more.
    """

    kind: QueryEventKind
    query_id: QueryId
    identity: SessionIdentity
    time: datetime
    statement: str
    tables: tuple[ScannedTable, ...] = ()
    purposes: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    reason: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    normal: Normal | None = None
    evidence: Evidence | None = None
    digest: str = ""
    route: Route = NEARBY
    scans: tuple[Scan, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxFile:
    """A file waiting in the session's outbox; `size` [bytes]."""

    name: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReceipt:
    """An accepted export request; `files` are (name, sha256, size [bytes])."""

    request_id: str
    url_path: str
    files: tuple[tuple[str, str, int], ...]


class Guard(Protocol):
    """Implemented by the floor above; every method is thread-safe."""

    def live_sessions(self) -> tuple[SessionIdentity, ...]:
        """Sessions that run now; their sockets are opened again after a restart."""
        ...

    def bearer(self, serial: str, now: datetime) -> SessionIdentity | None:
        """The session a certificate stands for; None where it was never issued, was revoked or has ended.

        Asked at every call from another machine; a session that has stopped has no certificate any more.
        """
        ...

    def granted(self, identity: SessionIdentity, now: datetime) -> tuple[GrantedTable, ...]:
        """What the session may read; asked at every query, and every second while one runs."""
        ...

    def standing(self, identity: SessionIdentity, now: datetime) -> tuple[GrantedTable, ...]:
        """Of what is granted, the whole tables that the installation itself grants (열린 데이터)."""
        ...

    def record_mounts(
        self, identity: SessionIdentity, mounts: tuple[ScannedTable, ...], now: datetime
    ) -> int:
        """Make durable that the session starts with these versions mounted, and return the number.

        Raises
        ------
        RecordFailed
            It is not durable; nothing may be mounted.
        """
        ...

    def record(self, event: QueryEvent) -> int:
        """Make the event durable and return its sequence number.

        A query has one event of each step: its admission or refusal, and its end. Whatever is recorded of the
        same step again, the first one stays.

        Raises
        ------
        RecordUnsure
            It may be durable or not.
        RecordFailed
            It is not durable.
        """
        ...

    def record_all(self, events: Sequence[QueryEvent]) -> None:
        """As `record` of each in order, at once; where it raises, any of them may be durable."""
        ...

    def submit_export(
        self, identity: SessionIdentity, names: tuple[str, ...], purpose: str, now: datetime
    ) -> ExportReceipt:
        """Copy files of the outbox and ask for their release.

        Raises
        ------
        CatalogError
            Refused, with what to do.
        """
        ...

    def outbox(self, identity: SessionIdentity) -> tuple[OutboxFile, ...]:
        """Files in the session's outbox."""
        ...
