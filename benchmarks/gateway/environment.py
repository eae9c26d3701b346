"""Makes the rivals' environment: locked packages of their own, and Debian packages. Starts none of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.gateway.contender import RIVALS
from hub_config.settings import REPO

LOCK: Final = REPO / "benchmarks" / "rivals.lock"
SERVERS: Final = Path("/usr/lib/postgresql")


def install() -> None:
    """Bring what is missing; what cannot be brought is said, and its rival will be absent."""
    home, stamp = RIVALS.parents[1], RIVALS.parents[1] / ".campus-rivals"
    if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", home], check=True)
        with tempfile.TemporaryDirectory() as cache:
            asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
            index = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
            environment = os.environ | {"UV_CACHE_DIR": cache}
            if index:
                environment["UV_DEFAULT_INDEX"] = index
            argv = [REPO / ".venv" / "bin" / "uv", "pip", "install", "--no-config", "--system-certs"]
            argv += ["--python", RIVALS, "--require-hashes", "--compile-bytecode", "-r", LOCK]
            subprocess.run([str(part) for part in argv], check=True, env=environment)
        stamp.write_bytes(LOCK.read_bytes())
    if not any(SERVERS.glob("*/bin/initdb")):
        _apt("postgresql")
    for version in (folder.parent.parent.name for folder in SERVERS.glob("*/bin/initdb")):
        if not Path(f"/usr/share/postgresql/{version}/extension/pgaudit.control").exists():
            _apt(f"postgresql-{version}-pgaudit")
    if shutil.which("java") is None:
        _apt("default-jre-headless")


def _apt(package: str) -> None:
    if shutil.which("apt-get") is None or os.getuid() != 0:
        sys.stderr.write(f"{package} is missing: install it, or do without its rival\n")
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for argv in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", package],
    ):
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.stderr.write(f"{package} was not installed: {done.stderr.strip().splitlines()[-1:]}\n")
