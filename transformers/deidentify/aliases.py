"""Identifiers → canonical parts of aliases and keys: who is named, whatever the spelling (DESIGN §4).

PI, VN and INS hold in the whole hospital, RESTful ids and urls in their source. Systems: blanks trimmed, bare OIDs get
`urn:oid:`, a final `/` goes. Values: blanks trimmed, inner runs of blanks are one. INS: its 13 characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fhir_profiles.french.identifiers import PERSON_INS, TEST_INS, Kind, kind_of, oid_system
from fhir_profiles.french.nir import Nir, parse_nir

Json = Mapping[str, Any]
Parts = tuple[str, ...]

INS_REGISTERS: Mapping[str, str] = {
    "INS-NIR": "nir",
    "INS-NIA": "nia",
    "INS-NIR-TEST": "test",
    "INS-NIR-DEMO": "demo",
}
# What a Patient's identifier must never chain by: shared in a family, or no identifier of a person at all.
SHARED: frozenset[Kind | None] = frozenset({"NSS", "NDP", "INS-C", "VN", "MN", "RRI"})


def system_of(text: object) -> str:
    """Return the canonical spelling of an identifier's system, "" when there is none."""
    if not isinstance(text, str):
        return ""
    return oid_system(text.strip()).rstrip("/")


def value_of(text: object) -> str:
    """Return the canonical spelling of an identifier's value, "" when there is none."""
    return " ".join(text.split()) if isinstance(text, str) else ""


def usable_nir(value: object) -> Nir | None:
    """Read a NIR or NIA; None when its shape is wrong, or when it is what people type for an unknown number."""
    nir = parse_nir(value)
    if nir is None:
        return None
    tail = nir.number[1:].replace("A", "0").replace("B", "0")
    placeholder = len(set(tail)) == 1 or nir.number[7:] in ("000000", "999999") or tail in ("234567890123",)
    return None if placeholder else nir


def identifiers(resource: Json) -> list[dict[str, Any]]:
    """Return the identifiers of a resource, whether it has one or a list."""
    listed = resource.get("identifier")
    if isinstance(listed, dict):
        return [listed]
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def person_alias(identifier: Json, *, declared: bool) -> Parts | None:
    """Return the parts of a person's alias: ("pi", system, value) or ("ins", register, number).

    A Patient (`declared`) is known by its typed IPP and its INS only; a reference by any identifier that is not shared.
    An INS of use `old` may be somebody else's, given by mistake once: it brings nobody together. An old IPP does.
    """
    kind = kind_of(identifier)
    if kind in PERSON_INS:
        if declared and identifier.get("use") == "old":
            return None
        nir = usable_nir(identifier.get("value"))
        return ("ins", INS_REGISTERS[str(kind)], nir.number) if nir is not None else None
    system, value = system_of(identifier.get("system")), value_of(identifier.get("value"))
    if not value or (kind != "PI" and (declared or kind in SHARED or not system)):
        return None
    return ("pi", system, value)


def stay_alias(identifier: Json) -> Parts | None:
    """Return the parts of a stay's alias: ("vn", system, value), or ("mn", system, value) for a movement.

    An identifier of an Encounter without any type counts as its visit number when it has a system.
    """
    kind = kind_of(identifier)
    system, value = system_of(identifier.get("system")), value_of(identifier.get("value"))
    if not value:
        return None
    if kind in ("VN", "MN"):
        return (kind.lower(), system, value)
    return ("vn", system, value) if kind is None and system and "type" not in identifier else None


def searched_person(system: str, value: str) -> Parts | None:
    """Return the alias that a conditional url (`Patient?identifier=system|value`) names."""
    return person_alias({"system": system, "value": value}, declared=False)


def searched_stay(system: str, value: str) -> Parts | None:
    """Return the alias that a conditional url (`Encounter?identifier=system|value`) names."""
    return stay_alias({"system": system, "value": value})


def names_test_identity(found: Iterable[Json]) -> bool:
    """Say whether one of the identifiers is a test or demonstration INS."""
    return any(kind_of(one) in TEST_INS for one in found)


def business_identifiers(type_name: str, found: Iterable[Json], *, source: str) -> list[Parts]:
    """Return the parts of the business identifiers of a resource, smallest first."""
    pairs = {(system_of(one.get("system")), value_of(one.get("value"))) for one in found}
    return sorted(business_parts(type_name, system, value, source=source) for system, value in pairs if value)


def business_parts(type_name: str, system: str, value: str, *, source: str) -> Parts:
    """Return the parts of a resource key by business identifier; one without a system holds in its source only."""
    return ("id", type_name, system, value) if system else ("id", type_name, "", source, value)
