"""What a steward must say of every dataset, and whether the shipped rows agree with what is said."""

from __future__ import annotations

import re
from collections.abc import Iterator

import duckdb
import pytest

from catalog.descriptions import ColumnType, Dataset, ExportClass, Role, Rows, Text, Tier
from catalog.descriptions.published import described
from catalog.warehouse import Warehouse, duckdb_relation_sql
from tests.datasets.test_datasets import DATASETS, NAMES

UNITS = {"KRW", "persons", "payments", "rentals", "shops", "facilities", "households", "months", "bytes"}
UNITS |= {
    "h",
    "min",
    "m",
    "10 m",
    "m2",
    "mm",
    "cm",
    "m/s",
    "%",
    "°",
    "°C",
    "ppm",
    "µg/m3",
    "MJ/m2",
    "dB",
    "lux",
    "UVI",
    "g",
}
HANGUL = re.compile("[가-힣]")
COUNTED = {Role.MEASURE, Role.COUNT, Role.WEIGHT}
NUMBERS = {ColumnType.INT, ColumnType.LONG, ColumnType.DOUBLE}
OWN_NUMBERS = {("transit_trips", "trip_id")}  # of no system: the custodian counts them up
FEW = 15  # distinct values; a column with more is not explained value by value


@pytest.fixture(params=NAMES)
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return DATASETS[request.param]


def prose(d: Dataset) -> Iterator[tuple[str, Text]]:
    for field in ("title", "description", "custodian", "licence", "update_cycle", "spatial", "temporal"):
        yield field, getattr(d, field)
    yield from (("unit_of_observation", d.unit_of_observation), ("source", d.source))
    yield from (("entity", d.entity.whose), ("export_policy", d.export_policy.note))
    for column in d.columns:
        yield column.name, column.title
        if column.missing:
            yield f"{column.name}: missing", column.missing


def test_every_meaning_is_said_in_both_languages(dataset: Dataset) -> None:
    for field, text in prose(dataset):
        assert HANGUL.search(text.ko) or re.match(r"(CC BY|seoul-iotdata|UCI)", text.ko), (field, text.ko)
        assert re.search("[A-Za-z]", text.en), (field, text.en)
        values = re.findall("[가-힣]+", text.en)  # a value as it stands in the rows may be named
        assert all(value in text.ko for value in values) and len(text.en) > sum(map(len, values)) * 2, field
    assert dataset.keywords and dataset.source_url.startswith("https://")


def test_what_is_measured_has_a_unit_and_units_are_written_one_way(dataset: Dataset) -> None:
    for column in dataset.columns:
        if column.role in COUNTED:
            assert column.type in NUMBERS and column.unit, column.name
        if column.unit:
            assert column.unit in UNITS, (column.name, column.unit)


def test_codes_name_their_system(dataset: Dataset) -> None:
    for column in dataset.columns:
        code = re.search(r"(_code|_id|_dong|_stop|^serial)$", column.name)
        if code and (dataset.name, column.name) not in OWN_NUMBERS:
            assert column.type is ColumnType.STRING and column.code_system, column.name
        if column.role is Role.GEOMETRY:
            assert dataset.geometry and column.code_system == dataset.geometry.crs


def test_who_is_protected_is_said_and_counted_by_a_key(dataset: Dataset) -> None:
    entity = dataset.entity
    private = dataset.tier is not Tier.OPEN
    assert not (private and entity.rows is Rows.THINGS)
    assert private or entity.rows is not Rows.INDIVIDUALS, "rows of individuals are never open"
    for name in entity.columns:
        column = dataset.column(name)
        assert column.role is Role.IDENTIFIER and not column.nullable
    for variant in dataset.variants:
        assert described(dataset, variant.name).entity.rows is not Rows.INDIVIDUALS or entity.columns


def test_private_results_leave_only_derived_and_over_a_least_count(dataset: Dataset) -> None:
    policy = dataset.export_policy
    if dataset.tier is Tier.OPEN:
        assert set(policy.classes) == set(ExportClass) and policy.minimum_count == 0
    else:
        assert set(policy.classes) == {ExportClass.DERIVED, ExportClass.CHART}
        assert policy.minimum_count >= (10 if dataset.tier is Tier.RESTRICTED else 3)


def test_licences_have_a_name(dataset: Dataset) -> None:
    licence = dataset.licence.en
    names = ("KOGL type 1", "CC BY 4.0", "unrestricted", "free use")
    wanted = ("under the provision agreement",) if dataset.tier is not Tier.OPEN else names
    assert licence.startswith(wanted)


@pytest.mark.parametrize("name", NAMES)
def test_the_rows_agree_with_what_is_said(name: str, sample_warehouse: Warehouse) -> None:
    for variant in sample_warehouse.variants(name):
        said = described(DATASETS[name], variant)
        snapshot = sample_warehouse.snapshot(name, variant)
        rows = duckdb_relation_sql(snapshot, [str(sample_warehouse.path(f.path)) for f in snapshot.files])
        with duckdb.connect() as connection:
            key = ", ".join(f'"{column}"' for column in said.key)
            doubled = f"SELECT {key} FROM ({rows}) GROUP BY ALL HAVING count(*) > 1 LIMIT 1"
            assert not connection.execute(doubled).fetchall(), (variant, "key")
            for column in said.columns:
                empty = f'SELECT 1 FROM ({rows}) WHERE "{column.name}" IS NULL LIMIT 1'
                assert column.nullable or not connection.execute(empty).fetchall(), (variant, column.name)
                if column.type is ColumnType.STRING and not column.code_system:
                    some = f'SELECT DISTINCT "{column.name}" FROM ({rows}) LIMIT {FEW + 1}'
                    values = [value for (value,) in connection.execute(some).fetchall() if value]
                    if len(values) <= FEW:
                        unsaid = [v for v in values if _is_code(v) and v not in column.title.ko]
                        assert not unsaid, (variant, column.name, unsaid)


def _is_code(value: str) -> bool:
    """Letters that mean nothing until they are explained; units and names of things are no codes."""
    return bool(re.fullmatch(r"[A-Za-z]{1,3}|[a-z_]+|\d\d_\d\d", value)) and value != "dB"
