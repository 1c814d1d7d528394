"""(seed, number) → drugs that leave rows of their own: boxes and UCD given outside a stay, the liste en sus. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from gateway.synthetic import drugs
from gateway.synthetic.catalogue import Drug, cip13, ucd13
from gateway.synthetic.elements import (
    ATC,
    CIP,
    CIS,
    HOME,
    THO,
    UCD,
    Json,
    coding,
    concept,
    date_time,
    french_date,
    narrative,
    period,
    quantity,
)
from gateway.synthetic.plan import plan_kind
from gateway.synthetic.rare_case import Maker, RareCase, resource_of, two_unit_stay, with_more
from gateway.synthetic.scene import Hospital, Scene, make_scene

EXPENSIVE = Drug("L01FA01", ucd13("9900060"), "Rituximab 500 mg", 500, "mg", 1, "20045000")
RETROCEDED = Drug("B02BD02", ucd13("9900061"), "Facteur VIII 1000 UI", 1000, "[iU]", 1, "20045000")
BOXES_CIP7 = ("9900071", "9900072")
CIS_CODE = "69900071"
AFTER = timedelta(days=9)
REPEATS = 3


def _dispenses(seed: int, hospital: Hospital, index: int) -> RareCase:
    """Two boxes' lines of a community pharmacy and one retrocession, days after the exit."""
    stay = replace(plan_kind(seed, index, "ordinary"), kind="dispenses")
    scene = make_scene(seed, hospital, stay)
    given = [
        _dispense(scene, rank, drugs.drug_of(scene, rank), coding(CIP, cip13(cip7)), category="community", number=rank)
        for rank, cip7 in enumerate(BOXES_CIP7, 1)
    ]
    given.append(_dispense(scene, 3, RETROCEDED, coding(UCD, RETROCEDED.ucd), category="outpatient", number=2))
    bundle = with_more(seed, hospital, stay, *given)
    resource_of(bundle, "MedicationRequest")["dispenseRequest"] = {"numberOfRepeatsAllowed": REPEATS}
    gives = {"box_lines": 2, "boxes": 3, "retrocession_lines": 1, "retroceded_units": 2}
    return RareCase("dispenses", (stay,), (bundle,), gives=MappingProxyType(gives))


def _dispense(scene: Scene, rank: int, drug: Drug, presentation: Json, *, category: str, number: int) -> Json:
    """Return one dispense of so many boxes or UCD."""
    stay = scene.stay
    name, at = f"disp-{stay.number:06d}-{rank}", stay.known_until + AFTER
    counted = quantity(number, "{box}" if category == "community" else "{UCD}", printed="boîte")
    return {
        "resourceType": "MedicationDispense",
        "id": scene.id("MedicationDispense", name),
        "meta": scene.meta(at=at),
        "text": narrative(f"{drug.name}, dispensé le {french_date(at)}."),
        "identifier": [{"use": "official", "system": f"{HOME}dispensation", "value": name}],
        "status": "completed",
        "category": concept(coding(THO + "medicationdispense-category", category)),
        "medicationCodeableConcept": concept(coding(ATC, drug.atc, drug.name), presentation, text=drug.name),
        "subject": scene.subject(),
        "authorizingPrescription": [scene.reference("MedicationRequest", f"presc-{stay.number:06d}-0")],
        "quantity": counted,
        "whenHandedOver": date_time(at),
        "note": [{"text": f"Remis par {scene.doctor.name}."}],
    }


def _expensive_drug(seed: int, hospital: Hospital, index: int) -> RareCase:
    """A drug of the liste en sus: two administrations on the first day, one on the last, in mg."""
    stay = replace(two_unit_stay(seed, index), kind="expensive-drug")
    scene = make_scene(seed, hospital, stay)
    last = stay.known_until - timedelta(minutes=30)
    times = (stay.start + timedelta(hours=1), stay.start + timedelta(hours=2), last)
    given = [_given(scene, 90 + rank, at) for rank, at in enumerate(times)]
    gives = {"expensive_lines": 2, "expensive_units": 3}
    return RareCase(
        "expensive-drug", (stay,), (with_more(seed, hospital, stay, *given),), gives=MappingProxyType(gives)
    )


def _given(scene: Scene, rank: int, at: datetime) -> Json:
    made = drugs.administration(scene, rank, of=0) | {
        "medicationCodeableConcept": concept(
            coding(ATC, EXPENSIVE.atc), coding(UCD, EXPENSIVE.ucd), text=EXPENSIVE.name
        ),
        "effectivePeriod": period(at, at + timedelta(minutes=20)),
    }
    made["dosage"] |= {"text": EXPENSIVE.name, "dose": quantity(EXPENSIVE.dose, EXPENSIVE.unit)}
    made["text"] = narrative(f"{EXPENSIVE.name}, administré le {french_date(at)}.")
    del made["request"]
    return made


def _presentations(seed: int, hospital: Hospital, index: int) -> RareCase:
    """A prescription and an administration told by the box (CIP, CIS), the latter with a rate."""
    stay = replace(plan_kind(seed, index, "ordinary"), kind="presentations")
    bundle = with_more(seed, hospital, stay)
    told = concept(coding(CIP, cip13(BOXES_CIP7[0])), coding(CIS, CIS_CODE), text="Présentation fictive")
    resource_of(bundle, "MedicationRequest")["medicationCodeableConcept"] = told
    administration = resource_of(bundle, "MedicationAdministration")
    administration["medicationCodeableConcept"] = told
    administration["dosage"]["rateQuantity"] = quantity(20, "mL/h")
    return RareCase("presentations", (stay,), (bundle,))


CARE: Mapping[str, Maker] = MappingProxyType(
    {"dispenses": _dispenses, "expensive-drug": _expensive_drug, "presentations": _presentations}
)
