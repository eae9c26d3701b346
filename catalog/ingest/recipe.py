"""Reads `recipe.yml`: the publisher layouts of one dataset. Knows its keys; opens no publisher file."""

from __future__ import annotations

from pathlib import Path

from catalog.descriptions import Dataset, Text
from catalog.descriptions.strict_yaml import Entry, read
from catalog.ingest.model import Delimiter, Derived, Format, Layout, Reader, Recipe, Refused, Rule
from catalog.ingest.recipe_parts import (
    filled_columns,
    read_aside,
    read_field,
    read_made,
    read_pairs,
    read_point,
    read_unpivot,
    used_headers,
)


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
        encoding=entry.text("encoding", ""),
        delimiter=entry.one_of("delimiter", Delimiter, Delimiter.COMMA).letter,
        headless=not entry.flag("header", True),
        because=_text(entry, "because") if entry.has("because") else None,
        every_sheet=entry.flag("every_sheet", False),
        constants=read_pairs(entry.entry("constants")) if entry.has("constants") else (),
        made=tuple(read_made(e) for e in entry.entries("made")) if entry.has("made") else (),
        point=read_point(entry.entry("point")) if entry.has("point") else None,
        unpivot=read_unpivot(entry.entry("unpivot")) if entry.has("unpivot") else None,
        aside=read_aside(entry.entry("aside")) if entry.has("aside") else None,
        polygon_area=entry.text("polygon_area", ""),
        fields=tuple(read_field(e) for e in entry.entries("fields")),
    )
    entry.done()
    if layout.polygon_area and layout.format is not Format.SHAPEFILE:
        raise entry.error(
            "polygon_area",
            ko="좌표가 미터인 셰이프파일에만 있을 수 있습니다",
            en="belongs to a shapefile, whose coordinates are metres",
        )
    if layout.headless:
        _evident(layout, entry)
    if layout.because is None:
        _agrees(layout, entry, dataset, made)
    return layout


def _evident(layout: Layout, entry: Entry) -> None:
    """Refuse a layout without a header where a column's values have no form to be recognised by."""
    if layout.format is not Format.CSV or layout.second_header or layout.header_prefix or layout.quoted_lines:
        raise entry.error(
            "header",
            ko="한 줄이 한 레코드인 csv만 제목 줄이 없을 수 있습니다",
            en="may be missing only in csv of one line a record",
        )
    cells = layout.unpivot.cells if layout.unpivot is not None else ()
    for field in (*layout.fields, *cells):
        if not field.pattern and field.read in {Reader.TEXT, Reader.OPTIONAL_TEXT, Reader.IGNORE}:
            raise entry.error(
                "fields",
                ko=f"제목 줄이 없으면 '{field.header}'에 pattern이 있어야 알아볼 수 있습니다",
                en=f"without a header '{field.header}' needs a pattern to be recognised by",
            )


def _agrees(layout: Layout, entry: Entry, dataset: Dataset, made: set[str]) -> None:
    """Refuse a layout that fills a column twice, not at all, or one that is not described."""
    filled = list(filled_columns(layout))
    known = {c.name: c for c in dataset.columns}
    for name in filled:
        if name not in known:
            raise entry.error("fields", ko=f"'{name}' 열이 없습니다", en=f"there is no column '{name}'")
    if len(set(filled)) != len(filled):
        raise entry.error("fields", ko="같은 열을 두 번 채웁니다", en="a column is filled twice")
    headers = {f.header for f in layout.fields}
    for header in used_headers(layout):
        if header not in headers:
            raise entry.error("fields", ko=f"'{header}' 제목이 없습니다", en=f"there is no header '{header}'")
    cells = layout.unpivot.cells if layout.unpivot is not None else ()
    gone = {f.column for f in (*layout.fields, *cells) if f.missing}
    if layout.point is not None and layout.point.absent:
        gone |= {layout.point.longitude, layout.point.latitude}
    for name in sorted(gone):
        if not known[name].nullable:
            raise entry.error(
                "missing",
                ko=f"'{name}' 설명에 결측의 뜻이 없습니다",
                en=f"the description of '{name}' gives no meaning of a missing value",
            )
    geometry = {dataset.geometry.column} if dataset.geometry is not None else set()
    series = {"date", "hour"} if layout.format is Format.WEEKLY_JSON else set()
    for column in dataset.columns:
        if not column.nullable and column.name not in {*filled, *made, *geometry, *series}:
            raise entry.error(
                "fields",
                ko=f"'{column.name}' 열을 채우지 않습니다",
                en=f"does not fill column '{column.name}'",
            )


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
        value=entry.text("value", ""),
    )
    entry.done()
    if bool(derived.value) != (derived.rule is Rule.CONSTANT) or bool(derived.inputs) == bool(derived.value):
        raise entry.error(
            "value",
            ko="constant에만 value가 있고 from은 비어 있어야 합니다",
            en="belongs to a constant, which has nothing in from",
        )
    for name in (derived.column, *derived.inputs):
        if name not in {c.name for c in dataset.columns}:
            raise entry.error("from", ko=f"'{name}' 열이 없습니다", en=f"there is no column '{name}'")
    return derived


def _text(entry: Entry, key: str) -> Text:
    inner = entry.entry(key)
    text = Text(ko=inner.text("ko"), en=inner.text("en"))
    inner.done()
    return text
