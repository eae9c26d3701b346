"""What may be read, and what its columns mean, as values that show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, overload

from campus.errors import UsageError
from campus.html import note, table


class Datasets(Sequence[Mapping[str, Any]]):
    """The datasets this session may read, then those it may not."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._entries = tuple(entries)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self._entries)

    @property
    def names(self) -> list[str]:
        """Names that may be used in SQL."""
        return [e["name"] for e in self._entries if e["granted"]]

    def __repr__(self) -> str:
        return "\n".join(f"{e['name']}: {e['title']['ko']}{_mark(e)}" for e in self._entries)

    def _repr_html_(self) -> str:
        rows = [
            [
                e["name"],
                e["title"]["ko"],
                e["title"]["en"],
                e.get("rows"),
                "합성 데이터 · synthetic" if e.get("synthetic") else "",
                _readable(e),
            ]
            for e in self._entries
        ]
        return table(["name", "이름", "title", "행 · rows", "", "이용 권한"], rows)


class Description:
    """One dataset: what it is, and what each column means."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.entry = entry
        self.name: str = entry["name"]
        self.title: str = entry["title"]["ko"]
        self.synthetic: bool = entry["synthetic"]
        self.rows: int = entry["rows"]
        geometry = entry.get("geometry")
        self.crs: str | None = geometry["crs"] if geometry else None
        self.geometry: str | None = geometry["column"] if geometry else None
        self.columns: dict[str, Mapping[str, Any]] = {c["name"]: c for c in entry["columns"]}

    def __repr__(self) -> str:
        head = f"{self.name}: {self.title}{_mark(self.entry)}, {self.rows:,}행{_parts(self.entry)}"
        lines = [f"  {n} {c['type']}: {c['title']['ko']} {_unit(c)}" for n, c in self.columns.items()]
        return "\n".join([head, *lines])

    def _repr_html_(self) -> str:
        rows = [
            [n, c["type"], c["title"]["ko"], c["title"]["en"], c["unit"], c["code_system"]]
            for n, c in self.columns.items()
        ]
        label = "합성 데이터 · synthetic data" if self.synthetic else ""
        words = self.entry.get("description", {"ko": "", "en": ""})
        return (
            f"<h4>{escape(self.title)} · {escape(self.entry['title']['en'])}</h4>"
            + note(words["ko"], label)
            + table(["name", "type", "뜻", "meaning", "단위 · unit", "코드 · codes"], rows)
            + note(f"{self.rows:,}행 · {self.rows:,} rows" + (f" · {self.crs}" if self.crs else ""))
            + (
                note("이용 권한이 있는 부분만 읽습니다 · only granted parts" + _parts(self.entry))
                if _parts(self.entry)
                else ""
            )
        )


class Versions(Sequence[Mapping[str, Any]]):
    """The versions of one dataset, newest first."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.name: str = said["name"]
        self._entries = tuple(said["versions"])

    def __getitem__(self, index: Any) -> Any:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        lines = [f"  {e['version']} {e['published']} {e['rows']:,}행{_made_up(e)}" for e in self._entries]
        return "\n".join([self.name, *lines])

    def _repr_html_(self) -> str:
        rows = [
            [e["version"], e["published"], e["rows"], e["source"], _made_up(e).strip(" []")]
            for e in self._entries
        ]
        return note(self.name) + table(
            ["판 · version", "게시 · published", "행 · rows", "원자료 · source", ""], rows
        )


def versioned(name: str, version: object) -> str:
    """The name of a version in SQL.

    Raises
    ------
    UsageError
        It is no version number.
    """
    text = str(version)
    if not (text.isascii() and text.isdigit()):
        raise UsageError(
            "no-version",
            ko=f"판 번호는 숫자입니다: {text[:40]!r}. campus.versions('{name}') 의 version 을 쓰세요.",
            en=f"A version is a number, not {text[:40]!r}. Use a version of campus.versions('{name}').",
        )
    return f"{name}@{text}"


def _made_up(entry: Mapping[str, Any]) -> str:
    return " [합성 데이터]" if entry["synthetic"] else ""


def _mark(entry: Mapping[str, Any]) -> str:
    return (" [합성 데이터]" if entry.get("synthetic") else "") + (
        "" if entry["granted"] else " [이용신청 필요]"
    )


def _readable(entry: Mapping[str, Any]) -> str:
    if not entry["granted"]:
        return "이용신청 필요 · apply"
    return "읽기 가능" + _parts(entry)


def _parts(entry: Mapping[str, Any]) -> str:
    """The parts that are granted, where not everything is."""
    grants = entry.get("partitions")
    if not grants:
        return ""
    said = ("; ".join(f"{name} {', '.join(values)}" for name, values in grant.items()) for grant in grants)
    return " [" + " | ".join(said) + "]"


def _unit(column: Mapping[str, Any]) -> str:
    return f"[{column['unit']}]" if column["unit"] else ""
