"""DuckDB in the reader's own process, over the same Parquet files: what everything is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def engine_of(given: Mapping[str, Any]) -> Any:
    """An engine with the limits that all get and the files as one view."""
    import duckdb

    engine = duckdb.connect(config={"threads": given["threads"], "memory_limit": f"{given['memory']}B"})
    engine.execute("SET preserve_insertion_order = false; SET parquet_metadata_cache = true")
    engine.execute(f"CREATE VIEW {given['table']} AS SELECT {given['columns']} FROM {given['source']}")
    return engine


def reader(given: Mapping[str, Any]) -> Callable[[str], Any]:
    """Asks an engine of its own: a cursor for each statement, the rows streamed into Arrow."""
    engine = engine_of(given)

    def ask(text: str) -> Any:
        found: Any = engine.cursor().sql(text)
        return found.to_arrow_reader(122_880).read_all()

    return ask
