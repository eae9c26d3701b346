"""A dataset's table in Iceberg's words: schema, partition spec, and how both follow the description.

Knows PyIceberg; writes no rows. A column keeps its field id for good, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform, MonthTransform, Transform, TruncateTransform
from pyiceberg.typedef import Record
from pyiceberg.types import (
    BinaryType,
    DateType,
    DoubleType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
)

from catalog.descriptions import ColumnType, Dataset
from catalog.descriptions.model import How, Partition
from catalog.warehouse import metadata
from catalog.warehouse.files import IMPLEMENTATION, ROOT
from catalog.warehouse.model import WarehouseError

ROW_GROUP = 131_072
WRITING = {
    "write.parquet.compression-codec": "zstd",
    "write.parquet.row-group-limit": str(ROW_GROUP),
    "write.metadata.previous-versions-max": "20",
    "write.metadata.delete-after-commit.enabled": "true",
}
ICEBERG: dict[ColumnType, IcebergType] = {
    ColumnType.STRING: StringType(),
    ColumnType.INT: IntegerType(),
    ColumnType.LONG: LongType(),
    ColumnType.DOUBLE: DoubleType(),
    ColumnType.DATE: DateType(),
    ColumnType.TIMESTAMP: TimestampType(),
    ColumnType.BINARY: BinaryType(),
}


def open_catalog(root: Path, catalog_file: Path) -> SqlCatalog:
    """The catalogue, its addresses mapped onto `root`."""
    return SqlCatalog(
        metadata.CATALOG,
        **{
            "uri": f"sqlite:///{catalog_file}",
            "warehouse": metadata.BASE.rstrip("/"),
            "py-io-impl": IMPLEMENTATION,
            ROOT: str(root.absolute()),
        },
    )


def table_as_described(catalog: SqlCatalog, dataset: Dataset, variant: str) -> Table:
    """The variant's table, made or brought up to its description; its versions stay as they are.

    Raises
    ------
    WarehouseError
        `parts-files`: a column is to go by which files are, or were, parted; the Iceberg library
        could no longer read those files' manifests.
    """
    schema = Schema(
        *(
            NestedField(
                field_id=i, name=c.name, field_type=ICEBERG[c.type], required=not c.nullable, doc=c.title.ko
            )
            for i, c in enumerate(dataset.columns, start=1)
        )
    )
    catalog.create_namespace_if_not_exists(dataset.name)
    name = (dataset.name, variant)
    if catalog.table_exists(name):
        table = catalog.load_table(name)
    else:
        location = f"{metadata.BASE}{dataset.name}/{variant}"
        table = catalog.create_table(name, schema=schema, location=location, properties=WRITING)
    _rename(table, dataset)
    _demand_free(table, dataset)
    _part(table, dataset, only_remove=True)  # a column may not go while the spec still names it
    _reshape(table, schema)
    _part(table, dataset)
    return catalog.load_table(name)


def current_files(table: Table) -> Iterator[IcebergFile]:
    """The data files of the newest version, as its manifests have them."""
    snapshot = table.current_snapshot()
    if snapshot is None:
        return
    for manifest in snapshot.manifests(table.io):
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            yield entry.data_file


def partition_record(table: Table, dataset: Dataset, texts: tuple[str, ...]) -> Record:
    """A file's partition as Iceberg keeps it: a month as months since January 1970.

    Parameters
    ----------
    texts
        As `DataFile.partition` words them, in the order of the dataset's partitions.
    """
    schema = table.schema()
    found = {
        _field_name(p, schema): _month(text) if p.how is How.MONTH else text
        for p, text in zip(dataset.partitions, texts, strict=True)
    }
    return Record(*(found[f.name] for f in table.spec().fields))


def _month(text: str) -> int:
    year, month = text.split("-")
    return (int(year) - 1970) * 12 + int(month) - 1


def _rename(table: Table, dataset: Dataset) -> None:
    has = set(table.schema().column_names)
    moved = [(c.was, c.name) for c in dataset.columns if c.was in has and c.name not in has]
    if moved:
        with table.update_schema() as update:
            for was, name in moved:
                update.rename_column(was, name)


def _demand_free(table: Table, dataset: Dataset) -> None:
    """Refuse to drop a column that partition values of files in the newest version's manifests come from."""
    snapshot = table.current_snapshot()
    described = {c.name for c in dataset.columns}
    gone = {f.field_id: f.name for f in table.schema().fields if f.name not in described}
    if snapshot is None or not gone:
        return
    used = {m.partition_spec_id for m in snapshot.manifests(table.io)}
    for field in (f for i in sorted(used) for f in table.specs()[i].fields):
        if field.source_id in gone:
            name = gone[field.source_id]
            raise WarehouseError(
                "parts-files",
                ko=f"'{dataset.name}'의 파일을 '{name}' 열로 나눈 적이 있어 그 열은 없앨 수 없습니다. "
                "dataset.yml에 그 열을 남겨 두세요 (partitions에서 빼는 것은 됩니다)",
                en=f"files of '{dataset.name}' were parted by '{name}', so that column cannot go; "
                "keep it in dataset.yml (it may be taken out of partitions)",
            )


def _reshape(table: Table, wanted: Schema) -> None:
    """Columns as described: new ones added, those no more described taken off, wider types taken over."""
    has = [(f.name, f.field_type, f.required) for f in table.schema().fields]
    if has == [(f.name, f.field_type, f.required) for f in wanted.fields]:
        return
    described = {f.name for f in wanted.fields}
    with table.update_schema(allow_incompatible_changes=True) as update:
        for field in table.schema().fields:
            if field.name not in described:
                update.delete_column(field.name)
        update.union_by_name(wanted)


def _part(table: Table, dataset: Dataset, *, only_remove: bool = False) -> None:
    """The partition spec as declared; files written under an earlier one keep theirs."""
    schema = table.schema()
    wanted = {
        (schema.find_field(p.source).field_id, _field_name(p, schema)): p
        for p in dataset.partitions
        if p.source in schema.column_names
    }
    has = {(f.source_id, f.name): f for f in table.spec().fields}
    stays = {k for k, f in has.items() if k in wanted and f.transform == _transform(wanted[k])}
    gone = [f.name for k, f in has.items() if k not in stays]
    new = [] if only_remove else [(p, k[1]) for k, p in wanted.items() if k not in stays]
    if not gone and not new:
        return
    with table.update_spec() as update:
        for name in gone:
            update.remove_field(name)
        for partition, name in new:
            update.add_field(partition.source, _transform(partition), name)


def _transform(partition: Partition) -> Transform[Any, Any]:
    match partition.how:
        case How.MONTH:
            return MonthTransform()
        case How.PREFIX:
            return TruncateTransform(width=partition.number)
        case _:
            return IdentityTransform()


def _field_name(partition: Partition, schema: Schema) -> str:
    """Iceberg lets only an identity carry a column's name."""
    taken = partition.name in schema.column_names and partition.how is not How.SAME
    return f"{partition.name}{metadata.NAME_TAKEN}" if taken else partition.name
