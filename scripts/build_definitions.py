"""FHIR definitions (folders of JSON) → fhir_profiles/definitions/*.json.xz + manifest.json.

Facts alone: elements, cardinalities, types, bindings, slices, expressions, codes; no sentence of any guide.
Same input, same bytes. Usage: build_definitions.py SHARED, where SHARED holds fhir-r4, fhir-fr, fhir-eds…
"""

from __future__ import annotations

import hashlib
import json
import lzma
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

TARGET = Path(__file__).resolve().parents[1] / "fhir_profiles" / "definitions"
MAXIMUM_BYTES = 2 * 1024 * 1024

STRUCTURE_KEYS = (
    "url",
    "version",
    "type",
    "kind",
    "abstract",
    "baseDefinition",
    "derivation",
    "context",
    "contextInvariant",
)
ELEMENT_KEYS = ("id", "sliceName", "min", "max", "base", "contentReference", "maxLength", "slicing", "isModifier")
ELEMENT_PREFIXES = ("fixed", "pattern", "minValue", "maxValue")
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
MAX_VALUE_SET = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
BEST_PRACTICE = "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice"

# R5 and vendor elements that the source of the R4 definitions (Medplum) adds to R4 types: not in FHIR R4 4.0.1.
NOT_R4 = (
    "Meta.project",
    "Meta.author",
    "Meta.onBehalfOf",
    "Meta.account",
    "Meta.accounts",
    "Meta.compartment",
    "Binary.url",
    "DeviceDefinition.classification",
    "DeviceDefinition.bodySite",
    "ObservationDefinition.publisher",
    "ResearchStudy.name",
    "ResearchStudy.label",
    "ResearchStudy.studyDesign",
    "ResearchStudy.region",
    "ResearchStudy.descriptionSummary",
    "ResearchStudy.classifier",
    "ResearchStudy.associatedParty",
    "ResearchStudy.progressStatus",
    "ResearchStudy.whyStopped",
    "ResearchStudy.recruitment",
    "ResearchStudy.comparisonGroup",
    "ResearchStudy.outcomeMeasure",
    "ResearchStudy.result",
    "ResearchStudy.objective.description",
    "EvidenceVariable.characteristic.definitionByCombination",
    "EvidenceVariable.characteristic.definitionByTypeAndValue",
    "EvidenceVariable.characteristic.definitionId",
    "EvidenceVariable.characteristic.duration[x]",
    "EvidenceVariable.characteristic.instances[x]",
    "EvidenceVariable.characteristic.linkId",
    "EvidenceVariable.characteristic.note",
    "EvidenceVariable.characteristic.timeFromEvent",
)


@dataclass(frozen=True)
class Source:
    """One package to make: where its files are, and what the manifest says of it."""

    id: str
    version: str
    canonical: str
    licence: str
    folders: tuple[str, ...]
    requires: tuple[str, ...] = ()


SOURCES = (
    Source("r4", "4.0.1", "http://hl7.org/fhir", "CC0-1.0",
           ("fhir-r4/definitions", "fhir-r4/extensions", "fhir-r4/terminology")),
    Source("fr-terminologies", "1.7.0", "https://mos.esante.gouv.fr/NOS",
           "CC0-1.0 (HL7 terminology 7.1.0, extensions 5.2.0); ANS publishes its lists without a licence text",
           ("fhir-fr/dependencies",), ("r4",)),
    Source("fr-core-2.2.0", "2.2.0", "https://hl7.fr/ig/fhir/core", "CC0-1.0",
           ("fhir-fr", "fhir-fr/expansions"), ("r4", "fr-terminologies")),
    Source("fr-core-2.1.0", "2.1.0", "https://hl7.fr/ig/fhir/core", "CC0-1.0",
           ("fhir-fr-2.1.0",), ("r4", "fr-terminologies")),
    Source("eds-0.1.0", "0.1.0", "https://interop.esante.gouv.fr/ig/fhir/eds", "draft of the ANS, no licence text",
           ("fhir-eds/ans-eds",), ("r4", "fr-core-2.1.0")),
    Source("annuaire-1.1.0", "1.1.0", "https://interop.esante.gouv.fr/ig/fhir/annuaire", "ANS, no licence text",
           ("fhir-eds/deps-annuaire-1.1.0",), ("r4", "fr-core-2.1.0")),
    Source("edsh-0.1.0", "0.1.0", "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN", "draft of AP-HP, no licence text",
           ("fhir-eds/aphp-edsh",), ("r4", "fr-core-2.1.0", "annuaire-1.1.0")),
)  # fmt: skip


