"""Spark's rows as Arrow, through Spark Connect. Runs in the rivals' environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def reader(given: Mapping[str, Any]) -> Callable[[str], Any]:
    """Asks a server that reads the same Parquet files."""
    from pyspark.sql import SparkSession  # type: ignore[import-not-found]

    session: Any = SparkSession.builder.remote(given["address"]).getOrCreate()
    session.read.parquet(*given["files"]).createOrReplaceTempView(given["table"])
    return lambda text: session.sql(text).toArrow()
