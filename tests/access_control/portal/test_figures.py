"""Where the marks of charts go."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from access_control.portal.facts import FactsShelf, Figure
from access_control.portal.figures import bars, line, nice_step, short
from access_control.portal.maps import _simpler


def chart(kind: str, *points: tuple[str, float]) -> Figure:
    return Figure(
        kind=kind, column="hour", measure="total", how="mean", points=points, paths=(), width=0, height=0
    )


def test_a_line_spans_its_frame_and_rises_with_its_values() -> None:
    drawn = line(chart("line", ("0", 0.0), ("1", 50.0), ("2", 100.0)))
    assert drawn is not None
    places = [tuple(map(float, pair.split(","))) for pair in drawn.points.split()]
    assert places[0][0] == drawn.left and places[-1][0] == drawn.right
    assert places[0][1] == drawn.bottom
    assert places[0][1] > places[1][1] > places[2][1]
    assert [tick.label for tick in drawn.up] == ["0", "25", "50", "75", "100"]


def test_an_area_is_only_filled_from_zero() -> None:
    far = line(chart("line", ("0", 1000.0), ("1", 1010.0)))
    near = line(chart("line", ("0", 10.0), ("1", 1010.0)))
    assert far is not None and near is not None
    assert not far.area and near.area


@pytest.mark.parametrize("values", [(), (1.0,)])
def test_a_line_needs_two_points(values: tuple[float, ...]) -> None:
    assert line(chart("line", *((str(i), v) for i, v in enumerate(values)))) is None


@pytest.mark.parametrize("value", [0.0, -3.0, 7.5, 1e12])
def test_a_flat_line_can_be_drawn(value: float) -> None:
    assert line(chart("line", ("0", value), ("1", value))) is not None


def test_bars_are_as_long_as_their_values() -> None:
    drawn = bars(chart("bars", ("강남구", 200.0), ("종로구", 100.0), ("none", 0.0)))
    assert drawn is not None
    long, half, none = drawn.bars
    assert long.length == pytest.approx(2 * half.length)
    assert none.length == 0
    assert bars(chart("bars")) is None


@pytest.mark.parametrize(("rough", "nice"), [(0.7, 1), (1.2, 2), (2.3, 2.5), (30, 50), (999, 1000)])
def test_steps_are_round(rough: float, nice: float) -> None:
    assert nice_step(rough) == pytest.approx(nice)


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (950, "950"), (25_500, "25.5k"), (3.2e9, "3.2B")])
def test_numbers_fit_an_axis(value: float, text: str) -> None:
    assert short(value) == text


def test_each_dataset_gets_the_figure_its_columns_make(facts: FactsShelf) -> None:
    kinds = {}
    for name in ("living_population", "subway_ridership", "card_sales", "dong_boundary", "dong_codes"):
        snapshot = facts.snapshot(name)
        assert snapshot is not None
        sample = facts.sample(snapshot)
        assert sample.rows and sample.figure
        kinds[name] = (sample.figure.kind, sample.figure.column, sample.figure.how)
    assert kinds["living_population"] == ("line", "hour", "mean")
    assert kinds["subway_ridership"] == ("line", "date", "sum")
    assert kinds["card_sales"][0] == kinds["dong_codes"][0] == "bars"
    assert kinds["dong_boundary"][0] == "map"


def test_areas_that_overlap_are_drawn_too(facts: FactsShelf) -> None:
    snapshot = facts.snapshot("commercial_area_boundary")
    assert snapshot is not None
    figure = facts.sample(snapshot).figure
    assert figure is not None and figure.kind == "map" and not figure.dots
    assert len(figure.paths) == snapshot.rows
    assert sum(map(len, figure.paths)) < 60_000, "hundreds of outlines for a map of 640 units"


def test_places_without_area_are_drawn_and_those_unknown_left_out(facts: FactsShelf) -> None:
    for name in ("bike_stations", "sdot_sensors"):
        snapshot = facts.snapshot(name)
        assert snapshot is not None
        figure = facts.sample(snapshot).figure
        assert figure is not None
        assert figure.kind == "map"
        assert 300 < len(figure.paths) <= 425
        assert figure.width > 0 and 100 < figure.height < 2000


def test_simpler_neighbours_keep_one_line_between_them() -> None:
    wiggle = [(1 + 0.001 * (-1) ** i, i / 50) for i in range(51)]
    left = shapely.Polygon([(0, 0), *wiggle, (0, 1)])
    below = shapely.Polygon([(2, 0), *wiggle[:26], (2, 0.5)])
    above = shapely.Polygon([(2, 0.5), *wiggle[25:], (2, 1)])
    shapes = np.array([left, below, above])
    assert shapely.coverage_is_valid(shapes)
    simple = _simpler(shapes, 0.05)
    assert shapely.get_num_coordinates(simple).sum() < shapely.get_num_coordinates(shapes).sum() / 3
    assert shapely.coverage_is_valid(simple)


def test_lines_among_areas_are_drawn_simpler_all_the_same() -> None:
    shapes = np.array([shapely.box(0, 0, 1, 1), shapely.LineString([(0, 0), (1, 0.001), (2, 0)])])
    assert shapely.get_num_coordinates(_simpler(shapes, 0.05)).tolist() == [5, 2]
