"""Normalised statements: nothing a person put in stays, nothing is lost, and the tree has the last word."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from typing import Any

import pytest

from catalog.gateway import refusals
from catalog.gateway.parameters import of_python
from catalog.gateway.sql import functions, normal
from catalog.gateway.sql.normal import LONGEST, fill, normalise, whole
from catalog.gateway.sql.statement import prepare
from tests.catalog.gateway.fuzz import COLUMNS, GRANTED, Texts
from tests.catalog.gateway.statements import LEGITIMATE, LISTINGS
from tests.catalog.gateway.test_tree import PARSER, prepared

PUBLIC = ("subway_ridership", "dong_codes", "card_sales", "gu_boundary", "date", "line", "station", "gu_name")
WORDS = normal._vocabulary()


def put_in(node: Any) -> Iterator[str]:
    """Every literal and every name of a tree, as the engine's parser has them."""
    if isinstance(node, list):
        for item in node:
            yield from put_in(item)
    elif isinstance(node, dict):
        if node.get("class") == "CONSTANT" and node["literal"]["kind"] not in ("BOOLEAN", "NULL_LITERAL"):
            yield str(node["literal"]["text"])
        for key, value in node.items():
            if key in ("alias", "table_name", "cte_name", "identifier") and value:
                yield str(value)
            elif key in ("column_names", "column_name_alias", "aliases") and isinstance(value, list):
                yield from map(str, value)
            else:
                yield from put_in(value)


def check(text: str, names: tuple[str, ...]) -> normal.Normal:
    found = normalise(text, names)
    assert fill(found.text, found.literals) == text
    known = WORDS | {name.lower() for name in names}
    for kind, token in normal._tokens(found.text):
        assert kind != "literal", found.text
        assert kind == "mark" or token[0] == "$" or normal._bare(token) in known, token
    return found


@pytest.mark.parametrize("text", [*LEGITIMATE, *LISTINGS])
def test_what_analysts_write_comes_apart_and_together_again(text: str) -> None:
    statement = prepared(text)
    found = check(statement.shown, PUBLIC)
    tree = json.loads(PARSER.serialise(statement.text))
    left = {normal._bare(token) for kind, token in normal._tokens(found.text) if kind == "name"}
    for value in {value.lower() for value in put_in(tree["statements"])} - WORDS - set(PUBLIC):
        stays = len(value) > 3 and not any(value in word for word in left)
        assert not (stays and value in found.text.lower()), value


def test_random_statements_come_apart_and_together_again() -> None:
    texts, names, good = Texts(19), (*GRANTED, *(name for name, _ in COLUMNS)), 0
    for _ in range(1500):
        try:
            statement = prepare(texts.statement(), GRANTED, functions.load(), PARSER)
        except refusals.QueryRefused:
            continue
        check(statement.shown, names)
        good += 1
    assert good > 200


def test_any_bytes_come_apart_and_together_again() -> None:
    """Not only what the engine writes: a text that is read wrongly must not leave a word behind either."""
    some = random.Random(7)
    alphabet = [
        *string.printable,
        "'",
        '"',
        "''",
        '""',
        "$1",
        "홍길동",
        "é",
        "\u00a0",
        "🙂",
        "0x",
        "1e-",
        "/*",
        "--",
    ]
    for _ in range(3000):
        text = "".join(some.choice(alphabet) for _ in range(some.randint(0, 60)))
        check(text, PUBLIC)


