"""`campus.codes` against a real gateway: systems, crosswalks, checks, and the join that is refused."""

from __future__ import annotations

from collections.abc import Iterator

import campus
import pandas as pd
import pytest
from campus.wire import Gateway

from tests.catalog.gateway.simulator import Installation


@pytest.fixture
def session(gateway: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.setenv("CAMPUS_GATEWAY", gateway.open())
    monkeypatch.setattr(campus, "_gateway", Gateway())
    yield gateway


def test_systems_and_crosswalks_say_what_is_lost(session: Installation) -> None:
    systems = campus.codes.systems()
    assert {"KOSTAT-dong-7", "MOIS-dong-8", "SEOUL-CS100"} <= set(systems.names)
    assert "2025-05: 425" in repr(systems) and "<table" in systems._repr_html_()
    whole = campus.codes.crosswalk("KOSTAT-dong-7", "MOIS-dong-8", vintage="2024-12")
    assert whole.lossless and "lossless" in repr(whole) and "lossless" in whole._repr_html_()
    lossy = campus.codes.crosswalk("KOSTAT-dong-7", "MOIS-dong-8", vintage=(None, "2025-05"))
    assert lossy.split == {"1117068": ["11530780", "11530800"]} and "항동" in lossy.notes["1117068"]
    assert "1117068" in repr(lossy) and "1117068" in lossy._repr_html_()
    frame = lossy.df()
    assert len(frame) == 425 and set(frame["kind"]) == {"split", "one-to-one"}
    with pytest.raises(campus.QueryFailed, match="나눌 수 없습니다"):
        campus.codes.crosswalk("MOIS-gu-5", "MOIS-dong-8")
    with pytest.raises(campus.QueryFailed, match="1999"):
        campus.codes.crosswalk("MOIS-gu-5", "KOSTAT-gu-5", vintage="1999")


def test_a_column_is_converted_or_the_loss_is_named(session: Installation) -> None:
    column = pd.Series(["1101053", "1117068", None], index=[5, 6, 7])
    lossy = campus.codes.crosswalk("KOSTAT-dong-7", "MOIS-dong-8")
    with pytest.raises(campus.UsageError, match="1117068"):
        lossy.convert(column)
    converted = lossy.convert(column, missing=True)
    assert converted[5] == "11110530" and list(converted.isna()) == [False, True, True]
    merged = campus.codes.crosswalk("KOSTAT-dong-7", "MOIS-gu-5").convert(column)
    assert list(merged[:2]) == ["11110", "11530"]


def test_a_column_is_checked(session: Installation) -> None:
    good = campus.codes.check(["11110515", "11530800", None], "MOIS-dong-8")
    assert good and good.absent == 1 and "ok" in repr(good)
    older = campus.codes.check(["11305590", "11305600"], "MOIS-dong-8")
    assert not older and older.best == "2024-12" and len(older.unknown) == 2
    damaged = campus.codes.check([11110515.0, "1.02E+12"], "MOIS-dong-8")
    assert damaged.numeric and len(damaged.malformed) == 2 and "글자" in damaged._repr_html_()
    gu = campus.codes.check(["11110", "11680"], "MOIS-gu-5")
    assert gu.ok and gu.clashes == {"KOSTAT-gu-5": ["11110"]}
    with pytest.raises(campus.UsageError, match="1999"):
        campus.codes.check([], "MOIS-gu-5", vintage="1999")
    with pytest.raises(campus.QueryFailed, match="MOIS-gu-5"):
        campus.codes.check([], "nothing")


def test_a_join_of_two_code_systems_is_refused_with_the_way_out(session: Installation) -> None:
    with pytest.raises(campus.QueryRefused) as caught:
        campus.sql("SELECT * FROM dong_codes d JOIN card_sales c ON d.kostat_code = c.dong_code")
    assert caught.value.reason == "mixed-code-systems"
    assert "campus.codes.crosswalk('KOSTAT-dong-7', 'MOIS-dong-8')" in caught.value.ko
    assert campus.sql("SELECT * FROM dong_codes d JOIN card_sales c USING (dong_code) LIMIT 1").columns
