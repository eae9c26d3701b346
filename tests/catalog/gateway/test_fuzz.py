"""Whatever is admitted reads granted tables only, by the engine's own plan and by what the worker opens."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.gateway import refusals
from catalog.gateway.sql.statement import Statement, prepare
from catalog.warehouse import Warehouse
from tests.catalog.gateway.conftest import DESCRIPTIONS, LIMITS
from tests.catalog.gateway.fuzz import COLUMNS, GRANTED, SECRET, Judge, Texts, altered
from tests.catalog.gateway.simulator import PlainStarter, installation, run
from tests.catalog.gateway.statements import LEGITIMATE, hostile
from tests.catalog.gateway.test_tree import FUNCTIONS, PARSER, HereParser

LISTED = dict.fromkeys(GRANTED, COLUMNS)
FEW = 2_000  # always the same; the long campaigns draw others each time


class Sent(HereParser):
    """A parser that was taken over: whatever is asked, it answers with this tree."""

    def __init__(self, tree: str) -> None:
        self.connection = PARSER.connection
        self.tree: str | None = tree

    def serialise(self, text: str) -> str:
        tree, self.tree = self.tree, None
        return tree if tree is not None else super().serialise(text)


def judged(text: str, parser: Any = PARSER) -> Statement | None:
    """None where it is refused; anything but a refusal is a failure."""
    try:
        return prepare(text, GRANTED, FUNCTIONS, parser, columns=LISTED)
    except refusals.QueryRefused:
        return None


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


def test_the_judge_sees_what_is_read(judge: Judge) -> None:
    assert judge.reads("SELECT 1") == set()
    assert judge.reads("FROM campus.open_one") == {"open_one"}
    assert judge.reads("FROM campus.secret_one s, campus.open_two") == {"secret_one", "open_two"}
    assert judge.reads("FROM hidden WHERE false") == {"memory.main.hidden"}
    assert judge.reads("SELECT (SELECT max(a) FROM campus.secret_two)") == {"secret_two"}
    assert judge.reads("FROM duckdb_settings()") == {"DUCKDB_SETTINGS"}
    assert judge.reads("FROM read_text('/etc/hostname')") == {"READ_TEXT"}
    assert judge.reads("FROM information_schema.tables") not in (None, set())
    assert judge.reads("FROM nowhere") is None
    values = ("x", "SELECT DISTINCT b FROM campus.secret_one")
    assert judge.reads("FROM campus.open_one PIVOT (count(*) FOR b IN x)", (values,)) == {
        "open_one",
        "secret_one",
    }


@pytest.mark.campaign(FEW, 50_000)
def test_random_texts_read_only_what_is_granted(judge: Judge, rounds: int) -> None:
    seed = 1 if rounds == FEW else time.time_ns()
    texts, seen = Texts(seed), Counter[str]()
    for _ in range(rounds):
        text = texts.statement()
        made = judged(text)
        if made is None:
            seen["refused"] += 1
            continue
        reads = judge.reads(made.text, made.lists)
        seen["admitted" if reads is not None else "unbound"] += 1
        assert reads is None or reads <= set(GRANTED), (seed, text, made.shown)
        assert reads is None or reads <= made.tables, (seed, text, made.shown)
    print(seed, seen)
    assert seen["admitted"] > rounds // 5 and seen["refused"] > rounds // 5


@pytest.mark.campaign(FEW, 50_000)
def test_random_trees_read_only_what_is_granted(judge: Judge, rounds: int) -> None:
    seed = 2 if rounds == FEW else time.time_ns()
    draw, texts, seen = random.Random(seed), Texts(seed), Counter[str]()
    trees: list[Any] = []
    while len(trees) < 200:
        parsed = json.loads(PARSER.serialise(texts.query(4)))
        if not parsed.get("error") and len(json.dumps(parsed)) < 20_000:
            trees.append(parsed)
    for _ in range(rounds):
        tree = json.dumps(altered(draw.choice(trees), draw.choice(trees), draw))
        made = judged("SELECT 1", Sent(tree))
        if made is None:
            seen["refused"] += 1
            continue
        reads = judge.reads(made.text, made.lists)
        seen["admitted" if reads is not None else "unbound"] += 1
        assert reads is None or reads <= set(GRANTED), (seed, tree, made.shown)
    print(seed, seen)
    assert seen["admitted"] > rounds // 20 and seen["refused"] > rounds // 5


# -- what the worker opens, by the kernel's own account


class TracedStarter(PlainStarter):
    """Workers whose opened files are written down by strace."""

    def __init__(self, trace: Path) -> None:
        super().__init__()
        self.trace = trace
        self.wrapper = trace.with_suffix(".sh")
        self.wrapper.write_text(
            f'#!/bin/sh\nexec strace -f -qq -e trace=open,openat,openat2 -o {trace}.$$ {self.python} "$@"\n'
        )
        self.wrapper.chmod(0o755)
        self.python = self.wrapper


def _tracing() -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("this machine does not let a process be traced: " + tried.stderr.decode()[:80])


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Path]:
    _tracing()
    yield tmp_path / "trace"


def test_the_worker_opens_no_file_that_is_not_granted(
    warehouse: Warehouse, run_folder: Path, opened: Path
) -> None:
    with installation(warehouse, DESCRIPTIONS, run_folder, LIMITS) as made:
        made.broker.stop()
        made.starter = TracedStarter(opened)
        made.restart()
        for name in ("subway_ridership", "dong_codes", "card_sales"):
            made.guard.grant(name)
        client = flight.connect(made.open())
        for text in [*LEGITIMATE[:30], *(text for _, text in hostile()[::9]), *LEGITIMATE[-20:-10]]:
            try:
                run(client, text)
            except (flight.FlightError, pa.ArrowException):
                continue
        made.starter.close()
    paths = {
        found[1]
        for file in opened.parent.glob("trace.*[0-9]")
        for found in re.finditer(r'open(?:at2?)?\([^"]*"([^"]+)"', file.read_text("utf-8", "replace"))
    }
    files = {path for path in paths if path.startswith(str(warehouse.root))}
    granted = {
        str(warehouse.path(file.path))
        for name in ("subway_ridership", "dong_codes", "card_sales")
        for file in warehouse.snapshot(name).files
    }
    assert files == granted  # each was read, and nothing else
    assert not [p for p in paths if p in ("/etc/passwd", "/etc/shadow") or p.endswith((".csv", ".json.gz"))]


def test_names_of_the_grammar_are_those_of_the_judge(judge: Judge) -> None:
    rows = judge.engine.execute("SELECT DISTINCT table_name FROM duckdb_tables()").fetchall()
    assert {str(row[0]) for row in rows} == {*GRANTED, *SECRET, "hidden"}
    assert duckdb.__version__ >= "2"
