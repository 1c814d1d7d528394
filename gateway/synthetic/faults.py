"""A right bundle → the same with one mistake that real systems make, and where the gateway should find it. Pure."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from gateway.synthetic.elements import Json


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted mistake: its name, what is wrong in French, and the FHIRPath where it stands."""

    name: str
    text: str
    expression: str


def plant(bundle: Json, number: int) -> tuple[Json, Fault]:
    """Return a copy with the mistake of that turn, or the next one that the stay has a resource for."""
    names = tuple(FAULTS)
    for turn in range(number, number + len(names)):
        wrong = copy.deepcopy(bundle)
        wrong["id"] = f"{wrong['id']}-faux"
        with suppress(LookupError):  # a stay without any administration has none to get wrong
            return wrong, FAULTS[names[turn % len(names)]](wrong)
    raise LookupError


def _found(bundle: Json, kind: str) -> tuple[Json, str]:
    for index, entry in enumerate(bundle["entry"]):
        resource: Json = entry["resource"]
        if resource["resourceType"] == kind:
            return resource, f"Bundle.entry[{index}].resource"
    raise LookupError(kind)


def _r5_encounter(bundle: Json) -> Fault:
    resource, path = _found(bundle, "MedicationAdministration")
    resource["encounter"] = resource.pop("context")
    return Fault("r5-encounter", "MedicationAdministration.encounter n'existe qu'en R5", path)


def _untyped_visit(bundle: Json) -> Fault:
    resource, path = _found(bundle, "Encounter")
    del resource["identifier"][0]["type"]
    return Fault("visit-without-type", "Le numéro de venue n'a pas de type (FR Core)", f"{path}.identifier[0]")


def _french_gender(bundle: Json) -> Fault:
    resource, path = _found(bundle, "Patient")
    resource["gender"] = "homme"
    return Fault("french-gender", "Le sexe est écrit en français", f"{path}.gender")


def _unknown_element(bundle: Json) -> Fault:
    resource, path = _found(bundle, "Observation")
    resource["valeur"] = resource.get("valueQuantity", {}).get("value", 0)
    return Fault("unknown-element", "Un élément n'existe pas en FHIR", path)


def _dangling_reference(bundle: Json) -> Fault:
    resource, path = _found(bundle, "Condition")
    resource["subject"] = {"reference": "urn:uuid:00000000-0000-4000-8000-000000000000", "type": "Patient"}
    return Fault("dangling-reference", "Une référence ne mène à rien dans le lot", f"{path}.subject")


def _temporary_ins(bundle: Json) -> Fault:
    resource, path = _found(bundle, "Patient")
    resource["identifier"][0]["use"] = "temp"
    return Fault("ins-not-official", "L'INS n'a pas l'usage « official » (FR Core)", f"{path}.identifier[0].use")


FAULTS: Mapping[str, Callable[[Json], Fault]] = {
    "r5-encounter": _r5_encounter,
    "visit-without-type": _untyped_visit,
    "french-gender": _french_gender,
    "unknown-element": _unknown_element,
    "dangling-reference": _dangling_reference,
    "ins-not-official": _temporary_ins,
}