def main(shared: Path) -> None:
    """Write every package whose folders exist, then the manifest."""
    TARGET.mkdir(parents=True, exist_ok=True)
    packages = [build(source, shared) for source in SOURCES if (shared / source.folders[0]).is_dir()]
    text = json.dumps({"fhirVersion": "4.0.1", "packages": packages}, indent=2, ensure_ascii=False)
    (TARGET / "manifest.json").write_text(text + "\n", encoding="utf-8")
    for entry in packages:
        print(f"{entry['id']}: {entry['bytes']} bytes, {entry['counts']}")


def build(source: Source, shared: Path) -> Json:
    """Write one package and return its manifest entry."""
    content: dict[str, list[Json]] = {"StructureDefinition": [], "ValueSet": [], "CodeSystem": []}
    for resource in resources(source, shared):
        content[resource["resourceType"]].append(SLIMMERS[resource["resourceType"]](resource))
    for kind, listed in content.items():
        content[kind] = merged(sorted(listed, key=lambda one: (one["url"], one.get("version", ""), "expansion" in one)))
    plain = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    packed = lzma.compress(plain, preset=9 | lzma.PRESET_EXTREME)
    if len(packed) > MAXIMUM_BYTES:
        sys.exit(f"{source.id}: {len(packed)} bytes is more than {MAXIMUM_BYTES}")
    (TARGET / f"{source.id}.json.xz").write_bytes(packed)
    return {
        "id": source.id,
        "version": source.version,
        "canonical": source.canonical,
        "licence": source.licence,
        "requires": list(source.requires),
        "file": f"{source.id}.json.xz",
        "sha256": hashlib.sha256(plain).hexdigest(),
        "bytes": len(packed),
        "counts": {kind: len(listed) for kind, listed in content.items()},
    }


def resources(source: Source, shared: Path) -> Iterator[Json]:
    """Yield the conformance resources of the source's folders, in file order."""
    for folder in source.folders:
        for path in sorted((shared / folder).glob("*.json")):
            resource = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(resource, dict) and resource.get("resourceType") in SLIMMERS:
                yield resource


def merged(listed: list[Json]) -> list[Json]:
    """Join the published expansion of a value set with its definition."""
    joined: dict[tuple[str, str], Json] = {}
    for one in listed:
        joined.setdefault((one["url"], one.get("version", "")), {}).update(one)
    return list(joined.values())


def slim_structure(resource: Json) -> Json:
    """Keep what a rule needs of a StructureDefinition: its snapshot, or its differential when it has none."""
    kept: Json = {key: resource[key] for key in STRUCTURE_KEYS if key in resource}
    kept["resourceType"] = "StructureDefinition"
    view = "snapshot" if resource.get("snapshot") else "differential"
    kept[view] = {"element": [slim_element(one) for one in resource[view]["element"] if is_r4(one)]}
    return kept


def is_r4(element: Json) -> bool:
    """Say whether an element belongs to FHIR R4."""
    return not f"{element.get('id', element['path'])}.".startswith(tuple(f"{one}." for one in NOT_R4))


def slim_element(element: Json) -> Json:
    """Keep the facts of an ElementDefinition."""
    kept: Json = {key: element[key] for key in ELEMENT_KEYS if key in element}
    kept.setdefault("id", element["path"])
    if not kept.get("isModifier"):
        kept.pop("isModifier", None)
    for key in element:
        if key.startswith(ELEMENT_PREFIXES):
            kept[key] = element[key]
    if "slicing" in kept:
        kept["slicing"] = {key: value for key, value in kept["slicing"].items() if key != "description"}
    if "type" in element:
        kept["type"] = [slim_type(one) for one in element["type"]]
    if "constraint" in element:
        kept["constraint"] = [slim_constraint(one) for one in element["constraint"]]
    binding = element.get("binding")
    if binding and (binding["strength"] in ("required", "extensible") or max_value_set(binding)):
        kept["binding"] = {"strength": binding["strength"]} | (
            {"valueSet": binding["valueSet"]} if "valueSet" in binding else {}
        )
        if max_value_set(binding):
            kept["binding"]["extension"] = [{"url": MAX_VALUE_SET, "valueCanonical": max_value_set(binding)}]
    return kept


