"""DCAT-AP 3.0 as SHACL shapes, written from the specification's tables of classes and properties.

The official shapes are not shipped with any package of the registry and are not copied here; `test_official`
judges by them where somebody has them. These cover the classes this product writes, with every property that
the profile knows for them: what is mandatory, how often a property may occur, what kind of value it takes
(violations), and what is recommended (warnings). Source: DCAT-AP 3.0.1, SEMIC, sections 7 and 8. Where 3.0.1
relaxed a limit of 3.0.0 (`dct:rights`, the spatial resolution), the stricter one is kept.
"""

from __future__ import annotations

from rdflib import Graph

PREFIXES = """
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix adms: <http://www.w3.org/ns/adms#> .
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dcatap: <http://data.europa.eu/r5r/> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix eli: <http://data.europa.eu/eli/ontology#> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix locn: <http://www.w3.org/ns/locn#> .
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
@prefix prov: <http://www.w3.org/ns/prov#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix spdx: <http://spdx.org/rdf/terms#> .
@prefix time: <http://www.w3.org/2006/time#> .
@prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix : <urn:shape:> .
"""
LITERAL = "sh:nodeKind sh:Literal"
NODE = "sh:nodeKind sh:BlankNodeOrIRI"
IRI = "sh:nodeKind sh:IRI"
MOMENTS = ("date", "dateTime", "gYear", "gYearMonth")
TIME = f"sh:or ({' '.join(f'[sh:datatype xsd:{kind}]' for kind in MOMENTS)})"


def _a(kind: str) -> str:
    """A thing of a class, with an address or without."""
    return f"sh:class {kind}"


def _code(kind: str) -> str:
    """A managed term: a thing of a class that has an address."""
    return f"{IRI} ; sh:class {kind}"


