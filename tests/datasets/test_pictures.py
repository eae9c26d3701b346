"""The picture in a README is drawn from the rows that are shipped, and says they are made up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from access_control.portal.pictures import pictures
from catalog.warehouse import Warehouse
from tests.datasets.test_datasets import DATASETS, NAMES, REPO

LARGEST = 2_000_000  # bytes, all of them


@pytest.fixture(scope="module")
def drawn(sample_warehouse: Warehouse) -> Mapping[str, str]:
    return {path.parent.name: text for path, text in pictures(sample_warehouse, DATASETS)}


def kept(name: str) -> Path:
    return REPO / "datasets" / name / "picture.svg"


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_is_of_the_shipped_rows(name: str, drawn: Mapping[str, str]) -> None:
    assert kept(name).read_text("utf-8") == drawn[name], "the rows or the drawing changed: run bin/campus fix"


@pytest.mark.parametrize("name", NAMES)
def test_it_is_labelled_and_shown_once(name: str) -> None:
    root = ElementTree.fromstring(kept(name).read_text("utf-8"))
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "합성 데이터 / synthetic data" in texts
    readme = (REPO / "datasets" / name / "README.md").read_text("utf-8")
    [(alt, target)] = re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", readme)
    assert target == "picture.svg" and DATASETS[name].title.ko in alt and "합성 데이터" in alt


def test_they_are_small_and_none_is_left_over() -> None:
    files = list((REPO / "datasets").glob("*/*.svg"))
    assert sorted(path.parent.name for path in files) == NAMES
    assert sum(path.stat().st_size for path in files) < LARGEST