def slim_type(element_type: Json) -> Json:
    """Keep code, profiles and targets; a System.String id keeps the FHIR type that it stands for."""
    kept = {
        key: element_type[key] for key in ("code", "profile", "targetProfile", "aggregation") if key in element_type
    }
    for extension in element_type.get("extension", ()):
        if extension["url"] == FHIR_TYPE:
            kept["extension"] = [extension]
    return kept


def slim_constraint(constraint: Json) -> Json:
    """Keep key, severity, expression, and whether it is no more than a best practice."""
    kept = {key: constraint[key] for key in ("key", "severity", "expression") if key in constraint}
    if any(one["url"] == BEST_PRACTICE for one in constraint.get("extension", ())):
        kept["bestPractice"] = True
    return kept


def max_value_set(binding: Mapping[str, Any]) -> str | None:
    """Return the canonical of the binding's maxValueSet."""
    for extension in binding.get("extension", ()):
        if extension["url"] == MAX_VALUE_SET:
            return str(extension.get("valueCanonical") or extension.get("valueUri") or extension.get("valueReference"))
    return None


def slim_value_set(resource: Json) -> Json:
    """Keep compose and expansion, as system and codes."""
    kept: Json = {key: resource[key] for key in ("url", "version") if key in resource}
    kept["resourceType"] = "ValueSet"
    if "compose" in resource:
        kept["compose"] = {
            side: [slim_include(one) for one in resource["compose"][side]]
            for side in ("include", "exclude")
            if side in resource["compose"]
        }
    if "expansion" in resource:
        expansion = resource["expansion"]
        kept["expansion"] = {"contains": [slim_contained(one) for one in expansion.get("contains", ())]}
        if "total" in expansion:
            kept["expansion"]["total"] = expansion["total"]
    return kept


def slim_include(include: Json) -> Json:
    """Drop displays and designations of an include or exclude."""
    kept = {key: include[key] for key in ("system", "version", "filter", "valueSet") if key in include}
    if "concept" in include:
        kept["concept"] = [{"code": one["code"]} for one in include["concept"]]
    return kept


def slim_contained(contained: Json) -> Json:
    """Keep system, code, abstract and children of an expansion's line."""
    kept = {key: contained[key] for key in ("system", "code", "abstract", "inactive") if key in contained}
    if "contains" in contained:
        kept["contains"] = [slim_contained(one) for one in contained["contains"]]
    return kept


def slim_code_system(resource: Json) -> Json:
    """Keep codes, hierarchy and coded properties."""
    kept: Json = {
        key: resource[key] for key in ("url", "version", "content", "caseSensitive", "supplements") if key in resource
    }
    kept["resourceType"] = "CodeSystem"
    if resource.get("concept"):
        kept["concept"] = [slim_concept(one) for one in resource["concept"]]
    return kept


def slim_concept(concept: Json) -> Json:
    """Keep the code, its coded properties and its children."""
    kept: Json = {"code": concept["code"]}
    properties = [
        {key: value for key, value in one.items() if key in ("code", "valueCode", "valueBoolean")}
        for one in concept.get("property", ())
        if "valueCode" in one or "valueBoolean" in one
    ]
    if properties:
        kept["property"] = properties
    if "concept" in concept:
        kept["concept"] = [slim_concept(one) for one in concept["concept"]]
    return kept


SLIMMERS = {"StructureDefinition": slim_structure, "ValueSet": slim_value_set, "CodeSystem": slim_code_system}

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: build_definitions.py SHARED")
    main(Path(sys.argv[1]))
