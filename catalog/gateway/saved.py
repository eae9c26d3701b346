"""Tables a session keeps in its worker: their names, and what each was made from. Knows no engine.

A saved table lives as long as the worker that holds it. The worker is made anew whenever what may be read
changes (a grant ends, a version is published, an earlier version is mounted), so nothing saved outlives the
right to what it came from.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from catalog.gateway.guard import QueryId
from catalog.gateway.refusals import GatewayError, QueryRefused, short
from catalog.gateway.sql.show import CATALOG, SCHEMA
from catalog.gateway.sql.tree import fold
from catalog.gateway.workspace import Table

MOST: Final = 20
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
Kept = Mapping[str, tuple[tuple[str, str], ...]]
"""Saved table → its columns and the engine's types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One saved table: the query that makes it, the worker's generation, and the tables it came from.

    Attributes
    ----------
    columns
        With the types of the engine; none until the worker could say them.
    """

    name: str
    query_id: QueryId
    generation: int
    sources: tuple[Table, ...]
    columns: tuple[tuple[str, str], ...] = ()


class SavedTables:
    """The saved tables of one session; thread-safe.

    Parameters
    ----------
    taken
        Names of datasets, granted or not: a saved table never hides one, also not a later one.
    """

    def __init__(self, taken: Collection[str]) -> None:
        self._taken = frozenset(fold(name) for name in taken)
        self._lock = threading.Lock()
        self._order = threading.Lock()
        self._known: dict[str, Saved] = {}
        self._users: dict[QueryId, frozenset[str]] = {}

    @contextmanager
    def in_order(self, saving: bool) -> Iterator[bool]:
        """Let one statement at a time replace or read saved tables, so that each is recorded with the
        sources of the very table it reads; False where there is none, and nobody waits."""
        if not saving and not self._known:
            yield False
            return
        with self._order:
            yield True

    def names(self, generation: int) -> tuple[str, ...]:
        """Those a worker holds."""
        with self._lock:
            return tuple(s.name for s in self._known.values() if s.generation == generation)

    def columns(self, generation: int, ask: Callable[[str], Sequence[Sequence[Any]]]) -> Kept:
        """Those a worker holds, with their columns; of one that is not made yet none is known.

        Parameters
        ----------
        ask
            The worker, which is asked once for each table; what it cannot say is not known.
        """
        with self._lock:
            held = [s for s in self._known.values() if s.generation == generation]
        new = [saved for saved in held if not saved.columns]
        if new:
            found = _asked([saved.name for saved in new], ask)
            with self._lock:
                for saved in new:
                    if self._known.get(fold(saved.name)) is saved:
                        self._known[fold(saved.name)] = replace(saved, columns=found.get(saved.name, ()))
                held = [s for s in self._known.values() if s.generation == generation]
        return {saved.name: saved.columns for saved in held}

    def refuse_lost(self, generation: int, text: str) -> None:
        """Say so if a refused statement seems to mean a table that went with an earlier worker.

        Raises
        ------
        QueryRefused
            `saved-gone`.
        """
        with self._lock:
            gone = [s.name for s in self._known.values() if s.generation != generation]
        for name in gone:
            if re.search(rf"\b{name}\b", text, re.I):
                raise _gone(name)

    def sources(self, names: Iterable[str], generation: int) -> tuple[Table, ...]:
        """What saved tables came from.

        Raises
        ------
        QueryRefused
            `saved-gone`: one of them went with an earlier worker.
        """
        found: dict[str, Table] = {}
        with self._lock:
            for name in names:
                saved = self._known.get(fold(name))
                if saved is None or saved.generation != generation:
                    raise _gone(name)
                found |= {table.name: table for table in saved.sources}
        return tuple(found[name] for name in sorted(found))

    def demand_free(self, name: str, open_queries: Collection[QueryId], read: Collection[str] = ()) -> None:
        """Refuse a name that cannot be saved under now.

        Raises
        ------
        QueryRefused
            `saved-name`, `saved-in-use` or `saved-too-many`.
        """
        if not _NAME.fullmatch(name) or fold(name) in self._taken:
            raise _name(name)
        with self._lock:
            used = {n for query in open_queries for n in self._users.get(query, ())} | set(read)
            if fold(name) in {fold(n) for n in used}:
                raise _in_use(name)
            if fold(name) not in self._known and len(self._known) >= MOST:
                raise _too_many(MOST)

    def keep(self, name: str, query_id: QueryId, generation: int, sources: Sequence[Table]) -> None:
        """A save is admitted; statements may name it from now on."""
        with self._lock:
            self._known[fold(name)] = Saved(
                name=name, query_id=query_id, generation=generation, sources=tuple(sources)
            )

    def use(self, query_id: QueryId, names: Collection[str], open_queries: Collection[QueryId]) -> None:
        """A query that reads saved tables is admitted."""
        with self._lock:
            self._users = {q: n for q, n in self._users.items() if q in open_queries}
            self._users[query_id] = frozenset(names)

    def failed(self, query_id: str) -> None:
        """A query ended without its result; if it was a save, there is no such table."""
        with self._lock:
            self._known = {n: s for n, s in self._known.items() if s.query_id != query_id}

    def drop(self, name: str) -> bool:
        """Forget one; False if there was none."""
        with self._lock:
            return self._known.pop(fold(name), None) is not None


def _asked(names: Sequence[str], ask: Callable[[str], Sequence[Sequence[Any]]]) -> Kept:
    listed = ", ".join(f"'{name}'" for name in names)  # of letters, digits and _
    text = (
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "  # noqa: S608
        f"WHERE database_name = '{CATALOG}' AND schema_name = '{SCHEMA}' AND table_name IN ({listed}) "
        "ORDER BY table_name, column_index"
    )
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    try:
        for table, column, kind in ask(text):
            found[str(table)] = (*found.get(str(table), ()), (str(column), str(kind)))
    except (GatewayError, QueryRefused):  # gone, or too slow to say
        return {}  # asked again by the next statement
    return found


def _name(name: str) -> QueryRefused:
    """A name that is a dataset's, or no name."""
    return QueryRefused(
        "saved-name",
        ko=f"'{short(name)}' 이름으로는 저장할 수 없습니다. 데이터셋 이름이 아닌, 영문자로 시작하는 "
        "이름(영문자, 숫자, _)을 쓰세요.",
        en=f"Nothing can be saved as '{short(name)}'. Use a name of letters, digits and _ that starts with a "
        "letter and is no dataset's.",
    )


