"""A grant on partitions covers exactly the files that lie in them, and nothing that is not known to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from catalog.warehouse import DataFile, Publication, Snapshot, granted_files, partition_values

NAMES = st.sampled_from(["gu", "month", "industry"])
VALUES = st.sampled_from(["11110", "11680", "2025-05", "2025-06", ""])
WANTED = st.dictionaries(NAMES, st.frozensets(VALUES, max_size=3), max_size=3)
PARTED = st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=8)


def snapshot(parted: list[dict[str, str]]) -> Snapshot:
    return Snapshot(
        dataset="d",
        variant="main",
        snapshot_id=1,
        files=tuple(
            DataFile(path=f"{i}", rows=1, size=1, row_groups=(1,), partition=tuple(sorted(p.items())))
            for i, p in enumerate(parted)
        ),
        fields=(),
        publication=Publication(
            now=datetime(2026, 1, 1, tzinfo=UTC), by="c", synthetic=True, source="s", recipe="1"
        ),
    )


@given(PARTED, WANTED)
def test_exactly_the_files_in_every_wanted_partition(
    parted: list[dict[str, str]], wanted: Mapping[str, frozenset[str]]
) -> None:
    got = {int(f.path) for f in granted_files(snapshot(parted), wanted)}
    for number, partition in enumerate(parted):
        inside = all(name in partition and partition[name] in wanted[name] for name in wanted)
        assert (number in got) == inside


@given(PARTED, WANTED, WANTED)
def test_wanting_less_never_grants_more(
    parted: list[dict[str, str]], wanted: dict[str, frozenset[str]], other: dict[str, frozenset[str]]
) -> None:
    made = snapshot(parted)
    both = {n: wanted.get(n, other.get(n, frozenset())) & other.get(n, wanted.get(n, frozenset()))
            for n in wanted | other}  # fmt: skip
    narrow = set(granted_files(made, both))
    assert narrow <= set(granted_files(made, wanted))
    assert narrow == set(granted_files(made, wanted)) & set(granted_files(made, other))


@given(PARTED)
def test_nothing_named_is_everything_and_an_empty_choice_is_nothing(parted: list[dict[str, str]]) -> None:
    made = snapshot(parted)
    assert granted_files(made, {}) == made.files
    assert granted_files(made, {"gu": frozenset()}) == ()


@given(PARTED)
def test_the_values_a_version_has_grant_every_file_that_carries_the_name(
    parted: list[dict[str, str]],
) -> None:
    made = snapshot(parted)
    values = partition_values(made)
    for name in ("gu", "month", "industry"):
        got = granted_files(made, {name: frozenset(values.get(name, ()))})
        assert got == tuple(f for f in made.files if name in dict(f.partition))
