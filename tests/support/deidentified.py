"""De-identified resources as events hold them (docs/stream-contract.md), and the rows that a person's give, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.support.made_events import Pseudonyms
from transformers.contract import Contract
from transformers.snds.person import person_rows
from transformers.snds.schema import TABLES
from transformers.snds.view import PersonRows, PersonView, Staged, StayOutcome

FINESS = "750712184"
THO = "http://terminology.hl7.org/CodeSystem/"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
CCAM = "http://hl7.org/fhir/sid/ccam"
ROLES = "https://interop.aphp.fr/ig/fhir/dm/CodeSystem/pmsi-mco-diag-type"
EDS = "https://interop.esante.gouv.fr/ig/fhir/eds/CodeSystem/"
EDSH = "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/"
CONTRACT = Contract(finess=FINESS, name="CHU FICTIF")

Json = dict[str, Any]


def identified(system: str, value: str) -> Json:
    return {"system": f"urn:snds-gateway:{system}", "value": value}


def reference(kind: str, system: str, value: str) -> Json:
    return {"type": kind, "identifier": identified(system, value)}


def concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def ours(name: str, kind: str, value: Any) -> Json:
    return {"url": f"urn:snds-gateway:{name}", f"value{kind}": value}


def staged(kind: str, key: str, *flags: str, **elements: Any) -> Staged:
    elements["identifier"] = [identified("resource", key), *elements.get("identifier", [])]
    return Staged(key, kind, {"resourceType": kind, **elements}, frozenset(flags))


def of_person(**elements: Any) -> Json:
    return {"subject": reference("Patient", "person", "p1")} | elements


def patient(
    key: str = "patient", *, gender: str | None = "female", born: str | None = "1985-09", **more: Any
) -> Staged:
    known = {"gender": gender, "birthDate": born}
    elements = {name: value for name, value in known.items() if value}
    return staged("Patient", key, **(elements | {"identifier": [identified("person", "p1")]} | more))


def person_fact(*flags: str, key: str = "fact-person", psa: str | None = "psa-1", ano: str | None = "ano-1") -> Staged:
    identifiers = [identified(name, value) for name, value in (("psa", psa), ("ano", ano)) if value]
    extension = [
        ours("nir-ret", "Code", "0" if ano else "2"),
        ours("nai-ret", "Code", "0"),
        ours("sex-ret", "Code", "0"),
        ours("nir-status", "Code", "00"),
        ours("twin-rank", "PositiveInt", 1),
    ]
    return fact("person", key, *flags, identifier=identifiers, extension=extension)


def insured_fact(psa: str, *flags: str, key: str = "fact-insured") -> Staged:
    return fact("insured", key, *flags, identifier=[identified("psa", psa)])


def age_fact(stay: str, at: str, *, years: int | None = None, days: int | None = None, key: str = "") -> Staged:
    extension = [
        {
            "url": "urn:snds-gateway:encounter",
            "valueReference": reference("Encounter", "stay", f"{stay}-id")
            | {"extension": [ours("resource", "String", stay)]},
        },
        ours("age-at", "Date", at),
        ours("age-years", "UnsignedInt", years) if days is None else ours("age-days", "UnsignedInt", days),
    ]
    return fact("age", key or f"fact-age-{stay}-{at}", extension=extension)


def fact(code: str, key: str, *flags: str, **elements: Any) -> Staged:
    return staged("Basic", key, *flags, **of_person(code=concept("urn:snds-gateway:fact", code), **elements))


def encounter(
    key: str = "stay", start: str | None = "2024-01-10", end: str | None = "2024-01-14", *flags: str, **more: Any
) -> Staged:
    """An inpatient stay with aliases `KEY-id` and, with `visit`, a visit number."""
    aliases = [f"{key}-id"] + ([more.pop("visit")] if "visit" in more else [])
    period = {name: value for name, value in (("start", start), ("end", end)) if value}
    elements = {
        "identifier": [identified("stay", alias) for alias in aliases],
        "status": "finished" if end else "in-progress",
        "class": {"system": THO + "v3-ActCode", "code": more.pop("kind", "IMP")},
        "period": period,
        "hospitalization": {
            "admitSource": concept(THO + "admit-source", "gp"),
            "dischargeDisposition": concept(THO + "discharge-disposition", "home"),
        },
    }
    return staged("Encounter", key, *flags, **of_person(**(elements | more)))


def part_of(key: str) -> Json:
    return reference("Encounter", "stay", f"{key}-id") | {"extension": [ours("resource", "String", key)]}


def condition(
    code: str, role: str | None, *, stay: str = "stay", key: str = "", system: str = ICD10, **more: Any
) -> Staged:
    elements = {"code": concept(system, code), "encounter": reference("Encounter", "stay", f"{stay}-id")}
    if role:
        elements["category"] = [concept(ROLES, role)]
    return staged("Condition", key or f"condition-{stay}-{role}-{code}", **of_person(**(elements | more)))


def procedure(
    code: str, when: str | None = None, *, stay: str = "stay", key: str = "", system: str = CCAM, **more: Any
) -> Staged:
    elements = {
        "status": "completed",
        "code": concept(system, code),
        "encounter": reference("Encounter", "stay", f"{stay}-id"),
    } | ({"performedDateTime": when} if when else {})
    return staged("Procedure", key or f"procedure-{stay}-{code}-{when}", **of_person(**(elements | more)))


def observation(
    loinc: str, value: float, unit: str, *, stay: str = "stay", when: str = "2024-01-10", **more: Any
) -> Staged:
    elements = {
        "status": "final",
        "code": concept("http://loinc.org", loinc),
        "encounter": reference("Encounter", "stay", f"{stay}-id"),
        "effectiveDateTime": when,
        "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": unit},
    }
    return staged("Observation", f"observation-{stay}-{loinc}-{when}", **of_person(**(elements | more)))


def diagnosis(sequence: int, role: str, code: str) -> Json:
    return {
        "sequence": sequence,
        "diagnosisCodeableConcept": concept(EDS + "CIM10", code),
        "type": [concept(EDS + "PMSIMCODiagType", role)],
    }


def claim(key: str = "claim", *, stay: str | None = "stay", field: str = "PMSIMCO", **more: Any) -> Staged:
    elements: Json = {
        "status": "active",
        "type": concept(EDS + "FrClaimType", field),
        "patient": reference("Patient", "person", "p1"),
    }
    if stay:
        elements["item"] = [{"sequence": 1, "encounter": [reference("Encounter", "stay", f"{stay}-id")]}]
    return staged("Claim", key, **(elements | more))


def rum(rank: int, start: str, end: str, *diagnoses: Json, **more: Any) -> Staged:
    """An edsh-claim-rum."""
    item = EDSH + "CodeSystem/fr-mco-claim-item-category"
    modifiers = [
        concept(f"{EDSH}CodeSystem/PmsiMco{name}", more.pop(name.lower()))
        for name in ("Mde", "Mds")
        if name.lower() in more
    ]
    elements = {
        "subType": concept(EDSH + "CodeSystem/fr-claim-type", "RUM"),
        "extension": [{"url": EDSH + "StructureDefinition/edsh-item-rank", "valuePositiveInt": rank}],
        "billablePeriod": {"start": start, "end": end},
        "diagnosis": list(diagnoses),
        "item": [{"sequence": 1, "category": concept(item, "1"), "modifier": modifiers}],
    }
    return claim(f"rum-{rank}", stay=None, **(elements | more))


def organization(key: str, *identifiers: Json, **more: Any) -> Staged:
    return staged("Organization", key, identifier=list(identifiers), **more)


def finess(kind: str, value: str) -> Json:
    codes = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
    return {"system": "https://finess.esante.gouv.fr", "value": value, "type": concept(codes, kind)}


def structure(key: str, kind: str = "Organization") -> Json:
    return reference(kind, "resource", key)


class Numbers:
    """A durable map in memory."""

    def __init__(self) -> None:
        self.given: dict[tuple[str, int], str] = {}

    def __call__(self, stay: str, year: int) -> str:
        return self.given.setdefault((stay, year), f"{len(self.given) + 1:010d}")


def view(*resources: Staged) -> PersonView:
    structures = {one.key: one for one in resources if one.type in ("Organization", "Location")}
    own = sorted((one for one in resources if one.key not in structures), key=lambda one: one.key)
    return PersonView(FINESS, frozenset({"p1"}), tuple(own), structures)


def converted(*resources: Staged, contract: Contract = CONTRACT, numbers: Numbers | None = None) -> PersonRows:
    return person_rows(view(*resources), contract=contract, pseudonyms=Pseudonyms(), numbers=numbers or Numbers())


def table(rows: PersonRows, name: str) -> list[Json]:
    """The rows of a table by its generic name (`T_MCOaaB`), of all years, as dicts."""
    year = {one.exit_year % 100 for one in rows.stays if one.exit_year}
    names = {name.replace("aa", f"{two:02d}", 1) for two in year} | {name}
    found = [row for physical in sorted(names) for row in rows.tables.get(physical, ())]
    return [dict(zip(TABLES[name].names, row, strict=True)) for row in found]


def only(rows: PersonRows, name: str) -> Json:
    [row] = table(rows, name)
    return row


def outcome(rows: PersonRows, key: str = "stay") -> StayOutcome:
    return next(one for one in rows.stays if one.key == key)


def statuses(rows: PersonRows) -> dict[str, tuple[str, str | None]]:
    return {one.key: (one.status, one.reason) for one in rows.stays}


def values(rows: Iterable[Mapping[str, Any]], *names: str) -> list[Any]:
    return [tuple(row[name] for name in names) if len(names) > 1 else row[names[0]] for row in rows]


def known_adult(*more: Staged) -> tuple[Staged, ...]:
    return (patient(), person_fact(), *more)
