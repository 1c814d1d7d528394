"""Facts that need identity, computed before the wall: chaining pseudonyms, exact age, removals (decision 0003).

In: Patient, Coverage and Encounter in clear. Out: `Basic` resources with keys and versions of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from fhir_profiles.french.nir import Nir
from transformers.deidentify.known import GATEWAY, PERSON, RESOURCE, STAY, Known
from transformers.deidentify.primitives import INSTANT
from transformers.deidentify.pseudonyms import HospitalKey, PlatformKey
from transformers.deidentify.traits import Traits, birth_of, insured_nirs, nir_status
from transformers.deidentify.values import Former
from transformers.snds.instants import moment

Json = Mapping[str, Any]

FACT = GATEWAY + "fact"
FLAG = GATEWAY + "flag"
LAST = 1 << 31
UNCHAINED = "person-unchained"


def person(
    patient: Json, known: Known, traits: Traits, *, platform: PlatformKey, hospital: HospitalKey
) -> dict[str, Any]:
    """Return the fact `person`: level 1 of `psa` and `ano`, return codes, status of the number, twin rank.

    A version that cannot chain has a key of its own, so that it erases nothing of one that could (DESIGN §4); an
    identity that must never chain takes the place of what was known.
    """
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
    chains = any(name == "psa" for name, _ in made)
    return _fact(
        "person",
        hospital.resource("fact", "person" if chains or not traits.chained else UNCHAINED, known.key),
        subject=known.aliases[0],
        identifier=made,
        extension=extension,
        meta=_meta([patient], flags=["nir-key"] if traits.nir is not None and not traits.nir.key_is_right else []),
    )


def former(patient: Json, traits: Traits, *, platform: PlatformKey, replaced: Sequence[PlatformKey]) -> list[Former]:
    """Return how the register may know the person by a platform key that was replaced, beside the present values."""
    if traits.nir is None:
        return []
    made = [("ano", one.ano(traits.nir.number), platform.ano(traits.nir.number)) for one in replaced]
    rank = patient.get("multipleBirthInteger")
    if type(rank) is int and rank > 0 and traits.birth is not None and traits.sex is not None:
        named = (traits.nir.number, traits.birth, traits.sex)
        made += [("psa", f"{one.psa(*named)}|{rank}", f"{platform.psa(*named)}|{rank}") for one in replaced]
    return made


def insured(
    patient: Json,
    known: Known,
    traits: Traits,
    coverages: Sequence[Json],
    *,
    platform: PlatformKey,
    hospital: HospitalKey,
) -> dict[str, Any] | None:
    """Return the fact `insured`, when one Coverage gives a usable number of the insured and the traits are there.

    An identity that must never chain has an empty one, which takes the place of what was known.
    """
    if not traits.chained:
        key = hospital.resource("fact", "insured", known.key)
        return _fact("insured", key, subject=known.aliases[0], identifier=[], extension=[], meta=_meta([patient]))
    if traits.birth is None or traits.sex is None:
        return None
    found = sorted(
        (_order_of(one), nir.number, nir.key or "", place)
        for place, one in enumerate(coverages)
        for nir in insured_nirs(one)
    )
    if not found:
        return None
    _, number, key, place = found[0]
    nir = Nir(number, key or None)
    return _fact(
        "insured",
        hospital.resource("fact", "insured", known.key),
        subject=known.aliases[0],
        identifier=[("psa", platform.psa(number, traits.birth, traits.sex))],
        extension=[],
        meta=_meta([patient, coverages[place]], flags=[] if nir.key_is_right else ["insured-nir-key"]),
    )


def _order_of(coverage: Json) -> int:
    """Return the rank that a Coverage gives itself; one without comes last."""
    rank = coverage.get("order")
    return rank if type(rank) is int else LAST


def age(
    patient: Json, person_alias: str, encounter: Json, known: Known, *, hospital: HospitalKey
) -> dict[str, Any] | None:
    """Return the fact `age`: completed years at the entry, days below one year; None when a date is not whole."""
    birth = birth_of(patient.get("birthDate"))[0]
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
    facts = {"Patient": ("person", UNCHAINED, "insured"), "Encounter": ("age",)}.get(known.type, ())
    return made + [_removal("Basic", hospital.resource("fact", name, known.key)) for name in facts]


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
