"""Packaged definitions → the facts that rules are checked against, as `elements.json` holds them.

For each type that rules may name: its elements with type, repetition, targets and closed code lists; the elements and
extensions that FR Core names; the published code lists. `scripts/build_deidentify_elements.py` writes the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fhir_profiles.compiler.library import Library
from fhir_profiles.model import Element, Structure, TypeRef, path_of, unversioned
from fhir_profiles.package import Package, manifest, packaged
from fhir_profiles.terminology import expand

FRENCH = ("fr-core-2.2.0", "fr-core-2.1.0")
SOURCES = ("r4", "fr-terminologies", *FRENCH, "eds-0.1.0", "edsh-0.1.0", "annuaire-1.1.0")
PUBLISHERS = (
    "http://terminology.hl7.org/CodeSystem/", "http://hl7.org/fhir/", "https://hl7.fr/ig/fhir/core/CodeSystem/",
    "https://mos.esante.gouv.fr/NOS/", "https://interop.esante.gouv.fr/ig/fhir/",
    "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/CodeSystem/",
)  # fmt: skip
RESOURCES = (
    "Account", "AllergyIntolerance", "Claim", "Composition", "Condition", "Consent", "Coverage", "DiagnosticReport",
    "Encounter", "EpisodeOfCare", "Immunization", "Location", "Medication", "MedicationAdministration",
    "MedicationDispense", "MedicationRequest", "MessageHeader", "Observation", "Organization", "Patient", "Procedure",
    "ServiceRequest", "Specimen",
)  # fmt: skip
DATA_TYPES = (
    "Address", "Age", "Annotation", "Attachment", "CodeableConcept", "Coding", "ContactPoint", "Dosage", "Duration",
    "HumanName", "Identifier", "Meta", "Money", "Period", "Quantity", "Range", "Ratio", "Reference", "SampledData",
    "Signature", "Timing",
)  # fmt: skip


def facts() -> dict[str, Any]:
    """Return what the file holds."""
    packages = {name: packaged(name) for name in SOURCES}
    library = Library([packages["r4"]])
    by_url = {(one["resourceType"], one["url"]): one for one in packages["r4"].resources}
    values: dict[str, list[str]] = {}
    types = {name: elements(library.type(name), by_url, values) for name in (*RESOURCES, *DATA_TYPES)}
    french = [packages[name] for name in FRENCH]
    return {
        "sources": {name: manifest()[name].sha256 for name in SOURCES},
        "types": types,
        "values": dict(sorted(values.items())),
        "french": french_elements(french),
        "french_extensions": sorted({url for one in french for url in extensions(one)}),
        "published": published(packages),
    }


def elements(structure: Structure, by_url: Mapping[Any, Any], values: dict[str, list[str]]) -> dict[str, list[Any]]:
    """Return the elements below the root: path → [type, repeats, targets or closed value set]."""
    found: dict[str, list[Any]] = {}
    for element in structure.elements:
        path = element.path.partition(".")[2]
        if not path or element.slice_name:
            continue
        repeats = int(element.maximum > 1)
        if element.content_reference:
            found[path] = ["#" + element.content_reference.partition(".")[2], repeats, []]
            continue
        for type_ref in element.types:
            name = path[:-3] + type_ref.code[0].upper() + type_ref.code[1:] if element.is_choice else path
            found[name] = [type_ref.code, repeats, detail(by_url, element, type_ref, values)]
    return found


def detail(
    by_url: Mapping[Any, Any], element: Element, type_ref: TypeRef, values: dict[str, list[str]]
) -> str | list[str]:
    """Return the types that a reference may name, or the value set that closes a code."""
    if type_ref.code in ("Reference", "canonical"):
        return sorted(target.rpartition("/")[2] for target in type_ref.targets)
    binding = element.binding
    if type_ref.code == "code" and binding is not None and binding.strength == "required" and binding.value_set:
        url = unversioned(binding.value_set)
        if url not in values:
            expansion = expand(url, lambda kind, canonical: by_url.get((kind, unversioned(canonical))))
            if not expansion.enumerable:
                return []  # languages, currencies, media types: a shape is checked instead
            values[url] = sorted({code for codes in expansion.systems.values() for code in codes})
        return url
    return []


def french_elements(packages: list[Package]) -> dict[str, list[str]]:
    """Return, by type, the paths that a FR Core profile names."""
    found: dict[str, set[str]] = {}
    for package in packages:
        for raw in french_structures(package):
            if raw["type"] != "Extension":
                paths = (path_of(element["id"]) for element in raw["snapshot"]["element"])
                found.setdefault(raw["type"], set()).update(path.partition(".")[2] for path in paths if "." in path)
    return {name: sorted(paths) for name, paths in sorted(found.items())}


def extensions(package: Package) -> Iterator[str]:
    """Yield the urls of FR Core's extensions."""
    yield from (raw["url"] for raw in french_structures(package) if raw["type"] == "Extension")


def french_structures(package: Package) -> Iterator[Mapping[str, Any]]:
    """Yield the StructureDefinitions of one FR Core."""
    yield from (raw for raw in package.resources if raw["resourceType"] == "StructureDefinition")


def published(packages: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the codes of the code systems whose list is whole (or an example list), by url."""
    found: dict[str, set[str]] = {}
    for package in packages.values():
        for resource in package.resources:
            whole = resource.get("content") in ("complete", "example")
            if resource["resourceType"] == "CodeSystem" and whole and resource["url"].startswith(PUBLISHERS):
                found.setdefault(resource["url"], set()).update(codes(resource.get("concept", ())))
    return {url: sorted(listed) for url, listed in sorted(found.items()) if listed}


def codes(concepts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the codes of a code system and of what is beneath them."""
    for concept in concepts:
        if isinstance(concept.get("code"), str):
            yield concept["code"]
        yield from codes(concept.get("concept", ()))
