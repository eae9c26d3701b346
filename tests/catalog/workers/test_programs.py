"""The worker programs stand alone in the session's environment and keep to the control protocol."""

from __future__ import annotations

import ast
import json
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.flight as flight
import pytest

from catalog.gateway.control import ControlClosed, receive, send
from catalog.workers import parser
from catalog.workers.engine import open_engine
from tests.catalog.gateway.simulator import REPO, PlainStarter

PROGRAMS = REPO / "catalog" / "workers"
ORDER = {"sql": "SELECT 1", "parameters": [], "save_as": ""}


@pytest.mark.parametrize("file", sorted(PROGRAMS.glob("*.py")), ids=lambda f: f.name)
def test_programs_import_only_what_a_sandbox_has(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    modules = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        str(node.module).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level
    }
    assert modules - set(sys.stdlib_module_names) <= {"duckdb", "pyarrow"}


def test_a_parser_answers_in_order_and_leaves_with_its_broker() -> None:
    starter = PlainStarter()
    started, control = starter.start_parser("x")
    assert receive(control) == {"op": "ready"}
    for text in ("SELECT 1", "DROP TABLE x", "nonsense", "SELECT '" + "한" * 100_000 + "'"):
        send(control, {"op": "serialise", "text": text})
    answers = [json.loads(receive(control)["tree"]) for _ in range(4)]
    assert [a["error"] for a in answers] == [False, True, True, False]
    send(control, {"op": "deserialise", "tree": "{}"})
    assert "error" in receive(control)
    control.close()
    assert started.process.wait(30) == 0


