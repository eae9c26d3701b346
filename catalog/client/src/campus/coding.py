"""Code systems, crosswalks that list what they lose, and checks of a column's codes. Holds no table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from campus.errors import UsageError
from campus.html import note, table

if TYPE_CHECKING:
    import pandas

SHOWN: Final = 12
Vintages = str | tuple[str | None, str | None] | None


class Codes:
    """`campus.codes`: asks the session's gateway; `ask(action, **request)` is one JSON action."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def systems(self) -> Systems:
        """Every code system with its editions (판, vintages), oldest first."""
        return Systems(self._ask("campus.codes")["systems"])

    def crosswalk(self, from_: str, to: str, vintage: Vintages = None) -> Crosswalk:
        """How codes of one system correspond to those of another, with everything that is lost.

        Parameters
        ----------
        from_, to
            Names of `systems()`; the same name twice compares two editions of one system.
        vintage
            Edition of both sides where one is named, or (of `from_`, of `to`); the newest where None.
            A single name that only one side has counts for that side.

        Raises
        ------
        QueryFailed
            There is no such system or edition, or nothing leads from one to the other.
        """
        one, other = self._vintages(from_, to, vintage)
        said = self._ask(
            "campus.codes.crosswalk", **{"from": from_, "to": to, "from_vintage": one, "to_vintage": other}
        )
        return Crosswalk(said)

    def check(self, series: Iterable[object], system: str, vintage: str | None = None) -> Check:
        """Whether the values of a column are codes of a system, and what is wrong where they are not."""
        return Check(list(series), self._ask("campus.codes.system", system=system), vintage)

    def _vintages(self, from_: str, to: str, vintage: Vintages) -> tuple[str | None, str | None]:
        if not isinstance(vintage, str):
            return vintage or (None, None)
        has = {s["name"]: [v["name"] for v in s["vintages"]] for s in self.systems()}
        sides = [vintage if vintage in has.get(name, [vintage]) else None for name in (from_, to)]
        if sides == [None, None]:
            sides = [vintage, None]  # the gateway says which editions there are
        return sides[0], sides[1]


