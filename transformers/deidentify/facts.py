"""Facts that need identity, computed before the wall: chaining pseudonyms, exact age, removals (decision 0003).

In: Patient, Coverage and Encounter in clear. Out: `Basic` resources with keys and versions of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from fhir_profiles.french.identifiers import PERSON_INS, Kind, kind_of
from fhir_profiles.french.nir import Nir
from fhir_profiles.french.patients import identity_status
from transformers.deidentify.aliases import identifiers, usable_nir
from transformers.deidentify.primitives import INSTANT
from transformers.deidentify.pseudonyms import HospitalKey, PlatformKey
from transformers.deidentify.scene import GATEWAY, PERSON, RESOURCE, STAY, Known
from transformers.snds.instants import moment

Json = Mapping[str, Any]

FACT = GATEWAY + "fact"
FLAG = GATEWAY + "flag"
NEVER_CHAINED = frozenset({"FICT", "ANOM", "CACH", "DESA"})
SEXES: Mapping[str, str] = {"male": "1", "female": "2"}
OLDEST_YEAR = 1850
DATE_LENGTH = 10
NIR_LENGTHS = (13, 15)
SEPARATORS = str.maketrans("", "", " \u00a0\u202f\u2009.-")


@dataclass(frozen=True, slots=True, repr=False)
class Traits:
    """What chaining needs of a Patient, each with its return code of `T_MCOaaC` ("0" when usable)."""

    nir: Nir | None
    nir_ret: str
    birth: str | None
    nai_ret: str
    sex: str | None
    sex_ret: str

    def __repr__(self) -> str:
        return f"Traits({self.nir_ret}{self.nai_ret}{self.sex_ret})"


def traits_of(patient: Json) -> Traits:
    """Read a Patient. Fictitious, anonymous, hidden and deceptive identities have no usable number."""
    nir, nir_ret = _own_nir(patient)
    if identity_status(patient) in NEVER_CHAINED:
        nir, nir_ret = None, "2"
    birth, nai_ret = _birth(patient.get("birthDate"))
    sex = SEXES.get(str(patient.get("gender")))
    return Traits(nir, nir_ret, birth, nai_ret, sex, "0" if sex else "1")


def person(patient: Json, known: Known, *, platform: PlatformKey, hospital: HospitalKey) -> dict[str, Any]:
    """Return the fact `person`: level 1 of `psa` and `ano`, return codes, status of the number, twin rank."""
    traits = traits_of(patient)
    made, codes = [], [("nir-ret", traits.nir_ret), ("nai-ret", traits.nai_ret), ("sex-ret", traits.sex_ret)]
    if traits.nir is not None:
        if traits.birth is not None and traits.sex is not None:
            made.append(("psa", platform.psa(traits.nir.number, traits.birth, traits.sex)))
        made.append(("ano", platform.ano(traits.nir.number)))
        codes.append(("nir-status", nir_status(traits.nir)))
    extension: list[dict[str, Any]] = [{"url": GATEWAY + name, "valueCode": code} for name, code in codes]
    rank = patient.get("multipleBirthInteger")
    if type(rank) is int and rank > 0:
        extension.append({"url": f"{GATEWAY}twin-rank", "valuePositiveInt": rank})
    return _fact(
        "person",
        hospital.resource("fact", "person", known.key),
        subject=known.aliases[0],
        identifier=made,
        extension=extension,
        meta=_meta([patient], flags=["nir-key"] if traits.nir is not None and not traits.nir.key_is_right else []),
    )


def insured(
    patient: Json, known: Known, coverages: Sequence[Json], *, platform: PlatformKey, hospital: HospitalKey
) -> dict[str, Any] | None:
    """Return the fact `insured`, when one Coverage gives a usable number of the insured and the traits are there."""
    traits = traits_of(patient)
    if traits.birth is None or traits.sex is None or identity_status(patient) in NEVER_CHAINED:
        return None
    found = sorted(
        ((nir.number, nir.key or "", order) for order, one in enumerate(coverages) for nir in insured_nirs(one)),
    )
    if not found:
        return None
    number, key, order = found[0]
    nir = Nir(number, key or None)
    return _fact(
        "insured",
        hospital.resource("fact", "insured", known.key),
        subject=known.aliases[0],
        identifier=[("psa", platform.psa(number, traits.birth, traits.sex))],
        extension=[],
        meta=_meta([patient, coverages[order]], flags=[] if nir.key_is_right else ["insured-nir-key"]),
    )


def billing_numbers(patient: Json) -> dict[str, Any]:
    """Return the billing numbers (type NH) of a Patient in the form of a Coverage: they are the insured's."""
    listed = [one for one in identifiers(patient) if kind_of(one) == "NSS"]
    return {"identifier": listed, "meta": patient.get("meta")}


