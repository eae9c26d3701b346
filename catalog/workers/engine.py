"""A session's engine: its views made, its settings locked, nothing else in reach. Runs nobody's statement."""

from __future__ import annotations

import os
from typing import Any

import duckdb

OFF = [
    *("autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions"),
    "python_enable_replacements",
]


def open_engine(settings: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """The engine with its views made and its settings locked."""
    connection = duckdb.connect(config=dict.fromkeys(OFF, False))
    connection.execute(f"SET threads = {int(settings['threads'])}")
    connection.execute(f"SET memory_limit = '{int(settings['memory'])}B'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET parquet_metadata_cache = true")
    connection.execute("CREATE SCHEMA campus")
    for view in settings["views"]:
        # `text` is the broker's own statement over read_parquet(files, schema = field ids)
        connection.execute(view["text"])
    spill = settings["spill"]
    if spill:
        os.makedirs(spill, exist_ok=True)  # noqa: PTH103
        connection.execute(f"SET max_temp_directory_size = '{spill_room(spill, settings['spill_size'])}B'")
    connection.execute("SET temp_directory = ?", [spill or ""])
    connection.execute("SET allowed_paths = ?", [settings["files"]])
    connection.execute("SET enable_external_access = false")
    # these two stay open, for `open_cursor`
    connection.execute("SET allowed_configs = ['enable_progress_bar', 'enable_progress_bar_print']")
    connection.execute("SET lock_configuration = true")
    return connection


def spill_room(folder: str, most: int) -> int:
    """What may be spilled [bytes]: less than the folder holds, so that the engine says it is full."""
    found = os.statvfs(folder)
    return min(int(most), found.f_bavail * found.f_frsize * 9 // 10)


def open_cursor(engine: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A connection of its own that keeps count of its progress and prints none of it."""
    cursor = engine.cursor()
    cursor.execute("SET enable_progress_bar_print = false")
    cursor.execute("SET enable_progress_bar = true")
    return cursor
