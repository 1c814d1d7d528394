"""Address → department, and the commune codes that the contract allows (DESIGN §4, snds.md §4.5). Pure.

The address of use `home`, else the first. Never gives a street, a town or coordinates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

INSEE_URL = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
DEATH_PLACE_URL = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-death-place"
PMSI_URLS = ("pmsi-code-geo", "PmsiCodeGeo")
OVERSEAS: Mapping[str, str] = {"971": "9A", "972": "9B", "973": "9C", "974": "9D", "975": "9E", "976": "9F"}
ABROAD = "99"
FRANCE = frozenset({"", "FR", "FRA", "FRANCE", "99100", "250"})

PMSI_CODE = re.compile(r"(?:[0-9]{2}|2[AB]|9[A-F])[0-9C][0-9]{2}", re.ASCII)
INSEE_CODE = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]{3}", re.ASCII)
POSTAL_CODE = re.compile(r"[0-9]{5}", re.ASCII)


def residence(patient: Json, *, commune: bool) -> list[dict[str, str]]:
    """Return the extensions that say where a Patient lives."""
    address = home_address(patient.get("address"))
    if address is None:
        return []
    pmsi, insee, postal = pmsi_code(address), insee_code(address), postal_code(address)
    found = department(address, pmsi=pmsi, insee=insee, postal=postal)
    made: list[tuple[str, str | None]] = [("department", found)]
    if commune:
        made += [("pmsi-geo-code", pmsi), ("insee-code", insee), ("postal-code", postal)]
    return [{"url": f"urn:snds-gateway:{name}", "valueCode": code} for name, code in made if code]


def death_commune(patient: Json) -> list[dict[str, str]]:
    """Return the INSEE code of the commune of death, where it was sent as a code."""
    for extension in _extensions(patient):
        address = extension.get("valueAddress")
        if extension.get("url") == DEATH_PLACE_URL and isinstance(address, dict):
            code = insee_code(address)
            return [{"url": "urn:snds-gateway:death-insee-code", "valueCode": code}] if code else []
    return []


def home_address(listed: object) -> Json | None:
    """Return the address of use `home`, else the first one."""
    addresses = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return next((one for one in addresses if one.get("use") == "home"), addresses[0] if addresses else None)


def department(address: Json, *, pmsi: str | None, insee: str | None, postal: str | None) -> str | None:
    """Return the PMSI department: `75`, `2A`, `9A`…`9F`, `99` abroad; None when nothing says it."""
    country = address.get("country")
    if isinstance(country, str) and country.strip().upper() not in FRANCE:
        return ABROAD
    if pmsi is not None:
        return pmsi[:2] if pmsi[:2] not in ("97", "98", "20") else _by_number(pmsi)
    if insee is not None:
        return _by_number(insee)
    return _by_number(postal) if postal is not None else None


def _by_number(code: str) -> str | None:
    if code[:2] == "97":
        return OVERSEAS.get(code[:3], ABROAD)
    if code[:2] in ("98", "99"):
        return ABROAD
    if code[:2] == "20":  # postal codes of Corsica: 200xx and 201xx in the south, 202xx and 206xx in the north
        return "2A" if code[2] in "01" else "2B"
    return code[:2] if code[:2] != "00" else None


def pmsi_code(address: Json) -> str | None:
    """Return the PMSI geographic code of an address's extension."""
    for extension in _extensions(address):
        if str(extension.get("url")).endswith(PMSI_URLS):
            return _shaped(extension, PMSI_CODE)
    return None


def insee_code(address: Json) -> str | None:
    """Return the INSEE code of an address's extension."""
    for extension in _extensions(address):
        if extension.get("url") == INSEE_URL:
            return _shaped(extension, INSEE_CODE)
    return None


def postal_code(address: Json) -> str | None:
    """Return a French postal code."""
    code = address.get("postalCode")
    compact = code.replace(" ", "") if isinstance(code, str) else ""
    return compact if POSTAL_CODE.fullmatch(compact) else None


def _shaped(extension: Json, pattern: re.Pattern[str]) -> str | None:
    coding = extension.get("valueCoding")
    code = coding.get("code") if isinstance(coding, dict) else extension.get("valueCode")
    if not isinstance(code, str):
        return None
    written = code.strip().upper()
    return written if pattern.fullmatch(written) else None


def _extensions(node: Json) -> Iterator[Json]:
    listed = node.get("extension")
    yield from (one for one in listed if isinstance(one, dict)) if isinstance(listed, list) else ()
