"""Wording of refusals that concern layouts and values: the nearest known layout and the difference to it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from catalog.ingest.model import Format, IngestError, Layout, Recipe
from catalog.ingest.values import BadValue


def unknown_layout(headers: Sequence[str], name: str, recipe: Recipe, kind: Format) -> IngestError:
    """A refusal that explains a layout known to be wrong, or compares with the nearest known one."""
    for refused in recipe.refused:
        if refused.format is kind and set(refused.headers) <= set(headers):
            return IngestError(
                "refused-layout", file=name, line=1, ko=refused.because.ko, en=refused.because.en
            )
    known = [x for x in recipe.layouts if x.format is kind]
    if not known:
        formats = ", ".join(sorted({str(x.format) for x in recipe.layouts}))
        return IngestError(
            "unknown-layout",
            file=name,
            line=None,
            ko=f"이 데이터셋은 {kind} 형식을 받지 않습니다. 가능한 형식: {formats}",
            en=f"this dataset takes no {kind}; it takes {formats}",
        )
    nearest = max(known, key=lambda x: _likeness(headers, x))
    ko, en = difference(headers, nearest)
    return IngestError(
        "unknown-layout",
        file=name,
        line=1,
        ko=f"모르는 레이아웃입니다. 가장 가까운 '{nearest.name}'({nearest.title.ko})과의 차이: {ko}",
        en=f"unknown layout; difference to the nearest, '{nearest.name}' ({nearest.title.en}): {en}",
    )


def difference(headers: Sequence[str], layout: Layout) -> tuple[str, str]:
    """What sets these headers apart from a layout's, in Korean and English."""
    wanted = (layout.header_prefix + layout.headers[0], *layout.headers[1:])
    missing = [h for h in wanted if h not in headers]
    extra = [h for h in headers if h not in wanted]
    ko, en = [], []
    if missing:
        ko.append(f"빠진 열 {_list(missing)}")
        en.append(f"missing {_list(missing)}")
    if extra:
        ko.append(f"모르는 열 {_list(extra)}")
        en.append(f"unknown {_list(extra)}")
    if not missing and not extra:
        at = next((i for i, (a, b) in enumerate(zip(headers, wanted, strict=False)) if a != b), len(wanted))
        ko.append(f"열 순서나 개수가 다름 ({at + 1}번째부터)")
        en.append(f"order or number of columns differs (from column {at + 1})")
    return "; ".join(ko), "; ".join(en)


def bad_value(bad: BadValue, name: str, line: int, header: str) -> IngestError:
    """A refusal for one value that is not in its notation."""
    shown = str(bad.value)[:40]
    return IngestError(
        "bad-value",
        file=name,
        line=line,
        ko=f"'{header}' 값 '{shown}'은(는) {bad.ko}이(가) 아닙니다",
        en=f"'{header}' is '{shown}', not {bad.en}",
    )


def _likeness(headers: Sequence[str], layout: Layout) -> float:
    return SequenceMatcher(None, "\n".join(headers), "\n".join(layout.headers)).ratio()


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{n[:40]}'" for n in names[:6])
    return shown + (f" +{len(names) - 6}" if len(names) > 6 else "")


def spreadsheet_damage(
    shown: Sequence[tuple[int, str, str]], count: int, name: str, first: IngestError
) -> IngestError:
    """A refusal for cells shortened to powers of ten: the first as (line, header, text), and how many."""
    ko = ", ".join(f"{line}행 '{header}' {text}" for line, header, text in shown)
    en = ", ".join(f"line {line} '{header}' {text}" for line, header, text in shown)
    more = f" +{count - len(shown)}" if count > len(shown) else ""
    lost = first.line if first.line is not None else shown[0][0]
    return IngestError(
        "spreadsheet-damage",
        file=name,
        line=shown[0][0],
        ko=f"엑셀이 숫자 {count:,}칸을 지수 표기로 줄여 유효숫자가 사라졌습니다: {ko}{more}. "
        f"되살릴 수 없으니 엑셀로 저장하지 않은 제공기관 원본을 올리세요 (처음 어긋난 값은 {lost}행)",
        en=f"a spreadsheet shortened {count:,} numbers to powers of ten and lost their digits: "
        f"{en}{more}; they cannot be restored, give the publisher's file that no spreadsheet has saved "
        f"(the first bad value is in line {lost})",
    )
