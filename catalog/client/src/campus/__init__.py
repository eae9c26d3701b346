"""Campus in a notebook: read granted datasets, ask for results to leave. Knows only this session's gateway.

>>> import campus
>>> campus.datasets()                               # what may be read
>>> campus.describe("subway_ridership")             # what its columns mean
>>> campus.sql("SELECT line, sum(boardings) FROM subway_ridership GROUP BY line").df()
>>> campus.geo("gu_boundary").plot()                # a map
>>> campus.path("subway_ridership")                 # an open dataset's own files
>>> campus.codes.crosswalk("KOSTAT-dong-7", "MOIS-dong-8")   # and what is lost on the way
>>> campus.export("result.csv", purpose="강의 과제")
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from campus.coding import Codes
from campus.errors import (
    CampusError,
    ExportRefused,
    GatewayUnavailable,
    QueryFailed,
    QueryRefused,
    UsageError,
)
from campus.values import Parameters
from campus.values import wire as _wire
from campus.wire import Gateway

if TYPE_CHECKING:
    from dask.dataframe import DataFrame as DaskFrame
    from geopandas import GeoDataFrame

    from campus.catalogue import Datasets, Description, Versions
    from campus.exporting import Named, Receipt
    from campus.result import Kept, Result

__all__ = [
    "CampusError",
    "ExportRefused",
    "GatewayUnavailable",
    "QueryFailed",
    "QueryRefused",
    "UsageError",
    "codes",
    "dask",
    "datasets",
    "describe",
    "drop",
    "export",
    "geo",
    "outbox",
    "path",
    "save",
    "sql",
    "table",
    "versions",
]

_gateway = Gateway()
codes: Final = Codes(lambda name, **request: _gateway.action(name, **request))
"""Code systems, crosswalks between them, and checks of a column's codes."""


def datasets() -> Datasets:
    """The datasets this session may read, then those one can apply for."""
    from campus.catalogue import Datasets

    return Datasets(_gateway.action("campus.datasets")["datasets"])


def describe(name: str) -> Description:
    """What a dataset is and what its columns mean, in Korean and English."""
    from campus.catalogue import Description

    return Description(_gateway.action("campus.describe", name=name))


def sql(query: str, parameters: Parameters | None = None) -> Result:
    """Run a SELECT over granted datasets.

    Parameters
    ----------
    query
        SELECT, WITH, VALUES, PIVOT, DESCRIBE, SUMMARIZE, EXPLAIN or SHOW TABLES in DuckDB's SQL.
    parameters
        Values for its placeholders: a list for `?`, a dict for `$name`. Of type str, int, float, bool, None,
        date, datetime, Decimal, or lists of them. The engine binds them: they never become part of the text.

    Examples
    --------
    >>> campus.sql("SELECT * FROM subway_ridership WHERE line = ? AND date >= ?", ["2호선", date(2026, 1, 1)])
    >>> campus.sql("SELECT * FROM subway_ridership WHERE line = $line", {"line": "2호선"})

    Raises
    ------
    QueryRefused
        It names something not granted or not allowed; the message says what to do.
    QueryFailed
        It could not be finished: an error in the query, or a limit.

    Notes
    -----
    A query that takes longer than a second shows its progress; Ctrl-C (the stop button) cancels it.
    """
    from campus.result import Result

    return Result(_gateway.query(query, _wire(parameters)))


def save(name: str, query: str, parameters: Parameters | None = None) -> Kept:
    """Keep a query's result as a table of this session, to be named in later queries; nothing is sent here.

    It stays in the query worker, so it ends with it: when the session ends, when a grant ends, or when a new
    version of some dataset is published. A later query then says to save again. The same name replaces it.

    Parameters
    ----------
    name
        Letters, digits and _; no dataset's name.
    query, parameters
        As in `sql`.

    Raises
    ------
    QueryRefused
        The name or the query is not allowed.
    QueryFailed
        The query failed, or its result is too large to be kept; the message says how much is allowed.

    Examples
    --------
    >>> campus.save("busy", "SELECT station, sum(boardings) AS n FROM subway_ridership GROUP BY station")
    >>> campus.sql("SELECT * FROM busy ORDER BY n DESC LIMIT 10")
    """
    from campus.result import Kept, Result

    return Kept(name, Result(_gateway.query(query, _wire(parameters), save_as=name)))


