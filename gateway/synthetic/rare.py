"""(seed, number) → cases that no schedule plants: twins, other PMSI fields, units told by places or Claims. Pure.

They come on request alone, under numbers from 900,001 on: a seed's stays, counts and truth do not change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from gateway.synthetic.bundles import entry, stay_bundle
from gateway.synthetic.catalogue import Unit
from gateway.synthetic.diagnoses import Act, acts, diagnoses
from gateway.synthetic.elements import FRC, THO, Json, coding, narrative, period
from gateway.synthetic.plan import Stay, UnitStay, plan_kind, plan_newborn
from gateway.synthetic.rare_care import CARE
from gateway.synthetic.rare_case import A_CASE, Maker, RareCase, is_a, resource_of, two_unit_stay
from gateway.synthetic.rare_claims import CLAIMS
from gateway.synthetic.rare_results import RESULTS
from gateway.synthetic.scene import Hospital, Scene, make_scene
from gateway.synthetic.unit_claims import unit_claim

FIRST = 900_000
FIELD_REASON = "field-not-mco"
REHABILITATION = Unit("READ", "Rééducation et réadaptation", 2, ())
PSYCHIATRY = Unit("PSYC", "Psychiatrie adulte", 2, ())
ACTIVITY = FRC + "StructureDefinition/fr-core-organization-champ-activite"
ACTIVITIES = FRC + "CodeSystem/fr-core-cs-champ-activite"


def rare_cases(seed: int, hospital: Hospital, *, rounds: int = 1) -> Iterator[RareCase]:
    """Yield each kind of case once a round."""
    for turn in range(rounds):
        for place, kind in enumerate(KINDS):
            yield rare_case(seed, hospital, kind, number=turn * len(KINDS) + place)


def rare_case(seed: int, hospital: Hospital, kind: str, *, number: int = 0) -> RareCase:
    """Return one case of a kind of `KINDS`. `number` tells cases apart, whatever their kinds."""
    return KINDS[kind](seed, hospital, FIRST + number * A_CASE)


def _twins(seed: int, hospital: Hospital, index: int) -> RareCase:
    """Two children of one sex and one day: one pseudonym for two persons, whom the rank of birth tells apart."""
    mother = plan_kind(seed, index, "mother")
    birth = replace(mother.pathway, principal="O840", label="Accouchements multiples, tous spontanés")
    mother = replace(mother, pathway=birth, associated=("Z372", "O300"))
    first = _twin(plan_newborn(seed, index + 1, mother))
    second = _twin(plan_newborn(seed, index + 2, mother, sex=first.person.sex))
    born = first.start.replace(minute=59)
    second = replace(
        second, start=born, units=(replace(second.units[0], start=born),),
        person=replace(second.person, born=first.person.born),
    )  # fmt: skip
    bundles = [stay_bundle(seed, hospital, stay) for stay in (mother, first, second)]
    for rank, bundle in enumerate(bundles[1:], 1):
        resource_of(bundle, "Patient")["multipleBirthInteger"] = rank
    return RareCase("twins", (mother, first, second), tuple(bundles))


def _twin(child: Stay) -> Stay:
    return replace(child, pathway=replace(child.pathway, principal="Z383", label="Jumeaux, nés à l'hôpital"))


def _home_care(seed: int, hospital: Hospital, index: int) -> RareCase:
    """The class of the Encounter says that the person was at home."""
    stay = _in_one_unit(seed, index, "home-care")
    bundle = stay_bundle(seed, hospital, stay)
    resource_of(bundle, "Encounter")["class"] = coding(THO + "v3-ActCode", "HH", "home health")
    return RareCase("home-care", (stay,), (bundle,), FIELD_REASON, "field-had")


def _rehabilitation(seed: int, hospital: Hospital, index: int) -> RareCase:
    return _of_field(seed, hospital, index, "rehabilitation", REHABILITATION, "SMR", "field-ssr")


def _psychiatry(seed: int, hospital: Hospital, index: int) -> RareCase:
    return _of_field(seed, hospital, index, "psychiatry", PSYCHIATRY, "PSY", "field-psy")


def _of_field(
    seed: int, hospital: Hospital, index: int, kind: str, unit: Unit, activity: str, counter: str
) -> RareCase:
    """Return a stay in a unit whose organization says another field."""
    stay = _in_one_unit(seed, index, kind, unit)
    bundle = stay_bundle(seed, hospital, stay)
    owner = resource_of(bundle, "Organization", f"uf-{unit.code.lower()}")
    owner["extension"] = [{"url": ACTIVITY, "valueCoding": coding(ACTIVITIES, activity, activity)}]
    return RareCase(kind, (stay,), (bundle,), FIELD_REASON, counter)


def _in_one_unit(seed: int, index: int, kind: str, unit: Unit | None = None) -> Stay:
    stay = replace(plan_kind(seed, index, "ordinary"), kind=kind)
    return replace(stay, units=(UnitStay(unit or stay.units[-1].unit, stay.start, stay.end),))


def _places(seed: int, hospital: Hospital, index: int) -> RareCase:
    """The units are told by the periods of `Encounter.location`, without an Encounter of their own."""
    stay = replace(two_unit_stay(seed, index), kind="places")
    scene = make_scene(seed, hospital, stay)
    bundle = _without_children(stay_bundle(seed, hospital, stay))
    resource_of(bundle, "Encounter")["location"] = [
        {
            "location": scene.reference("Location", f"lit-{one.unit.code.lower()}", display=one.unit.name),
            "status": "completed",
            "period": period(one.start, one.end),
        }
        for one in stay.units
    ]
    bundle["entry"] += [entry(scene, _location(scene, one.unit)) for one in stay.units]
    return RareCase("places", (stay,), (bundle,))


def _unit_claims(seed: int, hospital: Hospital, index: int) -> RareCase:
    """The units, diagnoses and acts are told by a Claim a unit, without Encounters, Conditions or Procedures."""
    stay = replace(two_unit_stay(seed, index), kind="unit-claims")
    scene = make_scene(seed, hospital, stay)
    bundle = _without_children(stay_bundle(seed, hospital, stay))
    bundle["entry"] = [
        one for one in bundle["entry"] if one["resource"]["resourceType"] not in ("Condition", "Procedure")
    ]
    resource_of(bundle, "Encounter").pop("diagnosis")
    told = _acts_by_unit(stay, acts(scene))
    bundle["entry"] += [
        entry(
            scene,
            unit_claim(scene, rank, [one for one in diagnoses(scene) if one.role != "da" or rank == 1], told[rank - 1]),
        )
        for rank in range(1, len(stay.units) + 1)
    ]
    return RareCase("unit-claims", (stay,), (bundle,))


def _acts_by_unit(stay: Stay, done: list[Act]) -> list[list[Act]]:
    moved = stay.units[-1].start
    return [[one for one in done if one.done < moved], [one for one in done if one.done >= moved]]


def _without_children(bundle: Json) -> Json:
    kept = [one for one in bundle["entry"] if "partOf" not in one["resource"] or not is_a(one["resource"], "Encounter")]
    return {**bundle, "entry": kept}


def _location(scene: Scene, unit: Unit) -> Json:
    return {
        "resourceType": "Location",
        "id": f"lit-{unit.code.lower()}",
        "meta": scene.meta("fr-core-location") | {"versionId": "1"},
        "text": narrative(f"Lits de l'unité {unit.name}."),
        "status": "active",
        "mode": "instance",
        "name": f"Lits {unit.name}",
        "managingOrganization": scene.reference("Organization", f"uf-{unit.code.lower()}", display=unit.name),
    }


KINDS: Mapping[str, Maker] = MappingProxyType(
    {
        "twins": _twins,
        "home-care": _home_care,
        "rehabilitation": _rehabilitation,
        "psychiatry": _psychiatry,
        "places": _places,
        "unit-claims": _unit_claims,
        **CARE,
        **CLAIMS,
        **RESULTS,
    }
)
A_ROUND = len(KINDS) + 2  # bundles: the twins and their mother are three
