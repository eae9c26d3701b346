"""Reads the `variants:` of a `dataset.yml`, and describes each variant's own table. Knows no rows."""

from __future__ import annotations

import dataclasses
import re

from catalog.descriptions.model import (
    AGGREGATES,
    Column,
    ColumnType,
    Dataset,
    How,
    Partition,
    Text,
    Variant,
    VariantColumn,
)
from catalog.descriptions.strict_yaml import Entry
from catalog.descriptions.variants import MAIN, TWIN

NAME = re.compile(r"[a-z][a-z0-9_]{1,30}\Z")


def read_variants(entry: Entry, columns: tuple[Column, ...]) -> tuple[Variant, ...]:
    """The declared variants, agreed with the dataset's columns; DescriptionError otherwise."""
    if not entry.has("variants"):
        return ()
    made = tuple(_variant(e, {c.name: c for c in columns}) for e in entry.entries("variants"))
    names = [v.name for v in made]
    if len(set(names)) != len(names):
        raise entry.error("variants", ko="같은 이름이 두 번 있습니다", en="a name is given twice")
    return made


def _variant(entry: Entry, known: dict[str, Column]) -> Variant:
    name = entry.text("name")
    if not NAME.match(name) or name in {MAIN, TWIN}:
        raise entry.error("name", ko=f"'{name}'은(는) 쓸 수 없습니다", en=f"'{name}' cannot be used")
    title = _text(entry.entry("title"))
    columns = tuple(_column(e, known) for e in entry.entries("columns"))
    summed = [c for c in columns if c.how in AGGREGATES]
    least, counted = 0, ""
    if entry.has("minimum"):
        inner = entry.entry("minimum")
        counted, least = inner.text("column"), int(inner.number("least"))
        inner.done()
        if least < 1 or counted not in {c.name for c in columns if c.how is How.SUM}:
            raise entry.error(
                "minimum.column", ko="sum으로 모은 열이어야 합니다", en="must be a column made with sum"
            )
    entry.done()
    if len({c.name for c in columns}) != len(columns):
        raise entry.error("columns", ko="같은 열이 두 번 있습니다", en="a column is given twice")
    groups = [c for c in columns if c.how not in AGGREGATES]
    if not groups:
        raise entry.error("columns", ko="묶을 열이 없습니다", en="there is no column to group by")
    whole = {c.source for c in columns if c.how is How.SAME} == set(known) and len(columns) == len(known)
    if not summed and whole:
        raise entry.error("columns", ko="본판과 다르지 않습니다", en="does not differ from the main variant")
    return Variant(name=name, title=title, columns=columns, counted=counted, least=least)


def _column(entry: Entry, known: dict[str, Column]) -> VariantColumn:
    source, how = entry.text("from"), entry.one_of("how", How)
    if source not in known:
        raise entry.error("from", ko=f"'{source}' 열이 없습니다", en=f"there is no column '{source}'")
    column = known[source]
    fits = {
        How.SAME: True,
        How.PREFIX: column.type is ColumnType.STRING,
        How.MASK: column.type is ColumnType.STRING,
        How.MONTH: column.type in {ColumnType.DATE, ColumnType.TIMESTAMP},
        How.SUM: column.type in {ColumnType.INT, ColumnType.LONG, ColumnType.DOUBLE},
        How.MEAN: column.type in {ColumnType.INT, ColumnType.LONG, ColumnType.DOUBLE},
    }
    if not fits[how]:
        raise entry.error(
            "how",
            ko=f"{column.type} 열에는 {how}을(를) 쓸 수 없습니다",
            en=f"{how} does not fit type {column.type}",
        )
    number = int(entry.number("number")) if how is How.PREFIX else 0
    if how is How.PREFIX and number < 1:
        raise entry.error("number", ko="1 이상이어야 합니다", en="must be 1 or more")
    own = how is How.PREFIX or how is How.MONTH
    made = VariantColumn(
        name=entry.text("name"),
        source=source,
        how=how,
        number=number,
        value=entry.text("value") if how is How.MASK else "",
        title=_text(entry.entry("title")) if own else column.title,
        code_system=entry.text("code_system", "") if own else column.code_system,
    )
    entry.done()
    if not NAME.match(made.name):
        raise entry.error(
            "name", ko=f"'{made.name}'은(는) 쓸 수 없습니다", en=f"'{made.name}' cannot be used"
        )
    return made