def drop(name: str) -> bool:
    """Forget a saved table; False if there is none.

    Raises
    ------
    QueryRefused
        A running query reads it.
    """
    return bool(_gateway.action("campus.drop", name=name)["dropped"])


def table(name: str, columns: Sequence[str] | None = None, version: int | str | None = None) -> Result:
    """A whole dataset, streamed; better let `sql` filter and aggregate first.

    Parameters
    ----------
    version
        A version of `versions(name)`; the newest unless given. In SQL the same is `FROM "name@version"`.
    """
    from campus.catalogue import versioned
    from campus.result import Result

    wanted = ", ".join(_quoted(c) for c in columns) if columns else "*"
    source = _quoted(name if version is None else versioned(name, version))
    return Result(_gateway.query(f"SELECT {wanted} FROM {source}"))  # noqa: S608


def versions(name: str) -> Versions:
    """Every version of a dataset, newest first: its number, when, how many rows, from what."""
    from campus.catalogue import Versions

    return Versions(_gateway.action("campus.versions", name=name))


def dask(
    name: str,
    columns: Sequence[str] | None = None,
    where: str | None = None,
    version: int | str | None = None,
    *,
    direct: bool = False,
) -> DaskFrame:
    """A dataset as a Dask DataFrame, read in parts; each part is admitted and recorded when it runs.

    Parameters
    ----------
    columns
        The columns to read; all unless given.
    where
        A condition in SQL over the dataset's columns, such as "line = '2호선' AND boardings > 0". Rows are
        chosen where the data is, and parts that can hold no such row are not asked for at all.
    version
        A version of `versions(name)`; the newest unless given.
    direct
        Read an open dataset's mounted files (`path`) instead of asking for tickets.

    Raises
    ------
    QueryRefused
        It is not granted, or `where` is more than one condition over what is granted.
    UsageError
        `direct` for a dataset that is not mounted, or together with `where` or `version`.

    Notes
    -----
    Where a sum or a count is wanted, `sql` is faster: it computes where the data is.
    """
    from campus.catalogue import versioned
    from campus.parallel import dask_frame

    if direct:
        from campus.direct import dask_files, not_direct

        if where is not None or version is not None:
            raise not_direct()
        return dask_files(_gateway, name, columns)
    return dask_frame(_gateway, name if version is None else versioned(name, version), columns, where or "")


def path(name: str) -> list[str]:
    """The Parquet files of an open dataset, for pandas, Polars, Dask, DuckDB and others; read-only.

    They are the version that was newest when the session started; a later one is there in the next session.
    `_version.json` beside them says which. That they are mounted is recorded once, at the start.

    Examples
    --------
    >>> polars.scan_parquet(campus.path("subway_ridership")).select("line").unique().collect()

    Raises
    ------
    UsageError
        The dataset is not open, or was not mounted; the message says what to use instead.
    """
    from campus.direct import paths

    return paths(_gateway, name)


def geo(name: str, columns: Sequence[str] | None = None, version: int | str | None = None) -> GeoDataFrame:
    """A dataset with shapes (boundaries, stops) as a GeoDataFrame in the reference system it declares.

    Parameters
    ----------
    columns
        The columns beside the geometry; all unless given.
    version
        A version of `versions(name)`; the newest unless given.

    Raises
    ------
    QueryRefused
        It is not granted.
    UsageError
        The dataset has no geometry.
    """
    from campus.errors import no_geometry

    about = describe(name)
    if about.geometry is None:
        raise no_geometry(about.columns)
    if columns is not None and about.geometry not in columns:
        columns = [*columns, about.geometry]
    return table(name, columns, version).geo()


def outbox() -> list[dict[str, object]]:
    """Files waiting in the outbox."""
    return list(_gateway.action("campus.outbox")["files"])


def export(files: Named | Sequence[Named], *, purpose: str) -> Receipt:
    """Ask for files to leave; they do after a person has reviewed them.

    Parameters
    ----------
    files
        Names in the outbox, or paths of files that are copied into it.
    purpose
        What the result is for; the reviewer reads it.
    """
    from campus.exporting import export as submit

    return submit(_gateway, files, purpose)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
