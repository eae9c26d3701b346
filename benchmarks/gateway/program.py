"""A process of one contender: its server, or its reader with a line of JSON in and out for each question.

Runs in the contender's own environment, so it imports nothing but its module and what is installed there.
Usage: `python -m benchmarks.gateway.program serve|read MODULE CONFIGURATION`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from typing import Any


def sums(table: Any) -> dict[str, float]:
    """Of every number column its sum, to compare answers that were added in another order."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    found = {}
    for number, field in enumerate(table.schema):
        kind = field.type
        if kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind):
            found[str(number)] = float(pc.sum(table.column(number).cast(pa.float64())).as_py() or 0.0)
    return found


def main() -> None:
    """Serve until ended, or answer until nobody asks."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    module = importlib.import_module(f"benchmarks.gateway.readers.{sys.argv[2]}")
    given = json.loads(sys.argv[3])
    if sys.argv[1] == "serve":
        module.serve(given)  # until it is ended
        return
    ask = module.reader(given)
    for line in sys.stdin:
        asked = json.loads(line)
        text, first = asked["text"], asked["first"]
        taken, table = [], None
        try:
            for number in range(first, first + asked["times"]):
                statement = text.replace("{i}", str(number))
                table = None  # freed outside the time that is measured
                if asked["times"] == 1:
                    gc.collect()
                began = time.perf_counter()
                table = ask(statement)
                taken.append(time.perf_counter() - began)
            answer = {"seconds": taken, "rows": 0 if table is None else table.num_rows}
            if asked["sums"]:
                answer["sums"] = sums(table)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()
    os._exit(0)  # some clients' threads do not end


if __name__ == "__main__":
    main()
