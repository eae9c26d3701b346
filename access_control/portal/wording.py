"""How values read on a page: words, times, sizes, numbers, in Korean and English. Knows no page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from access_control.locale import Lang, text, words
from catalog.descriptions import Text

SEOUL = timezone(timedelta(hours=9), "KST")
UNITS = ("B", "KB", "MB", "GB", "TB")


class Wording:
    """The words of one language."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang

    def __call__(self, key: str, /, **params: object) -> str:
        """The wording of a key or of a reason."""
        return text(self.lang, key, **params)

    def known(self, key: str) -> bool:
        """Whether there are words for this."""
        return key in words(self.lang)

    def pick(self, both: Text) -> str:
        """The half of a bilingual text that this reader reads."""
        return both.ko if self.lang is Lang.KO else both.en

    def when(self, moment: datetime | None) -> str:
        """A moment in Seoul time, to the minute."""
        return moment.astimezone(SEOUL).strftime("%Y-%m-%d %H:%M") if moment else ""

    def day(self, moment: datetime | None) -> str:
        """The day of a moment in Seoul."""
        return moment.astimezone(SEOUL).strftime("%Y-%m-%d") if moment else ""

    def size(self, count: int) -> str:
        """A number of bytes, rounded for people."""
        value = float(count)
        for unit in UNITS:
            if value < 1024 or unit == UNITS[-1]:
                break
            value /= 1024
        return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"

    def number(self, value: float) -> str:
        """A number with separators."""
        return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def machine_time(moment: datetime) -> str:
    """For the `datetime` attribute."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def end_of_day(day: str) -> datetime | None:
    """The last second of a day in Seoul written YYYY-MM-DD; None when it is no day."""
    try:
        parsed = datetime.strptime(day, "%Y-%m-%d")
    except ValueError:
        return None
    return parsed.replace(hour=23, minute=59, second=59, tzinfo=SEOUL).astimezone(UTC)
