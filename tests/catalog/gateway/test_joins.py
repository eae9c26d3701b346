"""Joins of different code systems are refused, and no join that means one thing is."""

from __future__ import annotations

import pytest

from catalog.descriptions import load_all
from catalog.gateway import refusals
from catalog.gateway.sql import functions
from catalog.gateway.sql.statement import Statement, prepare
from tests.catalog.gateway.simulator import REPO
from tests.catalog.gateway.statements import LEGITIMATE
from tests.catalog.gateway.test_tree import PARSER

DESCRIBED = load_all(REPO / "datasets")
SYSTEMS = {
    **{name: {c.name: c.code_system for c in d.columns} for name, d in DESCRIBED.items()},
    "kostat": {"gu": "KOSTAT-gu-5", "dong": "KOSTAT-dong-7", "people": "", "name": ""},
    "mois": {"gu": "MOIS-gu-5", "dong": "MOIS-dong-8", "sales": "", "name": ""},
    "shops": {"gu": "MOIS-gu-5", "industry": "SEOUL-CS100", "name": ""},
}

REFUSED = [
    "SELECT * FROM kostat k JOIN mois m ON k.gu = m.gu",
    "SELECT * FROM kostat k JOIN mois m ON m.gu = k.gu AND k.people > 3",
    "SELECT * FROM kostat JOIN mois ON kostat.gu = mois.gu",
    "SELECT * FROM KOSTAT k JOIN MOIS m ON K.GU = M.GU",
    "SELECT * FROM kostat k, mois m WHERE k.gu = m.gu",
    "SELECT * FROM kostat k, mois m WHERE k.people = m.sales OR NOT (k.gu = m.gu)",
    "SELECT * FROM kostat LEFT JOIN mois USING (gu)",
    "SELECT * FROM kostat NATURAL JOIN mois",
    "SELECT * FROM kostat k JOIN mois m ON k.gu IS NOT DISTINCT FROM m.gu",
    "SELECT * FROM kostat JOIN mois ON people = sales JOIN shops s ON s.gu = kostat.gu",
    "SELECT * FROM kostat k SEMI JOIN mois m ON k.dong = m.dong",
    "WITH k AS (SELECT gu AS g FROM kostat) SELECT * FROM k JOIN mois m ON k.g = m.gu",
    "WITH k(code) AS (SELECT gu FROM kostat) SELECT * FROM k JOIN mois m ON code = m.gu",
    "SELECT * FROM (SELECT * FROM kostat) JOIN (SELECT gu, sum(sales) FROM mois GROUP BY gu) USING (gu)",
    "SELECT * FROM (SELECT gu FROM mois UNION ALL SELECT gu FROM shops) m JOIN kostat k ON k.gu = m.gu",
    "SELECT * FROM mois WHERE gu IN (SELECT gu FROM kostat)",
    "SELECT * FROM mois m WHERE EXISTS (SELECT 1 FROM kostat k WHERE k.gu = m.gu)",
    "SELECT (SELECT max(people) FROM kostat k WHERE k.gu = m.gu) FROM mois m",
    "SELECT * FROM shops s JOIN mois m ON s.industry = m.gu",
    "SELECT count(*) FROM dong_codes a JOIN dong_codes b ON a.kostat_code = b.dong_code",
    "SELECT * FROM kostat k(code, d) JOIN mois ON code = mois.gu",
]

LET_PASS = [
    "SELECT * FROM shops s JOIN mois m ON s.gu = m.gu",
    "SELECT * FROM shops JOIN mois USING (gu)",
    "SELECT * FROM kostat k JOIN mois m ON k.name = m.name",
    "SELECT * FROM kostat k JOIN mois m ON k.people = m.sales",
    "SELECT * FROM kostat k JOIN mois m ON substr(k.gu, 1, 2) = substr(m.gu, 1, 2)",
    "SELECT * FROM kostat k JOIN mois m ON k.gu = m.gu || ''",
    "SELECT * FROM kostat k JOIN mois m ON k.gu <> m.gu",
    "SELECT * FROM kostat k JOIN mois m ON k.gu = m.name",
    "SELECT * FROM kostat WHERE gu = '11110'",
    "SELECT k.people FROM kostat k JOIN dong_codes d ON k.dong = d.kostat_code "
    "JOIN mois m ON m.dong = d.dong_code",
    "WITH k AS (SELECT d.gu_code AS gu, sum(k.people) AS n FROM kostat k JOIN dong_codes d "
    "ON k.dong = d.kostat_code GROUP BY ALL) SELECT * FROM k JOIN mois USING (gu)",
    "WITH k AS (SELECT upper(gu) AS gu FROM kostat) SELECT * FROM k JOIN mois USING (gu)",
    "WITH mois AS (SELECT gu FROM kostat) SELECT * FROM mois JOIN kostat USING (gu)",
    "SELECT * FROM (VALUES ('11110')) v(gu) JOIN kostat USING (gu)",
    "SELECT * FROM kostat CROSS JOIN mois",
    "SELECT gu FROM kostat UNION SELECT gu FROM mois",
    "SELECT * FROM (SELECT gu FROM kostat UNION SELECT gu FROM mois) u JOIN mois m ON u.gu = m.gu",
    "SELECT * FROM kostat k POSITIONAL JOIN mois m",
    "SELECT c.sales_amount FROM card_sales c JOIN living_population p USING (dong_code)",
    "SELECT * FROM mois m WHERE EXISTS (SELECT 1 FROM mois n WHERE n.gu = m.gu)",
    "SELECT * FROM kostat a JOIN kostat b ON a.gu = b.gu",
    "SELECT * FROM mois, (SELECT gu AS g FROM shops) WHERE gu = g",
]  # fmt: skip


def prepared(text: str) -> Statement:
    return prepare(text, tuple(SYSTEMS), functions.load(), PARSER, SYSTEMS)


@pytest.mark.parametrize("text", REFUSED)
def test_different_code_systems_are_not_joined(text: str) -> None:
    with pytest.raises(refusals.QueryRefused) as caught:
        prepared(text)
    assert caught.value.reason == "mixed-code-systems"


@pytest.mark.parametrize("text", [*LET_PASS, *LEGITIMATE])
def test_joins_that_mean_one_thing_pass(text: str) -> None:
    assert prepared(text).tables <= set(SYSTEMS)


def test_the_refusal_names_both_columns_the_five_codes_and_the_way_out() -> None:
    with pytest.raises(refusals.QueryRefused) as caught:
        prepared("WITH k AS (SELECT gu AS g FROM kostat) SELECT * FROM k JOIN mois m ON k.g = m.gu")
    for text in (caught.value.ko, caught.value.en):
        for word in ("kostat.gu", "mois.gu", "KOSTAT-gu-5", "MOIS-gu-5", "11110", "11230", "dong_codes"):
            assert word in text
        assert "campus.codes.crosswalk('KOSTAT-gu-5', 'MOIS-gu-5')" in text


def test_what_is_described_nowhere_is_not_looked_at() -> None:
    text = "SELECT * FROM kostat k JOIN mois m ON k.gu = m.gu"
    assert prepare(text, tuple(SYSTEMS), functions.load(), PARSER).tables == {"kostat", "mois"}
