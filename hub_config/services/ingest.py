"""Loads publisher files into a dataset: `… ingest --state VAR --by WHO DATASET FILE…`.

Runs once, within walls that show it the warehouse and the named files. Prints one JSON object a line:
`{"progress": sentence}`, then `{"published": …}` or `{"refused": {"ko": …, "en": …}}`.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from access_control.audit.client import AuditClient
from access_control.audit.event import Action, AuditEvent
from access_control.errors import AuditError
from catalog.descriptions import load_all
from catalog.errors import CatalogError
from catalog.ingest import ingest
from catalog.warehouse import Warehouse
from hub_config.settings import Settings, load


def main() -> int:
    """Load, record, report; 0 also where it refused, since it said so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--by", required=True)
    parser.add_argument("dataset")
    parser.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args()
    settings = load({"state": given.state})
    try:
        _ingest(settings, given.by, given.dataset, given.files, datetime.now(UTC))
    except CatalogError as error:
        _say(refused={"ko": error.ko, "en": error.en})
    except AuditError as error:
        ko = f"감사 기록에 쓸 수 없어 적재하지 않았습니다. ({error})"
        _say(refused={"ko": ko, "en": f"the audit log cannot be written, so nothing was loaded ({error})"})
    return 0


def _ingest(settings: Settings, by: str, name: str, files: list[Path], now: datetime) -> None:
    descriptions = load_all(settings.repo / "datasets")
    if name not in descriptions:
        known = ", ".join(sorted(descriptions))
        raise CatalogError(
            "dataset-unknown",
            ko=f"'{name}' 데이터셋은 없습니다. 있는 것: {known}",
            en=f"there is no dataset '{name}'; there are: {known}",
        )
    audit = AuditClient(settings.socket("audit"))
    audit.ping()
    warehouse = Warehouse(settings.warehouse, settings.catalog_db)
    done = ingest(descriptions[name], files, warehouse, now, by, lambda text: _say(progress=text))
    audit.append(
        AuditEvent(
            time=now,
            actor=by,
            action=Action.DATASET_PUBLISHED,
            object=f"dataset:{name}",
            detail={
                "snapshot": done.snapshot_id,
                "rows": done.rows,
                "files": [{"name": f.name, "sha256": f.sha256} for f in done.files],
            },
        )
    )
    _say(
        published={
            "dataset": name,
            "snapshot": done.snapshot_id,
            "rows": done.rows,
            "total_rows": done.total_rows,
            "replaced_synthetic": done.replaced_synthetic,
        }
    )


def _say(**values: object) -> None:
    sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
