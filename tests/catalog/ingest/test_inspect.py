"""Looking before publishing: checks reported, failing rows listed, exceptions named, nothing changed."""

from __future__ import annotations

import csv
import io
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from catalog.descriptions import Dataset
from catalog.ingest import Delivery, IngestError, inspect, publish
from catalog.ingest.findings import Status
from catalog.ingest.report import inert, of_json, quarantine_csv, to_json
from catalog.samples import load_samples
from catalog.warehouse import AcceptedException, Warehouse
from tests.catalog.ingest.support import (
    DATASETS,
    NOW,
    REPO,
    month,
    new_warehouse,
    subway_file,
    subway_rows,
    take,
)

SUBWAY = DATASETS["subway_ridership"]


def look(
    warehouse: Warehouse, *files: Path, dataset: Dataset = SUBWAY, datasets: Path | None = None
) -> Delivery:
    return inspect(dataset, files, warehouse, datasets=datasets or REPO / "datasets")


def written(folder: Path, name: str, lines: list[str]) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def damaged(folder: Path) -> Path:
    """February with three impossible values, on lines 3, 8 and 57."""
    lines = subway_rows("B", month("202602"))
    for line in (3, 8, 57):
        lines[line - 1] = lines[line - 1].replace(",2001,", ",-5,").replace(",2000,", ",-5,")
    return written(folder, "damaged.csv", lines)


def accepting(*checks: str) -> tuple[AcceptedException, ...]:
    return tuple(AcceptedException(check=c, reason="제공기관이 확인한 값입니다") for c in checks)


