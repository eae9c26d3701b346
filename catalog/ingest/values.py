"""Publisher notations to typed Arrow arrays, whole columns at a time. Knows notations; nothing of files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from catalog.ingest.model import Reader


class BadValue(Exception):
    """Row `index` holds `value`, which is not in the notation `wanted`."""

    def __init__(self, index: int, value: object, ko: str, en: str) -> None:
        super().__init__(en)
        self.index = index
        self.value = value
        self.ko = ko
        self.en = en


class _Notation(NamedTuple):
    pattern: str
    ko: str
    en: str
    convert: Callable[[Any], Any]


def _same(values: Any) -> Any:
    return values


def _long(values: Any) -> Any:
    return pc.cast(values, pa.int64())


def _double(values: Any) -> Any:
    return pc.cast(values, pa.float64())


def _without_zero(values: Any) -> Any:
    return _long(pc.utf8_slice_codeunits(values, 0, -2))


def _suppressible(values: Any) -> Any:
    withheld = pc.is_in(values, value_set=pa.array(["", "*"]))
    return _double(pc.if_else(withheld, pa.scalar(None, pa.string()), values))


def _first_eight(values: Any) -> Any:
    return pc.utf8_slice_codeunits(values, 0, 8)


def _date(values: Any) -> Any:
    return _real_date(values, values)


def _real_date(texts: Any, values: Any) -> Any:
    """Dates of texts YYYYMMDD; `values` are what the publisher wrote."""
    parsed = pc.strptime(texts, format="%Y%m%d", unit="s", error_is_null=True)
    same = pc.fill_null(pc.equal(pc.strftime(parsed, format="%Y%m%d"), texts), False)
    _all(same, values, "있는 날짜", "a date that exists")
    return pc.cast(parsed, pa.date32())


def _month(values: Any) -> Any:
    return _real_date(pc.binary_join_element_wise(values, "01", ""), values)


def _dashed(values: Any) -> Any:
    return _real_date(pc.replace_substring(values, "-", ""), values)


def _day_first(values: Any) -> Any:
    day, month = pc.utf8_slice_codeunits(values, 0, 2), pc.utf8_slice_codeunits(values, 3, 5)
    year = pc.utf8_slice_codeunits(values, 6, 10)
    return _real_date(pc.binary_join_element_wise(year, month, day, ""), values)


def _dotted(values: Any) -> Any:
    parts = pc.split_pattern(values, ".")
    year, month, day = (pc.list_element(parts, n) for n in range(3))
    month, day = (pc.utf8_lpad(part, 2, "0") for part in (month, day))
    return _real_date(pc.binary_join_element_wise(year, month, day, ""), values)


def _bare(values: Any) -> Any:
    return _double(pc.replace_substring_regex(values, r"^(-?)\.", r"\10."))


def _sex(values: Any) -> Any:
    return pc.if_else(pc.match_substring_regex(values, "^(남|M|1)"), "M", "F")


def _age(values: Any) -> Any:
    return pc.utf8_lpad(pc.replace_substring_regex(values, "[^0-9].*$", ""), 2, "0")


def _second(values: Any) -> Any:
    text = "%Y%m%d%H%M%S"
    parsed = pc.strptime(values, format=text, unit="s", error_is_null=True)
    again = pc.strftime(parsed, format=text)
    missing = pc.is_null(values)
    same = pc.or_(missing, pc.fill_null(pc.equal(again, values), False))
    _all(same, values, "있는 시각 YYYYMMDDhhmmss", "a time that exists, YYYYMMDDhhmmss")
    return pc.cast(parsed, pa.timestamp("us"))


def _optional(values: Any) -> Any:
    return pc.if_else(pc.equal(values, pa.scalar("")), pa.scalar(None, pa.string()), values)


_NOTATIONS: dict[Reader, _Notation] = {
    Reader.TEXT: _Notation(r"^.*\S.*$", "비어 있지 않은 글자", "text that is not empty", _same),
    Reader.DATE: _Notation(r"^[12][0-9]{7}$", "날짜 YYYYMMDD", "a date YYYYMMDD", _date),
    Reader.DATE_DASHED: _Notation(
        r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}$", "날짜 YYYY-MM-DD", "a date YYYY-MM-DD", _dashed
    ),
    Reader.DATE_DAY_FIRST: _Notation(
        r"^[0-9]{2}/[0-9]{2}/[12][0-9]{3}$", "날짜 DD/MM/YYYY", "a date DD/MM/YYYY", _day_first
    ),
    Reader.DATE_DOTTED: _Notation(
        r"^[12][0-9]{3}\.[0-9]{1,2}\.[0-9]{1,2}$", "날짜 YYYY.M.D", "a date YYYY.M.D", _dotted
    ),
    Reader.MONTH: _Notation(r"^[12][0-9]{5}$", "달 YYYYMM", "a month YYYYMM", _month),
    Reader.WHOLE: _Notation(r"^-?[0-9]{1,18}$", "정수", "a whole number", _long),
    Reader.DECIMAL_WHOLE: _Notation(
        r"^-?[0-9]{1,15}\.0$", "정수(소수 .0 표기)", "a whole number as n.0", _without_zero
    ),
    Reader.NUMBER: _Notation(r"^-?[0-9]{1,15}(\.[0-9]{1,17})?$", "숫자", "a number", _double),
    Reader.BARE_NUMBER: _Notation(
        r"^-?([0-9]{1,15}(\.[0-9]{1,12})?|\.[0-9]{1,12})$", "숫자", "a number", _bare
    ),
    Reader.SUPPRESSIBLE: _Notation(
        r"^(\*|-?[0-9]{1,15}(\.[0-9]{1,12})?)?$",
        "숫자 또는 비공개 표시 *",
        "a number, or * where withheld",
        _suppressible,
    ),
    Reader.QUARTER: _Notation(r"^20[0-9]{2}[1-4]$", "년분기 YYYYQ", "a quarter YYYYQ", _same),
    Reader.CODE2: _Notation(
        r"^[0-9]{2}$", "두 자리 코드(앞자리 0 포함)", "a code of 2 digits, leading zero kept", _same
    ),
    Reader.SEX: _Notation(
        r"^(남|남성|남자|M|1|여|여성|여자|F|2)$", "성별", "a sex as 남/여, M/F or 1/2", _sex
    ),
    Reader.AGE: _Notation(
        r"^[0-9]{1,2}(세|대)?( ?이상)?$",
        "연령대 (예: 20대, 60대이상)",
        "an age band as 20, 20대 or 60대이상",
        _age,
    ),
    Reader.SECOND: _Notation(r"^[12][0-9]{13}$", "시각 YYYYMMDDhhmmss", "a time YYYYMMDDhhmmss", _second),
    Reader.LINES: _Notation(r"(?s)^.*\S.*$", "비어 있지 않은 글자", "text that is not empty", _same),
    Reader.OPTIONAL_TEXT: _Notation(r"^(.*\S.*)?$", "글자 또는 빈 값", "text or nothing", _optional),
    Reader.OPTIONAL_SECOND: _Notation(
        r"^([12][0-9]{13})?$",
        "시각 YYYYMMDDhhmmss 또는 빈 값",
        "a time YYYYMMDDhhmmss, or nothing",
        lambda values: _second(_optional(values)),
    ),
    Reader.CODE5: _Notation(r"^[0-9]{5}$", "5자리 코드", "a code of 5 digits", _same),
    Reader.CODE7: _Notation(r"^[0-9]{7}$", "7자리 코드", "a code of 7 digits", _same),
    Reader.CODE8: _Notation(r"^[0-9]{8}$", "8자리 코드", "a code of 8 digits", _same),
    Reader.CODE10: _Notation(
        r"^[0-9]{8}00$", "00으로 끝나는 10자리 코드", "a code of 10 digits ending in 00", _first_eight
    ),
}


SAMPLED = 4096  # values looked at to guess whether a column repeats few texts
FEW = 1024  # distinct ones among them


def convert(values: Any, reader: Reader) -> Any:
    """A text array in the reader's type; repeated texts are read once.

    Raises
    ------
    BadValue
        For the first value that is not in the reader's notation.
    """
    if len(values) <= SAMPLED or len(values.slice(0, SAMPLED).unique()) > FEW:
        return _convert(values, reader)
    few = values.dictionary_encode()  # its dictionary is in the order of first occurrence
    try:
        return _convert(few.dictionary, reader).take(few.indices)
    except BadValue as bad:
        index = pc.index(few.indices, pa.scalar(bad.index, few.indices.type)).as_py()
        raise BadValue(index, bad.value, bad.ko, bad.en) from bad


def _convert(values: Any, reader: Reader) -> Any:
    notation = _NOTATIONS[reader]
    _all(pc.match_substring_regex(values, notation.pattern), values, notation.ko, notation.en)
    return notation.convert(values)


def fits(values: Any, reader: Reader) -> bool:
    """Whether every value is in the reader's notation."""
    try:
        convert(values, reader)
    except BadValue:
        return False
    return True


def _all(good: Any, values: Any, ko: str, en: str) -> None:
    if not pc.all(good, min_count=0).as_py():
        index = pc.index(pc.fill_null(good, False), False).as_py()
        raise BadValue(index, values[index].as_py(), ko, en)
