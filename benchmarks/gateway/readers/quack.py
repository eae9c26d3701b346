"""DuckDB's own client and server, Quack, with the version whose extensions are in the package registry."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TOKEN = "benchmark"


def _loaded(given: Mapping[str, Any]) -> Any:
    """An engine with what Quack needs, from its wheels: nothing is fetched."""
    import duckdb
    import duckdb_extension_httpfs  # type: ignore[import-not-found]
    import duckdb_extension_quack  # type: ignore[import-not-found]

    engine = duckdb.connect(config={"threads": given["threads"], "memory_limit": f"{given['memory']}B"})
    engine.execute("SET autoinstall_known_extensions = false; SET preserve_insertion_order = false")
    for package in (duckdb_extension_httpfs, duckdb_extension_quack):
        folder = Path(str(package.__file__)).parent
        (extension,) = folder.rglob(f"v{duckdb.__version__}/*.duckdb_extension")
        engine.execute(f"LOAD '{extension}'")
    return engine


def serve(given: Mapping[str, Any]) -> None:
    """Serve the table until ended."""
    engine = _loaded(given)
    engine.execute("SET GLOBAL parquet_metadata_cache = true")
    engine.execute(f"CREATE VIEW {given['table']} AS SELECT {given['columns']} FROM {given['source']}")
    engine.execute(f"CALL quack_serve('{given['address']}', token = '{TOKEN}')").fetchall()
    while True:
        time.sleep(3600.0)


def reader(given: Mapping[str, Any]) -> Callable[[str], Any]:
    """Attaches it once; every statement runs at the server."""
    engine = _loaded(given)
    engine.execute(f"ATTACH '{given['address']}' AS there (TOKEN '{TOKEN}')")

    def ask(text: str) -> Any:
        quoted = text.replace("'", "''")
        return engine.execute(f"FROM there.query('{quoted}')").to_arrow_table()

    return ask
