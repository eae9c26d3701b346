"""What the client asks beside queries: descriptions, parts, outbox, export, cancel. Knows JSON, no wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from catalog.descriptions import Column, Dataset, Text
from catalog.descriptions.published import described
from catalog.descriptions.variants import MAIN, variant_title
from catalog.gateway import codes, refusals
from catalog.gateway.guard import Guard
from catalog.gateway.parts import Parts
from catalog.gateway.session import SessionGateway
from catalog.gateway.workspace import Table

MOST_NAMES: Final = 1000


class Actions:
    """The actions of one session."""

    def __init__(self, session: SessionGateway, guard: Guard, descriptions: Mapping[str, Dataset]) -> None:
        self._session, self._guard, self._descriptions = session, guard, descriptions
        self._by_name: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "campus.datasets": self._datasets,
            "campus.describe": self._describe,
            "campus.partitions": self._partitions,
            "campus.versions": self._versions,
            "campus.codes": codes.systems,
            "campus.codes.system": codes.codes,
            "campus.codes.crosswalk": codes.crosswalks,
            "campus.outbox": self._outbox,
            "campus.export": self._export,
            "campus.cancel": self._cancel,
            "campus.drop": self._drop,
            "campus.progress": self._progress,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Actions there are."""
        return tuple(self._by_name)

    def run(self, name: str, request: Mapping[str, Any]) -> Any:
        """Do one.

        Raises
        ------
        CatalogError
            Refused or failed, with what to do.
        """
        if name not in self._by_name:
            raise refusals.malformed(f"action {name}")
        return self._by_name[name](request)

    def _datasets(self, _request: Mapping[str, Any]) -> Any:
        workspace = self._session.workspace()
        granted = [self._entry(table) for table in sorted(workspace.tables.values(), key=lambda t: t.name)]
        held = {t.grant.dataset for t in workspace.tables.values() if t.grant.variant == MAIN}
        others = [
            {"name": name, "granted": False, "title": _text(d.title), "tier": str(d.tier)}
            for name, d in sorted(self._descriptions.items())
            if name not in held
        ]
        return {"datasets": granted + others}

    def _describe(self, request: Mapping[str, Any]) -> Any:
        (table,) = self._session.workspace().demand([_string(request, "name")])
        return self._entry(table) | {
            "columns": self._columns(table),
            **_prose(self._described(table)),
        }

    def _versions(self, request: Mapping[str, Any]) -> Any:
        table, found = self._session.versions(_string(request, "name"))
        return {
            "name": table.name,
            "versions": [
                {
                    "version": str(s.snapshot_id),
                    "published": s.published_at.isoformat(),
                    "rows": s.rows,
                    "synthetic": s.synthetic,
                    "source": s.source,
                    "columns": [f.name for f in s.fields],
                }
                for s in found
            ],
        }

    def _entry(self, table: Table) -> dict[str, Any]:
        dataset = self._descriptions.get(table.grant.dataset)
        title = _text(dataset.title) if dataset else {"ko": table.name, "en": table.name}
        label = variant_title(dataset, table.grant.variant) if dataset else None
        if label is not None:
            title = {"ko": f"{title['ko']} ({label.ko})", "en": f"{title['en']} ({label.en})"}
        return {
            "name": table.name,
            "granted": True,
            "dataset": table.grant.dataset,
            "variant": table.grant.variant,
            "title": title,
            "tier": str(dataset.tier) if dataset else "",
            "rows": table.snapshot.rows,
            "synthetic": table.snapshot.synthetic,
            "published": table.snapshot.published_at.isoformat(),
            "snapshot": str(table.snapshot.snapshot_id),
            "source": table.snapshot.source,
            "purpose": table.grant.purpose,
            "expires": table.grant.expires.isoformat() if table.grant.expires else None,
        }

    def _described(self, table: Table) -> Dataset | None:
        """What the variant's own table is; a variant no longer declared is described as its dataset."""
        dataset = self._descriptions.get(table.grant.dataset)
        if dataset is None:
            return None
        try:
            return described(dataset, table.grant.variant)
        except KeyError:
            return dataset

    def _columns(self, table: Table) -> list[dict[str, Any]]:
        dataset = self._described(table)
        known = {c.name: c for c in dataset.columns} if dataset else {}
        return [
            {"name": f.name, "type": f.duckdb_type, **_meaning(known.get(f.name))}
            for f in table.snapshot.fields
        ]

    def _partitions(self, request: Mapping[str, Any]) -> Any:
        where = _string(request, "where") if request.get("where") is not None else ""
        table, parts = Parts(self._session).plan(_string(request, "name"), where)
        return {
            "name": table.name,
            "snapshot": str(table.snapshot.snapshot_id),
            "parts": [{"index": number, "rows": part.rows} for number, part in parts.items()],
            "columns": [{"name": f.name, "type": f.duckdb_type} for f in table.snapshot.fields],
        }

    def _outbox(self, _request: Mapping[str, Any]) -> Any:
        files = self._guard.outbox(self._session.identity)
        return {
            "files": [{"name": f.name, "size": f.size, "modified": f.modified.isoformat()} for f in files]
        }

    def _export(self, request: Mapping[str, Any]) -> Any:
        names = request.get("names")
        if not isinstance(names, list) or not 0 < len(names) <= MOST_NAMES:
            raise refusals.malformed("names")
        if not all(isinstance(name, str) for name in names):
            raise refusals.malformed("names")
        receipt = self._guard.submit_export(
            self._session.identity, tuple(names), _string(request, "purpose"), datetime.now(UTC)
        )
        return {
            "request_id": receipt.request_id,
            "url_path": receipt.url_path,
            "files": [{"name": n, "sha256": h, "size": s} for n, h, s in receipt.files],
        }

    def _cancel(self, request: Mapping[str, Any]) -> Any:
        return {"cancelled": self._session.cancel(_string(request, "query_id"))}

    def _progress(self, request: Mapping[str, Any]) -> Any:
        found = self._session.progress(_string(request, "query_id"))
        return {"rows": 0, "percent": -1.0} if found is None else {"rows": found[0], "percent": found[1]}

    def _drop(self, request: Mapping[str, Any]) -> Any:
        return {"dropped": self._session.drop(_string(request, "name"))}


def _string(request: Mapping[str, Any], key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise refusals.malformed(key)
    return value


def _text(text: Text) -> dict[str, str]:
    return {"ko": text.ko, "en": text.en}


def _meaning(column: Column | None) -> dict[str, Any]:
    if column is None:
        return {"title": {"ko": "", "en": ""}, "unit": "", "code_system": "", "role": "", "missing": None}
    return {
        "title": _text(column.title),
        "unit": column.unit,
        "code_system": column.code_system,
        "role": str(column.role),
        "missing": _text(column.missing) if column.missing else None,
    }


def _prose(dataset: Dataset | None) -> dict[str, Any]:
    if dataset is None:
        return {}
    geometry = dataset.geometry
    return {
        "description": _text(dataset.description),
        "custodian": _text(dataset.custodian),
        "licence": _text(dataset.licence),
        "unit_of_observation": _text(dataset.unit_of_observation),
        "key": list(dataset.key),
        "entity": {
            "rows": str(dataset.entity.rows),
            "columns": list(dataset.entity.columns),
            "whose": _text(dataset.entity.whose),
        },
        "geometry": {"column": geometry.column, "crs": geometry.crs} if geometry else None,
    }
