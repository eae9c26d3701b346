"""The checks a dataset declares in `checks.yml`: their kinds, names and titles. Evaluates nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from catalog.descriptions import Dataset, Text
from catalog.descriptions.strict_yaml import Entry, read


class Kind(StrEnum):
    """What a check compares."""

    SUM = "sum"  # |parts, each times its weight, - total| <= tolerance + share * total
    AT_MOST = "at_most"  # parts <= total
    CLOSE = "close"  # |parts - others| <= tolerance + share * total
    RANGE = "range"  # least <= value <= most
    PREFIX = "prefix"  # codes start so
    ONE_OF = "one_of"  # values are in a closed list
    CODES = "codes"  # every code is in the column `others` of the published code table `table`
    EVEN = "even"  # every group holds at least share of the fullest group's rows
    GROUPS = "groups"  # each outer group holds exactly number inner groups
    COMPLETE = "complete"  # every combination of the columns' values occurs, day by area for instance
    MONTHS = "months"  # every day of a month that occurs has rows
    ROWS = "rows"  # least <= rows of the file <= most
    DRIFT = "drift"  # rows and total a period are within the factor `most` of the last version


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of `checks.yml`; which values matter depends on the kind.

    Parameters
    ----------
    name
        What an accepted exception names; given, or made from kind and column. Unique in the dataset.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...]
    total: str
    others: tuple[str, ...]
    tolerance: float
    share: float
    least: float
    most: float
    prefix: str
    values: tuple[str, ...]
    weights: tuple[float, ...]
    table: str

    @property
    def title(self) -> Text:
        """The rule in words."""
        columns, others = _listed(self.columns), _listed(self.others)
        match self.kind:
            case Kind.SUM:
                return Text(ko=f"{columns}의 합 = {self.total}", en=f"{columns} add up to {self.total}")
            case Kind.AT_MOST:
                return Text(
                    ko=f"{columns}의 합 ≤ {self.total}", en=f"{columns} add up to {self.total} at most"
                )
            case Kind.CLOSE:
                return Text(ko=f"{columns}의 합 ≈ {others}의 합", en=f"{columns} add up as {others} do")
            case Kind.RANGE:
                span = f"{self.least:g}..{self.most:g}"
                return Text(ko=f"{columns} 범위 {span}", en=f"{columns} within {span}")
            case Kind.PREFIX:
                return Text(ko=f"{columns} 앞자리 {self.prefix}", en=f"{columns} begin {self.prefix}")
            case Kind.ONE_OF:
                return Text(ko=f"{columns}이(가) 정해진 값", en=f"{columns} are in their list")
            case Kind.CODES:
                return Text(
                    ko=f"{columns}이(가) 코드표 {self.table}에 있음", en=f"{columns} are in {self.table}"
                )
            case Kind.EVEN:
                return Text(ko=f"{columns}마다 행 수가 고름", en=f"rows are even over {columns}")
            case Kind.GROUPS:
                return Text(
                    ko=f"{columns}마다 {others} {self.least:g}가지",
                    en=f"{self.least:g} {others} for each {columns}",
                )
            case Kind.COMPLETE:
                return Text(ko=f"{columns}의 모든 조합이 있음", en=f"every combination of {columns} occurs")
            case Kind.MONTHS:
                return Text(ko=f"{columns}: 한 달이 모두 있음", en=f"{columns}: whole months")
            case Kind.ROWS:
                return Text(
                    ko=f"행 수 {self.least:g}~{self.most:g}", en=f"{self.least:g} to {self.most:g} rows"
                )
            case Kind.DRIFT:
                what = f"·{self.total}" if self.total else ""
                return Text(
                    ko=f"지난 판과 행 수{what} 차이 {self.most:g}배 이내",
                    en=f"rows{what} within {self.most:g} times of the last version",
                )


def load_checks(file: Path, dataset: Dataset) -> tuple[Check, ...]:
    """The checks, agreed with the description; DescriptionError otherwise."""
    entry = read(file)
    seen: Counter[str] = Counter()
    checks = tuple(_check(e, dataset, seen) for e in entry.entries("checks"))
    entry.done()
    return checks


def _check(entry: Entry, dataset: Dataset, seen: Counter[str]) -> Check:
    kind = entry.one_of("kind", Kind)
    columns, total = entry.texts("columns", ()), entry.text("total", "")
    given = entry.text("name", "")
    base = "-".join([kind.value, *([total or columns[0]] if total or columns else [])])
    seen[given or base] += 1
    if given and seen[given] > 1:
        raise entry.error("name", ko=f"'{given}'이(가) 두 번 있습니다", en=f"'{given}' is given twice")
    check = Check(
        name=given or (base if seen[base] == 1 else f"{base}-{seen[base]}"),
        kind=kind,
        columns=columns,
        total=total,
        others=entry.texts("others", ()),
        tolerance=entry.number("tolerance", 0.0),
        share=entry.number("share", 0.0),
        least=entry.number("least", float("-inf")),
        most=entry.number("most", float("inf")),
        prefix=entry.text("prefix", ""),
        values=entry.texts("values", ()),
        weights=entry.numbers("weights"),
        table=entry.text("table", ""),
    )
    entry.done()
    if check.weights and len(check.weights) != len(check.columns):
        raise entry.error("weights", ko="열마다 하나씩이어야 합니다", en="needs one for each column")
    own = (*check.columns, *(() if kind is Kind.CODES else check.others), *((total,) if total else ()))
    for name in own:
        if name not in {c.name for c in dataset.columns}:
            raise entry.error("columns", ko=f"'{name}' 열이 없습니다", en=f"there is no column '{name}'")
    if kind is Kind.CODES and (not check.table or len(check.others) != 1):
        raise entry.error(
            "table",
            ko="코드표와 그 열 하나(others)가 필요합니다",
            en="needs a table and others: [its column]",
        )
    if kind is Kind.DRIFT and not 1 < check.most < float("inf"):
        raise entry.error("most", ko="1보다 큰 배수여야 합니다", en="must be a factor above 1")
    return check


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
