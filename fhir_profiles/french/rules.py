"""French business rules of one resource → warnings. The entrance of this package for the validator.

Official examples break some of these rules (a NIR key, RPPS): so none is an error, and nothing of a value is
shown. Resources of types without French identifiers cost one set lookup.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fhir_profiles.french.codes import MEDICATIONS, medication_issues, residence_issues
from fhir_profiles.french.identifiers import is_bare_oid, kind_of
from fhir_profiles.french.patients import NUMBERS, number_issues, patient_issues
from fhir_profiles.french.stays import stay_issues
from fhir_profiles.french.structures import structure_fault
from fhir_profiles.issues import Issue, issue

IDENTIFIED = frozenset(
    {
        "Patient",
        "RelatedPerson",
        "Coverage",
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Location",
        "Encounter",
    }
)
FRENCH_TYPES = IDENTIFIED | MEDICATIONS.keys()


def french_issues(
    resource_type: str, resource: Mapping[str, Any], path: str, *, checked: Collection[str] = ()
) -> list[Issue]:
    """Return the warnings of a resource; `checked` are the keys of the profiles that it is checked against."""
    if resource_type in MEDICATIONS:
        return list(medication_issues(resource_type, resource, path))
    if resource_type not in IDENTIFIED:
        return []
    found = list(_identifiers(resource, path))
    if resource_type == "Patient":
        found += patient_issues(resource, path, checked=checked)
        found += residence_issues(resource, path)
    elif resource_type == "Encounter":
        found += stay_issues(resource, path)
    return found


def _identifiers(resource: Mapping[str, Any], path: str) -> Iterator[Issue]:
    listed = resource.get("identifier")
    for number, identifier in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(identifier, dict):
            continue
        place = f"{path}.identifier[{number}]"
        system, value = identifier.get("system"), identifier.get("value")
        if isinstance(system, str) and is_bare_oid(system):
            yield issue("oid-without-prefix", f"{place}.system")
        kind = kind_of(identifier)
        if kind in NUMBERS:
            yield from number_issues(identifier, kind, place)
        elif isinstance(value, str) and (fault := structure_fault(kind, system, value)) is not None:
            yield issue(fault, f"{place}.value")