def test_a_good_file_is_described_and_nothing_changes(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    found = look(warehouse, subway_file(tmp_path, "B", "202602", "cp949")).inspection
    (file,) = found.files
    assert (file.layout, file.encoding, file.rows) == ("B", "CP949", 56)
    assert found.preview[0][:3] == ("2026-02-01", "2호선", "강변")
    assert {o.status for o in found.outcomes} == {Status.PASSED, Status.SKIPPED}
    assert found.difference is not None
    assert (found.difference.base, found.difference.added) == (None, ("2026-02",))
    assert warehouse.versions("subway_ridership") == ()


def test_every_failing_row_is_listed_with_line_column_value_and_rule(tmp_path: Path) -> None:
    found = look(new_warehouse(tmp_path), damaged(tmp_path)).inspection
    assert found.failing == ("range-boardings",)
    rows = [(r.file, r.line, r.column, r.value, r.rule) for r in found.quarantine]
    assert rows == [("damaged.csv", n, "alightings", "-5", "range-boardings") for n in (3, 8, 57)]
    listed = list(csv.reader(io.StringIO(quarantine_csv(found).decode("utf-8-sig"))))
    assert listed[1:] == [["damaged.csv", str(n), "alightings", "-5", "range-boardings"] for n in (3, 8, 57)]
    assert of_json(to_json(found)) == found


def test_one_bad_file_does_not_hide_the_problems_of_the_others(tmp_path: Path) -> None:
    odd = written(tmp_path, "odd.csv", ["a,b", "1,2"])
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    found = look(new_warehouse(tmp_path), odd, damaged(tmp_path), empty).inspection
    assert [(r.file, r.reason) for r in found.refusals] == [
        ("odd.csv", "unknown-layout"),
        ("empty.csv", "empty"),
    ]
    assert found.failing == ("range-boardings",)
    assert found.difference is None
    assert [r.rule for r in found.quarantine][:2] == ["unknown-layout", "empty"]


def test_a_file_that_cannot_be_read_has_no_exception(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    delivery = look(warehouse, written(tmp_path, "odd.csv", ["a,b", "1,2"]))
    with pytest.raises(IngestError, match=r"odd\.csv"):
        publish(SUBWAY, delivery, warehouse, NOW, "sora", accepting("unknown-layout"))


def test_an_exception_names_exactly_the_failing_check_and_says_why(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    delivery = look(warehouse, damaged(tmp_path))
    for exceptions, reason in (
        ((), "check-failed"),
        (accepting("even-date"), "exception-unneeded"),
        (accepting("range-boardings", "even-date"), "exception-unneeded"),
        (accepting("range-boardings", "range-boardings"), "exception-twice"),
        ((AcceptedException(check="range-boardings", reason=" ok "),), "exception-without-reason"),
    ):
        with pytest.raises(IngestError) as refused:
            publish(SUBWAY, delivery, warehouse, NOW, "sora", exceptions)
        assert refused.value.reason == reason
        assert warehouse.versions("subway_ridership") == ()
    done = publish(SUBWAY, delivery, warehouse, NOW, "sora", accepting("range-boardings"))
    assert warehouse.snapshot("subway_ridership").publication.exceptions == accepting("range-boardings")
    assert done.rows == 56


def test_the_difference_says_which_periods_come_go_and_stay(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    take(
        warehouse,
        "subway_ridership",
        *(subway_file(tmp_path, "B", m) for m in ("202601", "202602", "202603")),
    )
    again = written(tmp_path, "again.csv", subway_rows("B", [*month("202603"), *month("202604")]))
    d = look(warehouse, again).inspection.difference
    assert d is not None
    assert (d.added, d.replaced, d.kept) == (("2026-04",), ("2026-03",), 2)
    assert (d.rows_before, d.rows_given, d.rows_after) == (180, 122, 62 + 56 + 122)
    assert (d.measure, d.total_before) == ("boardings", d.total_given)
    assert d.base == warehouse.snapshot("subway_ridership").snapshot_id


def test_a_synthetic_sample_gives_way_whole_and_is_no_yardstick(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    load_samples(warehouse, {"subway_ridership": SUBWAY}, NOW)
    found = look(warehouse, subway_file(tmp_path, "B", "202602")).inspection
    assert found.difference is not None
    assert found.difference.synthetic and found.difference.rows_after == 56
    assert next(o for o in found.outcomes if o.name == "drift-boardings").status is Status.SKIPPED


def test_drift_beyond_the_factor_fails_and_can_be_accepted(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    take(warehouse, "subway_ridership", subway_file(tmp_path, "B", "202602"))
    stations = ("강변", "잠실", "성수", "건대입구", "왕십리")
    many = written(tmp_path, "many.csv", subway_rows("B", month("202603"), stations))
    delivery = look(warehouse, many)
    assert delivery.inspection.failing == ("drift-boardings",)
    with pytest.raises(IngestError) as refused:
        take(warehouse, "subway_ridership", many)
    assert refused.value.reason == "drift"
    publish(SUBWAY, delivery, warehouse, NOW, "sora", accepting("drift-boardings"))
    assert warehouse.snapshot("subway_ridership").rows == 56 + 31 * 5


def test_a_version_published_meanwhile_stops_publishing(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    delivery = look(warehouse, subway_file(tmp_path, "B", "202602"))
    take(warehouse, "subway_ridership", subway_file(tmp_path, "B", "202601"))
    with pytest.raises(IngestError) as refused:
        publish(SUBWAY, delivery, warehouse, NOW + timedelta(minutes=1), "sora")
    assert refused.value.reason == "changed-since"
    assert warehouse.snapshot("subway_ridership").rows == 62


def checked_by(folder: Path, *lines: str) -> Path:
    """The datasets with other checks of the subway."""
    copy = folder / "datasets"
    shutil.copytree(REPO / "datasets" / "subway_ridership", copy / "subway_ridership")
    (copy / "subway_ridership" / "checks.yml").write_text("checks:\n" + "".join(f"- {x}\n" for x in lines))
    return copy


def test_an_area_without_a_day_is_named(tmp_path: Path) -> None:
    lines = subway_rows("B", month("202602"))
    del lines[10]
    datasets = checked_by(tmp_path, "{kind: complete, name: every-day, columns: [date, station]}")
    found = look(new_warehouse(tmp_path), written(tmp_path, "f.csv", lines), datasets=datasets).inspection
    assert found.failing == ("every-day",)
    assert [(r.line, r.value) for r in found.quarantine] == [(None, "2026-02-05 잠실")]


def test_codes_are_compared_with_a_real_code_table_only(tmp_path: Path) -> None:
    datasets = checked_by(
        tmp_path, "{kind: codes, columns: [station], table: living_population, others: [dong_code]}"
    )
    file = subway_file(tmp_path, "B", "202602")
    warehouse = new_warehouse(tmp_path)
    assert look(warehouse, file, datasets=datasets).inspection.outcomes[0].status is Status.SKIPPED
    load_samples(warehouse, {"living_population": DATASETS["living_population"]}, NOW)
    assert look(warehouse, file, datasets=datasets).inspection.outcomes[0].status is Status.SKIPPED
    take(warehouse, "subway_ridership", subway_file(tmp_path, "B", "202601"))
    datasets = checked_by(
        tmp_path / "2", "{kind: codes, columns: [station], table: subway_ridership, others: [station]}"
    )
    assert look(warehouse, file, datasets=datasets).inspection.failing == ()
    other = written(tmp_path, "o.csv", subway_rows("B", month("202602"), ("강변", "없는역")))
    found = look(warehouse, other, datasets=datasets).inspection
    assert (found.failing, found.outcomes[0].failing) == (("codes-station",), 28)


@pytest.mark.parametrize(
    ("value", "kept"),
    [("=1+1", "'=1+1"), ("-5", "-5"), ("@x", "'@x"), ("-5+cmd", "'-5+cmd"), ("강변", "강변")],
)
def test_a_report_holds_no_formula(value: str, kept: str) -> None:
    assert inert(value) == kept
