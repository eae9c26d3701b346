"""`campus ingest DATASET FILE…`: shows what the walled ingest service does and says."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import getpass
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from catalog.errors import CatalogError
from catalog.sandbox.isolation import Isolation, choose
from hub_config.launcher.places import service_uid
from hub_config.settings import Settings
from hub_config.up import state
from hub_config.up.once import run_once
from hub_config.up.ready import answers
from hub_config.up.supervisor import Supervisor

SHAPEFILE_PARTS = (".shx", ".dbf", ".prj", ".cpg")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Load the files; 1 where they were refused, with file, line and reason."""
    files = [Path(name).absolute() for name in arguments.files]
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        sys.stderr.write(f"campus: 파일이 없습니다 / no such file: {', '.join(missing)}\n")
        return 1
    try:
        isolation = choose(settings.isolation)
        settings = dataclasses.replace(settings, isolation=isolation.mode.value)
        state.prepare(settings, service_uid(settings, isolation))
        return asyncio.run(_ingest(settings, isolation, arguments.dataset, files))
    except CatalogError as error:
        sys.stderr.write(f"campus: {error.ko}\n        {error.en}\n")
    except state.CannotStart as error:
        sys.stderr.write(f"campus: {error}\n")
    return 1


async def _ingest(settings: Settings, isolation: Isolation, dataset: str, files: Sequence[Path]) -> int:
    arguments = ("--by", getpass.getuser(), dataset, *map(str, files))
    async with _audit_log(settings, isolation):
        async for said in run_once(settings, isolation, "ingest", arguments, readable=_with_parts(files)):
            match said:
                case {"progress": text}:
                    sys.stderr.write(f"▸ {text}\n")
                case {"refused": {"ko": ko, "en": en}}:
                    sys.stderr.write(f"✗ {ko}\n  {en}\n")
                    return 1
                case {"published": dict(done)}:
                    sys.stdout.write(
                        f"✓ {done['dataset']}: {done['rows']:,}행 적재, 전체 {done['total_rows']:,}행, "
                        f"판 {done['snapshot']} / {done['rows']:,} rows loaded\n"
                    )
                    if done["replaced_synthetic"]:
                        sys.stdout.write(
                            "  합성 표본을 실제 자료로 바꾸었습니다 / the synthetic sample is replaced\n"
                        )
    return 0


@contextlib.asynccontextmanager
async def _audit_log(settings: Settings, isolation: Isolation) -> AsyncIterator[None]:
    """The running product's log writer, or one of our own while nothing else runs."""
    if await asyncio.to_thread(answers, settings, "audit"):
        yield
        return
    with state.lock(settings):
        supervisor = Supervisor(settings, isolation)
        try:
            await supervisor.start("audit")
            yield
        finally:
            await supervisor.stop()


def _with_parts(files: Sequence[Path]) -> list[Path]:
    """The files, and what belongs to a shapefile beside its `.shp`."""
    found = list(files)
    for path in files:
        if path.suffix.lower() == ".shp":
            found += [p for s in SHAPEFILE_PARTS if (p := path.with_suffix(s)).is_file()]
    return list(dict.fromkeys(found))
