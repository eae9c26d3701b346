"""Reading in parts with Dask, in the session's own environment: conditions, versions, refusals."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.gateway import partitions
from tests.catalog.gateway.simulator import REPO, Installation, until

ENVIRONMENT = REPO / ".venv-session" / "bin" / "python"


@pytest.fixture
def session(gateway: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.setenv("CAMPUS_GATEWAY", gateway.open())
    monkeypatch.setattr(partitions, "ROWS", 1)  # a part a row group
    yield gateway


def in_session(folder: Path, script: str, **environ: str) -> Any:
    """What a program of a notebook gives to `show`, run in the session's environment."""
    file = folder / "cell.py"
    head = "import json, campus\ndef show(**said): print('SAID', json.dumps(said, default=str), flush=True)\n"
    file.write_text(head + script)
    given = {
        "CAMPUS_GATEWAY": os.environ["CAMPUS_GATEWAY"],
        "PYTHONPATH": str(REPO / "catalog/client/src"),
        "HOME": str(folder),
    }
    done = subprocess.run(
        [ENVIRONMENT, file], env=given | environ, capture_output=True, text=True, timeout=120, check=False
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("SAID ")]
    assert said, done.stderr
    return json.loads(said[-1].removeprefix("SAID "))


def test_only_parts_that_may_hold_wanted_rows_are_asked_for(session: Installation, tmp_path: Path) -> None:
    said = in_session(
        tmp_path,
        """
day = f"{campus.sql('SELECT min(date) AS d FROM subway_ridership').df()['d'][0]:%Y-%m-%d}"
where = f"date = DATE '{day}' AND boardings > 5000"
whole = campus.dask("subway_ridership", columns=["date", "boardings"])
some = campus.dask("subway_ridership", columns=["date", "boardings"], where=where)
none = campus.dask("subway_ridership", where="date = DATE '1999-01-01'")
frame = some.compute(scheduler="synchronous")
show(whole=whole.npartitions, some=some.npartitions, columns=list(frame.columns),
     least=int(frame["boardings"].min()), rows=len(frame), none=len(none.compute()),
     right=len(campus.sql(f"SELECT 1 FROM subway_ridership WHERE {where}")))
""",
    )
    assert 1 == said["some"] < said["whole"]
    assert (said["columns"], said["none"]) == (["date", "boardings"], 0)
    assert said["least"] > 5000 and 0 < said["rows"] == said["right"]
    until(lambda: session.guard.kinds().count("finished") == 3)
    parts = [e.statement for e in session.guard.events if "part 1 of" in e.statement]
    assert len(parts) == 2 and all("boardings > 5000" in statement for statement in parts)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("1=1) ORDER BY (line", "not-a-condition"),
        ("1=1) UNION SELECT * FROM (SELECT 1", "not-a-condition"),
        ("EXISTS (SELECT 1 FROM living_population)", "table-not-granted"),
        ("1=1; DROP TABLE dong_codes", "syntax-error"),
    ],
)
def test_more_than_a_condition_is_refused_at_once(
    session: Installation, tmp_path: Path, where: str, reason: str
) -> None:
    said = in_session(
        tmp_path,
        f"""
try:
    campus.dask("subway_ridership", where={where!r})
except campus.QueryRefused as refused:
    show(reason=refused.reason, both=str(refused).count("\\n"))
""",
    )
    assert said == {"reason": reason, "both": 1}
    assert session.guard.kinds() == ["refused"]
