"""Scene → the Claim of one unit of the stay (RUM, edsh-claim-rum): its dates, diagnoses, acts and modes. Pure."""

from __future__ import annotations

from gateway.synthetic.diagnoses import MODES_IN, MODES_OUT, ROLES, Act, Diagnosis
from gateway.synthetic.elements import HOME, THO, Json, coding, concept, date_time, narrative
from gateway.synthetic.scene import Scene

EDSH = "https://aphp.github.io/IG-FHIR-EDSH-SOCLE-COMMUN/"
TYPES = EDSH + "CodeSystem/fr-claim-type"
CHANGE_OF_UNIT = "6"
GROUPED = "1"


def unit_claim(scene: Scene, rank: int, diagnoses: list[Diagnosis], acts: list[Act]) -> Json:
    """Return the Claim of the unit of a rank (from 1)."""
    stay = scene.stay
    one = stay.units[rank - 1]
    entering = MODES_IN[stay.admitted_from][0] if rank == 1 else CHANGE_OF_UNIT
    leaving = MODES_OUT[stay.discharged_to][0] if rank == len(stay.units) else CHANGE_OF_UNIT
    name = f"rum-{stay.number:06d}-{rank}"
    made: Json = {
        "resourceType": "Claim",
        "id": scene.id("Claim", name),
        "meta": scene.meta(EDSH + "StructureDefinition/edsh-claim-rum"),
        "text": narrative(f"Résumé d'unité médicale {rank} du séjour n° {stay.visit}."),
        "extension": [{"url": EDSH + "StructureDefinition/edsh-item-rank", "valuePositiveInt": rank}],
        "identifier": [{"use": "official", "system": f"{HOME}rum", "value": f"RUM{stay.visit}-{rank}"}],
        "status": "active",
        "type": concept(coding(TYPES, "PMSIMCO")),
        "subType": concept(coding(TYPES, "RUM")),
        "use": "claim",
        "patient": scene.subject(),
        "billablePeriod": {"start": date_time(one.start), "end": date_time(one.end or stay.known_until)},
        "created": date_time(scene.updated),
        "provider": scene.reference("Organization", "org-ej", display=scene.hospital.name),
        "priority": concept(coding(THO + "processpriority", "normal")),
        "diagnosis": [_diagnosis(sequence, told) for sequence, told in enumerate(diagnoses, 1)],
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "Assurance Maladie"}}],
        "item": [_grouped(scene, entering, leaving)],
    }
    if acts:
        made["procedure"] = [_act(sequence, done) for sequence, done in enumerate(acts, 1)]
    return made


def _diagnosis(sequence: int, told: Diagnosis) -> Json:
    return {
        "sequence": sequence,
        "diagnosisCodeableConcept": concept(coding(EDSH + "CodeSystem/edsh-cim10-cs", told.code)),
        "type": [concept(coding(EDSH + "CodeSystem/pmsi-mco-diag-type", ROLES[told.role]))],
    }


def _act(sequence: int, done: Act) -> Json:
    return {
        "sequence": sequence,
        "date": date_time(done.done),
        "procedureCodeableConcept": concept(coding(EDSH + "CodeSystem/edsh-ccam-cs", done.written)),
    }


def _grouped(scene: Scene, entering: str, leaving: str) -> Json:
    """Return the item that holds the modes of entry and exit, and names the stay."""
    return {
        "sequence": 1,
        "category": concept(coding(EDSH + "CodeSystem/fr-mco-claim-item-category", GROUPED)),
        "productOrService": concept(coding(THO + "data-absent-reason", "unknown")),
        "modifier": [
            concept(coding(EDSH + "CodeSystem/PmsiMcoMde", entering)),
            concept(coding(EDSH + "CodeSystem/PmsiMcoMds", leaving)),
        ],
        "encounter": [scene.encounter()],
    }
