"""DCAT-AP 3.0 as SHACL shapes, written from the specification's tables of classes and properties.

The official shapes are not shipped with any package of the registry and are not copied here. These cover the
classes this product writes: what is mandatory, how often a property may occur, what kind of value it takes
(violations), and what is recommended (warnings). Source: DCAT-AP 3.0.0, SEMIC, sections 7 and 8.
"""

from __future__ import annotations

from rdflib import Graph

PREFIXES = """
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dcatap: <http://data.europa.eu/r5r/> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix : <urn:shape:> .
"""
LITERAL = "sh:nodeKind sh:Literal"
NODE = "sh:nodeKind sh:BlankNodeOrIRI"
IRI = "sh:nodeKind sh:IRI"
MOMENTS = ("date", "dateTime", "gYear", "gYearMonth")
TIME = f"sh:or ({' '.join(f'[sh:datatype xsd:{kind}]' for kind in MOMENTS)})"

# class: property, occurrences ("1..n" mandatory, "r..1" recommended), kind of value
PROFILE: dict[str, tuple[tuple[str, str, str], ...]] = {
    "dcat:Catalog": (
        ("dct:title", "1..n", LITERAL),
        ("dct:description", "1..n", LITERAL),
        ("dct:publisher", "1..1", "sh:class foaf:Agent"),
        ("dcat:dataset", "r..n", "sh:class dcat:Dataset"),
        ("dct:language", "r..n", "sh:class dct:LinguisticSystem"),
        ("dct:license", "r..1", "sh:class dct:LicenseDocument"),
        ("dct:issued", "r..1", TIME),
        ("dct:modified", "r..1", TIME),
        ("dct:spatial", "r..n", "sh:class dct:Location"),
        ("dcat:themeTaxonomy", "r..n", "sh:class skos:ConceptScheme"),
        ("foaf:homepage", "r..1", "sh:class foaf:Document"),
    ),
    "dcat:Dataset": (
        ("dct:title", "1..n", LITERAL),
        ("dct:description", "1..n", LITERAL),
        ("dcat:contactPoint", "r..n", "sh:class vcard:Kind"),
        ("dcat:distribution", "r..n", "sh:class dcat:Distribution"),
        ("dcat:keyword", "r..n", LITERAL),
        ("dct:publisher", "r..1", "sh:class foaf:Agent"),
        ("dct:spatial", "r..n", "sh:class dct:Location"),
        ("dct:temporal", "r..n", "sh:class dct:PeriodOfTime"),
        ("dcat:theme", "r..n", "sh:class skos:Concept"),
        ("dct:accessRights", "0..1", "sh:class dct:RightsStatement"),
        ("dct:accrualPeriodicity", "0..1", "sh:class dct:Frequency"),
        ("dct:identifier", "0..n", LITERAL),
        ("dct:issued", "0..1", TIME),
        ("dct:modified", "0..1", TIME),
        ("dct:language", "0..n", "sh:class dct:LinguisticSystem"),
        ("dct:provenance", "0..n", "sh:class dct:ProvenanceStatement"),
        ("dct:source", "0..n", "sh:class dcat:Dataset"),
        ("dcat:landingPage", "0..n", "sh:class foaf:Document"),
        ("foaf:page", "0..n", "sh:class foaf:Document"),
        ("dcat:version", "0..1", LITERAL),
    ),
    "dcat:Distribution": (
        ("dcat:accessURL", "1..n", IRI),
        ("dct:description", "r..n", LITERAL),
        ("dct:format", "r..1", "sh:class dct:MediaTypeOrExtent"),
        ("dct:license", "r..1", "sh:class dct:LicenseDocument"),
        ("dcatap:availability", "r..1", "sh:class skos:Concept"),
        ("dct:title", "0..n", LITERAL),
        ("dct:issued", "0..1", TIME),
        ("dct:modified", "0..1", TIME),
        ("dct:rights", "0..1", "sh:class dct:RightsStatement"),
        ("dcat:byteSize", "0..1", "sh:datatype xsd:nonNegativeInteger"),
        ("dcat:downloadURL", "0..n", IRI),
        ("dcat:mediaType", "0..1", "sh:class dct:MediaType"),
    ),
    "foaf:Agent": (("foaf:name", "1..n", LITERAL), ("dct:type", "r..1", "sh:class skos:Concept")),
    "skos:Concept": (("skos:prefLabel", "1..n", LITERAL),),
    "skos:ConceptScheme": (("dct:title", "1..n", LITERAL),),
    "dct:LicenseDocument": (("dct:type", "r..n", "sh:class skos:Concept"),),
    "dct:PeriodOfTime": (("dcat:startDate", "r..1", TIME), ("dcat:endDate", "r..1", TIME)),
    "vcard:Kind": (("vcard:fn", "0..n", LITERAL), ("vcard:hasURL", "0..n", NODE)),
}


def shapes() -> Graph:
    """The shapes, made ready."""
    text = [PREFIXES]
    for number, (kind, properties) in enumerate(PROFILE.items()):
        text.append(f":shape{number} a sh:NodeShape ; sh:targetClass {kind} .")
        for path, occurs, value in properties:
            least, most = occurs.split("..")
            limit = f"sh:maxCount {most} ; " if most != "n" else ""
            must = "sh:minCount 1 ; " if least == "1" else ""
            text.append(f":shape{number} sh:property [ sh:path {path} ; {must}{limit}{value} ] .")
            if least == "r":
                wish = f"sh:path {path} ; sh:minCount 1 ; sh:severity sh:Warning"
                text.append(f":shape{number} sh:property [ {wish} ] .")
    return Graph().parse(data="\n".join(text), format="turtle")