@pytest.mark.parametrize("size", [1, parser.SHORT], ids=["prepared", "long"])
@pytest.mark.parametrize(
    "text", ["'", "''", "\\'", "x'); SELECT ('", "$1", "한 \n\t", "\u0085\u2028🙂", '"', "%s"]
)
def test_a_text_is_a_value_to_the_parser_whatever_is_in_it(text: str, size: int) -> None:
    """The prepared question and the bound one give the engine's own answer, and the text comes back."""
    literal = "SELECT '" + (text * (size // len(text) + 1)).replace("'", "''") + "' AS a"
    with duckdb.connect() as plain, parser.connect() as connection:
        (tree,) = (
            plain.execute("SELECT json_serialize_sql(?, skip_default := false)", [literal]).fetchone() or ()
        )
        assert parser.answer(connection, {"op": "serialise", "text": literal}) == {"tree": tree}
        assert parser.answer(connection, {"op": "deserialise", "tree": tree})["text"] == literal
        assert "error" in parser.answer(connection, {"op": "deserialise", "tree": text})
        once = parser.answer(connection, {"op": "both", "text": literal})
        assert once == {"tree": tree, "text": literal, "again": tree}
        broken = json.loads(parser.answer(connection, {"op": "serialise", "text": text * size})["tree"])
        assert broken["error"] is True
        assert parser.answer(connection, {"op": "both", "text": text * size}).keys() == {"tree"}


@pytest.mark.parametrize("text", [";", "", "SELECT 1 FROM t", "PIVOT t ON a", "DROP TABLE x"])
def test_a_text_without_one_of_its_own_gives_its_tree_all_the_same(text: str) -> None:
    with parser.connect() as connection:
        tree = parser.answer(connection, {"op": "serialise", "text": text})["tree"]
        assert parser.answer(connection, {"op": "both", "text": text}) == {"tree": tree}


def configuration(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "op": "configure", "listen": str(folder / "w.sock"), "views": [], "files": [], "threads": 1,
        "memory": 256 << 20, "spill": "", "spill_size": 0, "batch_rows": 1000, "saved_rows": 10,
        "saved_bytes": 1 << 20, "columns": 5000, "result_bytes": 1 << 30, **more,
    }  # fmt: skip


def test_a_worker_that_cannot_make_its_views_says_so(run_folder: Path) -> None:
    starter = PlainStarter()
    _, control = starter.start_worker("x", 1, [], 1)
    view = "CREATE VIEW memory.campus.v AS SELECT * FROM read_parquet(['/nowhere.parquet'])"
    send(control, configuration(run_folder, views=[{"name": "v", "text": view}]))
    assert receive(control)["op"] == "broken"
    control.close()
    starter.close()


def test_an_expired_ticket_is_reported(run_folder: Path) -> None:
    starter = PlainStarter()
    _, control = starter.start_worker("x", 1, [], 1)
    send(control, configuration(run_folder))
    assert receive(control)["op"] == "ready"
    send(control, {**ORDER, "op": "admit", "handle": "ab" * 24, "seconds": 5, "ttl": 0.5})
    assert receive(control) == {"op": "admitted", "handle": "ab" * 24}
    ended = receive(control)
    assert (ended["op"], ended["status"], ended["reason"]) == ("finished", "failed", "ticket-expired")
    control.close()
    starter.close()


def test_a_worker_whose_broker_was_killed_leaves_its_readers(run_folder: Path) -> None:
    """What a killed broker had not read yet makes its end an error: the worker goes all the same."""
    starter = PlainStarter()
    started, control = starter.start_worker("x", 1, [], 1)
    send(control, configuration(run_folder))
    assert receive(control)["op"] == "ready"
    send(control, {**ORDER, "op": "admit", "handle": "ab" * 24, "seconds": 60, "ttl": 60})
    assert receive(control)["op"] == "admitted"
    told: list[Exception] = []

    def read() -> None:
        try:
            flight.connect(f"grpc+unix://{run_folder}/w.sock").do_get(flight.Ticket(bytes.fromhex("ab" * 24)))
        except flight.FlightError as error:
            told.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert select.select([control], [], [], 30)[0]  # it asks for its turn, and nobody reads that
    control.close()
    assert started.process.wait(30) is not None
    reader.join(30)
    assert told
    starter.close()


def test_the_engine_is_locked(tmp_path: Path) -> None:
    engine = open_engine(configuration(tmp_path))
    for text in (
        "SELECT * FROM read_text('/etc/hostname')",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "INSTALL httpfs",
        "ATTACH '/tmp/x.db'",
        f"COPY (SELECT 1) TO '{tmp_path}/x.csv'",
    ):
        with pytest.raises(Exception, match=r"(?i)disabled|locked|permission|cannot"):
            engine.execute(text)


def test_a_broker_that_talks_nonsense_is_dropped() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(struct.pack(">I", 3) + b"[1]")
    with pytest.raises(ControlClosed):
        receive(ours)
    theirs.sendall(struct.pack(">I", 1 << 31))
    with pytest.raises(ControlClosed):
        receive(ours)
    ours.close()
    theirs.close()


def test_a_worker_is_lean() -> None:
    code = "import sys; import catalog.workers.query_worker; print(*sys.modules)"
    python = REPO / ".venv-session" / "bin" / "python"
    loaded = subprocess.run(
        [python, "-c", code], cwd=REPO, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pandas", "geopandas", "pyarrow.parquet", "IPython"} & set(loaded)


@pytest.mark.parametrize("program", ["parser", "query_worker"])
def test_programs_keep_a_lower_limit_they_were_started_with(run_folder: Path, program: str) -> None:
    """As in a sandbox without cgroups, where the launcher limits memory itself and nobody is root."""
    held = 800 << 20
    ours, theirs = socket.socketpair()
    powerless = ["setpriv", "--bounding-set=-sys_resource"] if os.getuid() == 0 else []
    python = REPO / ".venv-session" / "bin" / "python"
    command = f'exec 3<&"$1"; exec {" ".join(powerless)} prlimit --data={held} "$2" -P -m "$3"'
    process = subprocess.Popen(
        ["/bin/bash", "-c", command, "sh", str(theirs.fileno()), str(python), f"catalog.workers.{program}"],
        env=os.environ | {"PYTHONPATH": str(REPO)},
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    if program == "query_worker":
        send(ours, configuration(run_folder, memory=768 << 20))
    assert receive(ours)["op"] == "ready"
    assert resource.prlimit(process.pid, resource.RLIMIT_DATA) == (held, held)
    ours.close()
    assert process.wait(30) is not None
