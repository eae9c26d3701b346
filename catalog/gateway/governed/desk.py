"""Decides governed statements: small groups merged, differences refused, groups counted. Runs them nowhere.

Steps, in this order, one project at a time: the tree has the one allowed shape; the worker counts units per
cell; cells below the minimum go into one remainder (with the next smallest cell, where they are too few
together: nothing is left out that subtraction could bring back); the answer is compared with every earlier
one of the project over the same version; its groups are taken off the budget; it is remembered, durably.
Only then may the statement composed here run.
"""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from catalog.descriptions import Dataset, Tier
from catalog.descriptions.variants import MAIN, tier_of
from catalog.gateway.governed import words
from catalog.gateway.governed.compose import (
    REMAINDER,
    Cells,
    answer,
    cells,
    changed_answer,
    remainder_units,
)
from catalog.gateway.governed.differences import few
from catalog.gateway.governed.judge import is_describe, judge
from catalog.gateway.governed.plan import Plan, Rules, rules_of
from catalog.gateway.governed.releases import Group, Release, Releases
from catalog.gateway.guard import Evidence, QueryId
from catalog.gateway.parameters import Parameters
from catalog.gateway.sql.normal import normalise
from catalog.gateway.workspace import Table, names_of

MOST_GROUPS: Final = 10_000  # of one statement
Inspect = Callable[[str], Sequence[Sequence[Any]]]
"""Runs one composed statement in the session's worker; its rows stay in the gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What may run, and what its reader and the record are told of it."""

    runs: str
    facts: Mapping[str, Any]
    evidence: Evidence


class Governance:
    """The rules of every restricted dataset of one installation."""

    def __init__(self, descriptions: Mapping[str, Dataset], releases: Releases) -> None:
        self._descriptions = descriptions
        self._rules = {name: rules_of(d) for name, d in descriptions.items() if d.tier is Tier.RESTRICTED}
        self.releases = releases
        self._lock = threading.Lock()
        self._projects: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def restricted(self, table: Table) -> bool:
        """Whether a table's rows may not be read. What no description says is not readable either."""
        dataset = self._descriptions.get(table.grant.dataset)
        if dataset is None:
            return True
        try:
            return tier_of(dataset, table.grant.variant) is Tier.RESTRICTED
        except KeyError:
            return True

    def demand_rows(self, tables: Iterable[Table]) -> None:
        """Refuse to read restricted rows in parts.

        Raises
        ------
        QueryRefused
            `aggregates-only`.
        """
        for table in tables:
            if self.restricted(table):
                raise words.no_rows(table.name)

    def decide(
        self,
        node: dict[str, Any],
        table: Table,
        parameters: Parameters,
        *,
        project: str,
        query_id: QueryId,
        inspect: Inspect,
        now: datetime,
    ) -> Decided | None:
        """Decide on a query that reads a restricted table; None for one that reads only its names and types.

        Parameters
        ----------
        node
            The query's node in the authorised tree.

        Raises
        ------
        QueryRefused
            One of `words`; nothing was given.
        """
        if is_describe(node, table.name):
            return None
        rules = self._rules.get(table.grant.dataset) if table.grant.variant == MAIN else None
        if rules is None or "@" in table.name:
            raise words.nothing_declared(table.name)
        plan = judge(node, table.name, rules, parameters)
        with self._lock:
            turn = self._projects[project]
        with turn:  # two sessions of a project must not be told of each other's half
            listed = inspect(cells(table.name, plan.shape, rules, MOST_GROUPS))
            found = [_group(row, len(plan.shape.levels)) for row in listed]
            if len(found) > MOST_GROUPS:
                raise words.too_many_groups(len(found), MOST_GROUPS)
            merged, rest = self._remainder(
                table.name, Cells(shape=plan.shape, merged=0), found, rules, inspect
            )
            given = (*found[merged:], *rest)
            statement = _statement(plan, merged, rules, given)
            release = Release(
                query_id=query_id,
                project=project,
                dataset=table.grant.dataset,
                snapshot_id=table.snapshot.snapshot_id,
                files=_digest(table),
                shape=plan.shape,
                merged=merged,
                groups=given,
                charged=0,
                minimum=rules.minimum,
                statement=normalise(statement, names_of([table])).text,
                at=now,
            )
            self._remember(release, table.name, rules, inspect)
        noisy = rules.noise is not None
        return Decided(runs=statement, facts=_facts(release, noisy), evidence=_evidence(release, noisy))

    def _remainder(
        self, table: str, whole: Cells, found: Sequence[Group], rules: Rules, inspect: Inspect
    ) -> tuple[int, tuple[Group, ...]]:
        """How many of the smallest cells go together, and the group they make, if it is large enough."""
        merged = sum(group.units < rules.minimum for group in found)
        if not merged:
            return 0, ()
        units, key = _together(table, whole, merged, rules, inspect)
        if units < rules.minimum and merged < len(found):
            merged += 1
            units, key = _together(table, whole, merged, rules, inspect)
        if units < rules.minimum:
            return merged, ()
        rows = sum(group.rows for group in found[:merged])
        row_key = sum(group.row_key for group in found[:merged])
        return merged, (Group(keys=(), units=units, rows=rows, unit_key=key, row_key=row_key),)

    def _remember(self, release: Release, table: str, rules: Rules, inspect: Inspect) -> None:
        """Compare with what the project has, take the groups off its budget, and keep the release."""
        earlier = self.releases.given(release.project, release.dataset, release.snapshot_id)
        known = {(r.files, r.shape, r.merged) for r in earlier}
        again = (release.files, release.shape, release.merged) in known
        charged = 0 if again else len(release.groups)
        if release.groups and not again:
            compared = set()
            for old in earlier:
                if old.files != release.files:
                    raise words.scope_changed(table)
                if (old.shape, old.merged) in compared:
                    continue
                compared.add((old.shape, old.merged))
                if inspect(few(table, old.cells, release.cells, rules)):
                    raise words.differs_by_few(rules.minimum, old.query_id)
        used, budget = self.releases.used(release.project, release.dataset), rules.aggregates.budget
        if used + charged > budget:
            raise words.budget_spent(used, charged, budget)
        self.releases.remember(replace(release, charged=charged))