def _text(entry: Entry) -> Text:
    text = Text(ko=entry.text("ko"), en=entry.text("en"))
    entry.done()
    return text


def described(dataset: Dataset, variant: str) -> Dataset:
    """The dataset as one variant's table has it: its own columns, key, order, partitions, and how it differs.

    Raises
    ------
    KeyError
        The dataset declares no such variant.
    """
    if variant == MAIN:
        return dataset
    if variant == TWIN:  # open to all: no grant needs a part of it
        return dataclasses.replace(dataset, partitions=())
    found = dataset.variant(variant)
    columns = tuple(_described(c, dataset.column(c.source)) for c in found.columns)
    groups = tuple(c.name for c in found.columns if c.how not in AGGREGATES)
    aggregated = len(groups) < len(columns)
    kept = {c.source: c.name for c in found.columns if c.how is How.SAME}
    same_key = tuple(kept[k] for k in dataset.key if k in kept)
    words = differs(dataset, found)
    return dataclasses.replace(
        dataset,
        description=Text(
            ko=f"{dataset.description.ko} {words.ko}", en=f"{dataset.description.en} {words.en}"
        ),
        key=tuple(g for g in groups if not _column_of(columns, g).nullable) if aggregated else same_key,
        sort=groups if aggregated else (same_key or groups[:1]),
        period=None,
        geometry=None,
        columns=columns,
        variants=(),
        lookups=() if aggregated else tuple(kept[c] for c in dataset.lookups if c in kept),
        partitions=()
        if aggregated  # small already, and its groups need not lie in one part
        else tuple(
            dataclasses.replace(p, source=kept[p.source])
            for p in dataset.partitions
            if p.source in kept and _free(p, kept[p.source], columns)
        ),
    )


def differs(dataset: Dataset, variant: Variant) -> Text:
    """Exactly how a variant differs from the main one, worded from its declaration alone."""
    ko, en = [], []
    for column in variant.columns:
        was = dataset.column(column.source).name
        said = {
            How.PREFIX: (
                f"{was}은(는) 앞 {column.number}자리만",
                f"{was} cut to its first {column.number} digits",
            ),
            How.MASK: (f"{was}은(는) '{column.value}'로 가림", f"{was} masked as '{column.value}'"),
            How.MONTH: (f"{was}은(는) 달로 묶음", f"{was} coarsened to months"),
            How.SUM: (f"{was}은(는) 합계", f"{was} summed"),
            How.MEAN: (f"{was}은(는) 평균", f"{was} averaged"),
        }.get(column.how)
        if said:
            ko.append(said[0])
            en.append(said[1])
    used = {c.source for c in variant.columns}
    lost = [c.name for c in dataset.columns if c.name not in used]
    if lost:
        ko.append(f"뺀 열: {', '.join(lost)}")
        en.append(f"without {', '.join(lost)}")
    if variant.least:
        ko.append(f"{variant.counted} {variant.least:,} 미만인 묶음은 뺌")
        en.append(f"groups with {variant.counted} below {variant.least:,} left out")
    return Text(ko=f"본판과 다른 점: {'; '.join(ko)}.", en=f"Differs from the main variant: {'; '.join(en)}.")


def _described(column: VariantColumn, was: Column) -> Column:
    kind = {How.MONTH: ColumnType.DATE, How.MEAN: ColumnType.DOUBLE}.get(column.how, was.type)
    if column.how is How.SUM and was.type is ColumnType.INT:
        kind = ColumnType.LONG
    return Column(
        name=column.name,
        type=kind,
        title=column.title,
        unit=was.unit,
        code_system=column.code_system,
        role=was.role,
        missing=None if column.how is How.MASK else was.missing,
    )


def _free(partition: Partition, source: str, columns: tuple[Column, ...]) -> bool:
    """Whether a variant's own columns leave a partition its name."""
    taken = {c.name for c in columns}
    return partition.name not in taken or partition.name == source


def _column_of(columns: tuple[Column, ...], name: str) -> Column:
    return next(c for c in columns if c.name == name)
