"""Cell-key noise: the same numbers as the Office for National Statistics' own package on the same keys."""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from cell_key_perturbation.create_perturbed_table import create_perturbed_table
from cell_key_perturbation.utils.generate_test_ptable import generate_ptable_10_5_rule
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.descriptions import Dataset, load_all
from catalog.descriptions.model import Column, ColumnType, Noise, Role, Text
from catalog.gateway.governed.compose import REMAINDER
from catalog.warehouse import Publication, Warehouse
from tests.catalog.gateway.governed.test_governed import MINIMUM, TRIPS, ask, opened, refused, session
from tests.catalog.gateway.simulator import REPO, Installation, utc_now

KEYS = 256
CARDS: list[Any] = TRIPS["card_hash"].unique().to_pylist()


def uneven(seed: int) -> Any:
    """A table whose changes hang on the key too."""
    chance = random.Random(seed)
    rows = [(n, k, chance.randint(-min(n, 6), 6)) for n in range(1, Noise.COUNTS + 1) for k in range(KEYS)]
    return pd.DataFrame(rows, columns=["pcv", "ckey", "pvalue"])


TABLES = {"10-5 rule": generate_ptable_10_5_rule(), "uneven": uneven(7)}


def keyed() -> pa.Table:
    """The rides, each card with a key of its own."""
    chance = random.Random(3)
    of_card = {card: chance.randrange(KEYS) for card in CARDS}
    keys = [of_card[card] for card in TRIPS["card_hash"].to_pylist()]
    return TRIPS.append_column("record_key", pa.array(keys, pa.int32()))


RIDES = keyed()
FRAME: Any = RIDES.to_pandas()
OF_CARDS: Any = FRAME.drop_duplicates(["card_hash", "boarding_line", "mode"])  # nobody changes either


def noise(table: Any) -> Noise:
    return Noise(column="record_key", keys=KEYS, changes=tuple(table["pvalue"].tolist()))


def described(table: Any) -> Dataset:
    dataset = load_all(REPO / "datasets")["transit_trips"]
    assert dataset.aggregates is not None
    key = Column(
        name="record_key",
        type=ColumnType.INT,
        title=Text(ko="기록 키", en="record key"),
        unit="",
        code_system="",
        role=Role.IDENTIFIER,
        missing=None,
    )
    aggregates = dataclasses.replace(dataset.aggregates, measures=(), noise=noise(table))
    return dataclasses.replace(dataset, columns=(*dataset.columns, key), aggregates=aggregates)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder = tmp_path_factory.mktemp("keyed")
    made = Warehouse(folder / "files", folder / "catalog.sqlite")
    publication = Publication(now=utc_now(), by="custodian", synthetic=True, source="made up", recipe="1")
    made.publish(described(TABLES["uneven"]), "main", RIDES, publication)
    return made


@contextlib.contextmanager
def noisy(published: Warehouse, run_folder: Path, tmp_path: Path, name: str) -> Iterator[Installation]:
    with opened(published, run_folder, tmp_path, described(TABLES[name])) as made:
        yield made


@pytest.fixture
def campus(published: Warehouse, run_folder: Path, tmp_path: Path) -> Iterator[Installation]:
    with noisy(published, run_folder, tmp_path, "uneven") as made:
        yield made


