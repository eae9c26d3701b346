"""PostgreSQL's rows as Arrow, through its ADBC driver. Runs in the rivals' environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def reader(given: Mapping[str, Any]) -> Callable[[str], Any]:
    """Asks over one connection, as the analyst whose rows are limited."""
    import adbc_driver_postgresql.dbapi as dbapi  # type: ignore[import-not-found]

    connection = dbapi.connect(given["uri"], autocommit=True)
    with connection.cursor() as cursor:
        cursor.execute(f"SET work_mem = '{given['work_memory']}kB'")

    def ask(text: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetch_arrow_table()

    return ask
