"""The slim server and the dashboard server, started as a sandbox starts them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from hub_config.settings import REPO
from tests.hub_config.gate.conftest import ended, start_inside

PREFIX = "/user/minji/open-data/"
IDENTITY = {"X-Campus-User": json.dumps({"name": "minji", "display": "김민지"})}
PYTHON = REPO / ".venv-session" / "bin" / "python"
KERNEL = REPO / "hub_config" / "inside" / "kernel"


async def answering(client: aiohttp.ClientSession, path: str) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            async with client.get(f"http://x{path}") as answer:
                if answer.status < 500:
                    return
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)
    raise AssertionError("no answer")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a slim server whose home holds hostile configuration."""
    home = tmp_path / "home"
    for folder in (".jupyter", ".ipython/profile_default/startup", ".local/share/jupyter/kernels/evil"):
        (home / folder).mkdir(parents=True)
    (home / ".jupyter" / "jupyter_server_config.py").write_text(
        "raise SystemExit('read the config of the home')"
    )
    (home / ".local/share/jupyter/kernels/evil/kernel.json").write_text(
        '{"argv": ["x"], "display_name": "evil"}'
    )
    process = start_inside("lab.py", tmp_path / "http.sock", home, PREFIX)
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(tmp_path / "http.sock"))) as client:
        await answering(client, PREFIX + "api")
        yield client
    await asyncio.to_thread(ended, process)


async def test_nobody_is_signed_in_without_the_gates_word(lab: aiohttp.ClientSession) -> None:
    async with lab.get(f"http://x{PREFIX}api/contents") as answer:
        assert answer.status == 403
    async with lab.get(f"http://x{PREFIX}api/me", headers=IDENTITY) as answer:
        assert (await answer.json())["identity"]["name"] == "김민지"


async def test_what_the_gate_refuses_is_not_there_either(lab: aiohttp.ClientSession) -> None:
    for path in (
        "files/a",
        "nbconvert/html/a",
        "api/nbconvert",
        "view/a",
        "api/terminals",
        "voila/render/a",
        "lsp/status",
    ):
        async with lab.get(f"http://x{PREFIX}{path}", headers=IDENTITY) as answer:
            assert answer.status == 404, path
    async with lab.post(f"http://x{PREFIX}api/shutdown", headers=IDENTITY) as answer:
        assert answer.status == 404


async def test_only_the_kernel_of_the_environment_can_be_started(lab: aiohttp.ClientSession) -> None:
    async with lab.get(f"http://x{PREFIX}api/kernelspecs", headers=IDENTITY) as answer:
        assert set((await answer.json())["kernelspecs"]) == {"python3"}


async def test_buttons_that_lead_nowhere_are_not_shown(lab: aiohttp.ClientSession) -> None:
    async with lab.get(f"http://x{PREFIX}lab", headers=IDENTITY) as answer:
        page = await answer.text()
    raw = page.partition('<script id="jupyter-config-data" type="application/json">')[2].partition(
        "</script>"
    )[0]
    disabled = json.loads(raw)["disabledExtensions"]
    assert (
        "@jupyterlab/docmanager-extension:download" in disabled
        and "@jupyterlab/terminal-extension" in disabled
    )


def test_plots_speak_korean_and_importing_nothing_costs_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; assert 'matplotlib' not in sys.modules\n"
        "import warnings; warnings.simplefilter('error')\n"
        "import matplotlib; matplotlib.use('agg')\n"
        "import matplotlib.pyplot as plt\n"
        "plt.title('생활인구 −1'); plt.savefig(sys.argv[1])\n"
        "plt.style.use('default'); print(plt.rcParams['font.sans-serif'][0])\n"
    )
    env = {
        "PYTHONPATH": str(KERNEL),
        "HOME": str(tmp_path),
        "MPLCONFIGDIR": str(tmp_path),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [PYTHON, "-c", code, tmp_path / "a.png"],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "NanumGothic" and (tmp_path / "a.png").stat().st_size > 1000


async def test_a_dashboard_shows_results_hides_code_and_caps_its_viewers(tmp_path: Path) -> None:
    cell: dict[str, object] = {"cell_type": "code", "id": "a", "metadata": {}}
    cell |= {"execution_count": None, "outputs": []}
    notebook = {
        "cells": [cell | {"source": "hidden_name = 6 * 7\nprint('answer', hidden_name)"}],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    file = tmp_path / "dashboard.ipynb"
    file.write_text(json.dumps(notebook))
    process = start_inside(
        "voila_app.py",
        tmp_path / "v.sock",
        tmp_path / "home",
        "/",
        CAMPUS_NOTEBOOK=str(file),
        CAMPUS_VIEWERS="1",
    )
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(tmp_path / "v.sock"))) as client:
        await answering(client, "/voila/static/voila.js")
        async with client.get("http://x/") as answer:
            page = await answer.text()
            assert answer.status == 200 and "answer 42" in page and "hidden_name" not in page
        async with client.get("http://x/") as answer:
            assert answer.status == 503
        for path in ("/voila/files/dashboard.ipynb", "/dashboard.ipynb"):
            async with client.get(f"http://x{path}") as answer:
                assert "hidden_name" not in await answer.text()
    await asyncio.to_thread(ended, process)