# class: property, occurrences ("1..n" mandatory, "r..1" recommended), kind of value
PROFILE: dict[str, tuple[tuple[str, str, str], ...]] = {
    "dcat:Catalog": (
        ("dct:title", "1..n", LITERAL),
        ("dct:description", "1..n", LITERAL),
        ("dct:publisher", "1..1", _a("foaf:Agent")),
        ("dcat:dataset", "r..n", _a("dcat:Dataset")),
        ("dct:language", "r..n", _code("dct:LinguisticSystem")),
        ("dct:license", "r..1", _a("dct:LicenseDocument")),
        ("dct:issued", "r..1", TIME),
        ("dct:modified", "r..1", TIME),
        ("dct:spatial", "r..n", _code("dct:Location")),
        ("dcat:themeTaxonomy", "r..n", _code("skos:ConceptScheme")),
        ("foaf:homepage", "r..1", _a("foaf:Document")),
        ("dcatap:applicableLegislation", "0..n", _code("eli:LegalResource")),
        ("dcat:catalog", "0..n", _a("dcat:Catalog")),
        ("dcat:record", "0..n", _a("dcat:CatalogRecord")),
        ("dcat:service", "0..n", _a("dcat:DataService")),
        ("dct:creator", "0..1", _a("foaf:Agent")),
        ("dct:hasPart", "0..n", _a("dcat:Catalog")),
        ("dct:isPartOf", "0..1", _a("dcat:Catalog")),
        ("dct:rights", "0..1", _a("dct:RightsStatement")),
        ("dct:temporal", "0..n", _a("dct:PeriodOfTime")),
    ),
    "dcat:Dataset": (
        ("dct:title", "1..n", LITERAL),
        ("dct:description", "1..n", LITERAL),
        ("dcat:contactPoint", "r..n", _a("vcard:Kind")),
        ("dcat:distribution", "r..n", _a("dcat:Distribution")),
        ("dcat:keyword", "r..n", LITERAL),
        ("dct:publisher", "r..1", _a("foaf:Agent")),
        ("dct:spatial", "r..n", _code("dct:Location")),
        ("dct:temporal", "r..n", _a("dct:PeriodOfTime")),
        ("dcat:theme", "r..n", _code("skos:Concept")),
        ("dcatap:applicableLegislation", "0..n", _code("eli:LegalResource")),
        ("dct:accessRights", "0..1", _code("dct:RightsStatement")),
        ("dct:accrualPeriodicity", "0..1", _code("dct:Frequency")),
        ("dct:conformsTo", "0..n", _a("dct:Standard")),
        ("dct:creator", "0..n", _a("foaf:Agent")),
        ("dct:identifier", "0..n", LITERAL),
        ("dct:isReferencedBy", "0..n", NODE),
        ("dct:issued", "0..1", TIME),
        ("dct:modified", "0..1", TIME),
        ("dct:language", "0..n", _code("dct:LinguisticSystem")),
        ("dct:provenance", "0..n", _a("dct:ProvenanceStatement")),
        ("dct:relation", "0..n", NODE),
        ("dct:source", "0..n", _a("dcat:Dataset")),
        ("dct:type", "0..n", _code("skos:Concept")),
        ("dct:hasVersion", "0..n", _a("dcat:Dataset")),
        ("dct:isVersionOf", "0..n", _a("dcat:Dataset")),
        ("dcat:hasVersion", "0..n", _a("dcat:Dataset")),
        ("dcat:inSeries", "0..n", _a("dcat:DatasetSeries")),
        ("dcat:landingPage", "0..n", _a("foaf:Document")),
        ("dcat:qualifiedRelation", "0..n", _a("dcat:Relationship")),
        ("dcat:spatialResolutionInMeters", "0..1", "sh:datatype xsd:decimal"),
        ("dcat:temporalResolution", "0..1", "sh:datatype xsd:duration"),
        ("dcat:version", "0..1", LITERAL),
        ("adms:identifier", "0..n", _a("adms:Identifier")),
        ("adms:sample", "0..n", _a("dcat:Distribution")),
        ("adms:versionNotes", "0..n", LITERAL),
        ("foaf:page", "0..n", _a("foaf:Document")),
        ("prov:qualifiedAttribution", "0..n", _a("prov:Attribution")),
        ("prov:wasGeneratedBy", "0..n", _a("prov:Activity")),
    ),
    "dcat:Distribution": (
        ("dcat:accessURL", "1..n", IRI),
        ("dct:description", "r..n", LITERAL),
        ("dct:format", "r..1", _code("dct:MediaTypeOrExtent")),
        ("dct:license", "r..1", _a("dct:LicenseDocument")),
        ("dcatap:availability", "r..1", _code("skos:Concept")),
        ("dcatap:applicableLegislation", "0..n", _code("eli:LegalResource")),
        ("dct:conformsTo", "0..n", _a("dct:Standard")),
        ("dct:title", "0..n", LITERAL),
        ("dct:issued", "0..1", TIME),
        ("dct:modified", "0..1", TIME),
        ("dct:language", "0..n", _code("dct:LinguisticSystem")),
        ("dct:rights", "0..1", _a("dct:RightsStatement")),
        ("dcat:accessService", "0..n", _a("dcat:DataService")),
        ("dcat:byteSize", "0..1", "sh:datatype xsd:nonNegativeInteger"),
        ("dcat:compressFormat", "0..1", _code("dct:MediaType")),
        ("dcat:downloadURL", "0..n", IRI),
        ("dcat:mediaType", "0..1", _code("dct:MediaType")),
        ("dcat:packageFormat", "0..1", _code("dct:MediaType")),
        ("dcat:spatialResolutionInMeters", "0..1", "sh:datatype xsd:decimal"),
        ("dcat:temporalResolution", "0..1", "sh:datatype xsd:duration"),
        ("adms:status", "0..1", _code("skos:Concept")),
        ("foaf:page", "0..n", _a("foaf:Document")),
        ("odrl:hasPolicy", "0..1", _a("odrl:Policy")),
        ("spdx:checksum", "0..1", _a("spdx:Checksum")),
    ),
    "foaf:Agent": (("foaf:name", "1..n", LITERAL), ("dct:type", "r..1", _code("skos:Concept"))),
    "skos:Concept": (("skos:prefLabel", "1..n", LITERAL),),
    "skos:ConceptScheme": (("dct:title", "1..n", LITERAL),),
    "dct:LicenseDocument": (("dct:type", "r..n", _code("skos:Concept")),),
    "dct:Location": (
        ("dcat:bbox", "r..1", LITERAL),
        ("dcat:centroid", "r..1", LITERAL),
        ("locn:geometry", "0..1", _a("locn:Geometry")),
    ),
    "dct:PeriodOfTime": (
        ("dcat:startDate", "r..1", TIME),
        ("dcat:endDate", "r..1", TIME),
        ("time:hasBeginning", "0..1", _a("time:Instant")),
        ("time:hasEnd", "0..1", _a("time:Instant")),
    ),
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
