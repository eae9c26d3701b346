"""Reads `datasets/<name>/dataset.yml` into values. Knows the file's keys, nothing of rows or versions."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from catalog.descriptions.aggregates import read_aggregates
from catalog.descriptions.model import (
    Column,
    ColumnType,
    Dataset,
    Entity,
    ExportClass,
    ExportPolicy,
    Geometry,
    Period,
    PeriodUnit,
    Role,
    Rows,
    Text,
    Tier,
)
from catalog.descriptions.partitions import read_partitions
from catalog.descriptions.published import read_variants
from catalog.descriptions.strict_yaml import DescriptionError, Entry, read
from catalog.descriptions.variants import MAIN, TWIN, demand_distinct

__all__ = ["DescriptionError", "load", "load_all"]

NAME = re.compile(r"[a-z][a-z0-9_]{1,62}\Z")


def load_all(root: Path) -> dict[str, Dataset]:
    """Every dataset below `root`, by name, in alphabetical order.

    Raises
    ------
    DescriptionError
        A `dataset.yml` is missing a key, has an unknown one, or contradicts itself.
    """
    found = {file.parent.name: load(file) for file in sorted(root.glob("*/dataset.yml"))}
    demand_distinct((d.name, v) for d in found.values() for v in (MAIN, TWIN, *(v.name for v in d.variants)))
    return found


def load(file: Path) -> Dataset:
    """One dataset from its file; the folder must carry the dataset's name."""
    entry = read(file)
    name = _name(entry, "name")
    if name != file.parent.name:
        raise entry.error(
            "name",
            ko=f"폴더 이름 '{file.parent.name}'과 다릅니다",
            en=f"differs from its folder '{file.parent.name}'",
        )
    columns = tuple(_column(c) for c in entry.entries("columns"))
    dataset = Dataset(
        name=name,
        title=_text(entry, "title"),
        description=_text(entry, "description"),
        custodian=_text(entry, "custodian"),
        tier=entry.one_of("tier", Tier),
        licence=_text(entry, "licence"),
        update_cycle=_text(entry, "update_cycle"),
        spatial=_text(entry, "spatial"),
        temporal=_text(entry, "temporal"),
        unit_of_observation=_text(entry, "unit_of_observation"),
        key=entry.texts("key"),
        entity=_entity(entry.entry("entity")),
        sort=entry.texts("sort"),
        period=_period(entry),
        columns=columns,
        variants=read_variants(entry, columns),
        partitions=read_partitions(entry, columns),
        lookups=entry.texts("lookups", ()),
        geometry=_geometry(entry),
        export_policy=_export_policy(entry.entry("export_policy")),
        source=_text(entry, "source"),
        source_url=entry.text("source_url"),
        keywords=entry.texts("keywords"),
    )
    aggregates = entry.entry("aggregates") if entry.has("aggregates") else None
    entry.done()
    _agrees(dataset, entry)
    return (
        dataset if aggregates is None else replace(dataset, aggregates=read_aggregates(aggregates, dataset))
    )


def _text(entry: Entry, key: str) -> Text:
    inner = entry.entry(key)
    text = Text(ko=inner.text("ko"), en=inner.text("en"))
    inner.done()
    return text


def _name(entry: Entry, key: str) -> str:
    value = entry.text(key)
    if not NAME.match(value):
        raise entry.error(
            key, ko=f"'{value}': 영문 소문자 snake_case여야 합니다", en=f"'{value}' must be lower snake_case"
        )
    return value


def _column(entry: Entry) -> Column:
    column = Column(
        name=_name(entry, "name"),
        type=entry.one_of("type", ColumnType),
        title=_text(entry, "title"),
        unit=entry.text("unit", ""),
        code_system=entry.text("code_system", ""),
        role=entry.one_of("role", Role),
        missing=_text(entry, "missing") if entry.has("missing") else None,
        was=_name(entry, "was") if entry.has("was") else "",
    )
    entry.done()
    return column


