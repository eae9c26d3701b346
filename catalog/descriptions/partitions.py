"""Reads the `partitions:` of a `dataset.yml`: the parts that a grant can name. Knows no rows and no files."""

from __future__ import annotations

import re

from catalog.descriptions.model import Column, ColumnType, How, Partition, Text
from catalog.descriptions.strict_yaml import Entry

NAME = re.compile(r"[a-z][a-z0-9_]{1,30}\Z")
FITS = {
    How.SAME: {ColumnType.STRING},
    How.PREFIX: {ColumnType.STRING},
    How.MONTH: {ColumnType.DATE, ColumnType.TIMESTAMP},
}


def read_partitions(entry: Entry, columns: tuple[Column, ...]) -> tuple[Partition, ...]:
    """The declared partitions, agreed with the dataset's columns; DescriptionError otherwise."""
    if not entry.has("partitions"):
        return ()
    made = tuple(_partition(e, {c.name: c for c in columns}) for e in entry.entries("partitions"))
    for words in ([p.name for p in made], [(p.source, p.how, p.number) for p in made]):
        if len(set(words)) != len(words):
            raise entry.error(
                "partitions", ko="같은 구획이 두 번 있습니다", en="the same partition is given twice"
            )
    return made


def _partition(entry: Entry, known: dict[str, Column]) -> Partition:
    name = entry.text("name")
    source, how = entry.text("from"), entry.one_of("how", How)
    if source not in known:
        raise entry.error("from", ko=f"'{source}' 열이 없습니다", en=f"there is no column '{source}'")
    column = known[source]
    if not NAME.match(name) or (name in known and name != source):
        raise entry.error(
            "name",
            ko=f"'{name}'은(는) 쓸 수 없습니다. 다른 열의 이름이 아닌 영문 소문자여야 합니다",
            en=f"'{name}' cannot be used: it must be lower snake_case and no other column's name",
        )
    if column.type not in FITS.get(how, ()):
        raise entry.error(
            "how",
            ko=f"{column.type} 열을 {how}(으)로 나눌 수 없습니다",
            en=f"a column of type {column.type} cannot be parted by {how}",
        )
    if column.nullable:
        raise entry.error(
            "from",
            ko=f"'{source}'에는 결측이 있을 수 있어 나눌 수 없습니다",
            en=f"'{source}' may be missing, so it cannot part the rows",
        )
    number = entry.number("number") if how is How.PREFIX else 0
    if number != int(number) or (how is How.PREFIX and number < 1):
        raise entry.error("number", ko="1 이상의 정수여야 합니다", en="must be a whole number from 1")
    made = Partition(
        name=name,
        source=source,
        how=how,
        number=int(number),
        title=_title(entry) if entry.has("title") else column.title,
        code_system=entry.text("code_system", "" if how is not How.SAME else column.code_system),
    )
    entry.done()
    return made


def _title(entry: Entry) -> Text:
    inner = entry.entry("title")
    text = Text(ko=inner.text("ko"), en=inner.text("en"))
    inner.done()
    return text