class Systems(Sequence[Mapping[str, Any]]):
    """The code systems, as a list that shows itself."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._entries = tuple(entries)

    def __getitem__(self, index: Any) -> Any:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def names(self) -> list[str]:
        """Names of the systems."""
        return [e["name"] for e in self._entries]

    def __repr__(self) -> str:
        return "\n".join(f"{e['name']}: {e['title']['ko']} ({_editions(e)})" for e in self._entries)

    def _repr_html_(self) -> str:
        rows = [[e["name"], e["title"]["ko"], e["title"]["en"], _editions(e)] for e in self._entries]
        return table(["code_system", "이름", "name", "판 · vintages"], rows)


class Crosswalk:
    """Codes of one system beside those of another.

    Attributes
    ----------
    lossless
        Whether every code has exactly one counterpart, in both directions.
    unmatched, unreached
        Code → name, of source codes without a counterpart and of target codes that nothing leads to.
    split
        Source code → the target codes it was divided among; no rule says how much goes where.
    merged
        Target code → the source codes that were put together in it; values add up.
    """

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.source = f"{said['from']['system']} ({said['from']['vintage']})"
        self.target = f"{said['to']['system']} ({said['to']['vintage']})"
        self.lossless: bool = said["lossless"]
        self.links: list[tuple[str, str, str, str]] = [tuple(link) for link in said["links"]]
        self.unmatched: dict[str, str] = said["unmatched"]
        self.unreached: dict[str, str] = said["unreached"]
        self.split = {code: [b for a, _, b, _ in self.links if a == code] for code in said["split"]}
        self.merged = {code: [a for a, _, b, _ in self.links if b == code] for code in said["merged"]}
        self.notes: dict[str, str] = {c: f"{n['ko']} / {n['en']}" for c, n in said["notes"].items()}

    def df(self) -> pandas.DataFrame:
        """Every link: from, from_name, to, to_name, and what happened (same, split, merged)."""
        import pandas

        rows: list[tuple[str | None, ...]] = [
            (*link, self._kind(link), self.notes.get(link[0], "")) for link in self.links
        ]
        rows += [(code, name, None, None, "unmatched", "") for code, name in self.unmatched.items()]
        return pandas.DataFrame(rows, columns=["from", "from_name", "to", "to_name", "kind", "note"])

    def convert(self, series: pandas.Series[Any], *, missing: bool = False) -> pandas.Series[Any]:
        """The column in codes of the target.

        Parameters
        ----------
        missing
            Codes with none or several counterparts become missing values; otherwise they are refused.

        Raises
        ------
        UsageError
            Some values have no counterpart or several; the message lists them.
        """
        one = {a: b for a, _, b, _ in self.links if a not in self.split}
        values = series.astype("string")
        lost = sorted({v for v in values.dropna().unique() if v not in one})
        if lost and not missing:
            raise UsageError(
                "codes-lost",
                ko=f"{self.target} 코드 하나로 바꿀 수 없는 값이 {len(lost)}개 있습니다: {_some(lost)}. "
                "crosswalk의 split, unmatched 를 확인하거나 convert(…, missing=True) 로 결측 처리하세요.",
                en=f"{len(lost)} values have no single counterpart in {self.target}: {_some(lost)}. "
                "See split and unmatched of the crosswalk, or use convert(…, missing=True).",
            )
        return values.map(one).astype("string")

    def _kind(self, link: Sequence[str]) -> str:
        kinds = [
            k for k, found in (("split", link[0] in self.split), ("merged", link[2] in self.merged)) if found
        ]
        return "+".join(kinds) or ("same" if link[0] == link[2] else "one-to-one")

    def _counts(self) -> list[tuple[str, str, int, str]]:
        return [
            ("이어지지 않음", "unmatched", len(self.unmatched), _some(self.unmatched)),
            ("나뉨", "split", len(self.split), _some(self.split)),
            ("합쳐짐", "merged", len(self.merged), _some(self.merged)),
            ("대상에만 있음", "unreached", len(self.unreached), _some(self.unreached)),
        ]

    def __repr__(self) -> str:
        head = f"{self.source} → {self.target}: {len(self.links)}"
        if self.lossless:
            return f"{head}, 잃는 것 없음 · lossless"
        return "\n".join([head, *(f"  {ko} · {en} {n}: {s}" for ko, en, n, s in self._counts() if n)])

    def _repr_html_(self) -> str:
        words = f"{self.source} → {self.target} · {len(self.links):,} links"
        if self.lossless:
            return note(words, "잃는 것 없음 · lossless")
        return note(words, "잃는 것이 있음 · not lossless") + table(
            ["", "lost", "수 · count", "코드 · codes"], [row for row in self._counts() if row[2]]
        )


class Check:
    """What was found in a column that should hold codes of one system.

    Attributes
    ----------
    ok
        Whether every value is a code of the edition.
    unknown, malformed
        Value → rows it stands in: well-formed but not in the edition; not a code at all, with `advice`.
    best
        The edition that knows most of the values.
    clashes
        Other system → codes of this column that mean something else there.
    """

    def __init__(self, values: Sequence[object], said: Mapping[str, Any], vintage: str | None) -> None:
        self.system: str = said["system"]
        editions: Mapping[str, Mapping[str, str]] = said["vintages"]
        self.vintage = vintage or list(editions)[-1]
        if self.vintage not in editions:
            raise UsageError(
                "no-vintage",
                ko=f"{self.system} 코드에 '{vintage}' 판이 없습니다. 있는 판: {', '.join(editions)}.",
                en=f"{self.system} has no vintage '{vintage}'. Vintages: {', '.join(editions)}.",
            )
        found = Counter(_spelled(v) for v in values if not _absent(v))
        well = re.compile(said["pattern"])
        self.rows = sum(found.values())
        self.absent = len(values) - self.rows
        self.malformed = {v: n for v, n in found.items() if not well.fullmatch(v)}
        good = {v: n for v, n in found.items() if v not in self.malformed}
        self.unknown = {v: n for v, n in good.items() if v not in editions[self.vintage]}
        self.best: str = max(reversed(list(editions)), key=lambda e: sum(v in editions[e] for v in good))
        self.numeric = any(isinstance(v, (int, float)) for v in values if not _absent(v))
        self.clashes: dict[str, list[str]] = {
            other: sorted(set(shared) & set(good)) for other, shared in said["clashes"].items()
        }
        self.clashes = {other: codes for other, codes in self.clashes.items() if codes}
        self.ok = not (self.malformed or self.unknown or self.numeric)

    @property
    def advice(self) -> list[str]:
        """What to do, Korean and English."""
        said = []
        if self.numeric:
            said.append("코드는 글자여야 합니다: astype(str) 전에 앞자리 0을 확인하세요 / codes are text")
        if self.malformed:
            said.append(f"형식이 다른 값 {len(self.malformed)}개: {_some(self.malformed)} / malformed")
        if self.unknown:
            said.append(
                f"{self.vintage} 판에 없는 코드 {len(self.unknown)}개: {_some(self.unknown)} / unknown"
            )
        if self.unknown and self.best != self.vintage:
            said.append(f"'{self.best}' 판이 더 잘 맞습니다 / vintage '{self.best}' fits better")
        for other, codes in self.clashes.items():
            said.append(f"{other} 체계에서는 다른 뜻인 코드: {_some(codes)} / mean something else in {other}")
        return said

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        label = "맞음 · ok" if self.ok else "확인 필요 · check"
        head = f"{self.system} ({self.vintage}), {self.rows:,}: {label}"
        return "\n".join([head, *(f"  {line}" for line in self.advice)])

    def _repr_html_(self) -> str:
        label = "맞음 · ok" if self.ok else "확인 필요 · check"
        head = note(f"{self.system} ({self.vintage}) · {self.rows:,}", label)
        return head + "".join(note(line) for line in self.advice)


def _spelled(value: object) -> str:
    return str(value)


def _absent(value: object) -> bool:
    return value is None or value != value or str(value) == "<NA>"  # NaN is not equal to itself


def _editions(entry: Mapping[str, Any]) -> str:
    return ", ".join(f"{v['name']}: {v['codes']}" for v in entry["vintages"])


def _some(codes: Iterable[str]) -> str:
    listed = list(codes)
    more = f" … (+{len(listed) - SHOWN})" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more
