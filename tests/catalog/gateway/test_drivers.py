"""Standard Flight SQL clients work unchanged: ADBC's driver for statements and metadata."""

from __future__ import annotations

import re

import adbc_driver_flightsql.dbapi as adbc
import pyarrow as pa
import pytest

from catalog.gateway.listings import arrow_schema
from catalog.gateway.workspace import Versions, resolve
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import Installation, utc_now


def test_adbc_statements_and_metadata(gateway: Installation) -> None:
    with adbc.connect(gateway.open(), autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) AS n FROM subway_ridership")
            assert cursor.fetchone() == (ROWS,)
            cursor.execute("SELECT line, boardings FROM subway_ridership LIMIT 1000")
            assert cursor.fetch_arrow_table().num_rows == 1000
            with pytest.raises(adbc.Error, match="table-not-granted"):
                cursor.execute("SELECT * FROM living_population")
        assert connection.adbc_get_table_types() == ["VIEW"]
        objects = connection.adbc_get_objects(depth="all").read_all().to_pylist()
        (schema,) = objects[0]["catalog_db_schemas"]
        tables = {
            t["table_name"]: [c["column_name"] for c in t["table_columns"]]
            for t in schema["db_schema_tables"]
        }
        assert (objects[0]["catalog_name"], schema["db_schema_name"]) == ("memory", "campus")
        assert sorted(tables) == ["card_sales", "dong_codes", "gu_boundary", "subway_ridership"]
        assert tables["gu_boundary"][-1] == "geometry"
        assert (
            connection.adbc_get_table_schema("dong_codes", db_schema_filter="campus").field(0).name
            == "dong_code"
        )
        assert re.match("Campus", connection.adbc_get_info()["vendor_name"])
        only = connection.adbc_get_objects(depth="tables", table_name_filter="dong%").read_all().to_pylist()
        assert [t["table_name"] for t in only[0]["catalog_db_schemas"][0]["db_schema_tables"]] == [
            "dong_codes"
        ]


def test_listed_types_are_the_ones_that_stream(gateway: Installation) -> None:
    granted = gateway.guard.granted(None, utc_now())  # type: ignore[arg-type]
    workspace = resolve(granted, Versions(gateway.warehouse), utc_now())
    with adbc.connect(gateway.open(), autocommit=True) as connection, connection.cursor() as cursor:
        for table in workspace.tables.values():
            cursor.execute(f"SELECT * FROM {table.name} LIMIT 1")
            assert pa.schema(cursor.fetch_arrow_table().schema).equals(arrow_schema(table)), table.name
