"""The stand-ins hold what their READMEs say was planted, and share no row with the twins."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from catalog.samples.load import DATASETS as FOLDER
from catalog.synth.standin import movement, spending
from catalog.synth.standin.people import CAMPUS, Planted

pc: Any = pyarrow.compute


@cache
def payments() -> pa.Table:
    return spending.payments(FOLDER)


@cache
def telecom() -> Planted:
    return movement.telecom_population(FOLDER)


@cache
def trips() -> Planted:
    return movement.transit_trips(FOLDER)


@cache
def moves() -> Planted:
    return movement.living_mobility(FOLDER)


def people_per_cell(made: pa.Table, key: list[str]) -> Any:
    grouped: Any = made.group_by(key).aggregate([("person", "count_distinct")])
    return grouped["person_count_distinct"].to_numpy()


def test_some_shops_have_one_dominant_customer_and_most_have_none() -> None:
    made = payments()
    found = spending.dominant_shops(made, 0.6)
    shops = made.group_by(["dong_code", "industry"]).aggregate([]).num_rows
    assert spending.DOMINANT <= len(found) < shops * 0.2


def test_the_dominant_customer_shows_in_the_published_cells() -> None:
    rows: Any = spending.card_spending(FOLDER).rows
    dong, industry = spending.dominant_shops(payments(), 0.6)[0]
    shop = rows.filter(pc.and_(pc.equal(rows["dong_code"], dong), pc.equal(rows["industry"], industry)))
    cells: Any = shop.group_by(["hour", "sex", "age"]).aggregate([("amount", "sum")])["amount_sum"]
    assert pc.max(cells).as_py() / pc.sum(cells).as_py() > 0.4


def test_many_cells_are_of_one_or_two_people() -> None:
    made = payments()
    cells = people_per_cell(made, ["date", "hour", "dong_code", "industry", "holder", "sex", "age"])
    assert (cells <= 2).mean() > 0.5
    assert cells.max() > 3
    present = people_per_cell(telecom().contributions, ["date", "hour", "dong_code", "sex", "age"])
    assert 0.1 < (present <= 2).mean() < 0.8
    moved = moves()
    key = [c for c in moved.contributions.column_names if c != "person"]
    assert (people_per_cell(moved.contributions, key) <= 2).mean() > 0.5


def test_published_cells_are_the_sum_of_their_contributions() -> None:
    made: Any = payments()
    rows: Any = spending.card_spending(FOLDER).rows
    assert pc.sum(rows["amount"]).as_py() == pc.sum(made["amount"]).as_py()
    assert pc.sum(rows["count"]).as_py() == made.num_rows
    inflow: Any = spending.card_spending_inflow(FOLDER).rows
    assert pc.sum(inflow["amount"]).as_py() == pc.sum(made["amount"]).as_py()
    assert "person" not in rows.column_names


def test_spending_has_seasons() -> None:
    made: Any = payments()
    month = pc.month(made["date"])
    by: dict[int, Any] = {m: made.filter(pc.equal(month, m)) for m in (1, 4, 7, 10)}
    for industry, most, least in (("여행교통", 7, 1), ("의류잡화", 10, 7), ("교육학원", 1, 10)):
        counts = {m: pc.sum(pc.equal(t["industry"], industry)).as_py() / t.num_rows for m, t in by.items()}
        assert counts[most] == max(counts.values())
        assert counts[most] > 1.3 * counts[least]


def test_people_have_habits() -> None:
    made: Any = payments()
    places: Any = made.group_by(["person", "dong_code", "industry"]).aggregate([("amount", "count")])
    best: Any = places.group_by("person").aggregate([("amount_count", "max"), ("amount_count", "sum")])
    busy = best.filter(pc.greater(best["amount_count_sum"], 20))
    assert np.median(pc.divide(busy["amount_count_max"].cast("float64"), busy["amount_count_sum"])) > 0.3


def test_students_are_away_in_vacation() -> None:
    rows: Any = telecom().rows
    day = rows.filter(pc.and_(pc.equal(rows["dong_code"], CAMPUS), pc.equal(rows["hour"], 14)))
    young = day.filter(pc.equal(day["age"], "20"))
    wednesday = young.filter(pc.equal(pc.day_of_week(young["date"]), 2))
    month = pc.month(wednesday["date"])
    january, april = (pc.sum(wednesday.filter(pc.equal(month, m))["population"]).as_py() for m in (1, 4))
    assert january < 0.5 * april


def test_commuters_ride_at_their_own_minute_and_one_person_has_the_night() -> None:
    rows: Any = trips().rows
    hour = pc.hour(rows["boarding_time"])
    night = rows.filter(pc.equal(hour, 3))
    assert night.num_rows == 14
    assert pc.count_distinct(night["card_hash"]).as_py() == 1
    frame = rows.filter(pc.less(hour, 10)).select(["card_hash", "boarding_time"]).to_pandas()
    frame["minute"] = frame["boarding_time"].dt.hour * 60 + frame["boarding_time"].dt.minute
    own = frame.groupby("card_hash")["minute"].agg(["std", "count"])
    assert own[own["count"] >= 8]["std"].median() < 6
    pairs = people_per_cell(
        rows.append_column("person", rows["card_hash"]), ["boarding_stop", "alighting_stop"]
    )
    assert (pairs <= 2).mean() > 0.5
    assert 0 < rows["alighting_time"].null_count < 0.01 * rows.num_rows
