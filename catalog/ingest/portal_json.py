"""A table as the city's portal gives JSON: a dictionary of columns and records. Knows no dataset."""

from __future__ import annotations

from typing import Any

import numpy as np

from catalog.ingest.arrange import BadCell, arrange, texts_of
from catalog.ingest.layouts import bad_value, unknown_layout
from catalog.ingest.model import Format, IngestError, Parsed, Piece, Recipe
from catalog.ingest.plan import Plan, lay
from catalog.ingest.weekly_json import load_json


def parse_portal(content: bytes, name: str, recipe: Recipe, geometry: str = "") -> Parsed:
    """Every record; the dictionary must name just the records' keys (its case may differ).

    Raises
    ------
    IngestError
        Broken JSON, another shape or other columns, or a value that is not in its notation.
    """
    document = load_json(content, name)
    said = document.get("DESCRIPTION") if isinstance(document, dict) else None
    records = document.get("DATA") if isinstance(document, dict) else None
    if not isinstance(said, dict) or not isinstance(records, list):
        raise IngestError(
            "unknown-layout",
            file=name,
            line=None,
            ko="DESCRIPTION과 DATA가 있는 JSON이 아닙니다",
            en="is no JSON with DESCRIPTION and DATA",
        )
    if not records or not all(isinstance(r, dict) for r in records):
        raise IngestError("empty", file=name, line=None, ko="자료가 없습니다", en="holds no records")
    plan = _plan(tuple(records[0]), name, recipe)
    header = plan.layout.headers
    for number, record in enumerate(records, start=1):
        if set(record) != set(header) or {str(k).lower() for k in said} != {k.lower() for k in header}:
            raise IngestError(
                "ragged-row",
                file=name,
                line=number,
                ko="설명과 다른 항목을 가진 레코드입니다",
                en="has other keys than the description",
            )
    try:
        columns = arrange(plan, texts_of([[_shown(r[k]) for k in header] for r in records]), geometry)
    except BadCell as bad:
        raise bad_value(bad.bad, name, bad.index + 1, bad.header) from bad
    piece = Piece(columns=columns, lines=np.arange(1, len(records) + 1))
    return Parsed(file=name, layout=plan.layout, piece=piece)


def _plan(header: tuple[str, ...], name: str, recipe: Recipe) -> Plan:
    for layout in recipe.layouts:
        if layout.format is Format.PORTAL_JSON and set(layout.headers) == set(header):
            plan = lay(layout, layout.headers)  # the order of keys means nothing in JSON
            if plan is not None:
                return plan
    raise unknown_layout(header, name, recipe, Format.PORTAL_JSON)


def _shown(value: Any) -> str:
    """The text of one value; what is neither text nor number stays visible and fails its notation."""
    if value is None:
        return ""
    return value if isinstance(value, str) else repr(value)
