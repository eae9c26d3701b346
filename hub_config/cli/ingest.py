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
from catalog.ingest.findings import Difference, Inspection, Status
from catalog.ingest.meter import Phase, Progress
from catalog.ingest.report import of_json
from catalog.sandbox.isolation import Isolation, choose
from hub_config.cli.meter import Bar
from hub_config.launcher.places import service_uid
from hub_config.settings import Settings
from hub_config.up import state
from hub_config.up.once import run_once
from hub_config.up.ready import answers
from hub_config.up.supervisor import Supervisor

SHAPEFILE_PARTS = (".shx", ".dbf", ".prj", ".cpg")
MOST_ROWS = 20  # failing rows shown
SIGNS = {Status.PASSED: "✓", Status.FAILED: "✗", Status.SKIPPED: "–"}


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Load or only check the files; 1 where they were refused, with file, line and reason."""
    files = [Path(name).absolute() for name in arguments.files]
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        sys.stderr.write(f"campus: 파일이 없습니다 / no such file: {', '.join(missing)}\n")
        return 1
    try:
        isolation = choose(settings.isolation)
        settings = dataclasses.replace(settings, isolation=isolation.mode.value)
        state.prepare(settings, service_uid(settings, isolation))
        options = ["--check"] if arguments.check else []
        options += [f"--accept={text}" for text in arguments.accept]
        return asyncio.run(_ingest(settings, isolation, arguments.dataset, files, options))
    except CatalogError as error:
        sys.stderr.write(f"campus: {error.ko}\n        {error.en}\n")
    except state.CannotStart as error:
        sys.stderr.write(f"campus: {error}\n")
    return 1


async def _ingest(
    settings: Settings, isolation: Isolation, dataset: str, files: Sequence[Path], options: Sequence[str]
) -> int:
    arguments = ("--by", getpass.getuser(), *options, dataset, *map(str, files))
    good, bar = True, Bar(sys.stderr)
    async with _audit_log(settings, isolation):
        async for said in run_once(settings, isolation, "ingest", arguments, readable=_with_parts(files)):
            match said:
                case {"meter": dict(numbers)}:
                    bar.show(Progress(**(numbers | {"phase": Phase(numbers["phase"])})))
                    continue
                case _:
                    bar.clear()
            match said:
                case {"progress": text}:
                    sys.stderr.write(f"▸ {text}\n")
                case {"inspected": dict(content)}:
                    found = of_json(content)
                    _show(found)
                    good = not found.refusals and not found.failing
                case {"refused": {"ko": ko, "en": en}}:
                    sys.stderr.write(f"✗ {ko}\n  {en}\n")
                    return 1
                case {"published": dict(done)}:
                    good = True
                    sys.stdout.write(
                        f"✓ {done['dataset']}: {done['rows']:,}행 적재, 전체 {done['total_rows']:,}행, "
                        f"판 {done['snapshot']} / {done['rows']:,} rows loaded\n"
                    )
                    if done["replaced_synthetic"]:
                        sys.stdout.write(
                            "  합성 표본을 실제 자료로 바꾸었습니다 / the synthetic sample is replaced\n"
                        )
    return 0 if good else 1


def _show(found: Inspection) -> None:
    """What a steward needs to decide: files, checks, difference, failing rows."""
    out = sys.stdout
    for file in found.files:
        encoding = f", {file.encoding}" if file.encoding else ""
        out.write(f"  {file.name}: {file.rows:,}행 rows, {file.layout} ({file.title.ko}){encoding}\n")
    for refusal in found.refusals:
        out.write(f"✗ {refusal.said.ko}\n  {refusal.said.en}\n")
    for outcome in found.outcomes if found.files else ():
        said = f": {outcome.said.ko}" if outcome.said is not None else ""
        out.write(f"{SIGNS[outcome.status]} {outcome.name}{said}\n")
    if found.difference is not None:
        _show_difference(found.difference)
    rows = [row for row in found.quarantine if row.line is not None][:MOST_ROWS]
    for row in rows:
        out.write(f"    {row.file}:{row.line}  {row.column}  {row.value}  [{row.rule}]\n")


def _show_difference(difference: Difference) -> None:
    out = sys.stdout
    out.write(f"  행 rows: {difference.rows_before:,} → {difference.rows_after:,}\n")
    for words, periods in (("새 기간 new", difference.added), ("바뀜 replaced", difference.replaced)):
        if periods:
            more = f" … ({len(periods):,})" if len(periods) > 12 else ""
            out.write(f"  {words}: {', '.join(periods[:12])}{more}\n")


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
