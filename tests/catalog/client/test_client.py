"""The notebook client against a real gateway: results, errors, cancelling, reconnecting, exporting, Dask."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import campus
import duckdb
import geopandas
import pyarrow as pa
import pytest
from campus.html import text
from campus.wire import Gateway, statement_command

from catalog.gateway.guard import OutboxFile
from catalog.gateway.messages import encode
from tests.catalog.gateway.conftest import PUBLISHED, ROWS, TWIN_ROWS
from tests.catalog.gateway.simulator import REPO, SOON, Installation, until, utc_now

SLOW = "SELECT sum(a.boardings * b.boardings) FROM subway_ridership a, subway_ridership b, subway_ridership c"


@pytest.fixture
def session(gateway: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Installation]:
    """As inside a session: the environment says where the gateway and the outbox are."""
    monkeypatch.setenv("CAMPUS_GATEWAY", gateway.open())
    monkeypatch.setenv("CAMPUS_OUTBOX", str(tmp_path / "outbox"))
    monkeypatch.setattr(campus, "_gateway", Gateway())
    yield gateway


def test_importing_is_light() -> None:
    """Less than 0.3 s of a processor and no frame library; measured in the session's own environment."""
    code = (
        "import time; t = time.process_time(); import campus, sys; d = time.process_time() - t; "
        "heavy = {'pandas', 'geopandas', 'pyarrow', 'dask', 'numpy'} & set(sys.modules); "
        "print(d, sorted(heavy)); assert d < 0.3 and not heavy"
    )
    python = REPO / ".venv-session" / "bin" / "python"
    done = subprocess.run(
        [python, "-c", code], env={"PYTHONPATH": str(REPO / "catalog/client/src")}, check=False
    )
    assert done.returncode == 0


def test_the_hand_written_command_is_the_protobuf_one() -> None:
    for query in ("SELECT 1", "SELECT '한글'", "x" * 200, "y" * 70_000):
        assert statement_command(query) == encode("CommandStatementQuery", query=query)


def test_a_result_in_every_form(session: Installation) -> None:
    result = campus.sql("SELECT date, line, boardings FROM subway_ridership ORDER BY ALL LIMIT 5")
    assert result.columns == ["date", "line", "boardings"]
    assert result.arrow().num_rows == len(result) == 5
    frame = result.df()
    assert str(frame["date"].dtype).startswith("datetime64")
    assert result.synthetic
    assert len(result.query_id) == 16


def test_a_map(session: Installation) -> None:
    frame = campus.sql("SELECT gu_name, geometry FROM gu_boundary LIMIT 3").geo()
    assert isinstance(frame, geopandas.GeoDataFrame)
    assert frame.crs is not None and frame.geometry.name == "geometry"
    with pytest.raises(campus.UsageError, match="geometry"):
        campus.sql("SELECT gu_name FROM gu_boundary").geo()


def test_a_stream_is_handed_over_once(session: Installation) -> None:
    result = campus.table("subway_ridership", columns=["boardings"])
    batches = list(result.reader())
    assert len(batches) > 1
    assert sum(b.num_rows for b in batches) == ROWS
    with pytest.raises(campus.UsageError, match="reader"):
        result.arrow()


def test_other_libraries_read_the_stream(session: Installation) -> None:
    result = campus.sql("SELECT 1 AS a UNION ALL SELECT 2")
    assert pa.RecordBatchReader.from_stream(result).read_all().num_rows == 2


def test_what_a_notebook_shows(session: Installation) -> None:
    shown = campus.sql(
        "SELECT '<script>alert(1)</script>' AS \"<b>x</b>\", 3 AS n FROM dong_codes"
    )._repr_html_()
    assert "<script>" not in shown and "<b>" not in shown
    assert "&lt;script&gt;" in shown
    assert f"{PUBLISHED['dong_codes']}행" in shown
    assert "합성 데이터" in shown
    assert "합성 데이터" not in campus.sql("SELECT 1")._repr_html_()
    assert "200,000행 이상" not in shown
    assert "이상" in campus.table("subway_ridership")._repr_html_()
    assert text(b"abc") == "(3 bytes)"


