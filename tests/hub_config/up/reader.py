"""A notebook's process, or an ADBC client's, that asks without end and says what it saw. Stands alone.

`reader.py notebook|adbc CONTROL LOG`: a line of JSON on standard output for each step, at most one question
at a time. While CONTROL holds a file `hold` it asks nothing, and says what stands in it. LOG is the audit
log's folder, read-only: at the first row the question's admission must be in it already.

`{"at", "step": "held", "by"}`, or `{"n", "at", "step": "asks"}`, then `{"n", "at", "step": "row", "id",
"recorded"}` at the first row, then `{"n", "at", "step": "end", "id", "how", "rows", "said"}`; `how` is
`whole`, `stopped` or the error's reason,
`at` [s] of the machine's monotonic clock.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

TAIL = 1 << 20  # of the log's newest file, looked through first [bytes]
AGAIN = 0.2  # between an error and the next question [s]
STUCK = 25.0  # after which a question says where it hangs, on standard error [s]
STOPPED = "SELECT date, line, boardings FROM subway_ridership"


def say(**words: Any) -> None:
    """One line, whole."""
    os.write(1, json.dumps({"at": time.monotonic(), **words}, ensure_ascii=False).encode() + b"\n")


def recorded(log: Path, query_id: str) -> bool:
    """Whether the log holds the admission now."""
    wanted = f'"query:{query_id}"'.encode()
    for file in sorted((log / "segments").glob("*.jsonl"), reverse=True)[:2]:
        data = file.read_bytes() if file.stat().st_size <= TAIL else b""
        if not data:
            with file.open("rb") as source:
                source.seek(-TAIL, os.SEEK_END)
                data = source.read()
        if any(wanted in line and b'"query.admitted"' in line for line in data.split(b"\n")[:-1]):
            return True
    return False


def question() -> str:
    """One that the gateway knows, one it has to parse, a long one, or one that is not read to its end."""
    return random.choice(
        (
            "SELECT count(*) AS n FROM subway_ridership",
            "SELECT line, sum(boardings) AS n FROM subway_ridership "
            f"WHERE boardings > {random.randrange(9000)} GROUP BY line",
            "SELECT date, boardings FROM subway_ridership",
            STOPPED,
        )
    )


class Notebook:
    """`campus.sql` as a person types it."""

    def __init__(self) -> None:
        import campus

        self._campus = campus

    def ask(self, text: str) -> tuple[str, Generator[Any]]:
        """The query's id and its batches."""
        result = self._campus.sql(text)
        return result.query_id, self._batches(result)

    def words(self, error: Exception) -> tuple[str, str]:
        """An error's reason and its words; anything else than an error of Campus is a fault."""
        if not isinstance(error, self._campus.CampusError):
            raise error
        return error.reason, f"{error.ko}\n{error.en}"

    @staticmethod
    def _batches(result: Any) -> Generator[Any]:
        try:
            yield from result.reader()
        except GeneratorExit:
            result.cancel()
            raise


class Adbc:
    """The standard driver of Arrow Flight SQL; its partitions carry the query's id."""

    def __init__(self) -> None:
        import adbc_driver_flightsql.dbapi as driver

        self._driver = driver
        self._connection: Any = None
        sys.unraisablehook = lambda found: (
            None
        )  # the driver closes again what it could not close at a dead gateway

    def ask(self, text: str) -> tuple[str, Generator[Any]]:
        """As `Notebook.ask`."""
        from pyarrow.flight import FlightInfo

        if self._connection is None:
            self._connection = self._driver.connect(os.environ["CAMPUS_GATEWAY"], autocommit=True)
        cursor = self._connection.cursor()
        try:
            (partition,), _ = cursor.adbc_execute_partitions(text)
            cursor.adbc_read_partition(partition)
        except BaseException:
            cursor.close()
            raise
        query_id = str(json.loads(FlightInfo.deserialize(partition).app_metadata)["query_id"])
        return query_id, self._batches(cursor)

    def words(self, error: Exception) -> tuple[str, str]:
        """The gateway puts its reason in brackets before its words."""
        import pyarrow as pa

        if not isinstance(error, (self._driver.Error, OSError, pa.ArrowException)):
            raise error
        said = str(error)
        reason = said.partition("[FlightSQL] [")[2].partition("]")[0]
        if reason == "":
            self._connection = None  # the transport's own error: dial anew, as a person would
        return reason or "transport", said

    def _batches(self, cursor: Any) -> Generator[Any]:
        try:
            with cursor:
                yield from cursor.fetch_record_batch()
        except GeneratorExit:
            self._connection.close()  # this driver hangs up on a partition only with its whole connection
            self._connection = None
            raise


def held_by(hold: Path) -> str:
    """What stands in the file that lets nobody ask, where there is one."""
    try:
        return hold.read_text("ascii")
    except FileNotFoundError:
        return ""


def main() -> None:
    """Until killed."""
    kind, control, log = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    asker = Notebook() if kind == "notebook" else Adbc()
    number, held = 0, ""
    while True:
        if by := held_by(control / "hold"):
            if by != held:
                say(step="held", by=by)
            held = by
            time.sleep(0.05)
            continue
        held = ""
        number += 1
        query_id, how, said, rows = "", "whole", "", 0
        text = question()
        say(step="asks", n=number)
        faulthandler.dump_traceback_later(STUCK)
        try:
            query_id, batches = asker.ask(text)
            for batch in batches:
                if not rows:
                    say(step="row", n=number, id=query_id, recorded=recorded(log, query_id))
                rows += batch.num_rows
                if text == STOPPED:
                    how = "stopped"
                    batches.close()
                    break
        except Exception as error:
            how, said = asker.words(error)
            time.sleep(AGAIN)
        say(step="end", n=number, id=query_id, how=how, said=said, rows=rows)


if __name__ == "__main__":
    main()
