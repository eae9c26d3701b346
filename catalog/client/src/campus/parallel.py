"""A dataset as a Dask DataFrame whose parts each ask for their own ticket when they run. Plans no sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from campus.errors import UsageError

if TYPE_CHECKING:
    import dask.dataframe
    import pandas

    from campus.wire import Gateway


def read_part(index: int, *, name: str, snapshot: str, columns: list[str], where: str) -> pandas.DataFrame:
    """One part as a frame; runs in a Dask worker, on that process's own connection."""
    from campus import _gateway
    from campus.result import Result

    stream = _gateway.partition(index, name=name, snapshot=snapshot, columns=columns, where=where)
    return Result(stream).df()


def dask_frame(
    gateway: Gateway, name: str, columns: Sequence[str] | None, where: str
) -> dask.dataframe.DataFrame:
    """See `campus.dask`; `name` may be `table@version`."""
    import dask.dataframe as dd
    import pyarrow as pa

    plan = gateway.action("campus.partitions", name=name, where=where)
    types = {c["name"]: c["type"] for c in plan["columns"]}
    wanted = list(types) if columns is None else list(columns)
    unknown = [c for c in wanted if c not in types]
    if unknown or not wanted:
        raise UsageError(
            "no-column",
            ko=f"'{name}' 데이터셋에 없는 열입니다: {', '.join(unknown)}. 있는 열: {', '.join(types)}.",
            en=f"'{name}' has no column {', '.join(unknown)}. Columns: {', '.join(types)}.",
        )
    schema = pa.schema([pa.field(c, _arrow(types[c])) for c in wanted])
    meta = schema.empty_table().to_pandas(date_as_object=False)
    if not plan["parts"]:
        return dd.from_pandas(meta, npartitions=1)
    return dd.from_map(
        read_part,
        [part["index"] for part in plan["parts"]],
        name=plan["name"],
        snapshot=plan["snapshot"],
        columns=wanted,
        where=where,
        meta=meta,
        label=f"campus-{plan['name']}",
    )


def _arrow(kind: str) -> Any:
    import pyarrow as pa

    plain = {
        "VARCHAR": pa.string(),
        "INTEGER": pa.int32(),
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "FLOAT": pa.float32(),
        "DATE": pa.date32(),
        "BLOB": pa.binary(),
        "BOOLEAN": pa.bool_(),
        "TIMESTAMP": pa.timestamp("us"),
    }
    return plain.get(kind, pa.string())
