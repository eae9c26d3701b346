"""Campaigns: how many rounds a test goes when it is one of many, and how many when it runs for long."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rounds`, which `campus test --long` takes too."""
    parser.addoption("--rounds", type=int, metavar="N", help="rounds of each long campaign")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test marked `campaign` its `rounds`: few, and many as a test that is `long`."""
    campaign = metafunc.definition.get_closest_marker("campaign")
    if campaign is None:
        return
    short, long = campaign.args
    many = metafunc.config.getoption("--rounds") or long
    metafunc.parametrize(
        "rounds", [short, pytest.param(many, marks=pytest.mark.long)], ids=[f"{short}", f"long-{many}"]
    )
