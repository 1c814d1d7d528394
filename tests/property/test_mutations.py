"""Mutations of right French resources: our verdict beside those of fhir.resources (R4B) and fhirkit-rs.

We refuse whatever one of them refuses; what we alone refuse belongs to a class of faults that they do not look for.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from random import Random
from types import MappingProxyType
from typing import Any

import fhirkit
import orjson
import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fhir_profiles.compiler import load_profiles
from fhir_profiles.validator import Validator
from gateway.synthetic.bundles import workload

Json = dict[str, Any]
Path = tuple[str | int, ...]
EXAMPLES, SEED = 1000, 3
CODED = ("status", "gender", "use", "intent", "code")

# What neither of them looks for, and why it is a fault all the same.
OURS_ALONE: Mapping[str, str] = MappingProxyType(
    {
        "code-not-in-value-set": "required bindings: `enum_values` is metadata in fhir.resources, fhirkit has none",
        "code-missing": "a concept of words alone under a required binding",
        "empty-object": "an element has a value or children (ele-1)",
        "empty-array": "FHIR R4 json §2.6.2: no empty arrays",
        "empty-string": "FHIR R4 datatypes: a string has one character at least",
        "null-value": "FHIR R4 json §2.6.2: null only beside an extension of the same item",
        "format-uri": "FHIR R4 datatypes: no white space in a uri",
        "format-code": "FHIR R4 datatypes: no white space at either end of a code",
        "format-string": "FHIR R4 datatypes: no control characters",
        "format-markdown": "FHIR R4 datatypes: no control characters",
        "format-id": "FHIR R4 datatypes: 1 to 64 of A-Z a-z 0-9 - and dot; they know it for resources in bundles alone",
        "format-date": "a day of the calendar",
        "format-dateTime": "a day of the calendar",
        "format-instant": "a day of the calendar",
        "narrative-malformed": "XHTML that is no XML",
        "narrative-root": "XHTML without its div",
        "narrative-empty": "a narrative without text",
        "invariant": "FHIRPath rules",
        "reference-target-type": "a reference to a type that its element does not allow",
        "extension-context": "an extension in a place that its definition excludes",
        "type-not-allowed": "an extension with a value of another type than its definition says",
        "wrong-json-type": "a number or boolean written as a string: fhir.resources converts it",
        "slice-missing": "a part of a complex extension that its definition demands",
    }
)


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(load_profiles(packages=("r4",)))


def resources() -> list[Json]:
    """Return a few right resources of each type that the synthetic hospital sends, without their profiles."""
    found: dict[str, list[Json]] = {}
    for body in workload(SEED, 4):
        for entry in orjson.loads(body)["entry"]:
            resource = entry["resource"]
            resource.get("meta", {}).pop("profile", None)
            found.setdefault(resource["resourceType"], []).append(resource)
    return [one for listed in found.values() for one in listed[:3]]


RESOURCES = resources()


def places(node: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value beneath a JSON value."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from places(value, (*path, key))


def mutated(resource: Json, random: Random) -> Json:
    """Return the resource with one fault, or (rarely) with a change that is none."""
    changed = copy.deepcopy(resource)
    path = random.choice([one for one in places(changed) if one[-1] != "resourceType"])
    owner: Any = changed
    for step in path[:-1]:
        owner = owner[step]
    key = path[-1]
    value = owner[key]
    ways = ["drop", "retype", "empty"]
    ways += ["duplicate"] if isinstance(value, list) else []
    ways += ["unknown"] if isinstance(value, dict) else []
    ways += ["format"] if isinstance(value, str) else []
    ways += ["code"] * 3 if isinstance(value, str) and key in CODED else []
    way = random.choice(ways)
    if way == "drop":
        del owner[key]
    elif way == "duplicate":
        value.append(copy.deepcopy(value[0]))
    elif way == "unknown":
        value["nonsense"] = "x"
    elif way == "code":
        owner[key] = "zzz"
    elif way == "format":
        owner[key] = random.choice(["2024-13-45", " x", "a b", "\u0007"])
    elif way == "empty":
        owner[key] = random.choice(["", {}, [], None])
    else:
        owner[key] = 1 if isinstance(value, str) else "x" if not isinstance(value, (dict, list)) else [value]
    return changed


def refused_by_fhirkit(resource: Json) -> bool:
    return any(str(one.severity) == "error" for one in fhirkit.validate(orjson.dumps(resource)))


def refused_by_fhir_resources(resource: Json) -> bool:
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except ValidationError:
        return True
    return False


def test_the_resources_are_right_before_they_are_changed(validator: Validator) -> None:
    for one in RESOURCES:
        assert [each for each in validator.validate_resource(one, french_profiles="declared") if each.blocks] == []
        assert not refused_by_fhirkit(one)
        assert not refused_by_fhir_resources(one)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(RESOURCES), st.randoms(use_true_random=False))
def test_we_refuse_what_others_refuse_and_every_class_of_difference_is_explained(
    validator: Validator, resource: Json, random: Random
) -> None:
    changed = mutated(resource, random)

    ours = {one.code for one in validator.validate_resource(changed, french_profiles="declared") if one.blocks}
    theirs = [refused_by_fhirkit(changed), refused_by_fhir_resources(changed)]

    assert ours or not any(theirs)
    assert any(theirs) or ours <= set(OURS_ALONE)
