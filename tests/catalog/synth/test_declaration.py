"""`twin.yml` is read strictly: a mistake names the file and the key."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.descriptions import DescriptionError, load_all
from catalog.synth.declaration import load_twin
from catalog.synth.model import SynthError

REPO = Path(__file__).resolve().parents[3]
DATASETS = load_all(REPO / "datasets")
SPENDING = DATASETS["card_spending"]


def put(value: Any, *path: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = value

    return change


def remove(*path: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        del content[path[-1]]

    return change


def load_changed(folder: Path, change: Callable[[Any], None]) -> None:
    for name in ("card_spending", "card_sales"):
        shutil.copytree(REPO / "datasets" / name, folder / name)
    file = folder / "card_spending" / "twin.yml"
    content = yaml.safe_load(file.read_text("utf-8"))
    change(content)
    file.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    load_twin(SPENDING, folder)


def test_the_unchanged_declaration_loads_from_another_folder(tmp_path: Path) -> None:
    load_changed(tmp_path, lambda content: None)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (put(1, "colour"), "colour"),
        (put("rows", "form"), "form"),
        (put(0, "rows"), "rows"),
        (put("people", "weight"), "weight"),
        (put("2026-13-01", "calendar", "start"), "calendar.start"),
        (put([1, 1], "calendar", "weekday"), "calendar.weekday"),
        (put([-1] + [1] * 11, "calendar", "month"), "calendar.month"),
        (put(0, "calendar", "rows"), "calendar.rows"),
        (remove("calendar", "source"), "calendar.source"),
        (put("no/such.csv", "factors", 0, "file"), "factors[0].file"),
        (put("../card_sales/sample/dongs.csv", "factors", 0, "file"), "factors[0].file"),
        (put("nothing", "factors", 0, "share"), "factors[0].file"),
        (put("dong_code", "factors", 1, "key"), "factors[1].file"),
        (put("colour", "factors", 2, "given"), "given"),
        (put({"female": "F"}, "factors", 4, "columns"), "factors[4].columns"),
        (put({"female": "F", "male": "F"}, "factors", 4, "columns"), "factors[4].column"),
        (put({"개인": 0.4}, "factors", 3, "shares"), "factors[3].shares"),
        (put({"개인": -1, "법인": 2}, "factors", 3, "shares"), "factors[3].shares"),
        (remove("factors", 3, "source"), "factors[3].source"),
        (remove("factors", 3), "factors"),
        (remove("measures", 1), "factors"),
        (put("nothing", "measures", 1, "given"), "measures[1].given"),
        (put("amount", "measures", 1, "of"), "measures"),
        (put("guess", "measures", 0, "kind"), "measures[0].kind"),
        (put(1, "measures", 0, "widht"), "measures[0].widht"),
    ],
)
def test_a_mistake_names_its_key(tmp_path: Path, change: Callable[[Any], None], key: str) -> None:
    with pytest.raises(DescriptionError) as refused:
        load_changed(tmp_path, change)
    assert refused.value.key.endswith(key)


def test_a_dataset_without_a_twin_says_so() -> None:
    with pytest.raises(SynthError, match=r"twin\.yml"):
        load_twin(DATASETS["dong_codes"])
