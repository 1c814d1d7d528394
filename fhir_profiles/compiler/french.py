"""Which FR Core profile covers a resource that declares none (DESIGN §3). Reads types, systems and codes alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
LOINC = "http://loinc.org"
INS_SYSTEMS = frozenset(f"urn:oid:1.2.250.1.213.1.4.{last}" for last in (8, 9, 10, 11))
INS_CODES = frozenset({"INS-NIR", "INS-NIA", "INS-NIR-TEST", "INS-NIR-DEMO"})

BY_TYPE: Mapping[str, str] = MappingProxyType(
    {
        "Patient": "fr-core-patient",
        "Encounter": "fr-core-encounter",
        "Organization": "fr-core-organization",
        "Location": "fr-core-location",
        "Practitioner": "fr-core-practitioner",
        "PractitionerRole": "fr-core-practitioner-role",
        "RelatedPerson": "fr-core-related-person",
        "HealthcareService": "fr-core-healthcare-service",
        "Appointment": "fr-core-appointment",
        "Schedule": "fr-core-schedule",
        "Slot": "fr-core-slot",
    }
)
BY_LOINC: Mapping[str, str] = MappingProxyType(
    {
        "85354-9": "fr-core-observation-bp",
        "8302-2": "fr-core-observation-body-height",
        "29463-7": "fr-core-observation-body-weight",
        "39156-5": "fr-core-observation-bmi",
        "9843-4": "fr-core-observation-head-circum",
        "8310-5": "fr-core-observation-body-temperature",
        "8867-4": "fr-core-observation-heartrate",
        "9279-1": "fr-core-observation-resp-rate",
        "2708-6": "fr-core-observation-saturation-oxygen",
        "59408-5": "fr-core-observation-saturation-oxygen",
    }
)
BY_ORGANIZATION_TYPE: Mapping[str, str] = MappingProxyType(
    {"UF": "fr-core-organization-uf", "UAC": "fr-core-organization-uac"}
)
ORGANIZATION_SYSTEM = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-3307"
_CANONICALS: Mapping[str, str] = MappingProxyType(
    {
        name: FR_CORE + name
        for name in (
            "fr-core-patient-ins",
            "fr-core-organization",
            *BY_TYPE.values(),
            *BY_LOINC.values(),
            *BY_ORGANIZATION_TYPE.values(),
        )
    }
)


def french_profile(resource_type: str, resource: Mapping[str, Any]) -> str | None:
    """Return the canonical of the FR Core profile that covers the resource by default, or None."""
    name: str | None
    if resource_type == "Observation":
        name = _by_code(resource.get("code"), LOINC, BY_LOINC)
    elif resource_type == "Patient" and _has_ins(resource):
        name = "fr-core-patient-ins"
    elif resource_type == "Organization":
        kinds = resource.get("type")
        name = next(
            (
                found
                for kind in (kinds if isinstance(kinds, list) else ())
                if (found := _by_code(kind, ORGANIZATION_SYSTEM, BY_ORGANIZATION_TYPE))
            ),
            "fr-core-organization",
        )
    else:
        name = BY_TYPE.get(resource_type)
    return _CANONICALS[name] if name else None


def _codings(concept: object) -> Iterator[Mapping[str, Any]]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict):
            yield coding


def _by_code(concept: object, system: str, profiles: Mapping[str, str]) -> str | None:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict) and coding.get("system") == system:
            code = coding.get("code")
            if isinstance(code, str) and code in profiles:
                return profiles[code]
    return None


def _has_ins(patient: Mapping[str, Any]) -> bool:
    identifiers = patient.get("identifier")
    for identifier in identifiers if isinstance(identifiers, list) else ():
        if not isinstance(identifier, dict):
            continue
        system = identifier.get("system")
        if isinstance(system, str) and system in INS_SYSTEMS:
            return True
        if any(str(coding.get("code")) in INS_CODES for coding in _codings(identifier.get("type"))):
            return True
    return False
