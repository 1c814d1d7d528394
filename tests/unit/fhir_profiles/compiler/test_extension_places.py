"""Where extensions may stand: by path, by type, in another extension, by FHIRPath; and the rules of their contexts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fhir_profiles.compiler import load_profiles
from fhir_profiles.issues import repair, text
from fhir_profiles.validator import Validator, load_validator
from tests.support.made_profiles import MADE, Json, extension, written
from tests.support.posted import bundle, observation, patient

HL7 = "http://hl7.org/fhir/StructureDefinition/"


@pytest.fixture(scope="module")
def packaged() -> Validator:
    return load_validator()


def told(validator: Validator, resource: Json) -> list[tuple[str, str]]:
    found = validator.validate_resource(resource, french_profiles="declared")
    assert all("{" not in text(one, language) + repair(one, language) for one in found for language in ("fr", "en"))
    return [(one.code, one.expression) for one in found if one.code != "extension-unknown"]


def placed(folder: Path, *contexts: tuple[str, str], rules: tuple[str, ...] = ()) -> Validator:
    """Load extension `a` with these contexts and rules, and `b` that may stand anywhere."""
    made = extension("a", "string") | {"context": [{"type": kind, "expression": one} for kind, one in contexts]}
    if rules:
        made |= {"contextInvariant": list(rules)}
    return Validator(load_profiles([written(folder, made, extension("b", "string"))], packages=("r4",)))


def carrying(**more: Any) -> Json:
    return more | {"extension": [{"url": MADE + "a", "valueString": "x"}]}


def test_a_fhirpath_that_says_more_than_a_path_is_evaluated(tmp_path: Path) -> None:
    validator = placed(tmp_path, ("fhirpath", "Patient.name.where(use = 'old')"))

    assert told(validator, patient(name=[{"use": "old", "text": "x"} | carrying()])) == []
    assert told(validator, patient(name=[{"text": "x"}, {"use": "usual", "text": "x"} | carrying()])) == [
        ("extension-context", "Patient.name[1].extension[0]")
    ]
    assert told(validator, patient(**carrying())) == [("extension-context", "Patient.extension[0]")]


def test_a_fhirpath_may_lead_to_primitives_choices_and_contained_resources(tmp_path: Path) -> None:
    lead = "Patient.name.given.where($this = 'Zoé') | Observation.value.ofType(Quantity)"
    validator = placed(tmp_path, ("fhirpath", lead))
    names: Json = {"given": ["Léa", "Zoé"], "_given": [None, carrying()]}

    assert told(validator, patient(name=[names])) == []
    assert told(validator, patient(name=[names | {"given": ["Léa", "Lou"]}])) == [
        ("extension-context", "Patient.name[0].given[1].extension[0]")
    ]
    assert told(validator, observation(valueQuantity={"value": 1} | carrying())) == []
    assert told(validator, observation(valueRange={"low": {"value": 1}} | carrying())) == [
        ("extension-context", "Observation.value.ofType(Range).extension[0]")
    ]
    assert told(validator, observation(contained=[patient("c", name=[names])], subject={"reference": "#c"})) == []


def test_the_place_in_a_bundle_is_that_in_its_entry(tmp_path: Path) -> None:
    validator = placed(tmp_path, ("fhirpath", "Patient.name.where(use = 'old')"))
    people = [patient("a", name=[{"use": use, "text": "x"} | carrying()]) for use in ("old", "usual")]
    posted = bundle("collection", *({"fullUrl": f"urn:uuid:{i}", "resource": one} for i, one in enumerate(people)))

    found = validator.validate_resource(posted, french_profiles="declared")

    assert ("extension-context", "Bundle.entry[1].resource.name[0].extension[0]") in [
        (one.code, one.expression) for one in found
    ]
    assert sum(one.code == "extension-context" for one in found) == 1


def test_a_context_by_extension_means_inside_that_one(tmp_path: Path) -> None:
    validator = placed(tmp_path, ("extension", MADE + "b"), ("element", "Patient.contact"))
    inside = {"url": MADE + "b"} | carrying()

    assert ("extension-context", "Patient.extension[0].extension[0]") not in told(
        validator, patient(extension=[inside])
    )
    assert ("extension-context", "Patient.extension[0].extension[0]") in told(
        validator, patient(extension=[inside | {"url": "https://other.example"}])
    )
    assert told(validator, patient(contact=[{"name": {"text": "x"}} | carrying()])) == []
    assert told(validator, patient(**carrying())) == [("extension-context", "Patient.extension[0]")]


@pytest.mark.parametrize("expression", ["Patient.telecom:mail", f"{MADE}some-patient#Patient.telecom"])
def test_a_context_by_an_element_of_a_profile_asks_for_its_path_and_says_so(tmp_path: Path, expression: str) -> None:
    validator = placed(tmp_path, ("element", expression))

    assert told(validator, patient(telecom=[{"rank": 1} | carrying()])) == []
    assert told(validator, patient(**carrying())) == [("extension-context", "Patient.extension[0]")]
    assert validator.profiles.unchecked(f"{MADE}a|1") == (
        (f"context {expression}", "an element of a profile: only its path is asked"),
    )


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (("fhirpath", "Patient.name.frobnicate()"), "the function frobnicate()"),
        (("element", "https://logical.example/Thing"), "a context that names no element"),
    ],
)
def test_a_context_that_cannot_be_evaluated_stops_nothing_and_is_listed(
    tmp_path: Path, context: tuple[str, str], reason: str
) -> None:
    validator = placed(tmp_path, context)

    assert told(validator, patient(**carrying())) == []
    assert validator.profiles.unchecked(f"{MADE}a|1") == ((f"context {context[1]}", reason),)


def test_the_rules_of_a_context_are_evaluated_on_the_element_that_holds_the_extension(tmp_path: Path) -> None:
    rules = ("use = 'old'", "%extension.value.length() < 3", "frobnicate()")
    validator = placed(tmp_path, ("element", "HumanName"), rules=rules)

    def name(use: str, value: str) -> list[tuple[str, str]]:
        one = {"use": use, "extension": [{"url": MADE + "a", "valueString": value}]}
        return told(validator, patient(name=[one]))

    assert name("old", "x") == []
    assert name("usual", "x") == [("extension-invariant", "Patient.name[0].extension[0]")]
    assert name("usual", "long") == [("extension-invariant", "Patient.name[0].extension[0]")] * 2
    assert validator.profiles.unchecked(f"{MADE}a|1") == (
        ("contextInvariant frobnicate()", "the function frobnicate()"),
    )


def test_a_rule_whose_answer_is_not_known_here_is_said_not_to_be_checked(tmp_path: Path) -> None:
    validator = placed(tmp_path, ("element", "HumanName"), rules=("use.memberOf('https://nowhere.example')",))

    assert told(validator, patient(name=[{"use": "old"} | carrying()])) == [("constraint-not-checked", "Patient")]


def test_an_ordinary_invariant_knows_no_extension_in_question(tmp_path: Path) -> None:
    made = extension("a", "string")
    rule = {"key": "e-1", "severity": "error", "human": "x", "expression": "%extension.exists()"}
    made["differential"]["element"][0]["constraint"] = [rule]
    validator = Validator(load_profiles([written(tmp_path, made)], packages=("r4",)))

    assert told(validator, patient(**carrying())) == []
    assert validator.profiles.unchecked(f"{MADE}a|1") == (("e-1", "the variable %extension"),)


def item(url: str, value: Json, **facts: Any) -> Json:
    one = {"linkId": "1", "extension": [{"url": HL7 + url} | value]} | facts
    return {"resourceType": "Questionnaire", "status": "draft", "item": [one]}


@pytest.mark.parametrize(
    ("url", "value", "right", "wrong"),
    [
        ("questionnaire-unit", {"valueCoding": {"code": "kg"}}, {"type": "decimal"}, {"type": "string"}),
        ("questionnaire-maxOccurs", {"valueInteger": 2}, {"type": "string", "repeats": True}, {"type": "string"}),
        ("questionnaire-minOccurs", {"valueInteger": 0}, {"type": "string"}, {"type": "display"}),
        ("questionnaire-sliderStepValue", {"valueInteger": 1}, {"type": "integer"}, {"type": "decimal"}),
    ],
)
def test_the_context_rules_of_r4_itself_hold(
    packaged: Validator, url: str, value: Json, right: Json, wrong: Json
) -> None:
    assert told(packaged, item(url, value, **right)) == []
    assert told(packaged, item(url, value, **wrong)) == [("extension-invariant", "Questionnaire.item[0].extension[0]")]


def test_malformed_content_on_the_way_is_told_once(tmp_path: Path) -> None:
    validator = placed(tmp_path, ("fhirpath", "Patient.name.where(use = 'old')"))

    assert told(validator, patient(name={"use": "usual"} | carrying())) == [("not-an-array", "Patient.name")]
    assert told(validator, patient(name=["x", {"use": "old"} | carrying()])) == [("not-an-object", "Patient.name[0]")]
