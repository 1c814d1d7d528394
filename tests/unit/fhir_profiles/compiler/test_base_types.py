"""What every resource is checked for: JSON shape, unknown elements, primitives, choices, bindings, references."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_profiles.bundle_rules import COVERED
from fhir_profiles.compiler import load_profiles
from fhir_profiles.compiler.base_code import OF_THE_REQUEST
from fhir_profiles.issues import repair
from fhir_profiles.validator import Validator
from tests.support.posted import observation, patient

Json = dict[str, Any]
DOSE = {"resourceType": "MedicationAdministration", "id": "m", "status": "completed", "effectiveDateTime": "2024-01-01"}
DOSE |= {"medicationCodeableConcept": {"text": "x"}, "subject": {"reference": "Patient/1"}}


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(load_profiles(packages=("r4",)))


def found(validator: Validator, resource: Json, *, blocking: bool = True) -> list[tuple[str, str]]:
    issues = validator.validate_resource(resource, french_profiles="declared")
    return [(one.code, one.expression) for one in issues if (one.blocks or not blocking) and one.profile]


@pytest.mark.parametrize(
    ("elements", "code", "place"),
    [
        ({"name": {}}, "not-an-array", "Patient.name"),
        ({"name": []}, "empty-array", "Patient.name"),
        ({"name": [{}]}, "empty-object", "Patient.name[0]"),
        ({"name": ["x"]}, "not-an-object", "Patient.name[0]"),
        ({"name": [[]]}, "unexpected-array", "Patient.name[0]"),
        ({"name": None}, "null-value", "Patient.name"),
        ({"name": [None]}, "null-value", "Patient.name[0]"),
        ({"gender": None}, "null-value", "Patient.gender"),
        ({"photo": None}, "null-value", "Patient.photo"),
        ({"gender": ["male"]}, "unexpected-array", "Patient.gender"),
        ({"gender": "homme"}, "code-not-in-value-set", "Patient.gender"),
        ({"gender": " male"}, "format-code", "Patient.gender"),
        ({"gender": {}}, "wrong-json-type", "Patient.gender"),
        ({"active": "true"}, "wrong-json-type", "Patient.active"),
        ({"active": 1}, "wrong-json-type", "Patient.active"),
        ({"birthDate": "1980-02-30"}, "format-date", "Patient.birthDate"),
        ({"birthDate": "80"}, "format-date", "Patient.birthDate"),
        ({"birthDate": ""}, "empty-string", "Patient.birthDate"),
        ({"multipleBirthInteger": 1.5}, "format-integer", "Patient.multipleBirth.ofType(integer)"),
        ({"deceasedDateTime": "2024-01-01T10:00"}, "format-dateTime", "Patient.deceased.ofType(dateTime)"),
        ({"deceasedBoolean": True, "deceasedDateTime": "2024"}, "choice-multiple", "Patient"),
        ({"nom": "x"}, "unknown-element", "Patient"),
        ({"_nom": {"id": "x"}}, "unknown-element", "Patient"),
        ({"contact": [{"nom": "x", "name": {"text": "x"}}]}, "unknown-element", "Patient.contact[0]"),
        ({"communication": [{"preferred": True}]}, "missing-element", "Patient.communication[0]"),
        ({"name": [{"given": ["a", ""]}]}, "empty-string", "Patient.name[0].given[1]"),
        ({"name": [{"given": [None]}]}, "null-value", "Patient.name[0].given[0]"),
        ({"name": [{"text": "a\u0007"}]}, "format-string", "Patient.name[0].text"),
        ({"identifier": [{"system": "a b", "value": "1"}]}, "format-uri", "Patient.identifier[0].system"),
        ({"identifier": [{"system": "urn:oid:01.2", "value": "1"}]}, "format-uri", "Patient.identifier[0].system"),
        ({"managingOrganization": {"reference": "Patient/1"}}, "reference-target-type", "Patient.managingOrganization"),
        ({"generalPractitioner": [{"type": "Location"}]}, "reference-target-type", "Patient.generalPractitioner[0]"),
        ({"contained": [{"resourceType": "Nothing"}]}, "resource-type-unknown", "Patient.contained[0]"),
        ({"meta": {"lastUpdated": "2024-01-01"}}, "format-instant", "Patient.meta.lastUpdated"),
        ({"meta": {"lastUpdated": "2024-01-01T10:00:00+01:75"}}, "format-instant", "Patient.meta.lastUpdated"),
        ({"meta": {"lastUpdated": "2024-01-01T10:00:00.000-13:60"}}, "format-instant", "Patient.meta.lastUpdated"),
        ({"meta": {"lastUpdated": "2024-01-01T10:00:00.000001:0Z"}}, "format-instant", "Patient.meta.lastUpdated"),
        ({"meta": {"project": "x"}}, "unknown-element", "Patient.meta"),
        ({"photo": [{"contentType": "image/png", "data": "a" * 97}]}, "format-base64Binary", "Patient.photo[0].data"),
        ({"text": {"status": "generated", "div": "<div>x</div>"}}, "narrative-root", "Patient.text.div"),
    ],
)
def test_one_fault_is_one_issue_at_its_place(validator: Validator, elements: Json, code: str, place: str) -> None:
    assert found(validator, patient(**elements)) == [(code, place)]


@pytest.mark.parametrize(
    "elements",
    [
        {"_birthDate": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason"}]}},
        {"name": [{"given": ["a", None], "_given": [None, {"id": "x"}]}]},
        {"_active": {"id": "x"}},
    ],
)
def test_the_siblings_of_primitives_are_read(validator: Validator, elements: Json) -> None:
    codes = {code for code, _ in found(validator, patient(**elements))}

    assert codes <= {"invariant", "missing-element"}  # of the extension without a value, not of the sibling


@pytest.mark.parametrize(
    ("elements", "code", "place"),
    [
        ({"_birthDate": {"value": "x"}}, "unknown-element", "Patient.birthDate"),
        ({"_birthDate": []}, "unexpected-array", "Patient.birthDate"),
        ({"name": [{"given": ["a"], "_given": [None, {"id": "x"}]}]}, "sibling-length", "Patient.name[0].given"),
        ({"_name": {"id": "x"}}, "unknown-element", "Patient"),
    ],
)
def test_what_is_wrong_in_a_sibling_is_told(validator: Validator, elements: Json, code: str, place: str) -> None:
    assert (code, place) in found(validator, patient(**elements))


def test_a_mandatory_primitive_may_have_a_reason_instead(validator: Validator) -> None:
    reason = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    without = observation() | {"_status": {"extension": [reason]}}
    del without["status"]

    assert found(validator, without) == []


def test_an_element_of_another_version_says_what_r4_calls_it(validator: Validator) -> None:
    issues = validator.validate_resource(DOSE | {"encounter": {"reference": "Encounter/1"}}, french_profiles="declared")

    assert [one.code for one in issues] == ["element-of-other-version"]
    assert "context" in repair(issues[0], "fr")


def test_everything_wrong_is_told_in_one_pass_in_document_order(validator: Validator) -> None:
    wrong = {
        "resourceType": "Patient",
        "birthDate": "x",
        "other": 1,
        "name": [{"use": "x", "family": ""}, {"given": [1]}],
        "gender": "x",
    }

    assert found(validator, wrong) == [
        ("unknown-element", "Patient"),
        ("format-date", "Patient.birthDate"),
        ("code-not-in-value-set", "Patient.name[0].use"),
        ("empty-string", "Patient.name[0].family"),
        ("wrong-json-type", "Patient.name[1].given[0]"),
        ("code-not-in-value-set", "Patient.gender"),
    ]


def test_content_references_are_followed(validator: Validator) -> None:
    nested = {"resourceType": "Questionnaire", "id": "q", "status": "draft"}
    nested["item"] = [{"linkId": "1", "type": "group", "item": [{"linkId": "2", "type": "nothing"}]}]

    assert found(validator, nested) == [("code-not-in-value-set", "Questionnaire.item[0].item[0].type")]


def test_an_unresolved_reference_tells_its_type_by_its_text_alone(validator: Validator) -> None:
    def subject(**reference: str) -> list[tuple[str, str]]:
        return found(validator, observation(subject=reference))

    assert subject(reference="Patient/1") == []
    assert subject(reference="https://h.fr/fhir/Group/1/_history/2") == []
    assert subject(reference="urn:uuid:c757873d-ec9a-4326-a141-556f43239520") == []
    assert subject(reference="https://h.fr/fhir/Claim/1") == [("reference-target-type", "Observation.subject")]


def test_an_extensible_binding_is_a_warning_and_an_unknown_system_an_information_once(validator: Validator) -> None:
    coding = {"system": "https://codes.example", "code": "x"}
    diagnosis = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "category": [{"coding": [coding]}]}

    issues = validator.validate_resource(diagnosis, french_profiles="declared")

    assert [(one.severity, one.code, one.quote) for one in issues if one.code.startswith("code")] == [
        ("warning", "code-outside-extensible", "x")
    ]


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        ({"url": "https://unknown.example/x", "valueString": "x"}, [("extension-unknown", "Patient.extension[0]")]),
        (
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueString": "x"},
            [("type-not-allowed", "Patient.extension[0].value.ofType(string)")],
        ),
        (
            {"url": "http://hl7.org/fhir/StructureDefinition/humanname-own-name", "valueString": "x"},
            [("extension-context", "Patient.extension[0]")],
        ),
        (
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-cadavericDonor", "valueBoolean": True},
            [],
        ),
    ],
)
def test_extensions_are_checked_for_definition_context_and_content(
    validator: Validator, extension: Json, expected: list[tuple[str, str]]
) -> None:
    assert found(validator, patient(extension=[extension]), blocking=False) == expected


def test_the_context_of_an_extension_may_be_a_path_from_the_resource(validator: Validator) -> None:
    country = {"url": "http://hl7.org/fhir/StructureDefinition/iso21090-nullFlavor", "valueCode": "UNK"}
    animal = {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "x"}

    assert found(validator, patient(extension=[animal, country])) == []
    assert found(validator, patient(contact=[{"name": {"text": "x"}, "extension": [animal]}])) == [
        ("extension-context", "Patient.contact[0].extension[0]")
    ]


def test_an_unknown_modifier_extension_is_an_error(validator: Validator) -> None:
    modifier = {"url": "https://unknown.example/x", "valueBoolean": True}

    assert found(validator, patient(modifierExtension=[modifier])) == [
        ("extension-modifier-unknown", "Patient.modifierExtension[0]")
    ]


def test_contained_resources_are_checked_like_others_and_may_not_nest_for_ever(validator: Validator) -> None:
    nested: Json = {"resourceType": "Basic", "code": {"text": "x"}}
    for _ in range(25):
        nested = {"resourceType": "Basic", "code": {"text": "x"}, "contained": [nested]}

    assert ("unknown-element", "Patient.contained[0]") in found(
        validator, patient(contained=[{"resourceType": "Organization", "id": "o", "name": "x", "nom": "x"}])
    )
    assert any(code == "too-nested" for code, _ in found(validator, nested))


def test_the_rules_of_a_bundle_that_its_caller_checks_are_those_that_the_compiler_leaves_to_it() -> None:
    assert OF_THE_REQUEST == COVERED
