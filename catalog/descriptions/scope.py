"""Which parts of a dataset are meant, as one frozen value. Knows no rows, no files and no people.

A scope names partitions and, of each, the values that are meant. What it does not name is not restricted, so
the empty scope is the whole dataset; a name without values is nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from catalog.codes import load as load_codes
from catalog.descriptions.model import How, Partition

Scope = tuple[tuple[str, tuple[str, ...]], ...]  # sorted, by name and within, so that equal scopes are equal
WHOLE: Final[Scope] = ()
MOST_VALUES: Final = 1000  # of one partition
LONGEST: Final = 100  # characters of one value
_MONTH: Final = re.compile(r"(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])")
_CODE: Final = re.compile(r"[0-9A-Za-z가-힣]+")


def scope_of(named: Mapping[str, Iterable[str]] | Iterable[tuple[str, Iterable[str]]]) -> Scope:
    """The scope of these values by name, whatever their order and however often each is given."""
    return tuple(sorted((name, tuple(sorted(set(values)))) for name, values in dict(named).items()))


def wanted(scope: Scope) -> dict[str, frozenset[str]]:
    """The same, as the warehouse asks for it."""
    return {name: frozenset(values) for name, values in scope}


def within(inner: Scope, outer: Scope) -> bool:
    """Whether whatever lies in the inner scope lies in the outer one too."""
    inside = wanted(inner)
    return all(name in inside and inside[name] <= values for name, values in wanted(outer).items())


def fits(partition: Partition, value: str) -> bool:
    """Whether a value has the form this partition's values have; a code must be one of its system."""
    if not value or len(value) > LONGEST or not value.isprintable() or value != value.strip():
        return False
    if partition.how is How.MONTH:
        return _MONTH.fullmatch(value) is not None
    if partition.how is How.PREFIX and (len(value) != partition.number or not _CODE.fullmatch(value)):
        return False
    return not partition.code_system or known_code(partition.code_system, value)


def known_code(system: str, value: str) -> bool:
    """Whether a code is in any edition of a system; a system without a table here knows every code."""
    found = load_codes().systems.get(system)
    return found is None or any(code.code == value for v in found.vintages for code in v.codes)


def code_name(system: str, value: str) -> str:
    """What a code names in the newest edition that has it; empty where that is not known."""
    found = load_codes().systems.get(system)
    editions = reversed(found.vintages) if found else ()
    return next((code.name for v in editions for code in v.codes if code.code == value), "")
