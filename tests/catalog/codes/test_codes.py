"""Code systems: what the tables hold, where crosswalks lead, and that nothing is lost in silence."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from catalog.codes import CodeError, Crosswalk, crosswalk, load
from catalog.codes.book import TABLES
from catalog.descriptions import load_all
from catalog.samples.tables import read_table

REPO = Path(__file__).resolve().parents[3]
BOOK = load()
FIVE = ("11110", "11140", "11170", "11200", "11230")


def walk(from_: str, to: str, *vintages: str | None) -> Crosswalk:
    return crosswalk(BOOK, from_, to, *vintages)


def test_five_codes_mean_different_districts() -> None:
    assert BOOK.shared("KOSTAT-gu-5", "MOIS-gu-5") == FIVE
    kostat, mois = (BOOK.names(BOOK.node(name)) for name in ("KOSTAT-gu-5", "MOIS-gu-5"))
    assert [(kostat[c], mois[c]) for c in FIVE] == [
        ("노원구", "종로구"),
        ("마포구", "중구"),
        ("구로구", "용산구"),
        ("동작구", "성동구"),
        ("강남구", "동대문구"),
    ]


def test_every_code_fits_its_pattern_and_every_name_is_whole() -> None:
    for system in BOOK.systems.values():
        for vintage in system.vintages:
            codes = [c.code for c in vintage.codes]
            assert len(codes) == len(set(codes))
            for code in vintage.codes:
                assert re.fullmatch(system.pattern, code.code), (system.name, code)
                assert code.name and "?" not in code.name and "�" not in code.name


def test_the_tables_agree_with_those_of_the_datasets() -> None:
    centres = read_table(REPO / "datasets/dong_boundary/sample/dong_centres.csv")
    assert set(centres["dong_code"]) == set(BOOK.names(("MOIS-dong-8", "2025-05")))
    gu = read_table(REPO / "datasets/gu_boundary/sample/gu.csv")
    assert dict(zip(gu["gu_code"], gu["gu_name"], strict=True)) == BOOK.names(("MOIS-gu-5", "2015"))
    shops = read_table(REPO / "datasets/card_sales/sample/industries.csv")
    industries = BOOK.names(("SEOUL-CS100", "2022"))
    assert set(zip(shops["industry_code"], shops["industry_name"], strict=True)) <= set(industries.items())


def test_every_code_system_of_seoul_that_a_dataset_names_is_known() -> None:
    named = {c.code_system for d in load_all(REPO / "datasets").values() for c in d.columns if c.code_system}
    ours = {name for name in named if name.startswith(("MOIS-", "KOSTAT-"))}
    assert ours <= set(BOOK.systems)


def test_the_edition_of_the_mapping_loses_nothing() -> None:
    found = walk("KOSTAT-dong-7", "MOIS-dong-8", None, "2024-12")
    assert found.lossless and len(found.links) == 424
    back = walk("MOIS-dong-8", "KOSTAT-dong-8", "2024-12", None)
    assert back.lossless and {k.target.code[-1] for k in back.links} == {"0"}


def test_a_split_dong_is_listed_and_said_why() -> None:
    found = walk("KOSTAT-dong-7", "MOIS-dong-8")
    assert found.split == ("1117068",) and not found.unmatched and not found.unreached
    targets = {k.target.name for k in found.links if k.source.code == "1117068"}
    assert targets == {"오류2동", "항동"}
    assert "항동" in found.notes["1117068"][0]


def test_editions_differ_where_the_city_changed() -> None:
    found = walk("MOIS-dong-8", "MOIS-dong-8", "old", "2025-05")
    assert set(found.split) == {"11530780", "11710532", "11710646"}
    assert set(found.merged) == {"11110650", "11710647"}
    renamed = {k.source.name: k.target.name for k in found.links if k.source.code[:5] == "11140"}
    assert renamed["신당제2동"] == "다산동"
    assert not found.unmatched and not found.unreached and not found.lossless
    assert walk("MOIS-dong-8", "MOIS-dong-8", "2024-12", "2024-12").lossless


def test_a_coarser_code_is_reached_and_a_finer_one_is_not() -> None:
    found = walk("KOSTAT-dong-7", "MOIS-gu-5")
    assert len(found.merged) == 25 and not found.split
    assert {k.target.code for k in found.links if k.source.code.startswith("11110")} == {"11350"}  # 노원
    assert len({k.source.code for k in walk("SEOUL-TRDAR", "MOIS-gu-5").links}) == 1650
    with pytest.raises(CodeError) as caught:
        walk("MOIS-gu-5", "MOIS-dong-8")
    assert caught.value.reason == "no-crosswalk" and "나눌 수 없습니다" in caught.value.ko


def test_what_nothing_leads_to_is_listed() -> None:
    found = walk("SEOUL-TRDAR", "SEOUL-TRDAR", "2022")
    assert len(found.links) == 6 and len(found.unreached) == 1644 and not found.unmatched
    with pytest.raises(CodeError, match="바꾸는 표가 없습니다"):
        walk("SEOUL-CS100", "MOIS-gu-5")


@pytest.mark.parametrize(("names", "reason"), [(("X", "Y"), "no-system"), (("MOIS-gu-5",) * 2, "no-vintage")])
def test_unknown_systems_and_editions_list_the_known(names: tuple[str, str], reason: str) -> None:
    with pytest.raises(CodeError) as caught:
        walk(*names, "1999")
    assert caught.value.reason == reason and ("2015" in caught.value.en or "KOSTAT-gu-5" in caught.value.en)


def test_a_table_without_a_source_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "tables"
    shutil.copytree(TABLES, copy)
    assert load(copy).systems.keys() == BOOK.systems.keys()
    load.cache_clear()
    (copy / "gu.csv").write_text("mois,kostat\n11110,11010\n", "utf-8")
    with pytest.raises(CodeError) as caught:
        load(copy)
    assert caught.value.reason == "no-source"
