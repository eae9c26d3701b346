"""pandas and Polars over ADBC's Flight SQL driver, run by the session's Python; prints JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import pandas as pd
import polars as pl  # type: ignore[import-not-found]  # the session's own

BOUND = "SELECT count(*) AS n FROM dong_codes WHERE ? = 1"
MANY = "SELECT boardings FROM subway_ridership"


def main() -> None:
    """Read one statement each way; the socket and the statement are the arguments."""
    address, query = sys.argv[1:]
    with adbc.connect(address, autocommit=True) as opened:
        connection: Any = opened
        by_pandas = pd.read_sql(query, connection)
        by_polars = pl.read_database(query, connection)
        bound = pl.read_database(BOUND, connection, execute_options={"parameters": (1,)})
        batches = pl.read_database(MANY, connection, iter_batches=True, batch_size=50_000)
        found = {
            "pandas": by_pandas.to_dict("records"),
            "polars": by_polars.to_dicts(),
            "bound": int(bound["n"][0]),
            "rows": sum(batch.height for batch in batches),
            "types": [str(t) for t in by_polars.dtypes],
        }
    sys.stdout.write(json.dumps(found, default=int))


if __name__ == "__main__":
    main()
