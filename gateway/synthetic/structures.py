"""Scene → Organizations and Encounters: the hospital, its units, the stay, its units and its emergency visit. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.synthetic.catalogue import Unit, catalogue
from gateway.synthetic.elements import (
    FR_IDENTIFIER_TYPE,
    FR_V2_0203,
    FRC,
    HOME,
    THO,
    Json,
    coding,
    concept,
    french_date,
    identifier,
    narrative,
    period,
)
from gateway.synthetic.plan import UnitStay
from gateway.synthetic.scene import Scene

FINESS = "https://finess.esante.gouv.fr"
V2_3307 = FRC + "CodeSystem/fr-core-cs-v2-3307"
ACT = THO + "v3-ActCode"
FOUNDED = datetime(2021, 1, 4, 7, tzinfo=UTC)
URGENT = frozenset({"emd", "born", "hosp-trans"})
ADMIT = {"emd": "From accident/emergency department", "outp": "From outpatient department", "born": "Born in hospital",
         "gp": "General Practitioner referral", "hosp-trans": "Transferred from other hospital"}  # fmt: skip
DISCHARGE = {"home": "Home", "rehab": "Rehabilitation", "exp": "Expired", "other-hcf": "Other healthcare facility"}
CLASSES = {"IMP": "inpatient encounter", "AMB": "ambulatory", "EMER": "emergency"}


def organizations(scene: Scene) -> list[Json]:
    """Return the legal entity, the sites and units that the stay went through, and the other hospital of a transfer."""
    units = list(dict.fromkeys(one.unit for one in scene.stay.units))
    if scene.stay.emergency is not None:
        units.append(emergency_unit())
    sites = sorted({unit.site for unit in units})
    made = [_legal(scene), *(_site(scene, site) for site in sites), *(_unit(scene, unit) for unit in units)]
    if transferred(scene):
        made.append(
            _organization(
                scene, "org-autre", "Centre hospitalier d'Ailleurs", finess=scene.hospital.elsewhere, kind="FINEG"
            )
        )
    return made


def transferred(scene: Scene) -> bool:
    """Say whether another hospital is named."""
    return scene.stay.admitted_from == "hosp-trans" or scene.stay.discharged_to in ("other-hcf", "rehab")


def emergency_unit() -> Unit:
    """Return the emergency department."""
    return catalogue().units["URG"]


def encounters(scene: Scene) -> list[Json]:
    """Return the root, one child a unit when there are several, and the emergency visit before."""
    stay = scene.stay
    made = [_root(scene)]
    if len(stay.units) > 1:
        made += [_child(scene, rank, one) for rank, one in enumerate(stay.units, 1)]
    if stay.emergency is not None:
        made.append(_emergency(scene, *stay.emergency))
    return made


def _root(scene: Scene) -> Json:
    stay = scene.stay
    name = f"enc-{stay.number:06d}"
    hospitalization: Json = {
        "admitSource": concept(coding(THO + "admit-source", stay.admitted_from, ADMIT[stay.admitted_from]))
    }
    if stay.admitted_from == "hosp-trans":
        hospitalization["origin"] = scene.reference("Organization", "org-autre")
    if stay.end is not None:
        hospitalization["dischargeDisposition"] = concept(
            coding(THO + "discharge-disposition", stay.discharged_to, DISCHARGE[stay.discharged_to])
        )
        if stay.discharged_to in ("other-hcf", "rehab"):
            hospitalization["destination"] = scene.reference("Organization", "org-autre")
    code = "EMER" if stay.kind == "visit" else "AMB" if stay.units[0].unit.code in ("AMBU", "DIAL", "HDJ") else "IMP"
    made = _encounter(scene, name, code, UnitStay(stay.units[0].unit, stay.start, stay.end)) | {
        "identifier": [visit_identifier(scene, stay.visit)],
        "status": stay.status,
        "priority": concept(coding(THO + "v3-ActPriority", "EM" if stay.admitted_from in URGENT else "EL")),
        "hospitalization": hospitalization,
        "serviceProvider": scene.reference(
            "Organization", f"uf-{stay.units[-1].unit.code.lower()}", display=stay.units[-1].unit.name
        ),
    }
    if stay.kind not in ("claim", "visit"):
        made["diagnosis"] = [
            {
                "condition": scene.reference("Condition", f"cond-{stay.number:06d}-dp"),
                "use": concept(coding(THO + "diagnosis-role", "DD", "Discharge diagnosis")),
                "rank": 1,
            }
        ]
    if stay.mother is not None:
        made["partOf"] = {"reference": f"Encounter/enc-{stay.mother:06d}", "type": "Encounter"}
    return made


def _child(scene: Scene, rank: int, one: UnitStay) -> Json:
    name = f"enc-{scene.stay.number:06d}-{rank}"
    kind = coding(FR_IDENTIFIER_TYPE, "MN", "Movement Number")
    return _encounter(scene, name, "IMP", one) | {
        "identifier": [identifier(kind, f"{HOME}mouvement", f"{scene.stay.visit}-{rank}", use="usual")],
        "status": "in-progress" if one.end is None else scene.stay.status,
        "serviceProvider": scene.reference("Organization", f"uf-{one.unit.code.lower()}", display=one.unit.name),
        "partOf": scene.encounter(),
    }


def _emergency(scene: Scene, start: datetime, end: datetime) -> Json:
    unit = emergency_unit()
    name = f"enc-{scene.stay.number:06d}-urg"
    return _encounter(scene, name, "EMER", UnitStay(unit, start, end)) | {
        "identifier": [visit_identifier(scene, f"{scene.stay.visit}U")],
        "priority": concept(coding(THO + "v3-ActPriority", "EM")),
        "serviceProvider": scene.reference("Organization", "uf-urg", display=unit.name),
    }


def visit_identifier(scene: Scene, number: str) -> Json:
    """Return the visit number (NDA) as an Identifier."""
    kind = coding(FR_IDENTIFIER_TYPE, "VN", "Visit Number")
    return identifier(kind, f"{HOME}nda", number, use="official") | {
        "assigner": scene.reference("Organization", "org-ej", display=scene.hospital.name)
    }


def _encounter(scene: Scene, name: str, code: str, where: UnitStay) -> Json:
    leaving = f" au {french_date(where.end)}" if where.end else ""
    return {
        "resourceType": "Encounter",
        "id": scene.id("Encounter", name),
        "meta": scene.meta("fr-core-encounter"),
        "text": narrative(f"{where.unit.name}, du {french_date(where.start)}{leaving}, séjour n° {scene.stay.visit}."),
        "status": "finished",
        "class": coding(ACT, code, CLASSES[code]),
        "subject": scene.subject(),
        "participant": [
            {
                "type": [concept(coding(THO + "v3-ParticipationType", "ATND", "attender"))],
                "individual": scene.practitioner(),
            }
        ],
        "period": period(where.start, where.end),
    }


def _legal(scene: Scene) -> Json:
    return _organization(scene, "org-ej", scene.hospital.name, finess=scene.hospital.finess, kind="FINEJ")


def _site(scene: Scene, site: int) -> Json:
    made = _organization(
        scene, f"org-eg-{site}", f"{scene.hospital.name}, site {site}", finess=scene.hospital.sites[site - 1],
        kind="FINEG",
    )  # fmt: skip
    return made | {"partOf": scene.reference("Organization", "org-ej", display=scene.hospital.name)}


def _organization(scene: Scene, name: str, printed: str, *, finess: str, kind: str) -> Json:
    role = "LEGAL-ENTITY" if kind == "FINEJ" else "GEOGRAPHICAL-ENTITY"
    return {
        "resourceType": "Organization",
        "id": name,
        "meta": scene.meta("fr-core-organization-etablissement", at=FOUNDED) | {"versionId": "1"},
        "text": narrative(f"{printed}, FINESS {finess}."),
        "identifier": [identifier(coding(FR_V2_0203, kind), FINESS, finess, use="official")],
        "active": True,
        "type": [concept(coding(V2_3307, role))],
        "name": printed,
        "telecom": [{"system": "phone", "value": "01 99 00 00 00", "use": "work"}],
    }


def _unit(scene: Scene, unit: Unit) -> Json:
    return {
        "resourceType": "Organization",
        "id": f"uf-{unit.code.lower()}",
        "meta": scene.meta("fr-core-organization-uf", at=FOUNDED) | {"versionId": "1"},
        "text": narrative(f"Unité fonctionnelle {unit.code} : {unit.name}."),
        "identifier": [{"use": "official", "system": f"{HOME}uf", "value": unit.code}],
        "active": True,
        "type": [concept(coding(V2_3307, "UF"))],
        "name": unit.name,
        "partOf": scene.reference(
            "Organization", f"org-eg-{unit.site}", display=f"{scene.hospital.name}, site {unit.site}"
        ),
    }
