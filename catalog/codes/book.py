"""Reads the fact tables in `tables/` into systems and the steps between them. Knows no dataset's rows.

Tables hold facts (codes and names as published); each first line says the source. Longer and shorter codes
of the same thing, and the gu a dong lies in, follow from the codes themselves.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from catalog.codes.model import Code, CodeError, CodeSystem, Vintage
from catalog.descriptions import Text

TABLES: Final = Path(__file__).parent / "tables"
SOURCE: Final = "# source: "
Node = tuple[str, str]
TITLES: Final = {
    "KOSTAT-gu-5": Text(ko="통계청 자치구 코드 (5자리)", en="KOSTAT gu code (5 digits)"),
    "KOSTAT-dong-7": Text(ko="통계청 행정동 코드 (7자리)", en="KOSTAT dong code (7 digits)"),
    "KOSTAT-dong-8": Text(ko="통계청 행정동 코드 (8자리)", en="KOSTAT dong code (8 digits)"),
    "MOIS-gu-5": Text(ko="행정안전부 자치구 코드 (5자리)", en="MOIS gu code (5 digits)"),
    "MOIS-dong-8": Text(ko="행정안전부 행정동 코드 (8자리)", en="MOIS dong code (8 digits)"),
    "MOIS-dong-10": Text(ko="행정안전부 행정동 코드 (10자리)", en="MOIS dong code (10 digits)"),
    "SEOUL-CS100": Text(ko="상권분석서비스 업종 코드", en="service industry code"),
    "SEOUL-TRDAR": Text(ko="상권 코드 (7자리)", en="commercial area code (7 digits)"),
}
Pairs = frozenset[tuple[str, str]]
DONGS: Final = ("old", "2024-12", "2025-05")
MAPPED: Final = "2024-12"  # the edition that names KOSTAT and MOIS codes side by side


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBook:
    """Every system, and the direct steps between (system, vintage) pairs.

    Attributes
    ----------
    systems
        By name.
    steps
        (from, to) → pairs of codes.
    notes
        (from, to) → code → why it changed, Korean and English.
    """

    systems: Mapping[str, CodeSystem]
    steps: Mapping[tuple[Node, Node], Pairs]
    notes: Mapping[tuple[Node, Node], Mapping[str, tuple[str, str]]]

    def system(self, name: str) -> CodeSystem:
        """A system by name.

        Raises
        ------
        CodeError
            `no-system`.
        """
        found = self.systems.get(name)
        if found is None:
            known = ", ".join(self.systems)
            raise CodeError(
                "no-system",
                ko=f"'{name[:60]}' 이라는 코드 체계가 없습니다. 있는 체계: {known}.",
                en=f"There is no code system '{name[:60]}'. Systems: {known}.",
            )
        return found

    def node(self, name: str, vintage: str | None = None) -> Node:
        """A system and one of its vintages, the newest unless named."""
        return name, self.system(name).vintage(vintage).name

    def names(self, node: Node) -> Mapping[str, str]:
        """Code → name."""
        return {c.code: c.name for c in self.system(node[0]).vintage(node[1]).codes}

    def shared(self, one: str, other: str) -> tuple[str, ...]:
        """Codes that occur in both systems and name different things there; newest vintages."""
        a, b = self.names(self.node(one)), self.names(self.node(other))
        return tuple(sorted(code for code in a.keys() & b.keys() if a[code] != b[code]))


@cache
def load(folder: Path = TABLES) -> CodeBook:
    """The book of this product; read once.

    Raises
    ------
    CodeError
        A table has no source line.
    """
    gu, gu_source = _read(folder / "gu.csv")
    mois, mois_source = _read(folder / "mois_dong.csv")
    kostat, kostat_source = _read(folder / "kostat_dong.csv")
    industry, industry_source = _read(folder / "industry.csv")
    areas, areas_source = _read(folder / "commercial_area.csv")
    changes, _ = _read(folder / "changes.csv")

    dongs = {v: [(r["code"], r["name"]) for r in mois if v in r["vintages"].split()] for v in DONGS}
    zones = {
        v: [(r["code"], r["name"]) for r in areas if v in r["vintages"].split()] for v in ("2022", "2025")
    }
    gu_kostat = [(r["kostat"], r["name"]) for r in gu]
    gu_mois = [(r["mois"], r["name"]) for r in gu]
    seven_digits = [(r["code"], r["name"]) for r in kostat]
    eight_digits = [(c + "0", n) for c, n in seven_digits]
    ten_digits = {v: [(c + "00", n) for c, n in rows] for v, rows in dongs.items()}
    industries = [(r["code"], r["name"]) for r in industry]
    made = (
        _system("KOSTAT-gu-5", r"11\d{3}", gu_source, {"2013": gu_kostat}),
        _system("KOSTAT-dong-7", r"11\d{5}", kostat_source, {MAPPED: seven_digits}),
        _system("KOSTAT-dong-8", r"11\d{5}0", kostat_source, {MAPPED: eight_digits}),
        _system("MOIS-gu-5", r"11\d{3}", gu_source, {"2015": gu_mois}),
        _system("MOIS-dong-8", r"11\d{6}", mois_source, dongs),
        _system("MOIS-dong-10", r"11\d{6}00", mois_source, ten_digits),
        _system("SEOUL-CS100", r"CS[123]000\d{2}", industry_source, {"2022": industries}),
        _system("SEOUL-TRDAR", r"[123]\d{6}", areas_source, zones),
    )
    steps: dict[tuple[Node, Node], Pairs] = {}
    notes: dict[tuple[Node, Node], dict[str, tuple[str, str]]] = {}

    def both(one: Node, other: Node, pairs: Iterable[tuple[str, str]]) -> None:
        steps[one, other] = frozenset(pairs)
        steps[other, one] = frozenset((b, a) for a, b in steps[one, other])

    seven, eight = ("KOSTAT-dong-7", MAPPED), ("MOIS-dong-8", MAPPED)
    both(seven, eight, [(r["code"], r["mois"]) for r in kostat])
    both(("KOSTAT-dong-8", MAPPED), seven, [(r["code"] + "0", r["code"]) for r in kostat])
    both(("KOSTAT-gu-5", "2013"), ("MOIS-gu-5", "2015"), [(r["kostat"], r["mois"]) for r in gu])
    steps[seven, ("KOSTAT-gu-5", "2013")] = frozenset((r["code"], r["code"][:5]) for r in kostat)
    for vintage, rows in dongs.items():
        both(("MOIS-dong-10", vintage), ("MOIS-dong-8", vintage), [(c + "00", c) for c, _ in rows])
        steps[("MOIS-dong-8", vintage), ("MOIS-gu-5", "2015")] = frozenset((c, c[:5]) for c, _ in rows)
    for earlier, later in itertools.pairwise(DONGS):
        one, other = ("MOIS-dong-8", earlier), ("MOIS-dong-8", later)
        told = [r for r in changes if (r["from_vintage"], r["to_vintage"]) == (earlier, later)]
        changed = {r["from"] for r in told}
        same = {c for c, _ in dongs[earlier]} & {c for c, _ in dongs[later]} - changed
        both(one, other, [(c, c) for c in same] + [(r["from"], r["to"]) for r in told])
        notes[one, other] = {r["from"]: (r["ko"], r["en"]) for r in told}
        notes[other, one] = {r["to"]: (r["ko"], r["en"]) for r in told}
    by_name = {n: c for c, n in zones["2025"]}
    both(("SEOUL-TRDAR", "2022"), ("SEOUL-TRDAR", "2025"),
         [(c, by_name[n]) for c, n in zones["2022"] if n in by_name])  # fmt: skip
    inside = [(r["code"], r["dong"]) for r in areas if r["vintages"] == "2025"]
    steps[("SEOUL-TRDAR", "2025"), ("MOIS-dong-8", "2025-05")] = frozenset(inside)
    return CodeBook(systems={s.name: s for s in made}, steps=steps, notes=notes)


def _system(
    name: str,
    pattern: str,
    source: str,
    vintages: Mapping[str, list[tuple[str, str]]],
) -> CodeSystem:
    return CodeSystem(
        name=name,
        title=TITLES[name],
        pattern=pattern,
        source=source,
        vintages=tuple(
            Vintage(name=v, codes=tuple(Code(code=c, name=n) for c, n in sorted(rows)))
            for v, rows in vintages.items()
        ),
    )


def _read(path: Path) -> tuple[list[dict[str, str]], str]:
    lines = path.read_text("utf-8").splitlines()
    if not lines or not lines[0].startswith(SOURCE):
        raise CodeError(
            "no-source",
            ko=f"{path.name}: 첫 줄은 '{SOURCE}'로 시작해야 합니다.",
            en=f"{path.name}: the first line must begin '{SOURCE}'.",
        )
    return list(csv.DictReader(lines[1:], strict=True)), lines[0].removeprefix(SOURCE)
