"""Reads the lock files and writes `environment.yml` from them. Installs nothing."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PYTHON = "3.11"
CONDA_NAMES = {
    "duckdb": "python-duckdb",
    "dask[dataframe,distributed]": "dask",
    "pyiceberg[sql-sqlite]": "pyiceberg",
}
ONLY_ON_PYPI = {"koreanize-matplotlib"}
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ; ([^\\]+))?")


def locked(name: str) -> dict[str, str]:
    """Package → version in one lock file, for Python 3.11 on Linux."""
    versions: dict[str, str] = {}
    for line in (FOLDER / f"{name}.lock").read_text("utf-8").splitlines():
        match = _PIN.match(line)
        if match and ">= '3.12'" not in (match[3] or ""):
            versions[match[1].lower()] = match[2]
    return versions


def asked(name: str) -> list[str]:
    """What one `.in` file asks for by name, extras included, pins left off."""
    lines = (FOLDER / f"{name}.in").read_text("utf-8").splitlines()
    return [line.split("==")[0].strip() for line in lines if line and line[0] not in "#-"]


def environment_yml() -> str:
    """The text of `environment.yml`: everything asked for, at the locked versions."""
    versions = locked("server") | locked("session")
    names = sorted({*asked("server"), *asked("session")})
    conda, pip = [], []
    for name in names:
        version = versions[re.sub(r"\[.*", "", name).lower()]
        if name in ONLY_ON_PYPI:
            pip.append(f"      - {name}=={version}")
        else:
            conda.append(f"  - {CONDA_NAMES.get(name, name)}={version}")
    return "\n".join(
        [
            "# Written by `bin/campus fix` from hub_config/environments/*.lock; a test keeps them equal.",
            "# For conda users who want the same versions; the product itself installs from the locks.",
            "name: campus",
            "channels:",
            "  - conda-forge",
            "dependencies:",
            f"  - python={PYTHON}",
            "  - bubblewrap",
            "  - nodejs",
            *conda,
            "  - pip",
            "  - pip:",
            *pip,
            "",
        ]
    )