def _in_use(name: str) -> QueryRefused:
    """A saved table that an open query, or its own replacement, reads."""
    return QueryRefused(
        "saved-in-use",
        ko=f"저장한 표 '{short(name)}' 을(를) 읽는 질의가 있어 바꾸거나 지울 수 없습니다. 그 질의가 끝나거나 "
        "취소된 뒤 다시 하거나 다른 이름을 쓰세요.",
        en=f"A query reads the saved table '{short(name)}', so it cannot be replaced or dropped. Wait "
        "until it ends, cancel it, or use another name.",
    )


def _gone(name: str) -> QueryRefused:
    """A saved table that went with its worker."""
    return QueryRefused(
        "saved-gone",
        ko=f"저장한 표 '{short(name)}' 이(가) 더는 없습니다. 읽을 수 있는 데이터가 바뀌거나(권한, 새 판) "
        "작업자가 다시 시작되면 저장한 표는 사라집니다. campus.save(...) 를 다시 실행하세요.",
        en=f"The saved table '{short(name)}' is gone: saved tables end when what may be read changes "
        "(grants, new versions) or the worker restarts. Run campus.save(...) again.",
    )


def _too_many(limit: int) -> QueryRefused:
    """More saved tables than one session keeps."""
    return QueryRefused(
        "saved-too-many",
        ko=f"한 세션에 {limit}개까지 저장할 수 있습니다. campus.drop(이름) 으로 지우세요.",
        en=f"A session keeps {limit} saved tables. Drop one with campus.drop(name).",
    )
