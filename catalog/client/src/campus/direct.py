"""Open datasets as the Parquet files the session has mounted. Asks the gateway only to explain a refusal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from campus.errors import UsageError

if TYPE_CHECKING:
    import dask.dataframe

    from campus.wire import Gateway


def mounted() -> dict[str, Path]:
    """Folder of every mounted dataset by its name."""
    entries = [e.partition("=") for e in os.environ.get("CAMPUS_OPEN", "").split(":") if "=" in e]
    return {name: Path(folder) for name, _, folder in entries}


def paths(gateway: Gateway, name: str) -> list[str]:
    """See `campus.path`."""
    folder = mounted().get(name)
    if folder is None:
        raise _not_mounted(gateway, name)
    return sorted(str(file) for file in folder.glob("*.parquet"))


def dask_files(gateway: Gateway, name: str, columns: Sequence[str] | None) -> dask.dataframe.DataFrame:
    """A mounted dataset as a Dask DataFrame, read from its files."""
    import dask.dataframe as dd

    return dd.read_parquet(paths(gateway, name), columns=None if columns is None else list(columns))


def not_direct() -> UsageError:
    """A condition or version with files that have neither."""
    return UsageError(
        "not-direct",
        ko="direct=True 는 최신 판의 파일을 그대로 읽으므로 where, version 과 함께 쓸 수 없습니다. "
        "direct 를 빼거나, 읽은 뒤 frame[frame.열 > 값] 으로 거르세요.",
        en="direct=True reads the newest version's files as they are, without where or version. "
        "Leave direct out, or filter afterwards: frame[frame.column > value].",
    )


def _not_mounted(gateway: Gateway, name: str) -> UsageError:
    entries = {entry["name"]: entry for entry in gateway.action("campus.datasets")["datasets"]}
    entry = entries.get(name)
    here = ", ".join(sorted(mounted())) or "-"
    use = f'campus.sql("… FROM {name}"), campus.dask("{name}")'
    if entry is None:
        why = "그런 데이터셋이 없습니다.", "There is no such dataset."
    elif entry["tier"] != "open":
        why = (
            "누구나 읽는 공개(open) 데이터셋이 아니어서 파일로 연결하지 않습니다. 질의마다 권한을 확인하고 "
            f"기록합니다: {use} 를 쓰세요.",
            "It is not open to everybody, so its files are not mounted: every read of it is checked and "
            f"recorded. Use {use}.",
        )
    else:
        why = (
            f"이 세션이 시작될 때 연결되지 않았습니다(프로젝트가 갖지 않았거나 뒤에 공개됨). {use} 를 쓰거나 "
            "세션을 다시 시작하세요.",
            "It was not mounted when this session started (the project does not hold it, or it was "
            f"published later). Use {use}, or restart the session.",
        )
    return UsageError(
        "not-mounted",
        ko=f"'{name}' 은(는) 파일로 읽을 수 없습니다. {why[0]} 연결된 데이터셋: {here}.",
        en=f"'{name}' cannot be read as files. {why[1]} Mounted: {here}.",
    )
