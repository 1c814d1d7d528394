"""Scene → transaction Bundle of a stay; its later correction; the bundle of a workload. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import orjson

from gateway.synthetic import diagnoses, drugs, measurements, persons, structures
from gateway.synthetic.dice import Span
from gateway.synthetic.elements import HOME, HTEST, Json, instant
from gateway.synthetic.plan import Stay, plan_ordinary
from gateway.synthetic.scene import Hospital, Scene, make_scene

DEMONSTRATION = Span(15, 26)
WORKLOAD = Span(43, 49)
DEFAULT_FINESS = "750712184"


def stay_bundle(seed: int, hospital: Hospital, stay: Stay, *, resources: Span = DEMONSTRATION) -> Json:
    """Return the bundle of a stay; clinical events fill it up to a number of resources drawn from the span."""
    scene = make_scene(seed, hospital, stay)
    return _bundle(scene, _resources(scene, scene.dice.whole(resources)))


def correction_bundle(seed: int, hospital: Hospital, stay: Stay) -> Json:
    """Return what the hospital sends weeks later: the Encounter and the principal diagnosis, second version."""
    scene = make_scene(seed, hospital, stay, version=2)
    encounter = structures.encounters(scene)[0]
    return _bundle(scene, [encounter, diagnoses.condition(scene, diagnoses.diagnoses(scene)[0])])


def workload(seed: int, n: int) -> Iterator[bytes]:
    """Yield `n` bundles of about 45 resources and 105 KB: what measurements post (performance.md §0)."""
    hospital = Hospital(DEFAULT_FINESS)
    for index in range(n):
        stay = plan_ordinary(seed, index)
        yield orjson.dumps(stay_bundle(seed, hospital, replace(stay, kind="ordinary"), resources=WORKLOAD))


def _resources(scene: Scene, number: int) -> list[Json]:
    stay = scene.stay
    made = [persons.patient(scene), persons.practitioner(scene), *structures.organizations(scene)]
    made += structures.encounters(scene)
    if stay.kind == "claim":
        made += [persons.coverage(scene), diagnoses.claim(scene)]
    else:
        made += [diagnoses.condition(scene, one) for one in diagnoses.diagnoses(scene)]
        made += [diagnoses.procedure(scene, one) for one in diagnoses.acts(scene)]
    if stay.insured is not None:
        made.append(persons.coverage(scene))
    if stay.kind == "newborn":
        made += measurements.birth_measures(scene)
    return made + list(itertools.islice(_events(scene), max(number - len(made), 3)))


def _events(scene: Scene) -> Iterator[Json]:
    """Yield clinical events without end: results most often, then signs, prescriptions and administrations."""
    given = len(scene.stay.pathway.drugs)
    for turn in itertools.count():
        if turn < given:
            yield drugs.request(scene, turn)
        yield measurements.laboratory(scene, 2 * turn)
        yield measurements.blood_pressure(scene, turn)
        yield measurements.laboratory(scene, 2 * turn + 1)
        yield drugs.administration(scene, turn, of=turn % min(turn + 1, given))
        yield measurements.vital_sign(scene, turn)


def _bundle(scene: Scene, resources: list[Json]) -> Json:
    return {
        "resourceType": "Bundle",
        "id": f"lot-{scene.stay.number:06d}-{scene.version}",
        "meta": {"tag": [HTEST]},
        "type": "transaction",
        "timestamp": instant(scene.updated),
        "entry": [entry(scene, resource) for resource in resources],
    }


def entry(scene: Scene, resource: Json) -> Json:
    """Return the entry of a resource: PUT under its id, or POST in a posted bundle."""
    kind, name = resource["resourceType"], resource["id"]
    if scene.posted and kind not in ("Organization", "Practitioner"):
        content = {key: value for key, value in resource.items() if key != "id"}
        return {"fullUrl": f"urn:uuid:{name}", "resource": content, "request": {"method": "POST", "url": kind}}
    return {
        "fullUrl": f"{HOME}fhir/{kind}/{name}",
        "resource": resource,
        "request": {"method": "PUT", "url": f"{kind}/{name}"},
    }
