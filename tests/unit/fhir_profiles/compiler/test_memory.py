"""What passed a check is not checked again: never a wrong value, never what depends on its place, never for ever."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fhir_profiles.compiler import load_profiles, memory
from fhir_profiles.compiler.memory import Memory
from fhir_profiles.validator import Validator, load_validator
from tests.support.posted import observation

Json = dict[str, Any]
CODING = {"system": "http://loinc.org", "code": "718-7", "display": "Hémoglobine"}


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(load_profiles(packages=("r4",)))


def codes(validator: Validator, resource: Json) -> list[tuple[str, str]]:
    return [(one.code, one.expression) for one in validator.validate_resource(resource, french_profiles="declared")]


def test_a_wrong_coding_is_told_each_time_and_a_right_one_never(validator: Validator) -> None:
    right = observation(code={"coding": [CODING], "text": "x"})
    wrong = observation(code={"coding": [CODING | {"code": "a  b"}], "text": "x"})

    answers = [(codes(validator, right), codes(validator, wrong)) for _ in range(3)]

    assert answers == [answers[0]] * 3
    assert ("format-code", "Observation.code.coding[0].code") in answers[0][1]
    assert not any(place.startswith("Observation.code") for _, place in answers[0][0])


def test_a_list_in_the_place_of_one_value_is_told_though_its_content_is_known(validator: Validator) -> None:
    concept = {"coding": [CODING]}
    known = observation(code=concept, category=[concept])

    assert codes(validator, known) == codes(validator, known)
    assert ("unexpected-array", "Observation.code") in codes(validator, observation(code=[concept]))
    assert ("not-an-array", "Observation.category") in codes(validator, observation(category=concept))


def test_a_binding_is_asked_though_the_concept_itself_is_known(validator: Validator) -> None:
    outside = {"coding": [CODING]}

    assert codes(validator, observation(code=outside)) == codes(validator, observation(code=outside))
    found = [codes(validator, observation(interpretation=[outside])) for _ in range(2)]

    assert found[0] == found[1]
    assert ("code-outside-extensible", "Observation.interpretation[0]") in found[0]


def test_what_cannot_be_checked_is_said_in_each_request() -> None:
    validator = load_validator()
    resource = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "code": {"coding": [CODING]}}
    resource["clinicalStatus"] = {"coding": [{"system": "http://x.example", "code": "active"}]}

    answers = [[one.code for one in validator.validate_resource(resource)] for _ in range(3)]

    assert answers[0] == answers[1] == answers[2] != []


def test_what_holds_an_extension_is_asked_anew() -> None:
    kept = Memory()
    seen = kept.of("CodeableConcept")

    kept.keep(seen, orjson.dumps({"coding": [CODING], "extension": [{"url": "http://x.example/e"}]}))

    assert not seen


def test_nothing_that_was_posted_can_be_read_in_the_memory() -> None:
    kept = Memory()
    seen = kept.of("CodeableConcept")

    kept.keep(seen, orjson.dumps({"text": "Madame Untel"}))

    assert {type(one) for one in seen} == {int}


def test_the_memory_is_forgotten_as_a_whole_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAXIMUM", 4)
    kept = Memory()
    first, other = kept.of("a"), kept.of("b")

    for number in range(9):
        kept.keep(first if number % 2 else other, b"%d" % number)

    assert len(first) + len(other) == 1
    assert kept.of("a") is first


def test_the_same_fragment_is_asked_in_each_resource(validator: Validator) -> None:
    person = {"resourceType": "Patient", "id": "p"}
    unit = {"resourceType": "Organization", "id": "p", "name": "x"}
    listed = [
        {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{n}", "resource": resource}
        for n, resource in enumerate(
            (
                observation("a", contained=[person], subject={"reference": "#p"}),
                observation("b", contained=[unit], subject={"reference": "#p"}),
            )
        )
    ]
    content = orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": listed})

    issues = validator.validate(content, french_profiles="declared").issues

    wrong = [one.expression for one in issues if one.code == "reference-target-type"]
    assert wrong == ["Bundle.entry[1].resource.subject"]


def test_a_reference_that_is_right_in_one_element_is_wrong_in_another(validator: Validator) -> None:
    stay = {"reference": "Encounter/1"}

    found = codes(validator, observation(encounter=stay, subject=stay))

    assert ("reference-target-type", "Observation.subject") in found
    assert ("reference-target-type", "Observation.encounter") not in found
