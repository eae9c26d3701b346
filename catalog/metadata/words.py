"""What all three formats say alike: texts, licence, the label of made-up data. Knows no format."""

from __future__ import annotations

import dataclasses
from typing import Final

from catalog.descriptions import Dataset, Text, Tier
from catalog.descriptions.published import described
from catalog.descriptions.variants import TWIN, sql_name, variant_title
from catalog.warehouse import Snapshot

SYNTHETIC: Final = Text(
    ko="합성 데이터: 만들어 낸 값이며 실제 통계가 아닙니다.",
    en="Synthetic data: made-up values, not actual statistics.",
)
KOGL: Final = {  # Korea Open Government Licence, by its type
    f"KOGL type {number}": f"https://www.kogl.or.kr/info/licenseType{number}.do" for number in (1, 2, 3, 4)
}
LICENCES: Final = {**KOGL, "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/"}

TWIN_LICENCE: Final = Text(
    ko="누구나 쓸 수 있는 합성 데이터: 이 캠퍼스가 설명으로 만들었습니다",
    en="synthetic data open to everyone: made by this campus from the description",
)


def as_table(dataset: Dataset, variant: str) -> Dataset:
    """The dataset as one variant's table: its SQL name, its title with the variant's, its own columns.

    A twin is open to everyone, whatever the tier of what it stands for.

    Raises
    ------
    KeyError
        The dataset declares no such variant.
    """
    label = variant_title(dataset, variant)
    own = described(dataset, variant)
    if label is None:
        return own
    named = Text(ko=f"{dataset.title.ko} ({label.ko})", en=f"{dataset.title.en} ({label.en})")
    own = dataclasses.replace(own, name=sql_name(dataset.name, variant), title=named)
    return dataclasses.replace(own, tier=Tier.OPEN, licence=TWIN_LICENCE) if variant == TWIN else own


def title(dataset: Dataset, snapshot: Snapshot | None) -> Text:
    """The title, labelled where the rows are made up."""
    if snapshot is None or not snapshot.synthetic:
        return dataset.title
    return Text(ko=f"{dataset.title.ko} (합성 데이터)", en=f"{dataset.title.en} (synthetic data)")


def description(dataset: Dataset, snapshot: Snapshot | None) -> Text:
    """The description, beginning with the label where the rows are made up."""
    if snapshot is None or not snapshot.synthetic:
        return dataset.description
    return Text(ko=f"{SYNTHETIC.ko} {dataset.description.ko}", en=f"{SYNTHETIC.en} {dataset.description.en}")


def both(text: Text) -> str:
    """Korean, then English, for formats without languages."""
    return f"{text.ko} / {text.en}" if text.ko != text.en else text.ko


def licence_url(dataset: Dataset) -> str | None:
    """The address of a licence that is known by its name."""
    return next((url for name, url in LICENCES.items() if name in dataset.licence.en), None)


def page(site: str, name: str) -> str:
    """A dataset's own page; its variants are described there too."""
    return f"{site}/datasets/{name}"
