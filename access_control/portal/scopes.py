"""How parts of a dataset are chosen in a form and worded on a page. Knows no request and no grant.

A form never takes silence for everything: whoever means all of a partition says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from access_control.errors import Invalid
from access_control.portal.guarding import Form
from access_control.portal.wording import Wording
from catalog.descriptions import Dataset
from catalog.descriptions.model import Partition
from catalog.descriptions.published import described
from catalog.descriptions.scope import Scope, code_name, scope_of, wanted

ALL: Final = "all"
SOME: Final = "some"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value to choose."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One partition of a form.

    Parameters
    ----------
    whole
        Whether all of it may be chosen.
    how
        What is chosen now: `ALL`, `SOME` or nothing yet.
    """

    name: str
    title: str
    whole: bool
    how: str
    values: tuple[Value, ...]


def choices(
    t: Wording,
    partitions: Iterable[Partition],
    offered: Mapping[str, Iterable[str]],
    form: Form,
    asked: Scope | None = None,
) -> tuple[Choice, ...]:
    """What a form offers.

    Parameters
    ----------
    offered
        Partition's name → the values there are.
    form
        What was sent, if this is the form once more.
    asked
        What was asked for, when somebody decides about it: only that is offered, and chosen to begin with.
    """
    named = wanted(asked or ())
    made = []
    for partition in partitions:
        name = partition.name
        whole = asked is None or name not in named
        values = tuple(offered.get(name, ())) if whole else tuple(sorted(named[name]))
        sent = form.text("sent") != ""
        start = "" if asked is None else (ALL if whole else SOME)
        chosen = set(form.all(f"part-{name}")) if sent else (set() if whole else set(values))
        made.append(
            Choice(
                name=name,
                title=t.pick(partition.title),
                whole=whole,
                how=form.text(f"how-{name}") if sent and whole else start,
                values=tuple(Value(value=v, label=label(partition, v), chosen=v in chosen) for v in values),
            )
        )
    return tuple(made)


def chosen_scope(t: Wording, form: Form, offered: Iterable[Choice]) -> Scope:
    """What was chosen in the form.

    Raises
    ------
    Invalid
        `grant-partition-empty`, `grant-partition-both`.
    """
    found = {}
    for choice in offered:
        values = form.all(f"part-{choice.name}")
        if choice.whole and form.text(f"how-{choice.name}") == ALL:
            if values:
                raise Invalid("grant-partition-both", partition=choice.title)
            continue
        if not values:
            raise Invalid("grant-partition-empty", partition=choice.title)
        found[choice.name] = values
    return scope_of(found)


def label(partition: Partition, value: str) -> str:
    """A value as people read it: a code with what it names."""
    name = code_name(partition.code_system, value) if partition.code_system else ""
    return f"{name} ({value})" if name else value


def worded(t: Wording, dataset: Dataset | None, variant: str, scope: Scope) -> list[tuple[str, str]]:
    """(title, values in words) of every partition a scope names."""
    known = {p.name: p for p in parts_of(dataset, variant)}
    return [
        (
            t.pick(known[name].title) if name in known else name,
            ", ".join(label(known[name], value) if name in known else value for value in values),
        )
        for name, values in scope
    ]


def parts_of(dataset: Dataset | None, variant: str) -> tuple[Partition, ...]:
    """The partitions a variant has; none where it is not declared any more."""
    if dataset is None:
        return ()
    try:
        return described(dataset, variant).partitions
    except KeyError:
        return ()
