"""Saved tables and bound values through the client and a real gateway: limits, lineage, grants, names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import campus
import pytest
from campus.wire import Gateway

from catalog.gateway.guard import QueryEventKind
from catalog.warehouse import Warehouse
from tests.catalog.client.test_versions import publish
from tests.catalog.gateway.conftest import DESCRIPTIONS, LIMITS, PUBLISHED
from tests.catalog.gateway.simulator import Installation, installation, until, utc_now


@pytest.fixture
def session(gateway: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.setenv("CAMPUS_GATEWAY", gateway.open())
    monkeypatch.setattr(campus, "_gateway", Gateway())
    yield gateway


@pytest.fixture
def small(warehouse: Warehouse, run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """A session that may save little."""
    limits = dataclasses.replace(LIMITS, saved_rows=1000, saved_bytes=1 << 20)
    with installation(warehouse, DESCRIPTIONS, run_folder, limits) as made:
        made.guard.grant("dong_codes")
        monkeypatch.setenv("CAMPUS_GATEWAY", made.open())
        monkeypatch.setattr(campus, "_gateway", Gateway())
        yield made


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(campus.CampusError) as error:
        call(*arguments)
    assert "\n" in str(error.value)
    return error.value.reason


def admitted(session: Installation) -> Any:
    return [e for e in session.guard.events if e.kind is QueryEventKind.ADMITTED][-1]


def test_a_saved_table_is_a_table_with_its_sources_on_record(session: Installation) -> None:
    kept = campus.save("busy", "SELECT line, sum(boardings) AS n FROM subway_ridership GROUP BY line")
    assert kept.rows == 97 and kept.synthetic and list(kept.snapshots) == ["subway_ridership"]
    assert "97행" in repr(kept) and "합성 데이터" in kept._repr_html_()
    saving = admitted(session)
    assert saving.statement.startswith('CREATE TABLE memory.campus."busy" AS SELECT')
    result = campus.sql("SELECT count(*) AS c FROM busy b JOIN dong_codes d ON b.line <> d.dong_code")
    assert result.df()["c"][0] == 97 * PUBLISHED["dong_codes"]
    assert result.synthetic and set(result.snapshots) == {"subway_ridership", "dong_codes"}
    read = admitted(session)
    assert {t.dataset for t in read.tables} == {"subway_ridership", "dong_codes"}
    assert read.purposes == ("study",)
    assert "busy" in campus.sql("SHOW TABLES").df()["name"].to_list()
    campus.save("top", "SELECT * FROM BUSY ORDER BY n DESC LIMIT 3")
    assert [t.dataset for t in admitted(session).tables] == ["subway_ridership"], "lineage goes through"
    assert len(campus.sql("SELECT * FROM campus.top")) == 3
    assert campus.drop("busy") and not campus.drop("busy")
    assert refused(campus.sql, "SELECT * FROM busy") == "table-not-granted"


def test_saving_again_replaces_and_a_failed_save_leaves_nothing(session: Installation) -> None:
    for n in (1, 2):
        campus.save("numbers", f"SELECT {n} AS n")
    assert campus.sql("SELECT n FROM numbers").df()["n"].to_list() == [2]
    assert admitted(session).tables == ()
    assert refused(campus.save, "broken", "SELECT nothing FROM dong_codes") == "query-error"
    until(lambda: "failed" in session.guard.kinds())
    assert refused(campus.sql, "SELECT * FROM broken") == "table-not-granted"


@pytest.mark.parametrize(
    "name",
    [
        "subway_ridership", "SUBWAY_ridership", "living_population", "card_spending_twin", "dong_codes@1",
        "a b", 'a"b', "1a", "", "_a", "가", "a" * 64, "campus.x", "x; DROP TABLE y", "read_csv('x')",
    ],
)  # fmt: skip
def test_names_that_are_datasets_or_no_names(session: Installation, name: str) -> None:
    assert refused(campus.save, name, "SELECT 1 AS a") == "saved-name"
    assert session.guard.kinds() == ["refused"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM living_population",
        "SELECT 1; DROP TABLE x",
        "SELECT 1) TO '/tmp/x'; --",
        "COPY (SELECT 1) TO '/tmp/x'",
        "SELECT * FROM kept UNION SELECT * FROM read_csv('/etc/passwd')",
    ],
)
def test_what_is_saved_is_judged_like_any_statement(session: Installation, query: str) -> None:
    with pytest.raises(campus.QueryRefused):
        campus.save("kept", query)
    assert session.guard.kinds() == ["refused"]


def test_a_saved_table_ends_with_the_right_to_its_source(session: Installation) -> None:
    campus.save("codes_here", "SELECT * FROM dong_codes")
    held = [g for g in session.guard.grants if g.dataset == "dong_codes"]
    session.guard.grants = [g for g in session.guard.grants if g.dataset != "dong_codes"]
    assert refused(campus.sql, "SELECT * FROM codes_here") == "saved-gone"
    assert len(campus.sql("SELECT 1")) == 1, "runs in a worker that has never seen it"
    session.guard.grants += held
    assert refused(campus.sql, "SELECT * FROM codes_here") == "saved-gone", "also when it is given again"
    campus.save("codes_here", "SELECT * FROM dong_codes")
    session.guard.grants = [
        dataclasses.replace(g, expires=utc_now() - timedelta(seconds=1)) if g.dataset == "dong_codes" else g
        for g in session.guard.grants
    ]
    assert refused(campus.sql, "SELECT count(*) FROM codes_here") == "saved-gone"
    assert session.guard.kinds().count("refused") == 3


def test_a_killed_worker_takes_them_along_and_says_so(session: Installation) -> None:
    campus.save("one", "SELECT 1 AS a")
    session.starter.kill("query_worker")
    until(lambda: not session.starter.pids("query_worker"))
    with pytest.raises(campus.QueryRefused, match=r"campus\.save") as gone:
        campus.sql("SELECT * FROM one")
    assert gone.value.reason == "saved-gone"
    campus.save("one", "SELECT 1 AS a")
    assert len(campus.sql("SELECT * FROM one")) == 1


def test_a_table_in_use_is_neither_replaced_nor_dropped(session: Installation) -> None:
    campus.save("lines", "SELECT line FROM subway_ridership")
    reading = campus.sql("SELECT * FROM lines a, dong_codes b")
    assert refused(campus.save, "LINES", "SELECT 1 AS a") == "saved-in-use"
    assert refused(campus.drop, "lines") == "saved-in-use"
    assert refused(campus.save, "lines", "SELECT * FROM lines") == "saved-in-use"
    reading.cancel()
    until(lambda: "cancelled" in session.guard.kinds())
    assert campus.drop("lines")


def test_no_more_than_is_allowed_is_kept(small: Installation) -> None:
    assert campus.save("enough", "SELECT range AS a FROM range(1000)").rows == 1000
    assert refused(campus.save, "rows", "SELECT range AS a FROM range(1001)") == "saved-too-large"
    assert refused(campus.save, "bytes", "SELECT repeat('x', 5000) || range AS a FROM range(900)") == (
        "saved-too-large"
    )
    endless = "SELECT range AS a FROM range(1000000000000)"
    assert refused(campus.save, "much", endless) == "saved-too-large"
    for name in ("rows", "bytes", "much"):
        assert refused(campus.sql, f"SELECT * FROM {name}") == "table-not-granted"
    for n in range(19):
        campus.save(f"t{n}", "SELECT 1 AS a")
    assert refused(campus.save, "another", "SELECT 1 AS a") == "saved-too-many"
    assert campus.drop("enough") and campus.save("another", "SELECT 1 AS a").rows == 1


def test_sessions_do_not_see_each_others_tables(session: Installation, monkeypatch: Any) -> None:
    campus.save("mine", "SELECT 1 AS a")
    monkeypatch.setenv("CAMPUS_GATEWAY", session.open(person="jihun"))
    assert refused(campus.sql, "SELECT * FROM mine") == "table-not-granted"


# -- values

TYPED: dict[str, Any] = {
    "text": "it's '); DROP TABLE x; --",
    "whole": 7,
    "large": 2**70,
    "fraction": 1.5,
    "yes": True,
    "nothing": None,
    "day": date(2026, 1, 2),
    "moment": datetime(2026, 1, 2, 3, 4, 5, 678),
    "zoned": datetime(2026, 1, 2, 3, tzinfo=UTC),
    "exact": Decimal("12.30"),
    "list": [1, 2, None],
}


def test_values_are_bound_with_their_types_and_on_record(session: Installation) -> None:
    query = "SELECT " + ", ".join(f"${name} AS {name}" for name in TYPED)
    row = campus.sql(query, TYPED).arrow().to_pylist()[0]
    assert row == TYPED
    event = admitted(session)
    assert "$text" in event.statement and "DROP" not in event.statement
    literals = dict(event.parameters)
    assert literals["text"] == "'it''s ''); DROP TABLE x; --'"
    assert (literals["day"], literals["exact"], literals["list"]) == (
        "DATE '2026-01-02'",
        "12.30",
        "[1, 2, NULL]",
    )
    assert (literals["yes"], literals["nothing"], literals["whole"]) == ("true", "NULL", "7")
    assert literals["zoned"].startswith("TIMESTAMPTZ '2026-01-02T03")


def test_values_by_place_and_by_name(session: Installation) -> None:
    by_place = campus.sql(
        "SELECT count(*) AS n FROM dong_codes WHERE dong_code = ? OR dong_code = ?",
        ["dong_code-01", "dong_code-02"],
    )
    by_name = campus.sql(
        "SELECT count(*) AS n FROM dong_codes WHERE dong_code IN (SELECT unnest($codes))",
        {"codes": ["dong_code-01", "dong_code-02"]},
    )
    assert by_place.df()["n"][0] == by_name.df()["n"][0] > 0
    kept = campus.save("few", "SELECT * FROM dong_codes LIMIT $most", {"most": 3})
    assert kept.rows == 3
    assert len(campus.sql("SELECT * FROM range(?)", [5])) == 5


@pytest.mark.parametrize(
    ("query", "values", "reason"),
    [
        ("SELECT ?", None, "parameters-mismatch"),
        ("SELECT ?", [], "parameters-mismatch"),
        ("SELECT ?", [1, 2], "parameters-mismatch"),
        ("SELECT $a", {"b": 1}, "parameters-mismatch"),
        ("SELECT $a", [1], "parameters-mismatch"),
        ("SELECT 1", [1], "parameters-mismatch"),
        ("SELECT ?, $a", [1], "not-select"),
        ("SELECT * FROM ?", ["dong_codes"], "syntax-error"),
        ("SELECT list_aggregate([1], ?)", ["sum"], "function-not-allowed"),
        ("SELECT * FROM read_csv(?)", ["/etc/passwd"], "table-function-not-allowed"),
        ("SELECT $a", {"a; DROP": 1}, "parameter-malformed"),
        ("SELECT ?", ["a\0b"], "parameter-malformed"),
        ("SELECT ?", ["\ud800"], "parameter-malformed"),
        ("SELECT ?", [2**140], "parameter-malformed"),
        ("SELECT ?", [[[[[[[1]]]]]]], "parameter-malformed"),
        ("SELECT ?", [[0] * 1001], "parameter-malformed"),
        ("SELECT ?", [object()], "parameter-type"),
        ("SELECT ?", "x", "parameter-type"),
    ],
)
def test_values_that_do_not_fit(session: Installation, query: str, values: Any, reason: str) -> None:
    assert refused(campus.sql, query, values) == reason
    assert "admitted" not in session.guard.kinds()


def test_publishing_a_version_ends_saved_tables(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = Warehouse(tmp_path / "files", tmp_path / "catalog.sqlite")
    publish(warehouse, "dong_codes", 10)
    with installation(warehouse, DESCRIPTIONS, run_folder, LIMITS) as made:
        made.guard.grant("dong_codes")
        monkeypatch.setenv("CAMPUS_GATEWAY", made.open())
        monkeypatch.setattr(campus, "_gateway", Gateway())
        campus.save("few", "SELECT * FROM dong_codes")
        assert len(campus.sql("SELECT * FROM few")) == 10
        publish(warehouse, "dong_codes", 20)
        until(lambda: len(campus.sql("SELECT 1 FROM dong_codes")) == 20)
        assert refused(campus.sql, "SELECT * FROM few") == "saved-gone"
