"""(seed, number) → results of forms that the ordinary stays lack: scores, last period, reports, coded values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from gateway.synthetic.catalogue import Measure, catalogue
from gateway.synthetic.elements import HOME, LOINC, SMT, SNOMED, THO, Json, coding, concept, date_time, narrative
from gateway.synthetic.measurements import laboratory, observation
from gateway.synthetic.plan import UnitStay, plan_kind
from gateway.synthetic.rare_case import Maker, RareCase, two_unit_stay, with_more
from gateway.synthetic.scene import Hospital, Scene, make_scene

SCORES = f"{HOME}scores"
IGS2 = "IGS2"
OWN_SYSTEMS = (SCORES,)
NABM = SMT + "terminologie-nabm"
HEPATITIS = Measure("5196-1", "Antigène HBs", "1", "", 0, 0, 0)
ALERTNESS = Measure("67775-7", "Niveau de vigilance", "1", "", 0, 0, 0)
LAST_PERIOD = Measure("8665-2", "Date des dernières règles", "d", "j", 0, 0, 0)
PREGNANCY = timedelta(days=275)


def _intensive(seed: int, hospital: Hospital, index: int) -> RareCase:
    """The first unit is an intensive one, with an IGS II under the hospital's own code."""
    stay = two_unit_stay(seed, index)
    first, *others = stay.units
    stay = replace(stay, kind="intensive", units=(UnitStay(catalogue().units["REA"], first.start, first.end), *others))
    scene = make_scene(seed, hospital, stay)
    measure = Measure(IGS2, "IGS II", "1", "", 0, 0, 0)
    score = observation(scene, f"igs-{stay.number:06d}", "survey", measure, at=stay.start + timedelta(hours=2))
    score["code"] = concept(coding(SCORES, IGS2), text="IGS II")
    score["valueInteger"] = 30 + scene.dice.below(40)
    bundle = with_more(seed, hospital, stay, score)
    return RareCase("intensive", (stay,), (bundle,), gives=MappingProxyType({"scored_units": 1}))


def _last_period(seed: int, hospital: Hospital, index: int) -> RareCase:
    """A delivery whose last period was told."""
    stay = plan_kind(seed, index, "mother")
    scene = make_scene(seed, hospital, stay)
    told = observation(scene, f"ddr-{stay.number:06d}", "exam", LAST_PERIOD, at=stay.start + timedelta(minutes=20))
    told["valueDateTime"] = f"{stay.start - PREGNANCY:%Y-%m-%d}"
    bundle = with_more(seed, hospital, stay, told)
    return RareCase("last-period", (stay,), (bundle,), gives=MappingProxyType({"dated_pregnancies": 1}))


def _reported(seed: int, hospital: Hospital, index: int) -> RareCase:
    """A report that groups results: below a bound, coded, not done, with a NABM code, on a sample; a coded sign."""
    stay = replace(plan_kind(seed, index, "ordinary"), kind="reported")
    scene = make_scene(seed, hospital, stay)
    sample = _specimen(scene)
    at = stay.start + timedelta(hours=1)
    below = laboratory(scene, 80)
    below["valueQuantity"]["comparator"] = "<"
    below["code"]["coding"].append(coding(NABM, "0552"))
    coded = observation(scene, f"hbs-{stay.number:06d}", "laboratory", HEPATITIS, at=at) | {
        "valueCodeableConcept": concept(coding(LOINC, "LA6577-6", "Negative"))
    }
    missing = observation(scene, f"hbs-{stay.number:06d}-2", "laboratory", HEPATITIS, at=at) | {
        "dataAbsentReason": concept(coding(THO + "data-absent-reason", "not-performed"))
    }
    results = [one | {"specimen": scene.reference("Specimen", sample["id"])} for one in (below, coded, missing)]
    sign = observation(scene, f"vig-{stay.number:06d}", "vital-signs", ALERTNESS, at=at) | {
        "valueCodeableConcept": concept(coding(LOINC, "LA9340-6", "Alert"))
    }
    bundle = with_more(seed, hospital, stay, sample, *results, sign, _report(scene, results))
    return RareCase("reported", (stay,), (bundle,), gives=MappingProxyType({"grouped_results": len(results)}))


def _specimen(scene: Scene) -> Json:
    stay = scene.stay
    name = f"prel-{stay.number:06d}"
    return {
        "resourceType": "Specimen",
        "id": scene.id("Specimen", name),
        "meta": scene.meta(),
        "text": narrative("Prélèvement de sang veineux."),
        "identifier": [{"use": "official", "system": f"{HOME}prelevement", "value": name}],
        "status": "available",
        "type": concept(coding(SNOMED, "122555007", "Venous blood specimen")),
        "subject": scene.subject(),
        "collection": {"collectedDateTime": date_time(stay.start + timedelta(minutes=50))},
    }


def _report(scene: Scene, results: list[Json]) -> Json:
    stay = scene.stay
    name = f"cr-{stay.number:06d}"
    return {
        "resourceType": "DiagnosticReport",
        "id": scene.id("DiagnosticReport", name),
        "meta": scene.meta(),
        "text": narrative("Compte rendu de biologie."),
        "identifier": [{"use": "official", "system": f"{HOME}compte-rendu", "value": name}],
        "status": "final",
        "category": [concept(coding(THO + "v2-0074", "LAB", "Laboratory"))],
        "code": concept(coding(LOINC, "11502-2", "Laboratory report")),
        "subject": scene.subject(),
        "encounter": scene.encounter(),
        "effectiveDateTime": date_time(stay.start + timedelta(hours=1)),
        "result": [scene.reference("Observation", one["id"]) for one in results],
    }


RESULTS: Mapping[str, Maker] = MappingProxyType(
    {"intensive": _intensive, "last-period": _last_period, "reported": _reported}
)
