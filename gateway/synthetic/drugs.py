"""Scene → MedicationRequest and MedicationAdministration, in ATC and (fictitious) UCD. Pure."""

from __future__ import annotations

from datetime import timedelta

from gateway.synthetic.catalogue import Drug, catalogue
from gateway.synthetic.elements import (
    ATC,
    EDQM,
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
from gateway.synthetic.scene import Scene

ROUTES = {"20053000": "Voie orale", "20045000": "Voie intraveineuse", "20066000": "Voie sous-cutanée",
          "20020000": "Voie inhalée"}  # fmt: skip


def drug_of(scene: Scene, rank: int) -> Drug:
    """Return the drug of the prescription of that rank."""
    names = scene.stay.pathway.drugs
    return catalogue().drugs[names[rank % len(names)]]


def request(scene: Scene, rank: int) -> Json:
    """Return one prescription of the stay."""
    drug, stay = drug_of(scene, rank), scene.stay
    name = f"presc-{stay.number:06d}-{rank}"
    asked = min(stay.start + timedelta(hours=1 + rank), stay.known_until)
    return {
        "resourceType": "MedicationRequest",
        "id": scene.id("MedicationRequest", name),
        "meta": scene.meta(at=asked),
        "text": narrative(f"{drug.name}, {drug.daily} fois par jour, prescrit le {french_date(asked)}."),
        "identifier": [{"use": "official", "system": f"{HOME}prescription", "value": name}],
        "status": "active" if stay.end is None else "completed",
        "intent": "order",
        "category": [concept(coding(THO + "medicationrequest-category", "inpatient", "Inpatient"))],
        "medicationCodeableConcept": _medication(drug),
        "subject": scene.subject(),
        "encounter": scene.encounter(),
        "authoredOn": date_time(asked),
        "requester": scene.practitioner(),
        "note": [{"time": date_time(asked), "text": f"Prescrit par {scene.doctor.name}, à réévaluer chaque jour."}],
        "dosageInstruction": [
            {
                "sequence": 1,
                "text": f"{drug.name}, {drug.daily} fois par jour",
                "timing": {
                    "repeat": {
                        "boundsPeriod": period(asked, stay.known_until),
                        "frequency": drug.daily,
                        "period": 1,
                        "periodUnit": "d",
                    }
                },
                "route": _route(drug),
                "doseAndRate": [
                    {
                        "type": concept(coding(THO + "dose-rate-type", "ordered", "Ordered")),
                        "doseQuantity": quantity(drug.dose, drug.unit),
                    }
                ],
            }
        ],
    }


def administration(scene: Scene, rank: int, *, of: int) -> Json:
    """Return one administration of the prescription numbered `of`."""
    drug, stay = drug_of(scene, of), scene.stay
    name = f"adm-{stay.number:06d}-{rank}"
    days = (stay.known_until.date() - stay.start.date()).days + 1
    at = stay.start + timedelta(days=rank % days, hours=2, minutes=scene.dice.below(50))
    at = min(at, stay.known_until - timedelta(minutes=10))
    return {
        "resourceType": "MedicationAdministration",
        "id": scene.id("MedicationAdministration", name),
        "meta": scene.meta(at=at + timedelta(minutes=15)),
        "text": narrative(f"{drug.name}, administré le {french_date(at)}."),
        "identifier": [{"use": "official", "system": f"{HOME}administration", "value": name}],
        "status": "completed",
        "category": concept(coding(THO + "medication-admin-category", "inpatient", "Inpatient")),
        "medicationCodeableConcept": _medication(drug),
        "subject": scene.subject(),
        "context": scene.encounter(),
        "effectivePeriod": period(at, at + timedelta(minutes=10)),
        "performer": [{"actor": scene.practitioner()}],
        "note": [{"time": date_time(at), "text": f"Administré sous la responsabilité de {scene.doctor.name}."}],
        "request": scene.reference("MedicationRequest", f"presc-{stay.number:06d}-{of}"),
        "dosage": {
            "text": f"{drug.dose:g} {drug.unit}",
            "route": _route(drug),
            "dose": quantity(drug.dose, drug.unit),
        },
    }


def _medication(drug: Drug) -> Json:
    return concept(coding(ATC, drug.atc, drug.name), coding(UCD, drug.ucd, drug.name), text=drug.name)


def _route(drug: Drug) -> Json:
    return concept(coding(EDQM, drug.route, ROUTES[drug.route]), text=ROUTES[drug.route])
