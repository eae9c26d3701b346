"""What a code system is: frozen values. Reads no table and converts nothing."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.descriptions import Text
from catalog.errors import CatalogError


class CodeError(CatalogError):
    """A code system, a vintage or a way between two of them that does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One code and what it names, in its own system and vintage."""

    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vintage:
    """One edition of a system: a code may be missing, new or mean another area in the next one."""

    name: str
    codes: tuple[Code, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSystem:
    """One way to name places, industries or areas by code.

    Attributes
    ----------
    name
        As `code_system` in a dataset's description.
    pattern
        Regular expression of a well-formed code.
    vintages
        Editions, oldest first.
    """

    name: str
    title: Text
    pattern: str
    source: str
    vintages: tuple[Vintage, ...]

    @property
    def newest(self) -> str:
        """Name of the newest edition."""
        return self.vintages[-1].name

    def vintage(self, name: str | None = None) -> Vintage:
        """An edition by name, the newest unless named.

        Raises
        ------
        CodeError
            `no-vintage`.
        """
        wanted = name or self.newest
        for vintage in self.vintages:
            if vintage.name == wanted:
                return vintage
        known = ", ".join(v.name for v in self.vintages)
        raise CodeError(
            "no-vintage",
            ko=f"{self.name} 코드에 '{wanted}' 판이 없습니다. 있는 판: {known}.",
            en=f"{self.name} has no vintage '{wanted}'. Vintages: {known}.",
        )
