"""Writes a twin as one Parquet file, batch by batch; a half-written one never has the asked-for name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.descriptions import Dataset
from catalog.synth.generate import Generator
from catalog.synth.model import SynthError, Twin

NOTE = "합성 데이터 / synthetic data, not actual statistics"


def write_twin(
    twin: Twin,
    dataset: Dataset,
    rows: int,
    out: Path,
    seed: int | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> int:
    """Bytes written; the file says in its own metadata that it is synthetic.

    Raises
    ------
    SynthError
        `bad-size`, `too-many-rows`; `cannot-write`: the folder is missing or full.
    """
    generator = Generator(twin, dataset)
    used = twin.seed if seed is None else seed
    notes = {"campus.synthetic": NOTE, "campus.dataset": dataset.name, "campus.seed": str(used)}
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        schema = generator.schema.with_metadata(notes)
        with pq.ParquetWriter(part, schema, compression="zstd", store_schema=False) as writer:
            writer.add_key_value_metadata(notes)
            for batch in counted(generator.batches(rows, seed), progress):
                writer.write_batch(batch)
        part.replace(out)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SynthError(
            "cannot-write", ko=f"'{out}'에 쓸 수 없습니다: {reason}", en=f"cannot write '{out}': {reason}"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return out.stat().st_size


def counted(batches: Iterator[pa.RecordBatch], progress: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    """The same batches, telling how many rows have passed."""
    done = 0
    for batch in batches:
        yield batch
        done += batch.num_rows
        progress(done)
