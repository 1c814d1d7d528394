"""Scene → Conditions and Procedures, or the same as one PMSI Claim (EDSClaimRSS). Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.synthetic.elements import (
    CCAM,
    CIM10,
    EDS,
    HOME,
    THO,
    Json,
    coding,
    concept,
    date_time,
    french_date,
    narrative,
)
from gateway.synthetic.scene import Scene

ROLES = {"dp": "DP", "dr": "DR", "da": "DA"}
MODES_IN = {"emd": "8 5", "outp": "8 Domicile", "gp": "8 Domicile", "born": "N", "hosp-trans": "71"}
MODES_OUT = {"home": "8 Domicile", "rehab": "72", "exp": "9", "other-hcf": "71"}


class Diagnosis(NamedTuple):
    """One coded diagnosis of the stay."""

    role: str
    rank: int
    code: str
    label: str


class Act(NamedTuple):
    """One act: its CCAM code, its activity (1 operator, 4 anaesthesia) and when it was done."""

    rank: int
    code: str
    activity: str
    done: datetime

    @property
    def written(self) -> str:
        """Return the 13-character form: code, no extension, phase 0, activity, no documentary extension."""
        return f"{self.code}···0{self.activity}·"


def diagnoses(scene: Scene) -> list[Diagnosis]:
    """Return the principal, related and associated diagnoses; a first version may give another principal one."""
    stay = scene.stay
    principal, label = stay.pathway.principal, stay.pathway.label
    if stay.wrong_principal and scene.version == 1:
        principal, label = stay.wrong_principal, "Douleur thoracique, sans précision"
    made = [Diagnosis("dp", 0, principal, label)]
    if stay.pathway.related:
        made.append(Diagnosis("dr", 0, stay.pathway.related, "Tumeur traitée"))
    return made + [
        Diagnosis("da", rank, code, "Diagnostic associé significatif") for rank, code in enumerate(stay.associated, 1)
    ]


def acts(scene: Scene) -> list[Act]:
    """Return the acts, those under anaesthesia with both activities, on the days of the stay."""
    stay = scene.stay
    made: list[Act] = []
    for code in stay.pathway.acts:
        whole_days = max((stay.known_until.date() - stay.start.date()).days, 0)
        done = stay.start + timedelta(days=scene.dice.below(max(whole_days, 1)), minutes=40 + scene.dice.below(90))
        for activity in ("1", "4") if code.endswith("+") else ("1",):
            made.append(Act(len(made) + 1, code.rstrip("+"), activity, min(done, stay.known_until)))
    return made


def condition(scene: Scene, one: Diagnosis) -> Json:
    """Return one Condition."""
    name = f"cond-{scene.stay.number:06d}-{one.role}" + (f"-{one.rank}" if one.rank else "")
    recorded = scene.stay.start + timedelta(hours=3)
    category = [concept(coding(THO + "condition-category", "encounter-diagnosis", "Encounter Diagnosis"))]
    if scene.stay.kind != "visit":  # a visit to the emergency department has no PMSI abstract: nothing in it is a DP
        category.append(concept(coding(EDS + "CodeSystem/PMSIMCODiagType", ROLES[one.role])))
    return {
        "resourceType": "Condition",
        "id": scene.id("Condition", name),
        "meta": scene.meta(),
        "text": narrative(f"{ROLES[one.role]} : {one.label} ({one.code}), noté le {french_date(recorded)}."),
        "identifier": [{"use": "official", "system": f"{HOME}diagnostic", "value": name}],
        "clinicalStatus": concept(coding(THO + "condition-clinical", "active", "Active")),
        "verificationStatus": concept(coding(THO + "condition-ver-status", "confirmed", "Confirmed")),
        "category": category,
        "severity": concept(coding("http://snomed.info/sct", "6736007", "Moderate")),
        "code": concept(coding(CIM10, one.code, one.label), text=one.label),
        "subject": scene.subject(),
        "encounter": scene.encounter(),
        "onsetDateTime": date_time(scene.stay.start),
        "recordedDate": date_time(recorded),
        "recorder": scene.practitioner(),
        "asserter": scene.practitioner(),
        "note": [{"time": date_time(recorded), "text": f"Codé à la sortie par {scene.doctor.name}."}],
    }


def procedure(scene: Scene, one: Act) -> Json:
    """Return one Procedure; the anaesthesia of an act carries its activity in the code."""
    name = f"acte-{scene.stay.number:06d}-{one.rank}"
    code = one.code if one.activity == "1" else one.written
    role = "Acte" if one.activity == "1" else "Anesthésie de l'acte"
    return {
        "resourceType": "Procedure",
        "id": scene.id("Procedure", name),
        "meta": scene.meta(),
        "text": narrative(f"{role} {one.code}, réalisé le {french_date(one.done)} par {scene.doctor.name}."),
        "identifier": [{"use": "official", "system": f"{HOME}acte", "value": name}],
        "status": "completed",
        "category": concept(coding("http://snomed.info/sct", "387713003", "Surgical procedure")),
        "code": concept(coding(CCAM, code, role), text=f"{role} {one.code}"),
        "subject": scene.subject(),
        "encounter": scene.encounter(),
        "performedDateTime": date_time(one.done),
        "recorder": scene.practitioner(),
        "performer": [
            {
                "function": concept(coding("http://snomed.info/sct", "304292004", "Surgeon")),
                "actor": scene.practitioner(),
            }
        ],
        "note": [{"text": f"Compte rendu dicté par {scene.doctor.name}."}],
    }


def claim(scene: Scene) -> Json:
    """Return the discharge summary of the stay as a PMSI MCO Claim."""
    stay = scene.stay
    made: Json = {
        "resourceType": "Claim",
        "id": scene.id("Claim", f"rss-{stay.number:06d}"),
        "meta": scene.meta(EDS + "StructureDefinition/EDSClaimRSS"),
        "text": narrative(f"Résumé standardisé de sortie du séjour n° {stay.visit}."),
        "identifier": [{"use": "official", "system": f"{HOME}rss", "value": f"RSS{stay.visit}"}],
        "status": "active",
        "type": concept(coding(EDS + "CodeSystem/FrClaimType", "PMSIMCO")),
        "use": "claim",
        "patient": scene.subject(),
        "billablePeriod": {"start": date_time(stay.start), "end": date_time(stay.known_until)},
        "created": date_time(scene.updated),
        "provider": scene.reference("Organization", "org-ej", display=scene.hospital.name),
        "priority": concept(coding(THO + "processpriority", "normal")),
        "supportingInfo": [
            _mode(1, "0", MODES_IN[stay.admitted_from]),
            _mode(2, "1", MODES_OUT[stay.discharged_to]),
        ],
        "diagnosis": [
            {
                "sequence": sequence,
                "diagnosisCodeableConcept": concept(coding(EDS + "CodeSystem/CIM10", one.code)),
                "type": [concept(coding(EDS + "CodeSystem/PMSIMCODiagType", ROLES[one.role]))],
            }
            for sequence, one in enumerate(diagnoses(scene), 1)
        ],
        "insurance": [
            {"sequence": 1, "focal": True, "coverage": scene.reference("Coverage", f"cov-{scene.person.number}")}
        ],
        "item": [
            {
                "sequence": 1,
                "productOrService": concept(coding(THO + "data-absent-reason", "unknown")),
                "encounter": [scene.encounter()],
            }
        ],
    }
    done = acts(scene)
    if done:
        made["procedure"] = [
            {
                "sequence": one.rank,
                "date": date_time(one.done),
                "procedureCodeableConcept": concept(coding(EDS + "CodeSystem/CCAM", one.written)),
            }
            for one in done
        ]
    return made


def _mode(sequence: int, code: str, value: str) -> Json:
    return {
        "sequence": sequence,
        "category": concept(coding(EDS + "CodeSystem/FrClaimSupInfoCategoryPMSIMCO", "RUM")),
        "code": concept(coding(EDS + "CodeSystem/FrClaimMode", code)),
        "valueString": value,
    }
