"""The environments agree with one another and with what conda users are given."""

from __future__ import annotations

import re

import yaml

from hub_config.environments.versions import FOLDER, asked, environment_yml, locked
from hub_config.settings import REPO


def test_environment_yml_names_the_locked_versions() -> None:
    text = (REPO / "environment.yml").read_text("utf-8")
    assert text == environment_yml(), "run `bin/campus fix`"
    listed = yaml.safe_load(text)["dependencies"]
    assert f"pandas={locked('session')['pandas']}" in listed
    assert f"jupyterhub={locked('server')['jupyterhub']}" in listed


def test_a_package_in_both_environments_has_one_version() -> None:
    server, session = locked("server"), locked("session")
    differing = {
        n: (server[n], session[n]) for n in server.keys() & session.keys() if server[n] != session[n]
    }
    assert not differing


def test_the_tests_run_on_the_server_versions() -> None:
    test, server = locked("test"), locked("server")
    assert {n: test.get(n) for n in server} == server


def test_every_locked_package_is_held_by_hash_and_without_an_address() -> None:
    for name in ("uv", "server", "session", "test"):
        text = (FOLDER / f"{name}.lock").read_text("utf-8")
        pins = re.findall(r"^[A-Za-z0-9._-]+==", text, re.M)
        blocks = re.findall(
            r"^[A-Za-z0-9._-]+==[^\n]*\n(?:    --hash=sha256:[0-9a-f]{64}[^\n]*\n?)+", text, re.M
        )
        assert len(pins) == len(blocks) > 0
        assert "://" not in text


def test_the_server_never_asks_for_what_only_sessions_need() -> None:
    assert not {"jupyterlab", "voila", "ipykernel", "matplotlib"} & set(asked("server"))
