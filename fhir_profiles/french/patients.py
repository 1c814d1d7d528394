"""Business rules of a Patient and its INS: key, shape, traits, identity status, IPP. Warnings, nothing quoted.

In: a Patient as posted. Out: issues. Sources: référentiel INS, RNIV, FR Core 2.2.0 (patient-ins).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from fhir_profiles.french.identifiers import BY_CODE, BY_SYSTEM, PERSON_INS, Kind, kind_of, oid_system, type_codes
from fhir_profiles.french.nir import Nir, parse_nir
from fhir_profiles.issues import Issue, issue

FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
RELIABILITY = FR_CORE + "fr-core-identity-reliability"
BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
INS_PROFILE = FR_CORE + "fr-core-patient-ins"
NUMBERS: frozenset[Kind] = PERSON_INS | {"NSS"}
_SEX = MappingProxyType({"1": "male", "3": "male", "7": "male", "2": "female", "4": "female", "8": "female"})

Json = Mapping[str, Any]


def number_issues(identifier: Json, kind: Kind, place: str) -> Iterator[Issue]:
    """Judge an INS or a billing number: shape, key, type code."""
    value = identifier.get("value")
    if isinstance(value, str):
        nir = parse_nir(value)
        if nir is None:
            yield issue("nir-shape", f"{place}.value")
        elif nir.key_is_right is False:
            yield issue("nir-key", f"{place}.value")
        elif nir.key is None and kind in PERSON_INS:
            yield issue("ins-key-missing", f"{place}.value")
    system, codes = identifier.get("system"), list(type_codes(identifier))
    expected = BY_SYSTEM.get(oid_system(system)) if isinstance(system, str) else None
    if kind in PERSON_INS and expected in PERSON_INS and codes and expected not in codes:
        yield issue("ins-type", f"{place}.type", expected=str(expected))


def patient_issues(patient: Json, path: str, *, checked: Collection[str]) -> Iterator[Issue]:
    """Judge what concerns the whole Patient; `checked` are the profiles that it is checked against anyway."""
    listed = patient.get("identifier")
    identifiers = (
        [(place, one) for place, one in enumerate(listed) if isinstance(one, dict)] if isinstance(listed, list) else []
    )
    kinds = {place: kind_of(one) for place, one in identifiers}
    if "PI" not in kinds.values():
        for place, one in identifiers:
            if kinds[place] is None and not any(code in BY_CODE for code in type_codes(one)) and "type" not in one:
                yield issue("ipp-type-missing", f"{path}.identifier[{place}]")
    own = [(place, one) for place, one in identifiers if kinds[place] in PERSON_INS]
    if not own:
        return
    for place, one in own:
        nir = parse_nir(one.get("value"))
        if nir is not None and nir.key_is_right:
            yield from _traits_against(nir, patient, f"{path}.identifier[{place}].value")
    status = identity_status(patient)
    official = any(one.get("use", "official") == "official" for _, one in own)
    if official and status is not None and status != "VALI":
        yield issue("ins-status", path)
    if not any(key.startswith(INS_PROFILE) for key in checked) and (missing := missing_traits(patient)):
        yield issue("ins-traits-missing", path, elements=", ".join(missing))


def _traits_against(nir: Nir, patient: Json, place: str) -> Iterator[Issue]:
    """Compare the number with sex and birth date; pseudo-months and unknown sexes say nothing."""
    gender, birth = patient.get("gender"), patient.get("birthDate")
    sex = _SEX.get(nir.sex_digit)
    if sex is not None and gender in ("male", "female") and gender != sex:
        yield issue("nir-sex", place)
    if isinstance(birth, str) and len(birth) >= 4:
        month = birth[5:7]
        if birth[2:4] != nir.year or (month and "01" <= nir.month <= "12" and month != nir.month):
            yield issue("nir-birth", place)


def identity_status(patient: Json) -> str | None:
    """Return the code of the identity status (VALI, PROV, FICT…)."""
    for extension in _extensions(patient):
        if extension.get("url") == RELIABILITY:
            for part in _extensions(extension):
                coding = part.get("valueCoding")
                if part.get("url") == "identityStatus" and isinstance(coding, dict):
                    code = coding.get("code")
                    return code if isinstance(code, str) else None
    return None


def missing_traits(patient: Json) -> list[str]:
    """Return the strict identity traits that are absent: the INS travels only with them."""
    names = patient.get("name")
    official = [
        one
        for one in (names if isinstance(names, list) else ())
        if isinstance(one, dict) and one.get("use") == "official"
    ]
    present = {
        "name.where(use = 'official').family": any(one.get("family") for one in official),
        "name.where(use = 'official').given": any(one.get("given") for one in official),
        "birthDate": "birthDate" in patient,
        "gender": "gender" in patient,
        "extension(patient-birthPlace)": any(one.get("url") == BIRTH_PLACE for one in _extensions(patient)),
    }
    return [element for element, found in present.items() if not found]


def _extensions(node: Json) -> Iterator[Json]:
    listed = node.get("extension")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict):
            yield one
