"""Names of a dataset's published variants, and the name each has in SQL. Knows no rows and no rights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from catalog.descriptions.model import Dataset, Text, Tier
from catalog.errors import CatalogError

MAIN = "main"
TWIN = "twin"
TITLES: Mapping[str, Text] = {TWIN: Text(ko="합성 쌍둥이", en="synthetic twin")}


def sql_name(dataset: str, variant: str) -> str:
    """The table's name in SQL: `card_spending`, and `card_spending_twin` for its variant `twin`."""
    return dataset if variant == MAIN else f"{dataset}_{variant}"


def variant_title(dataset: Dataset, variant: str) -> Text | None:
    """What a variant is called beside its dataset's title; None for the main one."""
    if variant == MAIN:
        return None
    declared = {v.name: v.title for v in dataset.variants}
    return TITLES.get(variant) or declared.get(variant, Text(ko=variant, en=variant))


def tier_of(dataset: Dataset, variant: str) -> Tier:
    """How freely a variant may be read: its own declared tier; a twin's rows are made up, so open.

    Raises
    ------
    KeyError
        The dataset declares no such variant.
    """
    if variant == TWIN:
        return Tier.OPEN
    return dataset.tier if variant == MAIN else (dataset.variant(variant).tier or dataset.tier)


def open_variants(dataset: Dataset) -> tuple[str, ...]:
    """The variants that anybody signed in may read, the twin aside."""
    names = (MAIN, *(v.name for v in dataset.variants))
    return tuple(name for name in names if tier_of(dataset, name) is Tier.OPEN)


def demand_distinct(tables: Iterable[tuple[str, str]]) -> None:
    """Refuse two tables that SQL could not tell apart.

    Raises
    ------
    CatalogError
        `ambiguous-name`: a dataset is called like another one's variant.
    """
    owners: dict[str, tuple[str, str]] = {}
    for table in tables:
        name = sql_name(*table)
        if name in owners and owners[name] != table:
            raise CatalogError(
                "ambiguous-name",
                ko=f"SQL 이름 '{name}'이(가) {owners[name]}와 {table} 둘을 가리킵니다. 하나를 바꾸세요",
                en=f"the SQL name '{name}' means both {owners[name]} and {table}; rename one of them",
            )
        owners[name] = table
