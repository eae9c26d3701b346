"""The spooled rows of one file: read in batches, or asked in SQL within a memory limit. Knows no check.

A batch holds the described columns and the line each row stands in; SQL sees the same as table `rows`, with
`_row`, a number that rises in file order, and total rows of the publisher as table `totals`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.descriptions import Dataset
from catalog.ingest.blocks import BLOCK
from catalog.ingest.model import IngestError, Layout
from catalog.ingest.spool import LINE, ROW, TOTAL, Spool
from catalog.warehouse.schema import arrow_schema

BATCH = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What reading a file may take in memory, whatever the file's size.

    Parameters
    ----------
    block
        Bytes of the file in work at once; text and typed values of a block take about ten times as much.
    engine
        What the engine may hold before it spills to disk [bytes].
    """

    block: int = BLOCK
    engine: int = 512 << 20


BOUNDS = Bounds()


@dataclass(slots=True, kw_only=True)
class Numbers:
    """For rows that repeat a key: `_row` → which occurrence it is, as a Parquet file in the order of rows."""

    column: str
    path: Path


@dataclass(kw_only=True)
class Rows:
    """All rows of one file.

    Parameters
    ----------
    carried
        Columns that the file itself gives.
    numbers
        What replaces the ones in the column that counts occurrences.
    """

    file: str
    layout: Layout
    dataset: Dataset
    spool: Spool
    carried: tuple[str, ...]
    engine_memory: int
    numbers: Numbers | None = field(default=None)

    @property
    def count(self) -> int:
        """Rows that are taken [rows]."""
        return sum(p.rows - p.totals for p in self.spool.parts)

    @property
    def aside(self) -> int:
        """Total rows set aside [rows]."""
        return sum(p.totals for p in self.spool.parts)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """These columns of every row, with its line as `_line`, in file order."""
        wanted = list(dict.fromkeys([*columns, LINE, *self._helpers(columns)]))
        for path in self.spool.files:
            with pq.ParquetFile(path) as parquet:
                for batch in parquet.iter_batches(batch_size=BATCH, columns=wanted):
                    kept = batch.filter(pc.invert(batch[TOTAL])) if TOTAL in wanted else batch
                    if kept.num_rows:
                        yield self._numbered(kept).select([*columns, LINE])

    def described(self) -> Iterator[pa.RecordBatch]:
        """Every row in the description's columns and types."""
        schema = arrow_schema(self.dataset)
        for batch in self.batches(schema.names):
            arrays = [batch[f.name].cast(f.type) for f in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The answer to a query; only what is small is asked for.

        Raises
        ------
        IngestError
            `engine`: it needs more memory or disk than it may have.
        """
        with self._speaking():
            return self._engine.execute(sql, list(values)).fetchall()

    def do(self, sql: str) -> None:
        """Run a statement that answers nothing."""
        with self._speaking():
            self._engine.execute(sql)

    def close(self) -> None:
        """End the engine; the spool stays as it is."""
        if "_engine" in self.__dict__:
            self._engine.close()
            del self.__dict__["_engine"]

    def see_numbers(self, numbers: Numbers) -> None:
        """From now on that column says which occurrence a row is."""
        self.numbers = numbers
        self.close()

    def _helpers(self, columns: Sequence[str]) -> list[str]:
        helpers = [TOTAL] if self.layout.aside is not None else []
        if self.numbers is not None and self.numbers.column in columns:
            helpers.append(ROW)
        return helpers

    def _numbered(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.numbers is None or self.numbers.column not in batch.schema.names:
            return batch
        first, last = batch[ROW][0].as_py(), batch[ROW][-1].as_py()
        here = pq.read_table(self.numbers.path, filters=[(ROW, ">=", first), (ROW, "<=", last)])
        if not here.num_rows:
            return batch
        at = pc.index_in(batch[ROW], value_set=here[ROW].combine_chunks())
        taken: Any = here["n"].combine_chunks().take(at)
        numbers = pc.fill_null(taken, 1).cast(pa.int32())
        index = batch.schema.get_field_index(self.numbers.column)
        return batch.set_column(index, self.numbers.column, numbers)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise IngestError(
                "engine",
                file=self.file,
                line=None,
                ko=f"검사 중에 기억 장치나 디스크가 모자랍니다 ({_first_line(error)})",
                en=f"ran out of memory or disk while checking ({_first_line(error)})",
            ) from error

    @cached_property
    def _engine(self) -> duckdb.DuckDBPyConnection:
        engine = duckdb.connect(
            config={
                "memory_limit": f"{self.engine_memory}B",
                "temp_directory": str(self.spool.scratch),
                "threads": 2,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        engine.execute("SET enable_progress_bar = false")  # it would write to standard output
        files = ", ".join("'" + str(p).replace("'", "''") + "'" for p in self.spool.files)
        spooled = f"SELECT * FROM read_parquet([{files}])"  # noqa: S608 own paths
        if self.numbers is not None:
            name, path = quoted(self.numbers.column), str(self.numbers.path).replace("'", "''")
            spooled = (
                f"SELECT s.* REPLACE (coalesce(o.n, 1)::INTEGER AS {name}) FROM ({spooled}) s "  # noqa: S608
                f"LEFT JOIN read_parquet('{path}') o USING ({ROW})"
            )
        has_totals = self.layout.aside is not None
        where = f" WHERE NOT {TOTAL}" if has_totals else ""
        engine.execute(f"CREATE VIEW rows AS {spooled}{where}")
        if has_totals:
            engine.execute(f"CREATE VIEW totals AS {spooled} WHERE {TOTAL}")
        return engine


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: Sequence[str], prefix: str = "") -> str:
    """Columns in SQL."""
    return ", ".join(prefix + quoted(n) for n in names)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
