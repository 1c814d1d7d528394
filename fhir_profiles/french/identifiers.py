"""Systems and type codes of French identifiers, and what kind an Identifier is by them. Pure.

Reads `system` and `type.coding` only, never a slice of a profile (an IPP with another display leaves its slice,
`fr-profiles.md` §4). An OID without `urn:oid:` is read as if it had it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

Kind = Literal[
    "INS-NIR", "INS-NIA", "INS-NIR-TEST", "INS-NIR-DEMO", "INS-C", "NSS", "NDP", "PI", "RRI", "VN", "MN",
    "FINEJ", "FINEG", "IDNST", "SIREN", "SIRET", "INTRN", "RPPS", "RPPSRG", "IDNPS", "ADELI",
]  # fmt: skip

INS_NIR = "urn:oid:1.2.250.1.213.1.4.8"
INS_NIA = "urn:oid:1.2.250.1.213.1.4.9"
INS_TEST = "urn:oid:1.2.250.1.213.1.4.10"
INS_DEMO = "urn:oid:1.2.250.1.213.1.4.11"
INS_C = "urn:oid:1.2.250.1.213.1.4.2"
NSS_NIR = "urn:oid:1.2.250.1.213.1.4.13"
NSS_NIA = "urn:oid:1.2.250.1.213.1.4.14"
NDP = "urn:oid:1.2.250.1.176.1.2"
IDNST = "urn:oid:1.2.250.1.71.4.2.2"
IDNPS = "urn:oid:1.2.250.1.71.4.2.1"
FINESS = "https://finess.esante.gouv.fr"
SIRENE = "https://sirene.fr"
RPPS = "https://rpps.esante.gouv.fr"
RPPS_RANG = "https://rppsrang.esante.gouv.fr"
ADELI = "https://adeli.esante.gouv.fr"

V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
FR_V2_0203 = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
FR_IDENTIFIER_TYPE = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-identifier-type"
TYPE_SYSTEMS = frozenset(
    {
        V2_0203,
        FR_V2_0203,
        FR_IDENTIFIER_TYPE,
        "http://hl7.org/fhir/v2/0203",
        "http://interopsante.org/fhir/CodeSystem/fr-v2-0203",
        "http://interopsante.org/CodeSystem/v2-0203",
        "http://interopsante.org/CodeSystem/fr-v2-0203",
        "http://interopsante.org/fhir/CodeSystem/fr-encounter-identifier-type",
    }
)

PERSON_INS: frozenset[Kind] = frozenset({"INS-NIR", "INS-NIA", "INS-NIR-TEST", "INS-NIR-DEMO"})
TEST_INS: frozenset[Kind] = frozenset({"INS-NIR-TEST", "INS-NIR-DEMO"})
STRUCTURE: frozenset[Kind] = frozenset({"FINEJ", "FINEG", "IDNST"})

BY_SYSTEM: Mapping[str, Kind] = MappingProxyType(
    {
        INS_NIR: "INS-NIR",
        INS_NIA: "INS-NIA",
        INS_TEST: "INS-NIR-TEST",
        INS_DEMO: "INS-NIR-DEMO",
        INS_C: "INS-C",
        NSS_NIR: "NSS",
        NSS_NIA: "NSS",
        NDP: "NDP",
        IDNST: "IDNST",
        IDNPS: "IDNPS",
        RPPS: "RPPS",
        RPPS_RANG: "RPPSRG",
        ADELI: "ADELI",
    }
)
BY_CODE: Mapping[str, Kind] = MappingProxyType(
    {
        "INS-NIR": "INS-NIR",
        "NIR": "INS-NIR",
        "INS-NIA": "INS-NIA",
        "NIA": "INS-NIA",
        "INS-NIR-TEST": "INS-NIR-TEST",
        "INS-NIR-DEMO": "INS-NIR-DEMO",
        "INS-C": "INS-C",
        "NH": "NSS",
        "NSS": "NSS",
        "NDP": "NDP",
        "PI": "PI",
        "IPP": "PI",
        "RRI": "RRI",
        "VN": "VN",
        "MN": "MN",
        "FINEJ": "FINEJ",
        "FINEG": "FINEG",
        "IDNST": "IDNST",
        "SIREN": "SIREN",
        "SIRET": "SIRET",
        "INTRN": "INTRN",
        "RPPS": "RPPS",
        "RPPSRG": "RPPSRG",
        "IDNPS": "IDNPS",
        "ADELI": "ADELI",
    }
)
_BARE_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*)){3,}", re.ASCII)


def oid_system(system: str) -> str:
    """Return the system with `urn:oid:` where a bare OID was written."""
    return "urn:oid:" + system if is_bare_oid(system) else system


def is_bare_oid(system: str) -> bool:
    """Say whether an OID was written without `urn:oid:`."""
    return system[:2] in ("0.", "1.", "2.") and len(system) <= 128 and _BARE_OID.fullmatch(system) is not None


def type_codes(identifier: Mapping[str, Any]) -> Iterator[str]:
    """Yield the codes of `Identifier.type` that stand under a known system, or under none."""
    kind = identifier.get("type")
    codings = kind.get("coding") if isinstance(kind, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict):
            code, system = coding.get("code"), coding.get("system")
            if isinstance(code, str) and (system is None or (isinstance(system, str) and system in TYPE_SYSTEMS)):
                yield code


def kind_of(identifier: Mapping[str, Any]) -> Kind | None:
    """Return what an Identifier is: its system decides, else its type; None when neither says so.

    Type NH wins over the INS systems: FR Core 2.1.0 put the billing number under the OID of the INS.
    """
    system = identifier.get("system")
    by_system = BY_SYSTEM.get(system) or BY_SYSTEM.get(oid_system(system)) if isinstance(system, str) else None
    by_code: Kind | None = None
    if "type" in identifier:
        for code in type_codes(identifier):
            if code in BY_CODE:
                by_code = BY_CODE[code]
                break
    if by_system in PERSON_INS and by_code == "NSS":
        return "NSS"
    return by_system or by_code


def finess_of(identifier: Mapping[str, Any]) -> str | None:
    """Return the 9-character FINESS of an Organization's or Location's Identifier: FINESS, or IDNST `1` + FINESS."""
    value, system = identifier.get("value"), identifier.get("system")
    if not isinstance(value, str):
        return None
    kind, number = kind_of(identifier), value.strip().replace(" ", "").upper()
    if kind == "IDNST":
        return number[1:] if len(number) == 10 and number[0] == "1" else None
    if kind in ("FINEJ", "FINEG") or system == FINESS:
        return number if len(number) == 9 else None
    return None