def insured_nirs(coverage: Json) -> Iterator[Nir]:
    """Yield the numbers of the insured that a Coverage gives."""
    subscriber = coverage.get("subscriber")
    candidates = [coverage.get("subscriberId")]
    candidates += [one.get("value") for one in identifiers(coverage) if _is_number(kind_of(one))]
    if isinstance(subscriber, dict):
        candidates += [one.get("value") for one in identifiers(subscriber) if _is_number(kind_of(one))]
    for value in candidates:
        nir = usable_nir(value)
        if nir is not None:
            yield nir


def age(
    patient: Json, person_alias: str, encounter: Json, known: Known, *, hospital: HospitalKey
) -> dict[str, Any] | None:
    """Return the fact `age`: completed years at the entry, days below one year; None when a date is not whole."""
    birth = _birth(patient.get("birthDate"))[0]
    period = encounter.get("period")
    start = period.get("start") if isinstance(period, dict) else None
    entry = moment(start) if isinstance(start, str) else None
    if birth is None or entry is None:
        return None
    born, entered = date.fromisoformat(f"{birth[:4]}-{birth[4:6]}-{birth[6:]}"), entry.day
    days = (entered - born).days
    if days < 0:
        return None
    years = entered.year - born.year - ((entered.month, entered.day) < (born.month, born.day))
    reference = {
        "type": "Encounter",
        "identifier": {"system": STAY, "value": known.aliases[0]},
        "extension": [{"url": RESOURCE, "valueString": known.key}],
    }
    return _fact(
        "age",
        hospital.resource("fact", "age", known.key),
        subject=person_alias,
        identifier=[],
        extension=[
            {"url": f"{GATEWAY}encounter", "valueReference": reference},
            {"url": f"{GATEWAY}age-at", "valueDate": entered.isoformat()},
            {"url": f"{GATEWAY}{'age-years' if years else 'age-days'}", "valueUnsignedInt": years or days},
        ],
        meta=_meta([patient, encounter]),
    )


def removals(known: Known, *, hospital: HospitalKey) -> list[dict[str, Any]]:
    """Return the facts `deleted` of a removed resource, and of the facts that were made from it alone."""
    made = [_removal(known.type, known.key)]
    facts = {"Patient": ("person", "insured"), "Encounter": ("age",)}.get(known.type, ())
    return made + [_removal("Basic", hospital.resource("fact", name, known.key)) for name in facts]


def nir_status(nir: Nir) -> str:
    """Return `BEN_CDI_NIR`: 03 for numbers that begin with 5 or 6, 04 with 7 or 8, else 00."""
    return {"5": "03", "6": "03", "7": "04", "8": "04"}.get(nir.sex_digit, "00")


def _removal(type_name: str, key: str) -> dict[str, Any]:
    return _fact(
        "deleted", key, subject=None, identifier=[], extension=[{"url": f"{GATEWAY}type", "valueCode": type_name}]
    )


def _fact(
    code: str,
    key: str,
    *,
    subject: str | None,
    identifier: list[tuple[str, str]],
    extension: list[dict[str, Any]],
    meta: dict[str, Any] | None = None,
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Basic",
        "code": {"coding": [{"system": FACT, "code": code}]},
        "identifier": [{"system": RESOURCE, "value": key}]
        + [{"system": GATEWAY + name, "value": value} for name, value in identifier],
    }
    if extension:
        made["extension"] = extension
    if subject is not None:
        made["subject"] = {"type": "Patient", "identifier": {"system": PERSON, "value": subject}}
    if meta:
        made["meta"] = meta
    return made


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


def _birth(value: object) -> tuple[str | None, str]:
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


def _meta(made_from: list[Json], *, flags: Sequence[str] = ()) -> dict[str, Any]:
    """Return the later of the stamps of what a fact is made from, and its flags."""
    stamped = [
        (str(meta.get("lastUpdated")), str(meta.get("versionId", "")))
        for one in made_from
        if isinstance(meta := one.get("meta"), dict) and INSTANT.fullmatch(str(meta.get("lastUpdated")))
    ]
    made: dict[str, Any] = {}
    if stamped:
        last, version = max(stamped, key=lambda pair: (_order(pair[0]), pair[1]))
        made["lastUpdated"] = last
        if version.isascii() and version.isdigit():
            made["versionId"] = version
    if flags:
        made["tag"] = [{"system": FLAG, "code": flag} for flag in flags]
    return made


def _order(stamp: str) -> float:
    try:
        found = datetime.fromisoformat(stamp)
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
