"""Descriptions are read strictly: a mistake names the file and the key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.descriptions import DescriptionError, load, load_all

REPO = Path(__file__).resolve().parents[3]
SUBWAY = REPO / "datasets" / "subway_ridership" / "dataset.yml"


def test_every_column_is_explained_in_both_languages() -> None:
    for dataset in load_all(REPO / "datasets").values():
        for text in (dataset.title, dataset.description, dataset.custodian, dataset.licence, dataset.source):
            assert text.ko
            assert text.en
        assert all(c.title.ko and c.title.en for c in dataset.columns)


def test_geometry_declares_its_reference_system() -> None:
    geometry = load_all(REPO / "datasets")["dong_boundary"].geometry
    assert geometry is not None
    assert (geometry.column, geometry.crs) == ("geometry", "EPSG:4326")


def remove(*path: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        del content[path[-1]]

    return change


def put(value: Any, *path: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (put("x", "colour"), "colour"),
        (put("x", "title", "fr"), "title.fr"),
        (put(1, "columns", 2, "widht"), "columns[2].widht"),
        (remove("licence"), "licence"),
        (remove("title", "en"), "title.en"),
        (put("", "source", "ko"), "source.ko"),
        (put("secret", "tier"), "tier"),
        (put("text", "columns", 0, "type"), "columns[0].type"),
        (put("Date", "columns", 0, "name"), "columns[0].name"),
        (put(True, "columns", 0, "title", "ko"), "columns[0].title.ko"),
        (put(["date", "nowhere"], "key"), "key"),
        (put(["nowhere"], "sort"), "sort"),
        (put("line", "period", "column"), "period.column"),
        (put("line", "columns", 2, "name"), "columns"),
        (put({"column": "line", "crs": "EPSG:4326"}, "geometry"), "geometry.column"),
        (put([], "columns"), "columns"),
        (put("subway", "name"), "name"),
        (put(["everything"], "export_policy", "classes"), "export_policy.classes"),
        (put(["nowhere"], "lookups"), "lookups"),
        (put(["registered_date"], "lookups"), "lookups"),
        (put(["date"], "lookups"), "lookups"),
        (put("date", "columns", 2, "was"), "columns"),
        (put("Line", "columns", 2, "was"), "columns[2].was"),
    ],
)
def test_a_mistake_names_the_file_and_the_key(
    tmp_path: Path, change: Callable[[Any], None], key: str
) -> None:
    content = yaml.safe_load(SUBWAY.read_text("utf-8"))
    change(content)
    file = tmp_path / "subway_ridership" / "dataset.yml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    with pytest.raises(DescriptionError) as refused:
        load(file)
    assert refused.value.key == key
    assert str(file) in refused.value.ko
    assert key in refused.value.en


@pytest.mark.parametrize(
    "text", ["name: a\nname: b\n", "- a\n- b\n", "name: [\n", "!!python/object:os.system {}\n"]
)
def test_what_is_no_plain_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "dataset.yml"
    file.write_text(text, "utf-8")
    with pytest.raises(DescriptionError):
        load(file)


GU = {"name": "gu", "from": "dong_code", "how": "prefix", "number": 5, "code_system": "MOIS-gu-5"}
MONTH = {"name": "month", "from": "date", "how": "month", "title": {"ko": "월", "en": "month"}}


def parted(tmp_path: Path, *partitions: dict[str, Any]) -> Path:
    content = yaml.safe_load((REPO / "datasets" / "card_spending" / "dataset.yml").read_text("utf-8"))
    content["partitions"] = list(partitions)
    file = tmp_path / "card_spending" / "dataset.yml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return file


def test_partitions_are_read_with_the_words_of_variants(tmp_path: Path) -> None:
    gu, month, industry = load(
        parted(tmp_path, GU, MONTH, {"name": "industry", "from": "industry", "how": "same"})
    ).partitions
    assert (gu.name, gu.source, gu.how, gu.number) == ("gu", "dong_code", "prefix", 5)
    assert (gu.code_system, gu.title.en) == ("MOIS-gu-5", "administrative dong code (MOIS, 8 digits)")
    assert (month.how, month.number, month.title.ko, month.code_system) == ("month", 0, "월", "")
    assert industry.name == industry.source


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"name": "industry"}, "partitions[0].name"),  # another column's name
        ({"name": "Gu"}, "partitions[0].name"),
        ({"from": "nowhere"}, "partitions[0].from"),
        ({"how": "sum"}, "partitions[0].how"),
        ({"how": "mask"}, "partitions[0].how"),
        ({"how": "month"}, "partitions[0].how"),
        ({"from": "amount"}, "partitions[0].how"),
        ({"number": 0}, "partitions[0].number"),
        ({"number": 2.5}, "partitions[0].number"),
        ({"value": "x"}, "partitions[0].value"),
        ({"title": {"ko": "구"}}, "partitions[0].title.en"),
        ({"how": "same", "number": 5}, "partitions[0].number"),
    ],
)
def test_a_wrong_partition_is_refused_with_its_key(tmp_path: Path, change: dict[str, Any], key: str) -> None:
    with pytest.raises(DescriptionError) as refused:
        load(parted(tmp_path, GU | change))
    assert refused.value.key == key


@pytest.mark.parametrize("second", [GU, GU | {"name": "district"}, MONTH | {"name": "gu"}])
def test_partitions_differ_in_name_and_rule(tmp_path: Path, second: dict[str, Any]) -> None:
    with pytest.raises(DescriptionError) as refused:
        load(parted(tmp_path, GU, second))
    assert refused.value.key == "partitions"


def test_a_column_that_may_be_missing_parts_no_rows(tmp_path: Path) -> None:
    file = parted(tmp_path, GU)
    content = yaml.safe_load(file.read_text("utf-8"))
    for column in content["columns"]:
        if column["name"] == "industry":
            column["missing"] = {"ko": "모름", "en": "unknown"}
    content["key"].remove("industry")
    content["partitions"] = [{"name": "industry", "from": "industry", "how": "same"}]
    file.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    with pytest.raises(DescriptionError) as refused:
        load(file)
    assert refused.value.key == "partitions[0].from"