def test_the_catalogue_in_two_languages(session: Installation) -> None:
    listed = campus.datasets()
    assert listed.names == ["card_sales", "dong_codes", "gu_boundary", "subway_ridership"]
    assert {e["name"] for e in listed if not e["granted"]} >= {"living_population"}
    assert "이용신청 필요" in listed._repr_html_()
    about = campus.describe("gu_boundary")
    assert about.columns["gu_code"]["title"]["ko"]
    assert about.crs
    assert "합성 데이터" in about._repr_html_()
    with pytest.raises(campus.QueryRefused, match="living_population"):
        campus.describe("living_population")


def test_a_grant_on_parts_is_shown_with_its_parts(session: Installation) -> None:
    session.guard.grant("living_population", partitions=(("month", ("2026-01", "2026-02")),))
    about = campus.describe("living_population")
    assert "[month 2026-01, 2026-02]" in repr(about) and "[month 2026-01, 2026-02]" in about._repr_html_()
    assert 0 < about.rows < PUBLISHED["living_population"]
    assert "읽기 가능 [month 2026-01, 2026-02]" in campus.datasets()._repr_html_()
    assert campus.sql("SELECT count(*) AS n FROM living_population").df()["n"][0] == about.rows


def test_a_grant_that_ends_stops_what_runs_and_says_so_in_the_notebook(session: Installation) -> None:
    threading.Timer(1.0, session.guard.grants.clear).start()
    with pytest.raises(campus.QueryFailed, match="이용 권한이 끝나거나") as stopped:
        campus.sql(SLOW).arrow()
    assert stopped.value.reason == "grant-ended"
    assert campus.sql("SELECT 1 AS one").df()["one"][0] == 1


def test_a_twin_is_a_table_of_its_own_and_says_so(session: Installation) -> None:
    assert "card_spending_twin" not in campus.datasets().names
    session.guard.grant("card_spending", variant="twin")
    listed = campus.datasets()
    assert "card_spending_twin" in listed.names
    (twin,) = [e for e in listed if e["name"] == "card_spending_twin"]
    assert (twin["dataset"], twin["variant"], twin["synthetic"]) == ("card_spending", "twin", True)
    assert "합성 쌍둥이" in twin["title"]["ko"]
    assert "synthetic twin" in twin["title"]["en"]
    (private,) = [e for e in listed if e["name"] == "card_spending"]
    assert not private["granted"], "the delivery itself is still to be applied for"
    result = campus.sql("SELECT sum(count) AS n, min(age) AS youngest FROM card_spending_twin")
    assert result.synthetic
    assert result.df()["n"][0] > 0
    assert campus.describe("card_spending_twin").columns["amount"]["unit"] == "KRW"
    assert len(campus.table("card_spending_twin", columns=["hour"]).arrow()) == TWIN_ROWS
    with pytest.raises(campus.QueryRefused, match="card_spending"):
        campus.sql("SELECT * FROM card_spending")

    def summed() -> list[tuple[str, str]]:
        ended = [e for e in session.guard.events if e.rows == 1 and e.tables]
        return [(scanned.dataset, scanned.variant) for e in ended for scanned in e.tables]

    until(lambda: summed() == [("card_spending", "twin")])


@pytest.mark.parametrize(
    ("query", "kind", "reason", "says"),
    [
        ("SELECT * FROM living_population", campus.QueryRefused, "table-not-granted", "subway_ridership"),
        ("DROP TABLE dong_codes", campus.QueryRefused, "not-select", "DROP"),
        ("SELECT nothing FROM dong_codes", campus.QueryFailed, "query-error", "nothing"),
        ("SELEC 1", campus.QueryRefused, "syntax-error", "SELEC"),
    ],
)
def test_errors_say_what_and_why(
    session: Installation, query: str, kind: type[campus.CampusError], reason: str, says: str
) -> None:
    with pytest.raises(kind) as refused:
        campus.sql(query)
    assert refused.value.reason == reason
    korean, english = str(refused.value).split("\n")
    assert says in korean and says in english
    assert refused.value._render_traceback_()[1:] == [korean, english]


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_stops_a_query_that_runs(session: Installation) -> None:
    def press() -> None:
        until(lambda: session.guard.kinds() == ["admitted"])
        time.sleep(0.3)  # so that it is told
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        campus.sql(SLOW)
    until(lambda: session.guard.kinds() == ["admitted", "cancelled"], SOON)
    assert len(campus.sql("SELECT 1")) == 1


def test_a_result_nobody_keeps_is_cancelled(session: Installation) -> None:
    result: Any = campus.sql("SELECT * FROM subway_ridership a, dong_codes b")
    del result
    until(lambda: session.guard.kinds() == ["admitted", "cancelled"])


