"""Writes the generated pages: command line, settings and `environment.yml`. `bin/campus fix` runs it."""

from __future__ import annotations

import argparse
from pathlib import Path

from hub_config.cli.main import parser
from hub_config.environments.versions import environment_yml
from hub_config.settings import REPO, table

WRITTEN = "<!-- Written by `bin/campus fix`; do not edit. -->\n\n"


def pages() -> dict[Path, str]:
    """Path → text of every generated page."""
    return {
        REPO / "environment.yml": environment_yml(),
        REPO / "docs" / "reference" / "commands.md": WRITTEN + _commands(),
        REPO / "docs" / "reference" / "settings.md": WRITTEN + _settings(),
    }


def _commands() -> str:
    text = ["# Commands\n"]
    for action in parser()._subparsers._group_actions:  # type: ignore[union-attr]
        assert isinstance(action, argparse._SubParsersAction)
        helps = {c.dest: c.help for c in action._choices_actions}
        for name, command in action.choices.items():
            text.append(f"## `campus {name}`\n\n{helps.get(name, '')}\n")
            text.append(_options(command))
    return "\n".join(text)


def _options(command: argparse.ArgumentParser) -> str:
    rows = ["| option | meaning |", "|---|---|"]
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            rows += [f"| `{c.dest}` | {c.help} |" for c in action._choices_actions]
        elif action.dest != "help":
            rows.append(f"| `{', '.join(action.option_strings) or action.dest}` | {action.help or ''} |")
    return "\n".join(rows) + "\n"


def _settings() -> str:
    head = (
        "# Settings\n\nIn `campus.toml` in the state folder, as `CAMPUS_NAME` in the environment, "
        "or, where there is one, as a flag; later ones win.\n\n| name | default | meaning |\n|---|---|---|\n"
    )
    return head + "".join(f"| `{name}` | `{default}` | {text} |\n" for name, default, text in table())


if __name__ == "__main__":
    for path, page in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, "utf-8")
