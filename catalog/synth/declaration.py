"""Reads `datasets/<name>/twin.yml` strictly and resolves its tables. Knows the file's keys; draws nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from catalog.descriptions import Column, ColumnType, Dataset
from catalog.descriptions.strict_yaml import Entry, read
from catalog.synth.model import Calendar, Factor, Form, Kind, Measure, Step, SynthError, Twin
from catalog.synth.tables import Tables, by_parent, demand_whole, distances, normalised, pull

DATASETS = Path(__file__).resolve().parents[2] / "datasets"


def has_twin(dataset: str, datasets: Path = DATASETS) -> bool:
    """Whether a twin is declared for that dataset."""
    return (datasets / dataset / "twin.yml").is_file()


def load_twin(dataset: Dataset, datasets: Path = DATASETS) -> Twin:
    """The dataset's twin, agreed with its description.

    Raises
    ------
    SynthError
        `no-twin`: the dataset declares none.
    DescriptionError
        A key is missing, unknown or mistyped, or the twin does not fill exactly the described columns.
    """
    if not has_twin(dataset.name, datasets):
        raise SynthError(
            "no-twin",
            ko=f"'{dataset.name}'에는 선언된 합성 쌍둥이(twin.yml)가 없습니다",
            en=f"'{dataset.name}' declares no synthetic twin (twin.yml)",
        )
    entry = read(datasets / dataset.name / "twin.yml")
    tables = Tables(datasets)
    version, seed, rows = entry.text("twin"), int(entry.number("seed")), int(entry.number("rows"))
    form = entry.one_of("form", Form)
    weight = entry.text("weight", "") if entry.has("weight") else ""
    calendar = _calendar(entry.entry("calendar"))
    listed = entry.entries("factors")
    pending = [(e, e.text("column"), e.text("given", "")) for e in listed]
    names = [name for _, name, _ in pending]
    made: dict[str, Factor] = {}
    while pending:
        ready = [p for p in pending if not p[2] or p[2] in made]
        if not ready:
            raise pending[0][0].error(
                "given",
                ko=f"'{pending[0][2]}'에 기댈 수 없습니다",
                en=f"cannot depend on '{pending[0][2]}'",
            )
        for item in ready:
            made[item[1]] = _factor(*item, made, tables)
            pending.remove(item)
    measures = (
        tuple(_measure(e, made, tables) for e in entry.entries("measures")) if entry.has("measures") else ()
    )
    entry.done()
    twin = Twin(
        dataset=dataset.name,
        version=version,
        seed=seed,
        rows=rows,
        form=form,
        weight=weight,
        calendar=calendar,
        factors=tuple(made[name] for name in names),
        measures=measures,
        order=tuple(made),
    )
    _agrees(twin, dataset, entry)
    return twin


def _calendar(entry: Entry) -> Calendar:
    column, start = entry.text("column"), entry.text("start")
    try:
        first = date.fromisoformat(start)
    except ValueError as error:
        raise entry.error(
            "start", ko=f"'{start}'은(는) 날짜가 아닙니다", en=f"'{start}' is no date"
        ) from error
    calendar = Calendar(
        column=column,
        start=first,
        step=entry.one_of("step", Step),
        rows=int(entry.number("rows")),
        periods=int(entry.number("periods")),
        weekday=_volumes(entry, "weekday", 7),
        month=_volumes(entry, "month", 12),
        source=_source(entry),
    )
    entry.done()
    if calendar.rows < 1 or calendar.periods < 1:
        raise entry.error("rows", ko="1 이상이어야 합니다", en="must be 1 or more")
    return calendar


def _volumes(entry: Entry, key: str, number: int) -> tuple[float, ...]:
    values = entry.numbers(key)
    if len(values) != number or min(values) < 0 or max(values) <= 0:
        raise entry.error(
            key, ko=f"0 이상의 수 {number}개여야 합니다", en=f"must be {number} numbers of 0 or more"
        )
    return values


def _source(entry: Entry) -> str:
    inner = entry.entry("source")
    text = f"{inner.text('ko')} / {inner.text('en')}"
    inner.done()
    return text


def _factor(entry: Entry, column: str, given: str, made: dict[str, Factor], tables: Tables) -> Factor:
    parents = made[given].codes if given else ("",)
    source = _source(entry) if entry.has("source") else ""
    if entry.has("shares"):
        codes, shares = _inline(entry.entry("shares"))
    elif entry.has("pull"):
        codes, shares = pull(tables, entry.entry("pull"), parents)
    else:
        file, key = entry.text("file"), entry.text("key")
        if entry.has("columns"):
            codes, shares = _conditional(entry, file, key, parents, tables)
        else:
            codes = tuple(tables.column(entry, file, key))
            shares = tables.numbers(entry, file, entry.text("share"))
        source = source or tables.source(file)
    if not source:
        raise entry.error("source", ko="출처를 적으세요", en="say where the shares come from")
    if len(set(codes)) != len(codes):
        raise entry.error("column", ko="코드가 겹칩니다", en="a code is given twice")
    latent = entry.flag("latent", False)
    entry.done()
    rows = normalised(entry, "shares", shares)
    if given and len(rows) == 1:
        rows = np.repeat(rows, len(parents), axis=0)
    return Factor(column=column, given=given, codes=codes, shares=rows, latent=latent, source=source)


def _inline(entry: Entry) -> tuple[tuple[str, ...], Any]:
    codes = entry.keys()
    shares = np.array([entry.number(code) for code in codes])
    demand_whole(entry, "", shares)
    return codes, shares


def _conditional(
    entry: Entry, file: str, key: str, parents: tuple[str, ...], tables: Tables
) -> tuple[tuple[str, ...], Any]:
    """A row of shares for every parent code, or for the class it belongs to."""
    named = entry.entry("columns")
    headers = named.keys()
    codes = tuple(named.text(h) for h in headers)
    values = np.array([tables.numbers(entry, file, h) for h in headers]).T
    demand_whole(entry, "columns", values)
    rows = dict(zip(tables.column(entry, file, key), values, strict=True))
    wanted = parents
    if entry.has("class"):
        inner = entry.entry("class")
        of = tables.lookup(inner, inner.text("file"), inner.text("key"), inner.text("value"))
        inner.done()
        wanted = tuple(of.get(p, "") for p in parents)
    return codes, by_parent(entry, rows, wanted)


def _measure(entry: Entry, made: dict[str, Factor], tables: Tables) -> Measure:
    kind = entry.one_of("kind", Kind)
    column = entry.text("column")
    given, to = entry.text("given", entry.text("from", "")), entry.text("to", "")
    for name in (given, to):
        if name and name not in made:
            raise entry.error("given", ko=f"'{name}' 요인이 없습니다", en=f"there is no factor '{name}'")
    by_code: tuple[Any, ...] = ()
    if kind is Kind.FIXED:
        inner = entry.entry("values")
        by_code = tuple(inner.number(code) for code in made[given].codes)
        inner.done()
    elif kind in {Kind.LOOKUP, Kind.AMOUNT}:
        found = tables.lookup(entry, entry.text("file"), entry.text("key"), entry.text("value"))
        texts = by_parent(entry, found, made[given].codes).tolist()
        by_code = tuple(texts) if kind is Kind.LOOKUP else tuple(float(t) for t in texts)
    distance = None
    if kind is Kind.TRAVEL:
        if made[given].codes != made[to].codes:
            raise entry.error("to", ko="두 요인의 코드가 다릅니다", en="the two factors differ in codes")
        distance = distances(tables, entry, entry.text("places"), made[given].codes)
    measure = Measure(
        column=column,
        kind=kind,
        of=entry.text("of", ""),
        given=given,
        to=to,
        mean=entry.number("mean", entry.number("total", entry.number("per_km", 0.0))),
        spread=entry.number("spread", 0.0),
        base=entry.number("base", 0.0),
        below=entry.number("below", 0.0),
        decimals=int(entry.number("decimals", 0)),
        by_code=by_code,
        distance=distance,
    )
    entry.done()
    return measure


def _agrees(twin: Twin, dataset: Dataset, entry: Entry) -> None:
    """Refuse a twin that does not fill exactly the described columns, or depends on a later measure."""
    filled = [twin.calendar.column, *(f.column for f in twin.factors if not f.latent)]
    for measure in twin.measures:
        if measure.of and measure.of not in filled:
            raise entry.error(
                "measures",
                ko=f"'{measure.of}'이(가) 먼저 있어야 합니다",
                en=f"'{measure.of}' must come first",
            )
        filled.append(measure.column)
    described = {c.name for c in dataset.columns}
    for name in sorted(described ^ set(filled)) or [n for n in filled if filled.count(n) > 1]:
        raise entry.error(
            "factors",
            ko=f"'{name}' 열이 설명과 맞지 않습니다",
            en=f"column '{name}' does not fit the description",
        )
    if twin.weight and twin.weight not in {m.column for m in twin.measures}:
        raise entry.error(
            "weight", ko=f"'{twin.weight}' 값이 없습니다", en=f"there is no measure '{twin.weight}'"
        )
    if twin.rows < 1:
        raise entry.error("rows", ko="1 이상이어야 합니다", en="must be 1 or more")
    for factor in twin.factors:
        if not factor.latent and not _fits(dataset.column(factor.column), factor.codes):
            raise entry.error(
                "factors", ko=f"'{factor.column}' 코드의 형식", en=f"codes of '{factor.column}' mistyped"
            )


def _fits(column: Column, codes: tuple[str, ...]) -> bool:
    whole = column.type in {ColumnType.INT, ColumnType.LONG}
    return column.type is ColumnType.STRING or (whole and all(c.lstrip("-").isdigit() for c in codes))
