"""Judging a document by shapes, and damaging one property of it at a time. Knows no shapes of its own."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import RDF, SH, XSD
from rdflib.term import Node

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the validator's own parts, while they are imported
    import pyshacl

KINDS = frozenset({SH.ClassConstraintComponent, SH.DatatypeConstraintComponent, SH.NodeConstraintComponent,
                   SH.NodeKindConstraintComponent, SH.OrConstraintComponent})  # fmt: skip
SAID = {
    SH.minCount: {SH.MinCountConstraintComponent},
    SH.maxCount: {SH.MaxCountConstraintComponent},
    SH["class"]: KINDS,
    SH.datatype: KINDS,
    SH.node: KINDS,
    SH.nodeKind: KINDS,
}  # what a validator says when a constraint is broken; of a wrong kind of value there is more than one way


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result of a validation."""

    severity: str  # "Violation" or "Warning"
    focus: Node
    path: Node | None
    component: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One demand on one property of one class."""

    kind: URIRef  # the class
    path: URIRef
    name: URIRef  # sh:minCount, sh:class …
    value: Node

    def __str__(self) -> str:
        return " ".join(last(part) for part in (self.kind, self.path, self.name, self.value))


def read(made: Any) -> Graph:
    """A JSON-LD document as triples."""
    return Graph().parse(data=json.dumps(made), format="json-ld")


def judged(graph: Graph, shapes: Graph) -> tuple[set[Finding], str]:
    """What the shapes say of it (not what a nested shape says on the way), and the report as text."""
    _, report, text = pyshacl.validate(graph, shacl_graph=shapes, advanced=False)
    assert isinstance(report, Graph), report
    found = set()
    for result in report.objects(None, SH.result):
        focus, component = (
            report.value(result, SH.focusNode),
            report.value(result, SH.sourceConstraintComponent),
        )
        assert focus is not None and component is not None
        severity = last(report.value(result, SH.resultSeverity))
        path = report.value(result, SH.resultPath)
        found.add(Finding(severity=severity, focus=focus, path=path, component=component))
    return found, text


def said(graph: Graph, found: set[Finding], severity: str) -> set[tuple[str, str]]:
    """(class, property) of the results of a severity."""
    return {
        (last(kind), last(finding.path))
        for finding in found
        if finding.severity == severity
        for kind in graph.objects(finding.focus, RDF.type)
    }


def constraints(shapes: Graph) -> Iterator[Constraint]:
    """Mandatory properties, cardinalities and kinds of values whose breach is a violation."""
    for shape, kind in shapes.subject_objects(SH.targetClass):
        for rule in shapes.objects(shape, SH.property):
            path = shapes.value(rule, SH.path)
            if shapes.value(rule, SH.severity) == SH.Warning or not isinstance(path, URIRef):
                continue
            for name in SAID:
                for value in shapes.objects(rule, name):
                    assert isinstance(kind, URIRef)
                    yield Constraint(kind=kind, path=path, name=name, value=value)


def breaks(graph: Graph, rule: Constraint) -> tuple[Graph, Node]:
    """A copy that breaks this one demand on the first thing of the class, and that thing."""
    focus = min(graph.subjects(RDF.type, rule.kind), key=str)
    damaged = Graph()
    for triple in graph:
        damaged.add(triple)
    old = sorted(graph.objects(focus, rule.path), key=str)
    if rule.name == SH.maxCount:
        for number in range(int(str(rule.value)) + 1):
            damaged.add((focus, rule.path, _another(old, number, damaged)))
        return damaged, focus
    damaged.remove((focus, rule.path, None))
    if rule.name == SH.minCount:
        return damaged, focus
    wrong: Node = Literal("damage")
    if rule.value == SH.Literal or rule.name == SH["class"]:
        wrong = URIRef("urn:damage")
    elif rule.value == SH.IRI:
        wrong = BNode()
        for kind in graph.objects(old[0], RDF.type) if old else ():
            damaged.add((wrong, RDF.type, kind))
    damaged.add((focus, rule.path, wrong))
    return damaged, focus


def refused(graph: Graph, focus: Node, rule: Constraint, shapes: Graph) -> bool:
    """Whether the shapes refuse the damaged property for what was done to it."""
    found, _ = judged(graph, shapes)
    return any(
        f.severity == "Violation"
        and (f.focus, f.path) == (focus, rule.path)
        and f.component in SAID[rule.name]
        for f in found
    )


def last(name: Any) -> str:
    """The last part of an address."""
    return str(name).replace("#", "/").rstrip("/").rsplit("/", 1)[-1]


def _another(old: list[Node], number: int, damaged: Graph) -> Node:
    """One more value of the kind there is; where there is none, any will do."""
    if old and not isinstance(old[0], Literal):
        more = URIRef(f"urn:another:{number}")
        for kind in damaged.objects(old[0], RDF.type):
            damaged.add((more, RDF.type, kind))
        return more
    datatype = old[0].datatype if old and isinstance(old[0], Literal) else XSD.string
    value = f"{2000 + number}-01-01T00:00:00" if datatype == XSD.dateTime else str(2000 + number)
    return Literal(value, datatype=datatype)
