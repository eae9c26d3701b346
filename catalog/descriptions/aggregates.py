"""Reads the `aggregates:` of a `dataset.yml`: what a restricted dataset answers. Knows no rows and no SQL."""

from __future__ import annotations

from typing import Final

from catalog.descriptions.model import (
    Aggregates,
    ColumnType,
    Dataset,
    Hierarchy,
    Measure,
    Noise,
    Role,
    Rows,
    Step,
    Tier,
    Total,
)
from catalog.descriptions.noise import read_noise
from catalog.descriptions.strict_yaml import Entry

LEAST_UNITS: Final = 3  # a smaller minimum protects nobody: one of two knows the other
STEPS: Final = {
    ColumnType.DATE: frozenset(Step) - {Step.HOUR},
    ColumnType.TIMESTAMP: frozenset(Step),
}
NUMBERS: Final = frozenset({ColumnType.INT, ColumnType.LONG, ColumnType.DOUBLE})
PLAIN: Final = frozenset({ColumnType.STRING, ColumnType.INT, ColumnType.LONG})


def read_aggregates(entry: Entry, dataset: Dataset) -> Aggregates:
    """The declared rules, agreed with the dataset's columns; DescriptionError otherwise."""
    if dataset.tier is not Tier.RESTRICTED:
        raise entry.error("", ko="tier가 restricted일 때만 적습니다", en="is for datasets of tier restricted")
    made = Aggregates(
        units=_units(entry, dataset),
        minimum=_whole(entry, "minimum", max(LEAST_UNITS, dataset.export_policy.minimum_count)),
        budget=_whole(entry, "budget", 1),
        hierarchies=tuple(_hierarchy(e, dataset) for e in entry.entries("hierarchies")),
        measures=tuple(_measure(e, dataset) for e in entry.entries("measures"))
        if entry.has("measures")
        else (),
        noise=_noise(entry, dataset) if entry.has("noise") else None,
    )
    entry.done()
    used = [c for h in made.hierarchies for c in h.columns] + [m.column for m in made.measures]
    used += [made.units] if made.units else list(dataset.entity.columns)
    if made.noise is not None:
        used.append(made.noise.column)
        if made.units or made.measures:
            raise entry.error(
                "noise",
                ko="개별 행에만, measures 없이 쓸 수 있습니다. 합계는 개수를 알려 줍니다",
                en="is for individuals only, and without measures: a sum would tell the count",
            )
    for column in used:
        if used.count(column) > 1:
            raise entry.error(
                "",
                ko=f"'{column}' 열을 두 번 씁니다. 묶음, 잴 값, 단위 가운데 하나만 됩니다",
                en=f"uses column '{column}' twice; it is a level, a measure or a unit, once",
            )
    return made


def _units(entry: Entry, dataset: Dataset) -> str:
    """The counting column, or nothing where the entity's columns tell the units apart."""
    if dataset.entity.rows is Rows.INDIVIDUALS and not entry.has("units"):
        for name in dataset.entity.columns:
            if dataset.column(name).nullable:
                raise _missing(entry, "units", name)
        return ""
    name = _known(entry, "units", entry.text("units"), dataset)
    column = dataset.column(name)
    if dataset.entity.rows is Rows.INDIVIDUALS or column.role is not Role.COUNT:
        raise entry.error(
            "units",
            ko=f"'{name}': entity.rows가 aggregated인 데이터셋의 count 열이어야 합니다. 개별 행이면 지우세요",
            en=f"'{name}' must be a count column where rows are aggregated; leave it out for individuals",
        )
    if column.type not in {ColumnType.INT, ColumnType.LONG} or column.nullable:
        raise _missing(entry, "units", name)
    return name


def _hierarchy(entry: Entry, dataset: Dataset) -> Hierarchy:
    columns = tuple(_known(entry, "columns", name, dataset) for name in entry.texts("columns"))
    steps = tuple(_step(entry, word) for word in entry.texts("steps", ()))
    made = Hierarchy(name=entry.text("name"), columns=columns, steps=steps)
    entry.done()
    types = {dataset.column(name).type for name in columns}
    plain = bool(columns) and not steps and types <= PLAIN
    timed = len(columns) == 1 and bool(steps) and set(steps) <= STEPS.get(next(iter(types)), frozenset())
    if not (plain or timed):
        raise entry.error(
            "columns",
            ko="글자나 정수 열의 목록이거나, steps가 있는 날짜·시각 열 하나여야 합니다",
            en="must be columns of text or whole numbers, or one date or moment with steps that fit it",
        )
    for name in columns:
        if dataset.column(name).role is Role.IDENTIFIER:
            raise entry.error(
                "columns",
                ko=f"식별자 '{name}'로 묶을 수 없습니다",
                en=f"may not have the identifier '{name}'",
            )
    return made


def _step(entry: Entry, word: str) -> Step:
    try:
        return Step(word)
    except ValueError:
        known = ", ".join(Step)
        raise entry.error(
            "steps", ko=f"'{word}'은(는) 쓸 수 없습니다: {known}", en=f"'{word}' is not one of {known}"
        ) from None


def _measure(entry: Entry, dataset: Dataset) -> Measure:
    name = _known(entry, "column", entry.text("column"), dataset)
    words = entry.texts("functions")
    unknown = [word for word in words if word not in set(Total)]
    if unknown or not words:
        known = ", ".join(Total)
        raise entry.error("functions", ko=f"가능한 값: {known}", en=f"must be of {known}")
    entry.done()
    column = dataset.column(name)
    if column.type not in NUMBERS or column.nullable:  # a sum over two who answered is a group of two
        raise _missing(entry, "column", name)
    return Measure(column=name, functions=tuple(dict.fromkeys(Total(word) for word in words)))


def _noise(entry: Entry, dataset: Dataset) -> Noise:
    inner = entry.entry("noise")
    made = read_noise(inner)
    column = dataset.column(_known(inner, "column", made.column, dataset))
    if column.type not in {ColumnType.INT, ColumnType.LONG} or column.nullable:
        raise _missing(inner, "column", made.column)
    return made


def _known(entry: Entry, key: str, name: str, dataset: Dataset) -> str:
    if name not in {c.name for c in dataset.columns}:
        raise entry.error(key, ko=f"'{name}' 열이 없습니다", en=f"there is no column '{name}'")
    return name


def _whole(entry: Entry, key: str, least: int) -> int:
    number = entry.number(key)
    if number != int(number) or number < least:
        raise entry.error(
            key, ko=f"{least} 이상의 정수여야 합니다", en=f"must be a whole number from {least}"
        )
    return int(number)


def _missing(entry: Entry, key: str, name: str) -> Exception:
    return entry.error(
        key,
        ko=f"'{name}': 결측이 없는 알맞은 형식의 열이어야 합니다",
        en=f"'{name}' must be a column of a fitting type without missing values",
    )
