"""Reads `recipe.yml`: the publisher layouts of one dataset. Knows its keys; opens no publisher file."""

from __future__ import annotations

from pathlib import Path

from catalog.descriptions import Dataset, Text
from catalog.descriptions.strict_yaml import Entry, read
from catalog.ingest.model import Derived, Format, Layout, Reader, Recipe, Refused, Rule, SourceField


def load_recipe(file: Path, dataset: Dataset) -> Recipe:
    """The recipe, agreed with the description it serves.

    Raises
    ------
    DescriptionError
        A key is missing, unknown or mistyped, or a layout fills a column that is not described.
    """
    entry = read(file)
    version = entry.text("recipe")
    derive = tuple(_derived(e, dataset) for e in entry.entries("derive")) if entry.has("derive") else ()
    made = {d.column for d in derive}
    layouts = tuple(_layout(e, dataset, made) for e in entry.entries("layouts"))
    refused = tuple(_refused(e) for e in entry.entries("refused")) if entry.has("refused") else ()
    entry.done()
    return Recipe(version=version, layouts=layouts, refused=refused, derive=derive)


def _layout(entry: Entry, dataset: Dataset, made: set[str]) -> Layout:
    layout = Layout(
        name=entry.text("name"),
        title=_text(entry, "title"),
        format=entry.one_of("format", Format),
        trailing_empty=int(entry.number("trailing_empty", 0)),
        header_prefix=entry.text("header_prefix", ""),
        final_newline=entry.flag("final_newline", False),
        second_header=entry.texts("second_header", ()),
        crs=entry.text("crs", ""),
        fields=tuple(_field(e, dataset) for e in entry.entries("fields")),
    )
    entry.done()
    filled = [f.column for f in layout.fields if f.column]
    if len(set(filled)) != len(filled):
        raise entry.error("fields", ko="같은 열을 두 번 채웁니다", en="a column is filled twice")
    geometry = {dataset.geometry.column} if dataset.geometry is not None else set()
    series = {"date", "hour"} if layout.format is Format.WEEKLY_JSON else set()
    for column in dataset.columns:
        if not column.nullable and column.name not in {*filled, *made, *geometry, *series}:
            raise entry.error(
                "fields",
                ko=f"'{column.name}' 열을 채우지 않습니다",
                en=f"does not fill column '{column.name}'",
            )
    return layout


def _field(entry: Entry, dataset: Dataset) -> SourceField:
    reader = entry.one_of("read", Reader)
    column = entry.text("column", "")
    if bool(column) == (reader is Reader.IGNORE):
        raise entry.error(
            "column", ko="ignore가 아니면 열 이름이 있어야 합니다", en="is needed unless the value is ignored"
        )
    if column and column not in {c.name for c in dataset.columns}:
        raise entry.error("column", ko=f"'{column}' 열이 없습니다", en=f"there is no column '{column}'")
    field = SourceField(header=entry.text("header"), column=column, read=reader)
    entry.done()
    return field


def _refused(entry: Entry) -> Refused:
    refused = Refused(
        name=entry.text("name"),
        format=entry.one_of("format", Format),
        headers=entry.texts("headers"),
        because=_text(entry, "because"),
    )
    entry.done()
    return refused


def _derived(entry: Entry, dataset: Dataset) -> Derived:
    derived = Derived(
        column=entry.text("column"),
        rule=entry.one_of("rule", Rule),
        inputs=entry.texts("from"),
        number=int(entry.number("number", 0)),
    )
    entry.done()
    for name in (derived.column, *derived.inputs):
        if name not in {c.name for c in dataset.columns}:
            raise entry.error("from", ko=f"'{name}' 열이 없습니다", en=f"there is no column '{name}'")
    return derived


def _text(entry: Entry, key: str) -> Text:
    inner = entry.entry(key)
    text = Text(ko=inner.text("ko"), en=inner.text("en"))
    inner.done()
    return text
