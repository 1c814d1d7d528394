"""Rules of an integrator's own profile, through the validator: value sets, profiles, references, what is not told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fhir_profiles.bundle import parse
from fhir_profiles.limits import Limits
from fhir_profiles.validator import Validator, load_validator

BASE = "http://hl7.org/fhir/StructureDefinition/"
OWN = "http://example.org/StructureDefinition/"
RULES = {
    "in-set": "gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')",
    "in-unknown": "maritalStatus.exists() implies maritalStatus.memberOf('http://example.org/ValueSet/none')",
    "conforms": "contact.all(name.exists() implies $this.is(BackboneElement))",
    "organization": "managingOrganization.exists() implies managingOrganization.resolve().name = 'Here'",
    "profile": "generalPractitioner.resolve().all(conformsTo('" + BASE + "Practitioner'))",
    "beyond": "name.given.all(matches('^(?!x)'))",
    "no-function": "name.frobnicate()",
}


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Validator:
    folder = tmp_path_factory.mktemp("definitions")
    (folder / "own.json").write_text(json.dumps(definition()), encoding="utf-8")
    return load_validator([folder])


def definition() -> dict[str, Any]:
    constraints = [{"key": key, "severity": "error", "human": key, "expression": text} for key, text in RULES.items()]
    return {
        "resourceType": "StructureDefinition",
        "url": OWN + "own-patient",
        "version": "1",
        "name": "Own",
        "status": "draft",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": BASE + "Patient",
        "derivation": "constraint",
        "differential": {"element": [{"id": "Patient", "path": "Patient", "constraint": constraints}]},
    }


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p", "gender": "female", "name": [{"family": "Dupont"}]} | more


def told(validator: Validator, resource: dict[str, Any], *others: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return code and rule of what is found of a patient in a bundle with other resources."""
    entries = [
        {"fullUrl": f"http://example.org/{one['resourceType']}/{one['id']}", "resource": one}
        for one in (resource, *others)
    ]
    body = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()
    verdict = validator.validate(parse(body, Limits()), french_profiles="declared", profiles=[OWN + "own-patient"])
    return sorted({(one.code, one.rule) for one in verdict.entry_issues.get(0, ()) if one.rule in RULES})


def test_a_patient_that_keeps_every_rule_is_told_nothing_but_what_cannot_be_checked(validator: Validator) -> None:
    assert told(validator, patient(active=True)) == []


def test_a_value_set_that_is_not_there_is_said_not_guessed(validator: Validator) -> None:
    found = told(validator, patient(maritalStatus={"coding": [{"system": "http://example.org", "code": "M"}]}))

    assert found == [("constraint-not-checked", "in-unknown")]


def test_a_pattern_that_re2_has_not_is_said(validator: Validator) -> None:
    assert told(validator, patient(name=[{"given": ["x"]}])) == [("constraint-not-checked", "beyond")]


def test_references_are_resolved_inside_the_request(validator: Validator) -> None:
    here, there = ({"resourceType": "Organization", "id": "o", "name": name} for name in ("Here", "There"))
    referring = patient(managingOrganization={"reference": "Organization/o"})

    assert told(validator, referring, here) == []
    assert told(validator, referring, there) == [("invariant", "organization")]
    assert told(validator, referring) == [("invariant", "organization")]


def test_a_resource_is_judged_by_the_profile_named(validator: Validator) -> None:
    right = {"resourceType": "Practitioner", "id": "d", "gender": "male"}
    wrong = {"resourceType": "Practitioner", "id": "d", "gender": "homme"}
    other = {"resourceType": "PractitionerRole", "id": "d"}
    referring = patient(generalPractitioner=[{"reference": "Practitioner/d"}])

    assert told(validator, referring, right) == []
    assert told(validator, referring, wrong) == [("invariant", "profile")]
    assert told(validator, patient(generalPractitioner=[{"reference": "PractitionerRole/d"}]), other) == [
        ("invariant", "profile")
    ]


def test_a_rule_that_cannot_be_translated_is_listed_when_the_profile_is_loaded(validator: Validator) -> None:
    validator.profiles.prepare()

    assert (OWN + "own-patient|1", "no-function", "the function frobnicate()") in validator.profiles.not_checked()
