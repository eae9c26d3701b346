"""YAML read strictly: no duplicate, unknown or mistyped key passes. Knows nothing of datasets."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from catalog.errors import CatalogError

T = TypeVar("T")


class DescriptionError(CatalogError):
    """A file in `datasets/` that cannot be used; names the file and the key."""

    def __init__(self, file: Path, key: str, *, ko: str, en: str) -> None:
        super().__init__("bad-description", ko=f"{file} · {key}: {ko}", en=f"{file}, {key}: {en}")
        self.file = file
        self.key = key


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    out: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in out:
            raise yaml.constructor.ConstructorError(None, None, f"'{key}' given twice", key_node.start_mark)
        out[key] = loader.construct_object(value_node, deep=True)
    return out


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read(file: Path) -> Entry:
    """The file's top mapping.

    Raises
    ------
    DescriptionError
        The file cannot be read, is not UTF-8 YAML, or is not a mapping.
    """
    try:
        content = yaml.load(file.read_text("utf-8"), Loader=_Loader)  # noqa: S506 a SafeLoader subclass
    except OSError as error:
        reason = error.strerror or str(error)
        raise DescriptionError(
            file, "-", ko=f"읽을 수 없습니다 ({reason})", en=f"cannot be read ({reason})"
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        line = " ".join(str(error).split())
        raise DescriptionError(
            file, "-", ko=f"YAML 형식이 아닙니다: {line}", en=f"is not YAML: {line}"
        ) from error
    return Entry(content, file, "")


class Entry:
    """One mapping being read; every key must be taken before `done`.

    Parameters
    ----------
    content
        What YAML gave; anything but a mapping with text keys is refused.
    file, path
        Where it came from, for messages.
    """

    def __init__(self, content: object, file: Path, path: str) -> None:
        self.file = file
        self.path = path
        if not isinstance(content, Mapping) or not all(isinstance(k, str) for k in content):
            raise self.error("", ko="키와 값의 묶음이어야 합니다", en="must be a mapping with text keys")
        self._rest: dict[str, object] = dict(content)

    def error(self, key: str, *, ko: str, en: str) -> DescriptionError:
        """An error that names this file and the full path of `key`."""
        where = f"{self.path}.{key}" if self.path and key else (key or self.path or "-")
        return DescriptionError(self.file, where, ko=ko, en=en)

    def keys(self) -> tuple[str, ...]:
        """Keys not yet taken."""
        return tuple(self._rest)

    def has(self, key: str) -> bool:
        """Whether an optional key was given and not yet taken."""
        return key in self._rest

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not blank."""
        value = self._take(key, default)
        if value is default and default is not None:
            return default
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, ko=f"글자여야 합니다: {value!r}", en=f"must be text, is {value!r}")
        return value.strip()

    def exact(self, key: str) -> str:
        """A text that is not empty, spaces at its ends kept."""
        value = self._take(key, None)
        if not isinstance(value, str) or not value:
            raise self.error(key, ko=f"글자여야 합니다: {value!r}", en=f"must be text, is {value!r}")
        return value

    def exact_texts(self, key: str) -> tuple[str, ...]:
        """A list of texts that may be empty ones; nothing where the key is absent."""
        value = self._take(key, ())
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise self.error(
                key, ko=f"글자 목록이어야 합니다: {value!r}", en=f"must be a list of texts, is {value!r}"
            )
        return tuple(value)

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of numbers; nothing where the key is absent."""
        value = self._take(key, ())
        if not isinstance(value, list | tuple) or not all(
            isinstance(v, int | float) and not isinstance(v, bool) for v in value
        ):
            raise self.error(
                key, ko=f"숫자 목록이어야 합니다: {value!r}", en=f"must be a list of numbers, is {value!r}"
            )
        return tuple(float(v) for v in value)

    def number(self, key: str, default: float | None = None) -> float:
        """A number; true and false are none."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, ko=f"숫자여야 합니다: {value!r}", en=f"must be a number, is {value!r}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.error(
                key, ko=f"true 또는 false여야 합니다: {value!r}", en=f"must be true or false, is {value!r}"
            )
        return value

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts."""
        value = self._take(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) and v for v in value):
            raise self.error(
                key, ko=f"글자 목록이어야 합니다: {value!r}", en=f"must be a list of texts, is {value!r}"
            )
        return tuple(value)

    def entry(self, key: str) -> Entry:
        """A mapping below this one."""
        return Entry(self._take(key, None), self.file, f"{self.path}.{key}" if self.path else key)

    def entries(self, key: str) -> tuple[Entry, ...]:
        """A list of mappings below this one."""
        value = self._take(key, None)
        if not isinstance(value, list) or not value:
            raise self.error(
                key, ko="비어 있지 않은 목록이어야 합니다", en="must be a list that is not empty"
            )
        here = f"{self.path}.{key}" if self.path else key
        return tuple(Entry(item, self.file, f"{here}[{i}]") for i, item in enumerate(value))

    def one_of(self, key: str, kind: Callable[[str], T], default: str | None = None) -> T:
        """A text that `kind`, an enumeration, accepts."""
        value = self.text(key, default)
        try:
            return kind(value)
        except ValueError as error:
            known = ", ".join(str(v) for v in kind)  # type: ignore[attr-defined]
            raise self.error(
                key,
                ko=f"'{value}'은(는) 쓸 수 없습니다. 가능한 값: {known}",
                en=f"'{value}' is not one of {known}",
            ) from error

    def done(self) -> None:
        """Refuse whatever was not taken."""
        for key in self._rest:
            raise self.error(
                key,
                ko="알 수 없는 항목입니다. 지우거나 철자를 확인하세요",
                en="unknown key; remove it or check its spelling",
            )

    def _take(self, key: str, default: object) -> object:
        if key in self._rest:
            return self._rest.pop(key)
        if default is None:
            raise self.error(key, ko="빠져 있습니다", en="is missing")
        return default
