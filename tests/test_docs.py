"""The documents tell the truth: links lead somewhere, commands exist, nothing shipped goes undocumented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub_config.cli.main import parser
from tests.test_house import REPO, tracked

PAGES = [p for p in tracked("*.md") if p.relative_to(REPO).parts[0] not in {"tests"}]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPO)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{target} in {page.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPO)))
def test_every_command_shown_exists(page: Path) -> None:
    for line in re.findall(r"^bin/campus +([^#\n]+)", page.read_text("utf-8"), re.M):
        words = line.split("#")[0].split()
        parser().parse_args(words)


def test_every_dataset_and_lesson_has_its_page() -> None:
    for folder in {p.parent for p in tracked("datasets/*/dataset.yml")}:
        assert (folder / "README.md").exists(), f"{folder.name} has no README"
    for notebook in tracked("notebooks/*.ipynb"):
        assert '"outputs": []' in notebook.read_text("utf-8"), f"{notebook.name} ships outputs"
