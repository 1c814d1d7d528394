"""French business rules warn, and never block."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_profiles.french.identifiers import FINESS, FR_V2_0203, IDNST, INS_NIR, SIRENE, V2_0203
from fhir_profiles.french.nir import nir_key
from fhir_profiles.french.patients import BIRTH_PLACE, INS_PROFILE, RELIABILITY
from fhir_profiles.french.rules import french_issues
from fhir_profiles.validator import Validator
from tests.support.posted import patient

INS_TYPE = {"coding": [{"system": FR_V2_0203, "code": "INS-NIR"}]}
IPP = {"system": "https://h.fr/ipp", "value": "1", "type": {"coding": [{"system": V2_0203, "code": "PI"}]}}
TRAITS = {
    "name": [{"use": "official", "family": "X", "given": ["Y"]}],
    "birthDate": "1979-03-02",
    "gender": "female",
    "extension": [{"url": BIRTH_PLACE}],
}


def ins(value: str, **elements: Any) -> dict[str, Any]:
    return {"system": INS_NIR, "value": value, "type": INS_TYPE, "use": "official"} | elements


def codes(resource: dict[str, Any], **options: Any) -> list[tuple[str, str]]:
    kind = resource["resourceType"]
    found = french_issues(kind, resource, kind, **options)
    assert {one.severity for one in found} <= {"warning"}
    return [(one.code, one.expression) for one in found]


def test_a_right_patient_has_no_warning() -> None:
    assert codes(patient(identifier=[ins("279035121518989"), IPP], **TRAITS)) == []


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        (ins("279035121518988"), ("nir-key", "value")),
        (ins("2790351215189"), ("ins-key-missing", "value")),
        (ins("not a number"), ("nir-shape", "value")),
        (ins("279035121518989", type={"coding": [{"system": FR_V2_0203, "code": "NIR"}]}), ("ins-type", "type")),
        (ins("279035121518989", system="1.2.250.1.213.1.4.8"), ("oid-without-prefix", "system")),
    ],
)
def test_an_ins_is_judged(identifier: dict[str, Any], expected: tuple[str, str]) -> None:
    code, place = expected

    assert codes(patient(identifier=[identifier, IPP], **TRAITS)) == [(code, f"Patient.identifier[0].{place}")]


def test_the_number_is_compared_with_the_traits() -> None:
    other = TRAITS | {"gender": "male", "birthDate": "1980-03"}
    pseudo_month = "2799951215189"

    assert codes(patient(identifier=[ins("279035121518989"), IPP], **other)) == [
        ("nir-sex", "Patient.identifier[0].value"),
        ("nir-birth", "Patient.identifier[0].value"),
    ]
    assert codes(patient(identifier=[ins(pseudo_month + nir_key(pseudo_month)), IPP], **TRAITS)) == []


def test_an_ins_comes_with_its_traits_unless_the_profile_says_so_itself() -> None:
    bare = patient(identifier=[ins("279035121518989"), IPP])

    assert codes(bare) == [("ins-traits-missing", "Patient")]
    assert codes(bare, checked=frozenset({f"{INS_PROFILE}|2.2.0"})) == []


@pytest.mark.parametrize(("status", "expected"), [("VALI", []), ("PROV", [("ins-status", "Patient")])])
def test_an_official_ins_needs_a_validated_identity(status: str, expected: list[tuple[str, str]]) -> None:
    reliability = {"url": RELIABILITY, "extension": [{"url": "identityStatus", "valueCoding": {"code": status}}]}
    traits = TRAITS | {"extension": [{"url": BIRTH_PLACE}, reliability]}

    assert codes(patient(identifier=[ins("279035121518989"), IPP], **traits)) == expected
    assert codes(patient(identifier=[ins("279035121518989", use="old"), IPP], **traits)) == []


def test_an_identifier_without_type_is_no_ipp() -> None:
    untyped = {"system": "https://h.fr/ipp", "value": "1"}

    assert codes(patient(identifier=[untyped])) == [("ipp-type-missing", "Patient.identifier[0]")]
    assert codes(patient(identifier=[untyped, IPP])) == []


@pytest.mark.parametrize(
    ("kind", "system", "value", "code"),
    [
        ("Organization", FINESS, "350005179", None),
        ("Organization", FINESS, "350005178", "finess-key"),
        ("Organization", FINESS, "35000517", "finess-shape"),
        ("Organization", FINESS, "2A0000014", None),
        ("Organization", FINESS, "2A000001", "finess-shape"),
        ("Location", IDNST, "1350005179", None),
        ("Location", IDNST, "1350005178", "finess-key"),
        ("Organization", IDNST, "2264403106", None),
        ("Organization", IDNST, "2264403107", "siren-key"),
        ("Organization", IDNST, "9264403106", "idnst-prefix"),
        ("Organization", IDNST, "", "idnst-prefix"),
        ("Organization", SIRENE, "264403106", None),
        ("Organization", SIRENE, "264403107", "siren-key"),
        ("Organization", SIRENE, "35600000000048", None),
        ("Organization", SIRENE, "26440310600001", "siret-key"),
        ("Organization", SIRENE, "26440310", "siren-shape"),
        ("Practitioner", "https://rpps.esante.gouv.fr", "10118483515", None),
        ("Practitioner", "https://rpps.esante.gouv.fr", "1011848351", "rpps-shape"),
        ("Practitioner", "https://rppsrang.esante.gouv.fr", "1011848351501", None),
        ("Practitioner", "https://rppsrang.esante.gouv.fr", "10118483515", "rpps-rang-shape"),
        ("Practitioner", "urn:oid:1.2.250.1.71.4.2.1", "810118483515", None),
        ("Practitioner", "urn:oid:1.2.250.1.71.4.2.1", "10118483515", "idnps-shape"),
        ("Observation", FINESS, "x", None),
    ],
)
def test_structures_and_professionals(kind: str, system: str, value: str, code: str | None) -> None:
    resource = {"resourceType": kind, "identifier": [{"system": system, "value": value}]}

    assert codes(resource) == ([(code, f"{kind}.identifier[0].value")] if code else [])


def test_a_siret_under_its_own_type_has_fourteen_digits() -> None:
    siret = {"system": SIRENE, "value": "264403106", "type": {"coding": [{"system": FR_V2_0203, "code": "SIRET"}]}}

    assert codes({"resourceType": "Organization", "identifier": [siret]}) == [
        ("siret-shape", "Organization.identifier[0].value")
    ]


def test_a_finished_stay_needs_an_end_and_a_typed_number() -> None:
    stay = {"resourceType": "Encounter", "status": "finished", "period": {"start": "2024-01-01"}}
    ended = stay | {"period": {"start": "2024-01-01", "end": "2024-01-02"}, "identifier": [{"value": "1"}]}

    assert codes(stay) == [("stay-without-end", "Encounter")]
    assert codes(ended) == [("visit-type-missing", "Encounter.identifier[0]")]


STAY = {
    "resourceType": "Encounter",
    "status": "finished",
    "period": {"start": "2024-01-03T10:00:00+01:00", "end": "2024-01-09"},
}


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [
        ("2024-01-03T08:00:00+01:00", "2024-01-09T23:00:00+01:00", True),  # of one day: minutes differ between sources
        ("2024-01", "2024", True),
        ("2024-01-02", "2024-01-05", False),
        ("2024-01-05", "2024-01-10", False),
        (None, {"x": 1}, True),
    ],
)
def test_the_units_of_a_stay_are_passed_within_it(start: Any, end: Any, inside: bool) -> None:
    units = [{"period": {"start": start, "end": end}}, "no object", {"period": "none"}]

    assert codes(STAY | {"location": units}) == (
        [] if inside else [("stay-unit-outside", "Encounter.location[0].period")]
    )


PMSI = "http://interopsante.org/fhir/CodeSystem/pmsi-mode"


@pytest.mark.parametrize(
    ("entry", "exit_", "wrong"),
    [
        ("85", "8", []),
        ("71", "7R", []),
        ("8", "9", []),
        ("N", "86", []),
        ("7", "6", []),
        ("75", "8", ["pmsi-mode-pair"]),
        ("81", "91", ["pmsi-mode-pair", "pmsi-mode-pair"]),
        ("9", "N", ["pmsi-mode-pair", "pmsi-mode-pair"]),
        ("01", "8", ["pmsi-service-pair"]),
        ("01", "01", []),
        ("emd", "home", []),
    ],
)
def test_modes_of_the_pmsi_come_in_the_pairs_that_it_allows(entry: str, exit_: str, wrong: list[str]) -> None:
    ends = {"admitSource": entry, "dischargeDisposition": exit_}
    coded = {name: {"coding": [{"system": PMSI, "code": code}]} for name, code in ends.items()}
    hl7 = {name: {"coding": [{"system": "http://terminology.hl7.org/x", "code": code}]} for name, code in ends.items()}

    assert [code for code, _ in codes(STAY | {"hospitalization": coded})] == wrong
    assert codes(STAY | {"hospitalization": hl7}) == []


def test_french_rules_can_be_switched_off() -> None:
    profiles = Validator.load().profiles
    wrong = patient(identifier=[IPP, {"system": INS_NIR, "value": "1"}])

    def warnings(validator: Validator) -> set[str]:
        found = validator.validate_resource(wrong, french_profiles="declared")
        return {one.code for one in found if one.severity == "warning"}

    assert "nir-shape" in warnings(Validator(profiles))
    assert warnings(Validator(profiles, french_rules=False)) == {"code-outside-extensible"}


@pytest.mark.parametrize(("code", "right"), [("3400892088310", True), ("3400892088311", False), ("B01AC06", True)])
def test_the_key_of_a_drug_code_is_checked(code: str, right: bool) -> None:
    concept = {"coding": [{"code": code}]}
    place = "MedicationRequest.medication.ofType(CodeableConcept).coding[0].code"

    assert codes({"resourceType": "Medication", "code": concept}) == (
        [] if right else [("drug-key", "Medication.code.coding[0].code")]
    )
    assert codes({"resourceType": "MedicationRequest", "medicationCodeableConcept": concept}) == (
        [] if right else [("drug-key", place)]
    )


@pytest.mark.parametrize(("code", "right"), [("75001", True), ("2A004", True), ("9A123", True), ("7500", False)])
def test_the_code_of_residence_has_five_characters(code: str, right: bool) -> None:
    url = "https://aphp.github.io/IG-fhir-dm/StructureDefinition/PmsiCodeGeo"
    address = {"extension": [{"url": "other"}, {"url": url, "valueCode": code}]}

    assert codes(patient(address=[address])) == (
        [] if right else [("residence-code-shape", "Patient.address[0].extension[1]")]
    )


@pytest.mark.parametrize("broken", [None, 1, "x", {}, [], [1, None, {}], [{"system": [], "value": {}, "type": []}]])
def test_wrong_shapes_do_not_crash(broken: object) -> None:
    elements = {"identifier": broken, "extension": broken, "name": broken, "address": broken}
    elements |= {"period": broken, "gender": broken, "code": broken, "medicationCodeableConcept": {"coding": broken}}
    for kind in ("Patient", "Encounter", "Organization", "Medication", "MedicationRequest"):
        french_issues(kind, elements, kind)
    french_issues(
        "Patient", {"identifier": [ins("279035121518989")]} | {"extension": broken, "birthDate": broken}, "Patient"
    )
