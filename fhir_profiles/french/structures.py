"""Values of identifiers of structures and professionals → the code of what is wrong with them, or None. Pure.

Sources: FR Core 2.2.0 identifiers, ANS CI-SIS annex on identification. RPPS keys are not checked (none of the
official examples passes Luhn), nor are FINESS of Corsica (the key of 2A and 2B is not documented).
"""

from __future__ import annotations

from fhir_profiles.french.identifiers import FINESS, SIRENE, Kind
from fhir_profiles.french.luhn import is_digits, luhn_is_right

LA_POSTE = "356000000"  # its SIRETs follow another rule
_CORSICA = ("2A", "2B")


def structure_fault(kind: Kind | None, system: object, value: str) -> str | None:
    """Return the code of the warning for an Organization's, Location's or professional's identifier."""
    if kind in ("FINEJ", "FINEG") or (kind is None and system == FINESS):
        return finess_fault(value)
    if kind == "IDNST":
        return _idnst_fault(value)
    if kind in ("SIREN", "SIRET") or (kind is None and system == SIRENE):
        return _sirene_fault(kind, value)
    if kind == "RPPS":
        return None if is_digits(value, 11) else "rpps-shape"
    if kind == "RPPSRG":
        return None if is_digits(value, 13) or is_digits(value, 14) else "rpps-rang-shape"
    if kind == "IDNPS":
        right = (value[:1] == "8" and is_digits(value, 12)) or (value[:1] == "0" and len(value) == 10)
        return None if right else "idnps-shape"
    return None


def finess_fault(value: str) -> str | None:
    """Judge a FINESS: 9 characters, the last one a Luhn key."""
    if value[:2].upper() in _CORSICA:
        return None if is_digits(value[2:], 7) else "finess-shape"
    if not is_digits(value, 9):
        return "finess-shape"
    return None if luhn_is_right(value) else "finess-key"


def _sirene_fault(kind: Kind | None, value: str) -> str | None:
    if is_digits(value, 9):
        return "siret-shape" if kind == "SIRET" else None if luhn_is_right(value) else "siren-key"
    if is_digits(value, 14):
        return None if luhn_is_right(value) or value.startswith(LA_POSTE) else "siret-key"
    return "siret-shape" if kind == "SIRET" else "siren-shape"


def _idnst_fault(value: str) -> str | None:
    """Judge the national structure id: a digit for the kind of number, then the number."""
    prefix, number = value[:1], value[1:]
    if prefix == "1":
        return finess_fault(number)
    if prefix == "2":
        return _sirene_fault("SIREN", number)
    if prefix == "3":
        return _sirene_fault("SIRET", number)
    return None if prefix in ("0", "4") and number else "idnst-prefix"
