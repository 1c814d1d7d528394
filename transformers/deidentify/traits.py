"""Patient and Coverage in clear → what chaining needs of them, with the return codes of the SNDS (snds.md §3.2).

Numbers stay here and in `facts`: nothing of this module leaves. Never judges the key: a wrong one is flagged later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from fhir_profiles.french.identifiers import PERSON_INS, Kind, kind_of
from fhir_profiles.french.nir import Nir
from fhir_profiles.french.patients import identity_status
from transformers.deidentify.aliases import identifiers, usable_nir

Json = Mapping[str, Any]

NEVER_CHAINED = frozenset({"FICT", "ANOM", "CACH", "DESA"})
SEXES: Mapping[str, str] = {"male": "1", "female": "2"}
OLDEST_YEAR = 1850
DATE_LENGTH = 10
NIR_LENGTHS = (13, 15)
SEPARATORS = str.maketrans("", "", " \u00a0\u202f\u2009.-")


@dataclass(frozen=True, slots=True, repr=False)
class Traits:
    """What chaining needs of a Patient, each with its return code of `T_MCOaaC` ("0" when usable).

    `chained` is False for fictitious, anonymous, hidden and deceptive identities: nothing of them ever chains.
    """

    nir: Nir | None
    nir_ret: str
    birth: str | None
    nai_ret: str
    sex: str | None
    sex_ret: str
    chained: bool = True

    def __repr__(self) -> str:
        return f"Traits({self.nir_ret}{self.nai_ret}{self.sex_ret})"


def traits_of(patient: Json) -> Traits:
    """Read a Patient."""
    chained = identity_status(patient) not in NEVER_CHAINED
    nir, nir_ret = _own_nir(patient) if chained else (None, "2")
    birth, nai_ret = birth_of(patient.get("birthDate"))
    sex = SEXES.get(str(patient.get("gender")))
    return Traits(nir, nir_ret, birth, nai_ret, sex, "0" if sex else "1", chained)


def billing_numbers(patient: Json) -> dict[str, Any]:
    """Return the billing numbers (type NH) of a Patient in the form of a Coverage: they are the insured's."""
    listed = [one for one in identifiers(patient) if kind_of(one) == "NSS"]
    return {"identifier": listed, "meta": patient.get("meta")}


def insured_nirs(coverage: Json) -> Iterator[Nir]:
    """Yield the numbers of the insured that a Coverage gives; one that was entered in error gives none."""
    if coverage.get("status") == "entered-in-error":
        return
    subscriber = coverage.get("subscriber")
    candidates = [coverage.get("subscriberId")]
    candidates += [one.get("value") for one in identifiers(coverage) if _is_number(kind_of(one))]
    if isinstance(subscriber, dict):
        candidates += [one.get("value") for one in identifiers(subscriber) if _is_number(kind_of(one))]
    for value in candidates:
        nir = usable_nir(value)
        if nir is not None:
            yield nir


def nir_status(nir: Nir) -> str:
    """Return `BEN_CDI_NIR`: 03 for numbers that begin with 5 or 6, 04 with 7 or 8, else 00."""
    return {"5": "03", "6": "03", "7": "04", "8": "04"}.get(nir.sex_digit, "00")


def _own_nir(patient: Json) -> tuple[Nir | None, str]:
    """Return the person's own number with its return code: 1 length, 2 missing, 3 not numeric, 4 first digit."""
    own = [one for one in identifiers(patient) if kind_of(one) in PERSON_INS and one.get("use") != "old"]
    usable = sorted(
        (one.get("use") != "official", nir.number, nir.key or "")
        for one in own
        if (nir := usable_nir(one.get("value"))) is not None
    )
    if usable:
        return Nir(usable[0][1], usable[0][2] or None), "0"
    return None, min((_why_unusable(one.get("value")) for one in own), default="2")


def _why_unusable(value: object) -> str:
    compact = value.translate(SEPARATORS).upper() if isinstance(value, str) else ""
    if not compact:
        return "2"
    if len(compact) not in NIR_LENGTHS:
        return "1"
    digits = compact[:5] + compact[5:7].replace("A", "0").replace("B", "0") + compact[7:]
    if not (digits.isascii() and digits.isdigit()):
        return "3"
    return "4" if compact[0] in "09" else "2"


def birth_of(value: object) -> tuple[str | None, str]:
    """Return AAAAMMJJ with its return code: 1 not whole, 2 missing, 4 impossible."""
    if not isinstance(value, str) or not value:
        return None, "2"
    if len(value) != DATE_LENGTH:
        return None, "1"
    try:
        born = date.fromisoformat(value)
    except ValueError:
        return None, "4"
    return (None, "4") if born.year < OLDEST_YEAR else (value.replace("-", ""), "0")


def _is_number(kind: Kind | None) -> bool:
    return kind == "NSS" or kind in PERSON_INS
