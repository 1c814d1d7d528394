"""Slices: which item belongs to which, how often, in which order, by every kind of discriminator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fhir_profiles.compiler import load_profiles
from fhir_profiles.validator import Validator, load_validator
from tests.support.made_profiles import MADE, Json, element, extension, profile, slicing, value_set, written
from tests.support.posted import observation, patient

SYSTEM = "https://codes.example"


def checked(folder: Path, resource: Json, *definitions: Json) -> list[tuple[str, str]]:
    """Return code and place of every error that the first definition finds."""
    validator = Validator(load_profiles([written(folder, *definitions)], packages=("r4",)))
    return errors(validator, resource, definitions[0]["url"])


def errors(validator: Validator, resource: Json, url: str) -> list[tuple[str, str]]:
    found = validator.validate_resource(resource, french_profiles="declared", profiles=[url])
    return [(one.code, one.expression) for one in found if one.blocks]


def identifiers(*systems: str, **more: Any) -> Json:
    return patient(identifier=[{"system": one, "value": "1"} | more for one in systems])


TWO = (
    slicing("Patient.identifier", ("value", "system")),
    element("Patient.identifier:a", min=1, max="1"),
    element("Patient.identifier:a.system", min=1, fixedUri="https://a.example"),
    element("Patient.identifier:a.use", min=1),
    element("Patient.identifier:b", min=0, max="1"),
    element("Patient.identifier:b.system", min=1, patternUri="https://b.example"),
)


@pytest.mark.parametrize(
    ("systems", "expected"),
    [
        (("https://b.example",), [("slice-missing", "Patient")]),
        (("https://a.example", "https://c.example"), []),
        (("https://a.example", "https://a.example"), [("slice-too-many", "Patient.identifier")]),
        (("https://a.example", "https://b.example", "https://b.example"), [("slice-too-many", "Patient.identifier")]),
    ],
)
def test_slices_by_value_are_counted(tmp_path: Path, systems: tuple[str, ...], expected: list[Any]) -> None:
    assert checked(tmp_path, identifiers(*systems, use="usual"), profile("two", "Patient", *TWO)) == expected


def test_what_a_slice_demands_is_told_at_the_item_with_the_slice_as_rule(tmp_path: Path) -> None:
    validator = load_validator([written(tmp_path, profile("two", "Patient", *TWO))])

    found = validator.validate_resource(
        identifiers("https://c.example", "https://a.example"), french_profiles="declared", profiles=[MADE + "two"]
    )

    assert [(one.code, one.expression, one.rule, one.profile) for one in found if one.blocks] == [
        ("missing-element", "Patient.identifier[1]", "Patient.identifier:a.use", f"{MADE}two|1")
    ]


@pytest.mark.parametrize(
    ("rules", "ordered", "systems", "expected"),
    [
        ("closed", False, ("https://a.example", "https://c.example"), [("slice-closed", "Patient.identifier[1]")]),
        ("open", True, ("https://b.example", "https://a.example"), [("slice-order", "Patient.identifier[1]")]),
        ("open", True, ("https://a.example", "https://c.example", "https://b.example"), []),
        ("openAtEnd", False, ("https://c.example", "https://a.example"), [("slice-not-last", "Patient.identifier[1]")]),
        ("openAtEnd", False, ("https://a.example", "https://c.example"), []),
    ],
)
def test_closed_ordered_and_open_at_end(
    tmp_path: Path, rules: str, *, ordered: bool, systems: tuple[str, ...], expected: list[Any]
) -> None:
    sliced = slicing("Patient.identifier", ("value", "system"), rules=rules, ordered=ordered)

    found = checked(tmp_path, identifiers(*systems, use="usual"), profile("two", "Patient", sliced, *TWO[1:]))

    assert found == expected


def test_a_pattern_of_a_concept_is_a_discriminator(tmp_path: Path) -> None:
    made = profile(
        "concept",
        "Observation",
        slicing("Observation.category", ("pattern", "$this")),
        element(
            "Observation.category:lab",
            min=1,
            max="1",
            patternCodeableConcept={"coding": [{"system": SYSTEM, "code": "l"}]},
        ),
    )
    other = {"coding": [{"system": SYSTEM, "code": "x"}]}
    lab = {"coding": [{"system": SYSTEM, "code": "x"}, {"system": SYSTEM, "code": "l", "display": "Lab"}], "text": "l"}

    assert checked(tmp_path / "1", observation(category=[other, lab]), made) == []
    assert checked(tmp_path / "2", observation(category=[other]), made) == [("slice-missing", "Observation")]


def test_slices_by_exists_and_by_value_set(tmp_path: Path) -> None:
    made = profile(
        "exists",
        "Patient",
        slicing("Patient.telecom", ("exists", "period")),
        element("Patient.telecom:dated", max="1"),
        element("Patient.telecom:dated.period", min=1),
        element("Patient.telecom:plain", max="1"),
        element("Patient.telecom:plain.period", max="0"),
        slicing("Patient.contact.relationship", ("value", "$this")),
        element(
            "Patient.contact.relationship:local",
            max="1",
            binding={"strength": "required", "valueSet": "https://profils.example/ValueSet/local"},
        ),
    )
    plain = {"system": "phone", "value": "2"}
    dated = plain | {"period": {"start": "2024"}}
    local, far = ({"coding": [{"system": SYSTEM, "code": code}]} for code in ("br", "xx"))
    name = {"name": {"text": "x"}}
    definitions = (made, value_set("local", "br", "co"))

    right = patient(telecom=[dated, plain], contact=[name | {"relationship": [local, far, far]}])
    wrong = patient(telecom=[dated, plain, dated, plain], contact=[name | {"relationship": [local, local]}])

    assert checked(tmp_path / "1", right, *definitions) == []
    assert checked(tmp_path / "2", wrong, *definitions) == [
        ("slice-too-many", "Patient.telecom"),
        ("slice-too-many", "Patient.telecom"),
        ("slice-too-many", "Patient.contact[0].relationship"),
    ]


def test_slices_of_a_choice_by_type(tmp_path: Path) -> None:
    made = profile(
        "typed",
        "Observation",
        slicing("Observation.value[x]", ("type", "$this")),
        element("Observation.value[x]:valueQuantity", min=1, type=[{"code": "Quantity"}]),
        element("Observation.value[x]:valueQuantity.unit", min=1),
    )

    assert checked(tmp_path / "1", observation(valueQuantity={"value": 1, "unit": "g"}), made) == []
    assert checked(tmp_path / "2", observation(valueQuantity={"value": 1}), made) == [
        ("missing-element", "Observation.value.ofType(Quantity)")
    ]
    assert checked(tmp_path / "3", observation(valueString="1 g"), made) == [("slice-missing", "Observation")]


def test_slices_by_the_type_and_the_profile_of_what_is_referred_to(tmp_path: Path) -> None:
    made = profile(
        "resolved",
        "Observation",
        slicing("Observation.performer", ("type", "resolve()")),
        element(
            "Observation.performer:person",
            min=1,
            max="1",
            type=[{"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Practitioner"]}],
        ),
    )
    person = {"resourceType": "Practitioner", "id": "1"}

    def performers(*references: str) -> Json:
        return observation(contained=[person], performer=[{"reference": one} for one in references])

    assert checked(tmp_path / "1", performers("#1", "Organization/2"), made) == []
    assert checked(tmp_path / "2", performers("#1", "Practitioner/2"), made) == [
        ("slice-too-many", "Observation.performer")
    ]
    alone = observation(performer=[{"reference": "Organization/2"}])
    assert checked(tmp_path / "3", alone, made) == [("slice-missing", "Observation")]


def test_a_slice_of_a_slice(tmp_path: Path) -> None:
    made = profile(
        "nested",
        "Observation",
        slicing("Observation.component", ("value", "code.coding.code")),
        element("Observation.component:one", max="2"),
        slicing("Observation.component:one.code.coding", ("value", "system"), rules="closed"),
        element("Observation.component:one.code.coding:local", min=1, max="1"),
        element("Observation.component:one.code.coding:local.system", min=1, fixedUri=SYSTEM),
        element("Observation.component:one.code.coding:local.code", min=1, fixedCode="1"),
    )

    def component(*codings: tuple[str, str]) -> Json:
        return {"code": {"coding": [{"system": system, "code": code} for system, code in codings]}, "valueInteger": 1}

    right = observation(component=[component((SYSTEM, "1")), component(("https://x.example", "2"))])
    extra = observation(component=[component((SYSTEM, "1"), ("https://x.example", "9"))])

    assert checked(tmp_path / "1", right, made) == []
    assert checked(tmp_path / "2", extra, made) == [("slice-closed", "Observation.component[0].code.coding[1]")]


def test_slices_of_extensions_by_url_and_their_content(tmp_path: Path) -> None:
    made = profile(
        "extended",
        "Patient",
        slicing("Patient.extension", ("value", "url")),
        element("Patient.extension:rank", min=1, max="1", type=[{"code": "Extension", "profile": [MADE + "rank"]}]),
    )
    definitions = (made, extension("rank", "positiveInt", context="Patient"))

    def extended(*values: Json) -> list[tuple[str, str]]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())) if tmp_path.exists() else 0)
        return checked(folder, patient(extension=[{"url": MADE + "rank"} | one for one in values]), *definitions)

    assert extended({"valuePositiveInt": 1}) == []
    assert extended({"valueString": "1"}) == [("type-not-allowed", "Patient.extension[0].value.ofType(string)")]
    assert extended({"valuePositiveInt": 1}, {"valuePositiveInt": 2}) == [("slice-too-many", "Patient.extension")]
    assert checked(tmp_path / "none", patient(), *definitions) == [("slice-missing", "Patient")]


def test_slices_that_nothing_tells_apart_are_listed_and_not_guessed(tmp_path: Path) -> None:
    made = profile(
        "alike",
        "Patient",
        slicing("Patient.identifier", ("value", "type")),
        element("Patient.identifier:a", max="1"),
        element("Patient.identifier:a.type", patternCodeableConcept={"text": "x"}),
        element("Patient.identifier:b", max="1"),
        element("Patient.identifier:b.type", patternCodeableConcept={"text": "x"}),
    )
    validator = Validator(load_profiles([written(tmp_path, made)], packages=("r4",)))
    two, three = ([{"type": {"text": "x"}, "value": str(number)} for number in range(count)] for count in (2, 3))

    assert errors(validator, patient(identifier=two), MADE + "alike") == []
    assert errors(validator, patient(identifier=three), MADE + "alike") == [("slice-too-many", "Patient.identifier")]
    listed = [one for one in validator.profiles.not_checked() if one[0].startswith(MADE)]
    assert listed == [(f"{MADE}alike|1", "Patient.identifier", "slices with the same discriminator values")]


def test_slices_of_one_type_code_are_told_apart_by_their_system() -> None:
    validator = load_validator()
    nh = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NH"}]}
    both = [
        {"use": "official", "type": nh, "system": f"urn:oid:1.2.250.1.213.1.4.{last}", "value": "279035121518989"}
        for last in (13, 14)
    ]

    found = validator.validate_resource(patient(identifier=both), french_profiles="enforce")

    assert [one.code for one in found if one.blocks] == []
