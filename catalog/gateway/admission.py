"""What an admitted query is, to the worker and to its reader, and the limits it runs in. Values only."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from catalog.gateway.guard import Evidence, QueryEvent, QueryEventKind, QueryId, Scan, SessionIdentity
from catalog.gateway.parameters import NONE, Parameters
from catalog.gateway.sql.normal import Normal, normalise
from catalog.gateway.sql.scans import Demands
from catalog.gateway.sql.show import CATALOG, SCHEMA
from catalog.gateway.sql.statement import Statement
from catalog.gateway.workspace import Table, names_of, quoted

ID_BYTES: Final = 8  # of a query's name, with which its tickets begin
_ORDERED = re.compile(r"\bORDER\s+BY\b", re.I)  # anywhere: to be safe


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """Limits of one session's worker: memory and spill [bytes], one query's time [s], engine threads.

    Attributes
    ----------
    saved_rows, saved_bytes
        Of one saved table [rows]; of all saved tables together [bytes].
    result
        Of what one query gives [bytes, as Arrow].
    running, open
        Queries of the session that run at once; that were admitted and have not ended, so run or wait.
    """

    memory: int = 1 << 30
    spill: int = 2 << 30
    seconds: float = 600.0
    threads: int = 2
    batch_rows: int = 122_880
    saved_rows: int = 10_000_000
    saved_bytes: int = 512 << 20
    result: int = 4 << 30
    running: int = 4
    open: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A recorded query: the ticket that runs it once, where, and what its reader should know.

    Where the reader gave a socket to write into, the query runs already and its ticket is good for nothing.
    For several readers it is known how the rows look: an Arrow IPC message. `generation` is the worker's.
    """

    query_id: QueryId
    ticket: bytes
    location: str
    generation: int
    facts: Mapping[str, Any]
    readers: int = 1
    schema: bytes = b""

    @property
    def tickets(self) -> tuple[bytes, ...]:
        """One for each reader, whose share of the rows is the worker's to say."""
        return tickets_of(self.ticket, self.readers)


def tickets_of(ticket: bytes, readers: int) -> tuple[bytes, ...]:
    """A ticket for each of the readers of one query; none tells another, nor the one they are made from."""
    if readers == 1:
        return (ticket,)
    name, secret = ticket[:ID_BYTES], ticket[ID_BYTES:]
    made = (hashlib.blake2b(bytes([n]), key=secret, digest_size=len(secret)) for n in range(readers))
    return tuple(name + one.digest() for one in made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What an admitted query does.

    Attributes
    ----------
    runs, shown
        The statement as it runs; and as it is recorded, where that is not the same.
    save_as, saved
        The name its result is kept under, if any; the saved tables it reads.
    into
        Where the worker writes the rows; without it they wait for a ticket.
    query_id
        Its name where it has one already.
    evidence, facts
        Of a governed statement, for the record and for its reader; its result is digested.
    lists, explain
        See `sql.statement.Statement`.
    demands, named
        The same; None where every table is read whole, and any column may be.
    part
        Table → the one file of it that is read, by its number, where a part of a table is asked for.
    files, scans
        Table → the files the worker reads of it, where not all; and what is read, for the record.
    readers
        Who takes the rows at once, each a share of them.
    """

    runs: str
    shown: str = ""
    parameters: Parameters = NONE
    save_as: str = ""
    saved: frozenset[str] = frozenset()
    into: socket.socket | None = None
    query_id: QueryId = QueryId("")
    evidence: Evidence | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    lists: tuple[tuple[str, str], ...] = ()
    explain: tuple[str, ...] = ()
    demands: Demands | None = None
    named: frozenset[str] | None = None
    part: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scans: tuple[Scan, ...] = ()
    readers: int = 1

    @classmethod
    def of(cls, statement: Statement, parameters: Parameters) -> Work:
        """A statement as it was judged."""
        return cls(
            runs=statement.text,
            shown=statement.shown,
            lists=statement.lists,
            explain=statement.explain,
            demands=statement.demands,
            named=statement.named,
            parameters=parameters,
        )

    def shared_by(self, readers: int) -> int:
        """How many readers its rows may go to: one, where they may have an order or are kept together."""
        kept = self.explain or self.save_as or self.lists or self.evidence is not None
        whole = kept or _ORDERED.search(self.runs)
        return 1 if whole else readers

    @property
    def early(self) -> socket.socket | None:
        """`into`, where the worker may begin while the admission is being recorded.

        The broker still holds the only end that can be read from, and closes it where the record fails. What
        keeps its rows, or whose digest is evidence, does something other than giving them: it waits.
        """
        return None if self.save_as or self.evidence is not None else self.into

    @property
    def recorded(self) -> str:
        """The statement for the record."""
        text = self.shown or self.runs
        return f"CREATE TABLE {CATALOG}.{SCHEMA}.{quoted(self.save_as)} AS {text}" if self.save_as else text

    def normal(self, tables: Iterable[Table]) -> Normal:
        """The same in parts: what may stay on record for good, and what a person put into it."""
        return normalise(self.recorded, names_of(tables), self.parameters.literals)

    def admitted(
        self, query_id: QueryId, identity: SessionIdentity, tables: Sequence[Table], now: datetime
    ) -> QueryEvent:
        """Its admission, for the log."""
        return QueryEvent(
            kind=QueryEventKind.ADMITTED,
            query_id=query_id,
            identity=identity,
            time=now,
            statement=self.recorded,
            tables=tuple(scanned for t in tables for scanned in t.scanned),
            purposes=tuple(sorted({grant.purpose for t in tables for grant in t.grants})),
            parameters=self.parameters.literals,
            normal=self.normal(tables),
            evidence=self.evidence,
            scans=self.scans,
        )

    @property
    def order(self) -> Mapping[str, Any]:
        """The same for the worker."""
        order = {
            "sql": self.runs,
            "parameters": self.parameters.wire,
            "save_as": self.save_as,
            "lists": self.lists,
            "explain": self.explain,
            "files": self.files,
        }
        return order | ({"digest": True} if self.evidence is not None else {})