def reference(frame: Any, by: list[str], table: Any) -> dict[tuple[Any, ...], int | None]:
    """Cell → count, by the package itself."""
    made = create_perturbed_table(
        data=frame, ptable=table, geog=[], tab_vars=by, record_key="record_key", threshold=MINIMUM
    )
    made = made[made["pre_sdc_count"] > 0]
    counts = [None if pd.isna(count) else int(count) for count in made["count"]]
    return dict(zip(made[by].itertuples(index=False, name=None), counts, strict=True))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(TABLES)),
    st.lists(st.integers(0, KEYS - 1), min_size=1, max_size=1300),
)
def test_a_count_changes_as_in_the_reference_package(name: str, keys: list[int]) -> None:
    frame = pd.DataFrame({"cell": "x", "record_key": keys})
    changed = noise(TABLES[name]).applied(len(keys), sum(keys))
    told = reference(frame, ["cell"], TABLES[name])[("x",)]
    assert told == (changed if changed >= MINIMUM else None)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    "by", [["boarding_line"], ["boarding_line", "mode"], ["boarding_stop", "user_type"], ["alighting_line"]]
)
def test_answers_equal_the_reference_package_but_for_the_remainder(
    published: Warehouse, run_folder: Path, tmp_path: Path, name: str, by: list[str]
) -> None:
    where = FRAME["boarding_line"].isin(["1", "2", "3", "8", "9"])
    frame = FRAME[where & FRAME[by].notna().all(axis=1)]
    columns = ", ".join(by)
    with noisy(published, run_folder, tmp_path, name) as made, session(made) as client:
        rows, done = ask(client, f"SELECT {columns}, count(*) FROM transit_trips GROUP BY ALL")
    told = {row[:-1]: row[-1] for row in rows}
    expected = reference(frame, by, TABLES[name])
    assert done["noise"] == "cell-key"
    shown = {k: v for k, v in told.items() if k[0] != REMAINDER and None not in k}
    assert len(shown) >= 2
    assert {k: expected[k] for k in shown} == shown
    exact: dict[tuple[Any, ...], int] = frame.groupby(by).size().to_dict()
    exact = {k if isinstance(k, tuple) else (k,): v for k, v in exact.items()}
    changed = any(exact[k] != v for k, v in shown.items())
    assert changed or name == "10-5 rule", "a table whose multiples of five stay as they are"


def test_units_and_the_remainder_carry_the_noise_of_their_own_records(campus: Installation) -> None:
    text = "SELECT boarding_line, count(DISTINCT card_hash) AS cards, count(*) FROM transit_trips GROUP BY 1"
    with session(campus) as client:
        rows, done = ask(client, text)
    cards = reference(OF_CARDS, ["boarding_line"], TABLES["uneven"])
    rides = reference(FRAME, ["boarding_line"], TABLES["uneven"])
    rest = FRAME["boarding_line"].isin(["8", "9"])
    few = (
        reference(
            OF_CARDS[OF_CARDS["boarding_line"].isin(["8", "9"])].assign(all="x"), ["all"], TABLES["uneven"]
        ),
        reference(FRAME[rest].assign(all="x"), ["all"], TABLES["uneven"]),
    )
    expected = {(line, cards[(line,)], rides[(line,)]) for line in ("1", "2", "3")}
    assert set(rows) == expected | {(REMAINDER, few[0][("x",)], few[1][("x",)])}
    assert done["merged"] == 2


def test_the_same_records_have_the_same_noise_in_every_statement(campus: Installation) -> None:
    with session(campus) as client:
        (whole, *_), _ = ask(
            client, "SELECT boarding_line, count(*) FROM transit_trips WHERE boarding_line = '2' GROUP BY 1"
        )
        (other, *_), _ = ask(
            client, "SELECT count(*) FROM transit_trips WHERE boarding_line BETWEEN '2' AND '2'"
        )
    assert whole[1] == other[0]


def test_order_and_limit_go_by_what_is_told(campus: Installation) -> None:
    text = "SELECT boarding_stop AS s, count(*) AS n FROM transit_trips "
    text += "WHERE boarding_line IN ('1', '2') GROUP BY 1"
    with session(campus) as client:
        every, _ = ask(client, text)
        top, _ = ask(client, text + " ORDER BY n DESC, s LIMIT 3 OFFSET 1")
        none, said = ask(client, "SELECT count(*) FROM transit_trips WHERE boarding_line = '9'")
    assert top == sorted(every, key=lambda row: (-row[1], row[0]))[1:4]
    assert none == [] and said["withheld"]


def test_keys_are_neither_read_nor_chosen_by_nor_added_up(campus: Installation) -> None:
    with session(campus) as client:
        for text in (
            "SELECT record_key, count(*) FROM transit_trips GROUP BY 1",
            "SELECT count(*) FROM transit_trips WHERE record_key = 3",
            "SELECT sum(record_key) FROM transit_trips",
            "SELECT sum(fare) FROM transit_trips",
        ):
            assert refused(client, text) == "aggregates-only"


def test_the_record_keeps_exact_units_and_says_that_noise_was_told(campus: Installation) -> None:
    with session(campus) as client:
        ask(client, "SELECT boarding_line, count(*) FROM transit_trips GROUP BY 1")
    (admitted,) = (e for e in campus.guard.events if e.kind == "admitted")
    assert admitted.evidence is not None and admitted.evidence.noise
    assert admitted.evidence.least_units == 16