def _statement(plan: Plan, merged: int, rules: Rules, given: Sequence[Group]) -> str:
    """What runs: over the rows themselves or, where counts are changed, over what is told of them."""
    noise = rules.noise
    if noise is None or not given:
        return answer(plan, merged, rules, nothing=not given)

    def told(count: int, key: int) -> int | None:
        changed = noise.applied(count, key)
        return changed if changed >= rules.minimum else None

    ranks = [*range(merged + 1, merged + 1 + len(given))]
    if merged:
        ranks[-1] = 0  # the remainder is the last
    counts = {
        r: (told(g.units, g.unit_key), told(g.rows, g.row_key)) for r, g in zip(ranks, given, strict=True)
    }
    return changed_answer(plan, counts, rules)


def _together(table: str, whole: Cells, merged: int, rules: Rules, inspect: Inspect) -> tuple[int, int]:
    """Units of the remainder and, where counts are changed, their key."""
    ((units, *key),) = inspect(remainder_units(table, Cells(shape=whole.shape, merged=merged), rules))
    return int(units), int(key[0]) if key else 0


def _group(row: Sequence[Any], levels: int) -> Group:
    keys, (units, rows, *sums) = tuple(row[:levels]), (int(number) for number in row[levels:])
    unit_key, row_key = sums or (0, 0)
    return Group(keys=keys, units=units, rows=rows, unit_key=unit_key, row_key=row_key)


def _digest(table: Table) -> str:
    names = "\n".join(sorted(file.path for file in table.snapshot.files))
    return hashlib.sha256(names.encode()).hexdigest()


def _facts(release: Release, noisy: bool) -> dict[str, Any]:
    """What was done to the answer, for its reader."""
    return {
        "governed": ({"noise": "cell-key"} if noisy else {})
        | {
            "minimum": release.minimum,
            "groups": len(release.groups),
            "merged": release.merged if release.groups else 0,
            "withheld": not release.groups,
            "remainder": REMAINDER if release.merged and release.groups else "",
        }
    }


def _evidence(release: Release, noisy: bool) -> Evidence:
    units = [group.units for group in release.groups]
    return Evidence(
        dataset=release.dataset,
        snapshot_id=release.snapshot_id,
        groups=len(units),
        merged=release.merged,
        minimum=release.minimum,
        least_units=min(units, default=0),
        noise=noisy,
    )