def test_a_restarted_gateway_is_found_again(
    session: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(campus.sql("SELECT 1")) == 1
    running = campus.table("subway_ridership")

    def restart() -> None:
        until(lambda: session.guard.kinds().count("admitted") == 3)
        time.sleep(0.5)  # so that its reader has been told
        session.restart()

    restarting = threading.Thread(target=restart)
    restarting.start()
    with pytest.raises(campus.QueryFailed) as broken:
        campus.sql(SLOW)
    restarting.join()
    assert broken.value.reason == "worker-died"
    assert "다시 실행" in broken.value.ko
    assert len(campus.sql("SELECT 2")) == 1
    del running
    capsys.readouterr()


def test_outside_a_session_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAMPUS_GATEWAY", raising=False)
    monkeypatch.setattr(campus, "_gateway", Gateway())
    with pytest.raises(campus.GatewayUnavailable) as refused:
        campus.datasets()
    assert refused.value.reason == "no-session"


def test_exporting_copies_into_the_outbox_and_gives_a_receipt(session: Installation, tmp_path: Path) -> None:
    session.guard.outbox_files = (OutboxFile(name="result.csv", size=4, modified=utc_now()),)
    file = tmp_path / "result.csv"
    file.write_text("a,b\n")
    receipt = campus.export(file, purpose="강의 과제")
    assert (tmp_path / "outbox" / "result.csv").read_text() == "a,b\n"
    assert session.guard.exports == [("result.csv",)]
    assert (receipt.request_id, receipt.link) == ("7", "/exports/7")
    assert campus.outbox()[0]["name"] == "result.csv"
    assert campus.export(tmp_path / "outbox" / "result.csv", purpose="강의 과제").request_id == "7"
    other = tmp_path / "other"
    other.mkdir()
    (other / "result.csv").write_text("different")
    with pytest.raises(campus.UsageError, match=r"result\.csv"):
        campus.export(other / "result.csv", purpose="강의 과제")
    with pytest.raises(campus.UsageError, match="목적"):
        campus.export(file, purpose=" ")
    with pytest.raises(campus.ExportRefused, match=r"missing\.csv"):
        campus.export("missing.csv", purpose="강의 과제")


def test_dask_reads_parts_in_processes_and_threads(session: Installation, tmp_path: Path) -> None:
    """In the session's environment, as a notebook would: every part is its own recorded query."""
    script = tmp_path / "parts.py"
    script.write_text(
        """
import campus
if __name__ == "__main__":
    from dask.distributed import Client, LocalCluster
    frame = campus.dask("subway_ridership", columns=["line", "boardings"])
    threads = frame.boardings.sum().compute(scheduler="threads")
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with Client(cluster):
            by_line = frame.groupby("line").boardings.sum().compute()
    print("RESULT", frame.npartitions, int(threads), int(by_line.sum()), len(by_line), flush=True)
"""
    )
    environ = {
        "CAMPUS_GATEWAY": os.environ["CAMPUS_GATEWAY"],
        "PYTHONPATH": str(REPO / "catalog/client/src"),
        "HOME": str(tmp_path),
    }
    python = REPO / ".venv-session" / "bin" / "python"
    done = subprocess.run(
        [python, script], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT")), done.stderr)
    snapshot = session.warehouse.snapshot("subway_ridership")
    files = [str(session.warehouse.path(f.path)) for f in snapshot.files]
    with duckdb.connect() as plain:
        question = f"SELECT sum(boardings), count(DISTINCT line) FROM read_parquet({files})"
        (row,) = plain.execute(question).fetchall()
    parts, threads, processes, lines = (int(x) for x in line.split()[1:])
    assert (threads, processes, lines) == (row[0], row[0], row[1])
    until(lambda: session.guard.kinds().count("finished") == 2 * parts)
    assert session.guard.kinds().count("admitted") == 2 * parts


def test_a_sum_of_whole_numbers_can_be_plotted(session: Installation) -> None:
    frame = campus.sql(
        "SELECT sum(n) AS small, sum(n::HUGEINT * 4000000000) * 4000000000 AS large "
        "FROM (VALUES (3), (4)) t(n)"
    ).df()
    assert str(frame["small"].dtype) == "int64" and frame["small"][0] == 7
    assert str(frame["large"].dtype) == "float64" and frame["large"][0] == 7 * 1.6e19
