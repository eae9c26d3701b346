"""Wording by reason, Korean and English, from the TOML files beside this module. Knows no rule.

One file an area, `{ko,en}/<area>.toml`, each a flat table `reason = "text with {parameters}"`.
A reason belongs to one area; a test demands the same reasons and parameters in both languages.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Lang(StrEnum):
    """The languages of the product, the first one first."""

    KO = "ko"
    EN = "en"


def text(lang: str, reason: str, /, **params: object) -> str:
    """The wording of a reason; the reason itself, with its parameters, where no wording is known.

    A parameter the wording names and the caller does not give stays visible as `{name}`: an error page
    must never fail on its own words.
    """
    wording = words(Lang(lang)).get(reason)
    if wording is None:
        named = ", ".join(f"{name}={value}" for name, value in params.items())
        return f"{reason} ({named})" if named else reason
    return wording.format_map(_Lenient(params))


def both(reason: str, /, **params: object) -> str:
    """Korean, then English, for places that cannot know the reader."""
    return f"{text(Lang.KO, reason, **params)} / {text(Lang.EN, reason, **params)}"


@cache
def words(lang: Lang) -> Mapping[str, str]:
    """Every wording of a language by reason."""
    found: dict[str, str] = {}
    for area, table in areas(lang).items():
        for reason, wording in table.items():
            if reason in found:
                raise ValueError(f"'{reason}' has two wordings in {lang}, one of them in {area}.toml")
            found[reason] = wording
    return found


def areas(lang: Lang) -> dict[str, dict[str, str]]:
    """The files of a language: area → reason → wording."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted((HERE / lang).glob("*.toml")):
        table = tomllib.loads(file.read_text("utf-8"))
        if not all(isinstance(wording, str) for wording in table.values()):
            raise ValueError(f"{file.name} in {lang} holds something that is no text")
        found[file.stem] = table
    return found


def parameters(wording: str) -> frozenset[str]:
    """The names of the parameters a wording uses."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(wording) if name)


class _Lenient(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"
