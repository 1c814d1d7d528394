"""Rules over many items stay linear: twice the items, about twice the calls (counted, not timed)."""

from __future__ import annotations

import cProfile
from collections.abc import Callable
from typing import Any

import pytest

from fhir_profiles.compiler.context import CheckContext
from tests.support.fhirpath_rules import elements, rules

FEW, MANY = 100, 400


def contained(count: int) -> dict[str, Any]:
    """A patient whose contained resources are all referred to: dom-3, ref-1."""
    return {
        "resourceType": "Patient",
        "contained": [{"resourceType": "Practitioner", "id": f"p{index}"} for index in range(count)],
        "generalPractitioner": [{"reference": f"#p{index}"} for index in range(count)],
    }


def observation(count: int) -> dict[str, Any]:
    """An observation of many codes and components: obs-7."""
    codings = [{"system": "http://example.org", "code": f"c{index}"} for index in range(count)]
    components = [{"code": {"coding": [{"code": f"d{index}"}]}, "valueString": "x"} for index in range(count)]
    return {"resourceType": "Observation", "code": {"coding": codings}, "valueString": "x", "component": components}


def guide(count: int) -> dict[str, Any]:
    """An implementation guide: ig-1 asks each resource for its grouping."""
    return {
        "resourceType": "ImplementationGuide",
        "fhirVersion": ["4.0.1"],
        "definition": {
            "grouping": [{"id": f"g{index}", "name": "x"} for index in range(count)],
            "resource": [{"groupingId": f"g{index}"} for index in range(count)],
        },
    }


def structure(count: int) -> dict[str, Any]:
    """A definition: sdf-8 compares every path with the first one."""
    listed = [{"id": f"Patient.x{index}", "path": f"Patient.x{index}"} for index in range(count)]
    first = {"id": "Patient", "path": "Patient"}
    return {"resourceType": "StructureDefinition", "type": "Patient", "snapshot": {"element": [first, *listed]}}


def bundle(count: int) -> dict[str, Any]:
    """A bundle: bdl-3, bdl-7."""
    entries = [{"fullUrl": f"urn:uuid:{index}", "request": {"method": "PUT", "url": "x"}} for index in range(count)]
    return {"resourceType": "Bundle", "type": "batch", "entry": entries}


def calls(resource: dict[str, Any]) -> int:
    """Return how many calls evaluating every rule on every element makes, inline and generally."""
    x = CheckContext(resource, resource)
    listed = [
        (rule, element)
        for path, element in elements(resource, resource["resourceType"])
        for rule in rules().get(path, ())
    ]
    profile = cProfile.Profile()
    profile.enable()
    for rule, element in listed:
        rule.check(element, x)
        rule.general(element, x)
    profile.disable()
    return sum(one.callcount for one in profile.getstats())


@pytest.mark.parametrize("made", [contained, observation, guide, structure, bundle], ids=lambda one: one.__name__)
def test_rules_are_linear_in_the_size_of_a_resource(made: Callable[[int], dict[str, Any]]) -> None:
    assert calls(made(MANY)) < 1.5 * (MANY / FEW) * calls(made(FEW))


def test_a_contained_resource_is_found_in_constant_time() -> None:
    resource = contained(MANY)
    x = CheckContext(resource, resource)

    assert all(x.target(f"#p{index}") is resource["contained"][index] for index in range(MANY))
    assert x.target("#none") is None
    assert x.target("#") is resource