SECRETS = ["홍길동", "900101-1234567", "hong_gildong", "Hong", "9001011234567", "3.14159", "DEADBEEF", "7749"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '홍길동', '900101-1234567', 9001011234567, 3.14159, '\\xDEADBEEF'::BLOB, -7749",
        'SELECT 1 AS "홍길동", 2 AS 홍길동, 3 AS hong_gildong, 4 AS Hong',
        'WITH hong_gildong(Hong) AS (SELECT 1) SELECT Hong FROM hong_gildong AS "900101-1234567"',
        "SELECT {'홍길동': 1, hong_gildong: 2}, [x + 7749 FOR x IN [9001011234567]], MAP {'Hong': 3.14159}",
        "SELECT * FROM dong_codes WHERE gu_name IN ('홍길동', 'Hong') OR gu_name LIKE '%Hong%' LIMIT 7749",
        "SELECT line FROM subway_ridership USING SAMPLE 7749 ROWS (reservoir, 3)",
        "SELECT line FROM subway_ridership TABLESAMPLE reservoir(7749 ROWS) REPEATABLE (7749)",
        "SELECT list_transform([1], lambda hong_gildong: hong_gildong + 1), columns('Hong') FROM dong_codes",
        "FROM (PIVOT dong_codes ON gu_name IN ('홍길동', 'Hong') USING count(*))",
        "FROM (UNPIVOT (SELECT 1 AS Hong, 2 AS 홍길동) ON Hong, 홍길동 INTO NAME hong_gildong VALUE x)",
        "SELECT DATE '1990-01-01', TIMESTAMP '1990-01-01 07:49:00', INTERVAL 7749 DAY, 'x'::DECIMAL(38, 7)",
        "SELECT 1 COLLATE nocase, #1, $hong_gildong",
        "SELECT gu_name AS Hong FROM dong_codes ORDER BY Hong, 1 OFFSET 7749",
        "SELECT sum(1) OVER (ORDER BY 1 ROWS BETWEEN 7749 PRECEDING AND CURRENT ROW) FROM dong_codes",
        "EXPLAIN SELECT '홍길동'",
    ],
)
def test_nothing_a_person_put_in_stays(text: str) -> None:
    try:
        statement = prepare(
            text, ("subway_ridership", "dong_codes"), functions.load(), PARSER,
            parameters=frozenset({"hong_gildong"} if "$" in text else ()),
        )  # fmt: skip
    except refusals.QueryRefused as refused:
        pytest.fail(f"{refused.reason}: {refused.en}")
    found = check(statement.shown, PUBLIC)
    assert not [secret for secret in SECRETS if secret.lower() in found.text.lower()], found.text
    assert not [
        c for c in found.text if c.isdigit() and f"${c}" not in found.text and not _numbered(found.text)
    ]


def _numbered(text: str) -> bool:
    """Whether every number of a text belongs to a placeholder."""
    return all(token[0] == "$" for kind, token in normal._tokens(text) if token[-1:].isdigit())


def test_the_shape_stays_readable() -> None:
    text = "SELECT sum(boardings) AS s FROM memory.campus.t AS a WHERE (a.line = '2호선') ORDER BY s"
    found = normalise(text, ("t", "boardings", "line"))
    shape = "SELECT sum(boardings) AS $1 FROM memory.campus.t AS $2 WHERE ($2.line = $3) ORDER BY $1"
    assert (found.text, found.literals) == (shape, ("s", "a", "'2호선'"))


def test_many_literals_in_a_row_share_a_number() -> None:
    found = normalise(f"SELECT (a IN ({', '.join(map(str, range(100_000)))})) FROM t", ("a", "t"))
    assert found.text == "SELECT (a IN ($1)) FROM t"
    rows = normalise("SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e')) AS t", ("t",))
    assert rows.text == "SELECT * FROM (VALUES ($1)) AS t"


def test_of_a_statement_that_stays_too_long_nothing_stays() -> None:
    text = "SELECT " + ", ".join(f"abs({i})" for i in range(LONGEST // 8))
    found = normalise(text)
    assert (found.text, found.literals) == ("$1", (text,))


def test_values_that_are_bound_are_taken_out_with_their_names() -> None:
    values = of_python({"who": "홍길동", "n": 3})
    found = normalise("SELECT $who, ($n + 1)", (), values.literals)
    assert found.text == "SELECT $1, ($2 + $3)"
    bound = {fill(name, found.literals): fill(value, found.literals) for name, value in found.parameters}
    assert bound == {"$who": "'홍길동'", "$n": "3"}
    unseen = whole("?", of_python(["x"]).literals)
    assert [(fill(a, unseen.literals), fill(b, unseen.literals)) for a, b in unseen.parameters] == [
        ("$1", "'x'")
    ]


def test_what_does_not_belong_together_is_not_filled_in() -> None:
    with pytest.raises(ValueError, match="literal"):
        fill("SELECT $2", ["1"])
    with pytest.raises(ValueError, match="literal"):
        fill("SELECT $0", ["1"])


def test_the_keywords_are_those_of_the_engine() -> None:
    assert (normal.HERE / "keywords.txt").read_text("utf-8") == normal.generate()
