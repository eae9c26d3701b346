"""Which dashboards are published, from the `dashboard.yml` beside each notebook. Knows no server of them."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from catalog.descriptions import Text

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z][a-z0-9-]{1,30}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One card of the gallery; `site` is the first label of its own origin."""

    name: str
    title: Text
    description: Text
    datasets: tuple[str, ...]

    @property
    def site(self) -> str:
        """The DNS label it lives on."""
        return f"d-{self.name}"


def published(folder: Path) -> tuple[Dashboard, ...]:
    """Every dashboard of the folder by name; one that cannot be read is left out and logged."""
    found = []
    for file in sorted(folder.glob("*/dashboard.yml")):
        try:
            found.append(_read(file))
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            log.warning("a dashboard.yml cannot be read: %s", type(error).__name__)
    return tuple(found)


def _read(file: Path) -> Dashboard:
    said = yaml.safe_load(file.read_text("utf-8"))
    name = file.parent.name.replace("_", "-")
    if not NAME.fullmatch(name):
        raise ValueError(name)
    description = said.get("description", {"ko": "", "en": ""})
    return Dashboard(
        name=name,
        title=Text(ko=str(said["title"]["ko"]), en=str(said["title"]["en"])),
        description=Text(ko=str(description["ko"]), en=str(description["en"])),
        datasets=tuple(str(name) for name in said.get("datasets", ())),
    )
