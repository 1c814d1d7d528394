"""Codes with a French key or shape: CIP13 and UCD13 of medications, PMSI code of residence. Warnings, nothing quoted.

Recognised by their form and their place, since guides put them under several systems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from fhir_profiles.french.luhn import ean_is_right, is_digits
from fhir_profiles.issues import Issue, issue

Json = Mapping[str, Any]
MEDICATIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Medication": ("code", ".code"),
        "MedicationRequest": ("medicationCodeableConcept", ".medication.ofType(CodeableConcept)"),
        "MedicationAdministration": ("medicationCodeableConcept", ".medication.ofType(CodeableConcept)"),
        "MedicationDispense": ("medicationCodeableConcept", ".medication.ofType(CodeableConcept)"),
    }
)
_EAN_PREFIXES = ("34008", "34009")  # UCD13, CIP13
_RESIDENCE_URLS = ("PmsiCodeGeo", "pmsi-code-geo")
_RESIDENCE = re.compile(r"(?:[0-9]{2}|2[AB]|9[A-F])[0-9]{3}", re.ASCII)


def medication_issues(resource_type: str, resource: Json, path: str) -> Iterator[Issue]:
    """Judge the key of CIP13 and UCD13 codes."""
    key, step = MEDICATIONS[resource_type]
    concept = resource.get(key)
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for number, coding in enumerate(codings if isinstance(codings, list) else ()):
        code = coding.get("code") if isinstance(coding, dict) else None
        if isinstance(code, str) and code.startswith(_EAN_PREFIXES) and is_digits(code, 13) and not ean_is_right(code):
            yield issue("drug-key", f"{path}{step}.coding[{number}].code")


def residence_issues(patient: Json, path: str) -> Iterator[Issue]:
    """Judge the PMSI geographic code of each address."""
    addresses = patient.get("address")
    for number, address in enumerate(addresses if isinstance(addresses, list) else ()):
        extensions = address.get("extension") if isinstance(address, dict) else None
        for place, extension in enumerate(extensions if isinstance(extensions, list) else ()):
            if not isinstance(extension, dict) or not str(extension.get("url")).endswith(_RESIDENCE_URLS):
                continue
            coding = extension.get("valueCoding")
            code = extension.get("valueCode") or (coding.get("code") if isinstance(coding, dict) else None)
            if isinstance(code, str) and _RESIDENCE.fullmatch(code) is None:
                yield issue("residence-code-shape", f"{path}.address[{number}].extension[{place}]")