def _entity(entry: Entry) -> Entity:
    entity = Entity(
        rows=entry.one_of("rows", Rows), columns=entry.texts("columns"), whose=_text(entry, "whose")
    )
    entry.done()
    if (entity.rows is Rows.INDIVIDUALS) != bool(entity.columns):
        raise entry.error(
            "columns",
            ko=f"{Rows.INDIVIDUALS}이면 구별하는 열을 적고, 아니면 비워 두세요",
            en=f"name the telling columns where rows are of {Rows.INDIVIDUALS}, and none elsewhere",
        )
    return entity


def _period(entry: Entry) -> Period | None:
    if not entry.has("period"):
        return None
    inner = entry.entry("period")
    period = Period(column=inner.text("column"), unit=inner.one_of("unit", PeriodUnit))
    inner.done()
    return period


def _geometry(entry: Entry) -> Geometry | None:
    if not entry.has("geometry"):
        return None
    inner = entry.entry("geometry")
    geometry = Geometry(column=inner.text("column"), crs=inner.text("crs"))
    inner.done()
    return geometry


def _export_policy(entry: Entry) -> ExportPolicy:
    names = entry.texts("classes")
    known = {str(c): c for c in ExportClass}
    for name in names:
        if name not in known:
            raise entry.error(
                "classes", ko=f"'{name}'은(는) 반출 유형이 아닙니다", en=f"'{name}' is not an export class"
            )
    policy = ExportPolicy(
        classes=tuple(known[n] for n in names),
        minimum_count=int(entry.number("minimum_count")),
        note=_text(entry, "note"),
    )
    entry.done()
    return policy


def _agrees(dataset: Dataset, entry: Entry) -> None:
    """Refuse a description whose parts name columns that are not there or contradict their types."""
    names = [c.name for c in dataset.columns]
    for name in names:
        if names.count(name) > 1:
            raise entry.error(
                "columns", ko=f"'{name}' 열이 두 번 있습니다", en=f"column '{name}' is given twice"
            )
    for column in dataset.columns:
        if column.was in names:
            raise entry.error(
                "columns",
                ko=f"'{column.name}'의 이전 이름 '{column.was}'이(가) 지금 다른 열의 이름입니다",
                en=f"'{column.name}' was called '{column.was}', which is a column's name now",
            )
    used = [(k, c) for k in ("key", "sort", "lookups") for c in getattr(dataset, k)]
    used += [("entity.columns", c) for c in dataset.entity.columns]
    if dataset.period is not None:
        used.append(("period.column", dataset.period.column))
    if dataset.geometry is not None:
        used.append(("geometry.column", dataset.geometry.column))
    for key, name in used:
        if name not in names:
            raise entry.error(key, ko=f"'{name}' 열이 없습니다", en=f"there is no column '{name}'")
    for name in dataset.lookups:
        if dataset.column(name).type not in {ColumnType.STRING, ColumnType.LONG} or name in dataset.sort[:1]:
            raise entry.error(
                "lookups",
                ko=f"'{name}': 정렬의 첫 열이 아닌 string 또는 long 열이어야 합니다",
                en=f"'{name}' must be of type string or long, and not what the rows are sorted by",
            )
    for name in dataset.key:
        if dataset.column(name).nullable:
            raise entry.error(
                "key", ko=f"키 '{name}'에는 결측이 있을 수 없습니다", en=f"key '{name}' may not be missing"
            )
    if dataset.period is not None:
        wanted = ColumnType.STRING if dataset.period.unit is PeriodUnit.QUARTER else ColumnType.DATE
        if dataset.column(dataset.period.column).type is not wanted:
            raise entry.error(
                "period.column", ko=f"{wanted} 형식이어야 합니다", en=f"must be of type {wanted}"
            )
    if dataset.geometry is not None and dataset.column(dataset.geometry.column).type is not ColumnType.BINARY:
        raise entry.error("geometry.column", ko="binary 형식이어야 합니다", en="must be of type binary")
