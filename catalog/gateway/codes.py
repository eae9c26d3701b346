"""Code systems and crosswalks as the client asks for them. Knows JSON and the book of codes, no dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.codes import Code, Crosswalk, crosswalk, load
from catalog.gateway import refusals


def systems(_request: Mapping[str, Any]) -> Any:
    """Every system with its editions, and the codes that two systems share with different meanings."""
    book = load()
    return {
        "systems": [
            {
                "name": s.name,
                "title": {"ko": s.title.ko, "en": s.title.en},
                "pattern": s.pattern,
                "source": s.source,
                "vintages": [{"name": v.name, "codes": len(v.codes)} for v in s.vintages],
            }
            for s in book.systems.values()
        ]
    }


def codes(request: Mapping[str, Any]) -> Any:
    """Codes and names of one system by edition, and where the same code means another thing."""
    book = load()
    system = book.system(_text(request, "system"))
    return {
        "system": system.name,
        "pattern": system.pattern,
        "vintages": {v.name: {c.code: c.name for c in v.codes} for v in system.vintages},
        "clashes": {
            other: {code: book.names(book.node(other))[code] for code in shared}
            for other in book.systems
            if other != system.name and (shared := book.shared(system.name, other))
        },
    }


def crosswalks(request: Mapping[str, Any]) -> Any:
    """One crosswalk with all that is lost."""
    found = crosswalk(
        load(),
        _text(request, "from"),
        _text(request, "to"),
        _optional(request, "from_vintage"),
        _optional(request, "to_vintage"),
    )
    return _plain(found)


def _plain(found: Crosswalk) -> dict[str, Any]:
    return {
        "from": {"system": found.source[0], "vintage": found.source[1]},
        "to": {"system": found.target[0], "vintage": found.target[1]},
        "links": [[k.source.code, k.source.name, k.target.code, k.target.name] for k in found.links],
        "unmatched": _codes(found.unmatched),
        "unreached": _codes(found.unreached),
        "split": list(found.split),
        "merged": list(found.merged),
        "notes": {code: {"ko": ko, "en": en} for code, (ko, en) in found.notes.items()},
        "lossless": found.lossless,
    }


def _codes(codes: tuple[Code, ...]) -> dict[str, str]:
    return {c.code: c.name for c in codes}


def _text(request: Mapping[str, Any], key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise refusals.malformed(key)
    return value


def _optional(request: Mapping[str, Any], key: str) -> str | None:
    return None if request.get(key) is None else _text(request, key)
