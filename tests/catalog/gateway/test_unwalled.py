"""The whole hostile list with nobody to judge it: the kernel's wall alone keeps what is not granted."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.sandbox.model import Mount
from catalog.sandbox.process import start
from catalog.warehouse import Publication, Warehouse
from hub_config.launcher import profiles
from hub_config.settings import Settings
from tests.catalog.gateway.conftest import DESCRIPTIONS, made_up
from tests.catalog.gateway.simulator import utc_now
from tests.catalog.gateway.statements import hostile
from tests.catalog.gateway.test_unlocked import INSIDE
from tests.hub_config.launcher.places import SESSION, isolation, settings_in

GRANTED = ("subway_ridership", "dong_codes")
SECRET = "living_population"
TEXT, NUMBER = "nobody-may-read-this", 777_000_777  # the only values in its only row
NAMED = re.compile(r'(?:"?(?:memory|campus)"?\.)*"?living_population"?(?:\."living_population")?', re.I)
UNREAD = {  # the engine does not even look for what a name stands for that is not used
    "WITH x AS (SELECT * FROM read_parquet('@')) SELECT 1",
    "WITH q AS (FROM read_parquet('@')) PIVOT dong_codes ON gu_name USING count(*)",
}
RUNS_WITHIN = 900.0  # s: a fresh engine a statement, some 20 ms of one core


@dataclass(frozen=True)
class Ground:
    """A published warehouse of granted tables and a secret one."""

    settings: Settings
    granted: dict[str, list[str]]
    secret: str

    def run(self, texts: list[str], files: list[str]) -> list[tuple[str, bool]]:
        """What each statement gave, and whether it failed, in a worker's sandbox over these files."""
        walls = isolation()
        view = self.settings.state / "view"
        shutil.rmtree(view, ignore_errors=True)
        for file in files:
            (view / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.settings.warehouse / file, view / file)
        views = {name: [f"/data/{f}" for f in found] for name, found in self.granted.items()}
        asked = self.settings.state / "asked.json"
        asked.write_text(json.dumps({"views": views, "texts": texts}), "utf-8")
        for path in (view, *view.rglob("*"), asked):
            path.chmod(0o755)
        program = Path(__file__).with_name("unwalled_sql.py")
        sandbox = profiles.worker(
            self.settings, walls, session_id=SESSION, generation=1, view=view, memory=1 << 30
        )
        sandbox = dataclasses.replace(
            sandbox,
            argv=(sandbox.argv[0], "-P", "/opt/campus/program.py", "/opt/campus/asked.json"),
            mounts=(
                *sandbox.mounts,
                Mount(source=program, target="/opt/campus/program.py"),
                Mount(source=asked, target="/opt/campus/asked.json"),
            ),
        )
        said = self.settings.state / "said"
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            running = start(sandbox, walls, output=output)
        finally:
            os.close(output)
        code = running.wait(RUNS_WITHIN)
        if code is None:
            running.stop(0)
        lines = [json.loads(line) for line in said.read_text("utf-8").splitlines() if line.startswith("{")]
        assert (code, len(lines)) == (0, len(texts)), said.read_text("utf-8")[-2000:]
        return [(line["said"], line["failed"]) for line in lines]


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    isolation()
    state = Path(tempfile.mkdtemp(prefix="campus-unwalled-"))
    try:
        settings = settings_in(state)
        (settings.run / "gateway" / SESSION / "data").mkdir(parents=True)
        warehouse = Warehouse(settings.warehouse, state / "catalog.sqlite")
        granted = {}
        for name in GRANTED:
            snapshot = warehouse.publish(
                DESCRIPTIONS[name], "main", made_up(DESCRIPTIONS[name], 50), published()
            )
            granted[name] = [file.path for file in snapshot.files]
        snapshot = warehouse.publish(DESCRIPTIONS[SECRET], "main", secret_row(), published())
        state.chmod(0o755)
        yield Ground(settings, granted, snapshot.files[0].path)
    finally:
        shutil.rmtree(state, ignore_errors=True)  # the sockets of ended workers go by themselves


def published() -> Publication:
    return Publication(now=utc_now(), by="x", synthetic=True, source="made up", recipe="1")


def secret_row() -> pa.Table:
    """One row of marks, with a date that is one."""
    table = made_up(DESCRIPTIONS[SECRET], 1)
    for number, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(number, field, pa.array([TEXT], field.type))
        elif pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            table = table.set_column(number, field, pa.array([NUMBER], field.type))
    return table


def aimed(ground: Ground, places: list[str]) -> list[str]:
    """The hostile statements that name the secret table, with a file in the table's place."""
    found = []
    for _, text in hostile():
        if SECRET in text.lower():
            aim = re.sub(r"/data/living_population/[x*]\.parquet", "@", text)
            aim = NAMED.sub("read_parquet('@')", aim)
            found += [aim.replace("@", place) for place in places]
    return found


def test_unjudged_statements_give_nothing_that_is_not_granted(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMPUS_MARK", TEXT)  # in the environment of whoever builds the walls
    files = [file for found in ground.granted.values() for file in found]
    outside = [f"/data/{ground.secret}", f"{ground.settings.warehouse}/{ground.secret}"]
    raw = [text for _, text in hostile()]
    aims = aimed(ground, outside)
    everywhere = f"read_parquet('/**/{Path(ground.secret).name}')", f"read_blob('{ground.settings.state}/**')"
    more = [
        *(f"SELECT * FROM {source}" for source in everywhere),
        f"SELECT * FROM read_parquet('{INSIDE.format(1)}/data/{ground.secret}')",
        "SELECT content FROM read_text('/proc/*/environ')",
    ]
    before = digests(ground)
    said = ground.run([*raw, *aims, *more], files)
    texts = [*raw, *aims, *more]
    leaks = [t for t, (s, _) in zip(texts, said, strict=True) if TEXT in s or str(NUMBER) in s]
    assert leaks == []
    named = [t for t, (s, _) in zip(raw, said, strict=False) if Path(ground.secret).name in s]
    assert named == []  # the others name the file themselves
    read = [t for t, (_, failed) in zip(texts, said, strict=True) if t in aims and not failed]
    assert {re.sub(r"'/[^']*[.]parquet'", "'@'", text) for text in read} <= UNREAD
    people = [line for line in Path("/etc/passwd").read_text().splitlines() if line.startswith("daemon:")]
    assert people and not [s for s, _ in said if people[0] in s]
    assert digests(ground) == before, "nothing was written outside"


def test_the_same_statements_give_it_where_it_is_granted(ground: Ground) -> None:
    """Otherwise the test above could not fail."""
    files = [*(file for found in ground.granted.values() for file in found), ground.secret]
    said = ground.run(aimed(ground, [f"/data/{ground.secret}"]), files)
    assert sum(TEXT in s or str(NUMBER) in s for s, _ in said) > 20
    assert sum(not failed for _, failed in said) > 30


def digests(ground: Ground) -> dict[str, str]:
    """Every file of the warehouse by its content."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in ground.settings.warehouse.rglob("*")
        if path.is_file()
    }
