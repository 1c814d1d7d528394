"""(seed, number) → stays and visits that a Claim tells more of: fees, groups, modifiers, services, donors. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from gateway.synthetic.diagnoses import Act, acts, diagnoses
from gateway.synthetic.elements import FRC, HOME, THO, Json, coding, concept, date_time, narrative
from gateway.synthetic.plan import Stay, plan_kind
from gateway.synthetic.rare_case import Maker, RareCase, is_a, resource_of, two_unit_stay, with_more
from gateway.synthetic.scene import Hospital, Scene, make_scene
from gateway.synthetic.unit_claims import EDSH, TYPES, unit_claim

NGAP = f"{HOME}ngap"
MODIFIERS = f"{HOME}ccam-modificateurs"
OWN_SYSTEMS = (NGAP, MODIFIERS)
DONOR = "Z528"
GHM = "05M093"
ADMISSION = FRC + "CodeSystem/fr-core-cs-type-admission"
FEES = (("CS", 1), ("MCS", 2))


def _fees(seed: int, hospital: Hospital, index: int) -> RareCase:
    """A visit without admission and the Claim of its fees (NGAP) and of its act in full (CCAM), without any amount."""
    stay = plan_kind(seed, index, "visit")
    scene = make_scene(seed, hospital, stay)
    bundle = with_more(seed, hospital, stay, _claim_of_fees(scene))
    return RareCase("fees", (stay,), (bundle,), gives=MappingProxyType({"visits": 1, "fees": len(FEES)}))


def _claim_of_fees(scene: Scene) -> Json:
    stay = scene.stay
    name = f"hono-{stay.number:06d}"
    return {
        "resourceType": "Claim",
        "id": scene.id("Claim", name),
        "meta": scene.meta(),
        "text": narrative(f"Honoraires de la venue n° {stay.visit}."),
        "identifier": [{"use": "official", "system": f"{HOME}facture", "value": name}],
        "status": "active",
        "type": concept(coding(TYPES, "ACTEXT")),
        "use": "claim",
        "patient": scene.subject(),
        "created": date_time(scene.updated),
        "provider": scene.reference("Organization", "org-ej", display=scene.hospital.name),
        "priority": concept(coding(THO + "processpriority", "normal")),
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "Assurance Maladie"}}],
        "item": [
            *(
                {
                    "sequence": sequence,
                    "productOrService": concept(coding(NGAP, code)),
                    "servicedDate": f"{stay.start:%Y-%m-%d}",
                    "quantity": {"value": times},
                    "encounter": [scene.encounter()],
                }
                for sequence, (code, times) in enumerate(FEES, 1)
            ),
            _act_in_full(acts(scene)[0], "FKSU", sequence=len(FEES) + 1) | {"encounter": [scene.encounter()]},
        ],
    }


def _service(seed: int, hospital: Hospital, index: int) -> RareCase:
    """A service for another hospital: type of admission IE, in and out by a provisional transfer."""
    stay = replace(_claimed(seed, index), admitted_from="outp", discharged_to="home")
    bundle = with_more(seed, hospital, stay)
    resource_of(bundle, "Encounter")["type"] = [concept(coding(ADMISSION, "IE"))]
    for mode in resource_of(bundle, "Claim")["supportingInfo"]:
        mode["valueString"] = "01"
    return RareCase("service", (stay,), (bundle,), gives=MappingProxyType({"services": 1}))


def _donor(seed: int, hospital: Hospital, index: int) -> RareCase:
    """The stay of a person who died and gives organs: mode of entry O."""
    stay = _claimed(seed, index)
    pathway = replace(stay.pathway, principal=DONOR, label="Donneur d'autres organes et tissus", related=None)
    person = replace(stay.person, deceased=stay.end)
    stay = replace(
        stay, pathway=pathway, person=person, associated=(), admitted_from="outp", discharged_to="exp", emergency=None
    )
    bundle = with_more(seed, hospital, stay)
    resource_of(bundle, "Claim")["supportingInfo"][0]["valueString"] = "O"
    return RareCase("donor", (stay,), (bundle,), gives=MappingProxyType({"organ_donors": 1}))


def _claimed(seed: int, index: int) -> Stay:
    return plan_kind(seed, index, "claim")


def _grouped(seed: int, hospital: Hospital, index: int) -> RareCase:
    """Unit Claims with the group of the stay, and an act with all the parts of a CCAM code and its modifiers."""
    stay = two_unit_stay(seed, index)
    pathway = replace(stay.pathway, acts=("DEQP003",))
    stay = replace(stay, kind="grouped", pathway=pathway)
    scene = make_scene(seed, hospital, stay)
    bundle = with_more(seed, hospital, stay)
    told = ("Condition", "Procedure")
    bundle["entry"] = [one for one in bundle["entry"] if not any(is_a(one["resource"], kind) for kind in told)]
    resource_of(bundle, "Encounter").pop("diagnosis")
    [act] = acts(scene)
    first, *others = [
        unit_claim(scene, rank, [one for one in diagnoses(scene) if one.role != "da" or rank == 1], [])
        for rank in range(1, len(stay.units) + 1)
    ]
    first["extension"].append(_group())
    first["item"].append(_act_in_full(act, "UK", sequence=2))
    claims = with_more(seed, hospital, stay, first, *others)["entry"][-len(stay.units) :]
    bundle["entry"] = [*bundle["entry"], *claims]
    return RareCase("grouped", (stay,), (bundle,), gives=MappingProxyType({"grouped_stays": 1}))


def _act_in_full(act: Act, modifiers: str, *, sequence: int) -> Json:
    """Return the item of an act: code, extension 01, phase 0, activity 1, documentary extension 1, and modifiers."""
    return {
        "sequence": sequence,
        "category": concept(coding(EDSH + "CodeSystem/fr-mco-claim-item-category", "0")),
        "productOrService": concept(coding(EDSH + "CodeSystem/edsh-ccam-cs", f"{act.code}-01011")),
        "modifier": [concept(coding(MODIFIERS, letter)) for letter in modifiers],
        "servicedDate": f"{act.done:%Y-%m-%d}",
    }


def _group() -> Json:
    return {
        "url": EDSH + "StructureDefinition/edsh-drg",
        "extension": [
            {"url": "GHM", "valueCodeableConcept": concept(coding(EDSH + "CodeSystem/ghm", GHM))},
            {"url": "codeRetour", "valueString": "000"},
            {"url": "vClassif", "valueString": "11"},
        ],
    }


CLAIMS: Mapping[str, Maker] = MappingProxyType(
    {"fees": _fees, "service": _service, "donor": _donor, "grouped": _grouped}
)
