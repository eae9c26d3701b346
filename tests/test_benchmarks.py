"""What the gateway's benchmark says of its figures, and that a reader answers. Times nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.gateway.contender import SESSION, Absent, Engine, Reader
from benchmarks.gateway.data import COLUMNS, TABLE, Data
from benchmarks.gateway.questions import QUESTIONS, statement
from benchmarks.gateway.report import late, markdown, summary, targets
from benchmarks.gateway.rivals import InProcess
from benchmarks.gateway.rounds import Rounds, Taken, measure

RUN = {
    "rows": 10, "files": 1, "bytes": 100, "rounds": 1, "threads": 2, "memory": 1 << 20, "processors": 2,
    "load_before": 0.0, "load_after": 0.0, "date": "today", "commit": "abc",
}  # fmt: skip


def taken(name: str, milliseconds: float) -> Taken:
    seconds = {q.name: [milliseconds / 1e3] * 3 for q in QUESTIONS}
    return Taken(name=name, seconds=seconds, rows=dict.fromkeys(seconds, 1))


def data(folder: Path) -> Data:
    """Three rows in a file."""
    file = folder / "rows.parquet"
    day = date(2026, 1, 5)
    rows: dict[str, list[Any]] = {
        "date": [day] * 3, "hour": [0, 1, 1], "dong_code": ["11680510", "11680510", "11110515"],
        "sex": ["F", "M", "F"], "age": ["00", "10", "10"], "population": [1.0, 2.0, 4.0],
    }  # fmt: skip
    pq.write_table(pa.table(rows).select(COLUMNS.split(", ")), file)
    return Data(rows=3, files=(str(file),), size=1, day=day, dong="11680510", made=0.0)


def test_a_late_one_is_the_99th_of_a_hundred() -> None:
    assert late([n / 100 for n in range(100, 0, -1)]) == 0.99
    assert late([3.0]) == 3.0


@pytest.mark.parametrize(("ours", "met"), [(10.4, True), (13.0, False)])
def test_targets_are_told_from_what_is_missed(ours: float, met: bool) -> None:
    found = Rounds(taken=[taken("in-process DuckDB", 10.0), taken("Campus", ours)])
    judged = {
        what: (measured, good) for what, _, measured, good in targets(found, {"sessions": 8, "ratio": 1.2})
    }
    assert judged["aggregate"] == (f"{ours / 10:.2f}", met)
    assert judged["point, p50"] == (f"{ours - 10:+.1f} ms", met)
    assert judged["tiny, p99"][1], "ten milliseconds are allowed there"
    assert judged["8 at once"] == ("1.20", False)


def test_the_tables_name_everybody_and_why_somebody_is_absent() -> None:
    others = taken("Quack", 20.0)
    others.differs.append("aggregate")
    found = Rounds(taken=[taken("in-process DuckDB", 10.0), others], absent={"Spark Connect": "no Java here"})
    text = markdown(summary(found, None, RUN))
    assert "not quiet" not in text
    assert "not quiet" in markdown(summary(found, None, {**RUN, "load_before": 1.5}))
    assert "| Quack | 2.00 (0.02 s) |" in text
    assert "+10.0 ms (p50 20.0, p99 20.0)" in text
    assert "- Quack: other answer to aggregate." in text
    assert "- Spark Connect is absent: no Java here." in text


def test_a_reader_answers_every_question(tmp_path: Path) -> None:
    if not SESSION.exists():
        pytest.skip("the session's environment is not there")
    rows, engine = data(tmp_path), Engine(threads=1, memory=256 << 20)
    found = measure([InProcess(folder=tmp_path), InProcess(folder=tmp_path, name="again")], rows, engine, 1)
    assert not found.absent
    one, again = found.taken
    assert one.rows["aggregate"] == 3 and one.rows["point"] == 1
    assert len(one.seconds["tiny"]) == 40 and not again.differs
    assert one.reader > 0
    reader = Reader(InProcess(folder=tmp_path), InProcess(folder=tmp_path).start(rows, engine))
    point = next(q for q in QUESTIONS if q.name == "point")
    answer = reader.ask(statement(point, TABLE, rows.day, rows.dong), sums=True)
    assert answer["sums"] == {"0": 3.0, "1": 2.0}
    with pytest.raises(Absent, match="Catalog Error"):
        reader.ask("SELECT * FROM nothing")
    reader.close()
