"""A query's result: streamed, kept once read, shown as a short table. Loads frames only when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from campus.errors import UsageError, no_geometry
from campus.html import note, table

if TYPE_CHECKING:
    import geopandas
    import pandas
    import pyarrow as pa

    from campus.local import LocalStream
    from campus.wire import Stream

SHOWN: Final = 10
COUNTED: Final = 200_000  # rows read to count them for display; longer results show "at least"


class Result:
    """Rows of one query.

    Notes
    -----
    `arrow`, `df` and `geo` read everything and keep it; `reader` hands the stream over, once.
    """

    def __init__(self, stream: Stream | LocalStream) -> None:
        self._stream = stream
        self._read: list[pa.RecordBatch] = []
        self._ended = False
        self._given_away = False
        self._source = stream.batches()

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self._stream.schema

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.schema.names)

    @property
    def synthetic(self) -> bool:
        """Whether any row comes from made-up data (합성 데이터)."""
        return bool(self._stream.facts.get("synthetic"))

    @property
    def query_id(self) -> str:
        """The query's number in the access log."""
        return str(self._stream.facts.get("query_id", ""))

    @property
    def snapshots(self) -> dict[str, str]:
        """The exact version of every dataset that was read; note it to repeat the result later."""
        return dict(self._stream.facts.get("snapshots", {}))

    @property
    def governed(self) -> dict[str, Any]:
        """What was done to an answer from restricted data (제한 데이터); empty for any other.

        `minimum` [units] a group must have, `groups` given, `merged` into the group named `remainder`, and
        `withheld` where nothing was left to give.
        """
        return dict(self._stream.facts.get("governed", {}))

    def arrow(self) -> pa.Table:
        """Everything as an Arrow table."""
        import pyarrow as pa

        self._pull(None)
        return pa.Table.from_batches(self._read, self.schema)

    def df(self) -> pandas.DataFrame:
        """Everything as a pandas DataFrame; dates are datetime64, whole-number sums are int64.

        DuckDB's sum of integers is a 128-bit number, which Arrow carries as decimal(38, 0); pandas would make
        Python objects of it that cannot be plotted. It becomes int64, or float64 where it does not fit.
        """
        return _countable(self.arrow()).to_pandas(date_as_object=False)

    def geo(self, column: str | None = None, crs: str | None = None) -> geopandas.GeoDataFrame:
        """Everything as a GeoDataFrame.

        Parameters
        ----------
        column
            The column of WKB; the dataset's own geometry column unless given.
        crs
            Reference system of its coordinates, such as "EPSG:5179"; the dataset's own unless given.

        Raises
        ------
        UsageError
            There is no such column.
        """
        import geopandas

        known: Mapping[str, str] = self._stream.facts.get("geometry", {})
        name = column or next((c for c in known if c in self.columns), None)
        if name is None or name not in self.columns:
            raise no_geometry(self.columns)
        frame = self.df()
        shapes = geopandas.GeoSeries.from_wkb(frame[name], crs=crs or known.get(name))
        return geopandas.GeoDataFrame(frame.drop(columns=name), geometry=shapes.rename(name))

    def reader(self) -> pa.RecordBatchReader:
        """The rows as a stream, for results larger than memory; what is read is not kept."""
        import pyarrow as pa

        self._demand_here()
        already, self._read = self._read, []
        self._given_away = not self._ended
        if self._ended:
            self._read = already
            return pa.RecordBatchReader.from_batches(self.schema, iter(already))
        return pa.RecordBatchReader.from_batches(self.schema, self._rest(already))

    def cancel(self) -> None:
        """Stop the query."""
        self._stream.cancel()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """For Polars, DuckDB and others that read Arrow streams."""
        return self.reader().__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return int(self.arrow().num_rows)

    def __repr__(self) -> str:
        rows, count = self._head()
        lines = [" | ".join(self.columns), *(" | ".join(map(str, r)) for r in rows)]
        lines += [_count(count, self._ended), *filter(None, [_governed(self.governed)])]
        return "\n".join([*lines, *(["합성 데이터"] if self.synthetic else [])])

    def _repr_html_(self) -> str:
        rows, count = self._head()
        label = "합성 데이터 · synthetic data" if self.synthetic else ""
        done = _governed(self.governed)
        return (
            table(self.columns, rows) + note(_count(count, self._ended), label) + (note(done) if done else "")
        )

    def _head(self) -> tuple[list[list[object]], int]:
        self._pull(COUNTED)
        rows: list[list[object]] = []
        for batch in self._read:
            rows += [list(r.values()) for r in batch.slice(0, SHOWN - len(rows)).to_pylist()]
            if len(rows) >= SHOWN:
                break
        return rows, sum(b.num_rows for b in self._read)

    def _pull(self, enough: int | None) -> None:
        self._demand_here()
        count = sum(b.num_rows for b in self._read)
        while not self._ended and (enough is None or count < enough):
            batch = next(self._source, None)
            if batch is None:
                self._ended = True
            else:
                self._read.append(batch)
                count += batch.num_rows
        self._stream.settle()

    def _rest(self, already: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from already
        yield from self._source

    def _demand_here(self) -> None:
        if self._given_away:
            raise UsageError(
                "stream-given-away",
                ko="이 결과는 reader() 로 이미 넘겨주었습니다. 질의를 다시 실행하세요.",
                en="This result was handed over with reader(). Run the query again.",
            )

    def __del__(self) -> None:
        stream = getattr(self, "_stream", None)
        if stream is not None and not self._ended and not self._given_away:
            stream.abandon()


class Kept:
    """A table of this session; shows what it holds.

    Attributes
    ----------
    rows
        Rows of the table.
    bytes
        Size of all saved tables of this session together [bytes].
    """

    def __init__(self, name: str, result: Result) -> None:
        self.name = name
        self.query_id = result.query_id
        self.snapshots = result.snapshots
        self.synthetic = result.synthetic
        said = result.arrow().to_pylist()[0]
        self.rows, self.bytes = int(said["rows"]), int(said["bytes"])

    def __repr__(self) -> str:
        made_up = " [합성 데이터]" if self.synthetic else ""
        return f"{self.name}: {self.rows:,}행 저장됨 · {self.rows:,} rows saved{made_up}"

    def _repr_html_(self) -> str:
        label = "합성 데이터 · synthetic data" if self.synthetic else ""
        sources = ", ".join(self.snapshots) or "-"
        words = f"{self.name}: {self.rows:,}행 저장됨 · {self.rows:,} rows saved ({sources})"
        return note(words, label)


def _governed(done: Mapping[str, Any]) -> str:
    """One line on what was done to a restricted answer; empty where nothing is known of any."""
    if not done:
        return ""
    minimum, merged = int(done.get("minimum", 0)), int(done.get("merged", 0))
    if done.get("withheld"):
        return (
            f"제한 데이터: 단위 {minimum} 이상인 묶음 없음 · restricted: no group of {minimum} units or more"
        )
    noise = "; 개수에 잡음을 더함 · counts carry noise" if done.get("noise") else ""
    if not merged:
        return (
            f"제한 데이터: 모든 묶음이 단위 {minimum} 이상 · "
            f"restricted: all groups have {minimum} or more{noise}"
        )
    return (
        f"제한 데이터: 작은 묶음 {merged}개를 '{done.get('remainder', '')}'로 합침(단위 {minimum} 이상) · "
        f"restricted: {merged} small groups merged into one of {minimum} units or more{noise}"
    )


def _count(count: int, ended: bool) -> str:
    return f"{count:,}행 · {count:,} rows" if ended else f"{count:,}행 이상 · at least {count:,} rows"


def _countable(table: pa.Table) -> pa.Table:
    """The table with its 128-bit whole numbers as numbers that pandas computes with."""
    import pyarrow as pa
    import pyarrow.types as kinds

    for index, field in enumerate(table.schema):
        if not (kinds.is_decimal(field.type) and field.type.scale == 0 and field.type.precision == 38):
            continue
        try:
            column = table.column(index).cast(pa.int64())
        except pa.ArrowInvalid:
            column = table.column(index).cast(pa.float64())  # type: ignore[arg-type]
        table = table.set_column(index, field.name, column)
    return table
