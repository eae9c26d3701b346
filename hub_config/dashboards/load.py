"""Which dashboards there are, by name: `notebooks/dashboards/<folder>/dashboard.yml`. Runs none."""

from __future__ import annotations

from pathlib import Path

from access_control.portal.dashboards import Dashboard, published


def load_all(folder: Path) -> dict[str, Dashboard]:
    """Every dashboard of the folder that can be read."""
    return {dashboard.name: dashboard for dashboard in published(folder)}
