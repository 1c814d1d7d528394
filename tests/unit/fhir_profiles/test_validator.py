"""Verdicts: which profiles are asked, what is refused, in which order, and how many issues are listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fhir_profiles.bundle import parse
from fhir_profiles.issues import CAP, issue, repair
from fhir_profiles.limits import Limits
from fhir_profiles.validator import FrenchProfiles, Validator, load_validator
from fhir_profiles.values import Verdict
from tests.support.posted import body, bundle, observation, patient, put

LIMITS = Limits()
FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
ACTIVE = {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
ALLERGY = {
    "resourceType": "AllergyIntolerance",
    "id": "a",
    "clinicalStatus": {"coding": [ACTIVE]},
    "patient": {"reference": "Patient/p1"},
}


@pytest.fixture(scope="module")
def validator() -> Validator:
    return load_validator()


def verdict(
    validator: Validator, resource: Any, *, french_profiles: FrenchProfiles = "enforce", profiles: tuple[str, ...] = ()
) -> Verdict:
    return validator.validate(parse(body(resource), LIMITS), french_profiles=french_profiles, profiles=profiles)


def codes(found: Verdict) -> list[tuple[str, str]]:
    return [(one.severity, one.code) for one in found.issues]


def test_the_version_names_packages_and_digest(validator: Validator) -> None:
    packages, _, digest = validator.definitions_version.rpartition(":")

    assert "r4@4.0.1" in packages
    assert "fr-core@2.2.0" in packages
    assert digest


def test_a_right_resource_is_valid_without_issues(validator: Validator) -> None:
    found = verdict(validator, ALLERGY)

    assert found.issues == ()
    assert found.valid is not None
    assert found.valid.accepted == (0,)


def test_an_issue_names_profile_and_version(validator: Validator) -> None:
    found = verdict(validator, ALLERGY | {"nonsense": 1}).issues[0]

    assert found.severity == "error"
    assert found.profile == "http://hl7.org/fhir/StructureDefinition/AllergyIntolerance|4.0.1"


@pytest.mark.parametrize(
    ("french_profiles", "severity"), [("enforce", "error"), ("report", "warning"), ("declared", None)]
)
def test_the_contract_says_what_french_profiles_mean(
    validator: Validator, french_profiles: FrenchProfiles, severity: str | None
) -> None:
    other = patient(gender="other")  # R4 has it, FR Core 2.2.0 has not

    found = verdict(validator, other, french_profiles=french_profiles)
    asked = [one for one in found.issues if one.profile and one.profile.startswith(FR_CORE)]

    assert {one.severity for one in asked} == ({severity} if severity else set())
    assert (found.valid is None) == (severity == "error")


def test_a_declared_profile_is_enforced_whatever_the_contract_says(validator: Validator) -> None:
    declared = patient(gender="other", meta={"profile": [FR_CORE + "fr-core-patient"]})
    versioned = patient(gender="other", meta={"profile": [FR_CORE + "fr-core-patient|2.2.0"]})

    assert verdict(validator, declared, french_profiles="declared").valid is None
    assert verdict(validator, versioned, french_profiles="declared").valid is None


def test_an_unknown_declared_profile_is_a_warning_at_its_place(validator: Validator) -> None:
    declared = ["https://h.fr/StructureDefinition/own", FR_CORE + "fr-core-patient|9.9"]

    found = verdict(validator, ALLERGY | {"meta": {"profile": declared}})

    assert [(one.severity, one.code, one.expression) for one in found.issues] == [
        ("warning", "profile-unknown", "AllergyIntolerance.meta.profile[0]"),
        ("warning", "profile-version-unknown", "AllergyIntolerance.meta.profile[1]"),
    ]
    assert found.issues[0].quote == declared[0]
    assert found.issues[1].params == {"loaded": "2.2.0"}
    assert found.valid is not None


def test_a_profile_of_another_type_is_an_error(validator: Validator) -> None:
    found = verdict(validator, ALLERGY | {"meta": {"profile": [FR_CORE + "fr-core-patient"]}})

    assert codes(found) == [("error", "profile-type-mismatch")]


def test_a_forced_profile_is_checked_and_must_exist(validator: Validator) -> None:
    other = patient(gender="other")

    def forced(profile: str) -> Verdict:
        return verdict(validator, other, french_profiles="declared", profiles=(profile,))

    assert forced(FR_CORE + "fr-core-patient").valid is None
    assert ("error", "profile-requested-unknown") in codes(forced("https://h.fr/none"))
    assert ("error", "profile-requested-unused") in codes(forced(FR_CORE + "fr-core-encounter"))


def test_a_batch_refuses_entries_and_a_transaction_everything(validator: Validator) -> None:
    entries = [put(observation("o1")), put(observation("o2", nonsense=1)), {"resource": 3}, "text"]
    entries += [
        {"request": {"method": "DELETE", "url": "Patient/9"}},
        {"request": {"method": "GET", "url": "Patient/9"}},
    ]

    batch = verdict(validator, bundle("batch", *entries))
    transaction = verdict(validator, bundle("transaction", *entries))

    assert batch.valid is not None
    assert batch.valid.accepted == (0, 4)
    assert set(batch.entry_issues) == {1, 2, 3, 5}
    assert [one.code for one in batch.entry_issues[5]] == ["method-not-allowed"]
    assert transaction.valid is None


def test_a_batch_without_a_good_entry_is_not_valid(validator: Validator) -> None:
    assert verdict(validator, bundle("batch", put(observation(nonsense=1)))).valid is None
    empty = verdict(validator, {"resourceType": "Bundle", "type": "batch"})

    assert codes(empty) == [("warning", "bundle-empty")]
    assert empty.valid is not None
    assert empty.valid.accepted == ()


def test_an_error_of_the_bundle_itself_refuses_even_a_batch(validator: Validator) -> None:
    found = verdict(validator, bundle("batch", put(observation()), total=1))

    assert ("error", "bundle-total") in codes(found)
    assert found.valid is None


def test_no_more_than_the_cap_is_listed_and_errors_come_before_warnings(validator: Validator) -> None:
    unknown = [f"https://h.fr/StructureDefinition/{number}" for number in range(CAP + 20)]
    posted = bundle(
        "transaction",
        put(observation("o1", meta={"profile": unknown})),
        put(observation("o2", nonsense=1)),
    )

    found = verdict(validator, posted)

    assert len(found.issues) == CAP + 1
    assert [one.code for one in found.bundle_issues] == ["issues-capped"]
    assert any(one.blocks for one in found.entry_issues[1])


def test_each_entry_of_a_batch_has_its_own_cap_and_each_refused_one_says_why(validator: Validator) -> None:
    unknown = [f"https://h.fr/StructureDefinition/{number}" for number in range(CAP + 20)]
    entries = [put(observation(f"o{number}", meta={"profile": unknown}, nonsense=1)) for number in range(20)]

    found = verdict(validator, bundle("batch", *entries))

    assert [len(found.entry_issues[number]) for number in (0, 9, 19)] == [CAP + 1, CAP + 1, 2]
    assert all(any(one.blocks for one in of_entry) for of_entry in found.entry_issues.values())


def test_one_finding_is_told_once_by_base_and_profile(validator: Validator) -> None:
    found = verdict(validator, patient(gender="none of them"))

    [told] = [one for one in found.issues if one.expression == "Patient.gender"]
    assert told.severity == "error"
    assert "fr-core-vs-patient-gender" in told.params["value_set"]  # the narrower one: what to choose from


def test_one_resource_can_be_checked_without_bytes(validator: Validator) -> None:
    assert validator.validate_resource(ALLERGY) == ()
    assert [one.code for one in validator.validate_resource(ALLERGY | {"id": "a b"})] == ["format-id"]


def test_two_lines_of_python_validate_bytes_with_line_and_column(validator: Validator) -> None:
    wrong = b'{"resourceType": "Patient",\n "gender": "homme"}'

    [found] = validator.validate(wrong, french_profiles="declared").issues

    assert (found.code, found.line, found.column) == ("code-not-in-value-set", 2, 12)
    assert [one.code for one in validator.validate(b"{").issues] == ["json-invalid"]
    assert validator.validate(body({"resourceType": "Bundle", "type": "searchset"})).valid is not None


@pytest.mark.shared
@pytest.mark.parametrize("kind", ["alone", "transaction", "collection"])
def test_the_official_examples_have_no_error(validator: Validator, shared: Path, kind: str) -> None:
    paths = sorted((shared / "fhir-fr" / "examples").glob("*.json"))
    resources = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    entries = {"transaction": [put(one) for one in resources], "collection": [{"resource": one} for one in resources]}
    posted = resources if kind == "alone" else [bundle(kind, *entries[kind])]

    assert len(resources) == 16
    for one in posted:
        found = verdict(validator, one)
        assert [(one.code, one.expression) for one in found.issues if one.blocks] == []
        assert found.valid is not None


@pytest.mark.shared
def test_of_a_real_hospital_s_83_resources_exactly_the_22_that_are_not_r4_are_refused(
    validator: Validator, shared: Path
) -> None:
    refused: list[tuple[str, str]] = []
    total = accepted = 0
    for case in (1, 2, 4, 6, 8):
        folder = shared / "fhir-eds" / "aphp-dm" / "examples" / f"cas{case}"
        entries = [put(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]
        found = verdict(validator, bundle("batch", *entries), french_profiles="declared")
        assert found.valid is not None
        total += len(entries)
        accepted += len(found.valid.accepted)
        for number, issues in found.entry_issues.items():
            blocking = [one for one in issues if one.blocks]
            if blocking:
                advice = " ".join(repair(one, "fr") for one in blocking)
                refused.append((entries[number]["resource"]["resourceType"], advice))

    administrations = [advice for kind, advice in refused if kind == "MedicationAdministration"]
    assert (total, accepted, len(refused)) == (83, 61, 22)
    assert len(administrations) == 18
    assert all("context" in advice for advice in administrations)


PROGRAM = """
import sys
from fhir_profiles.bundle import parse
from fhir_profiles.issues import operation_outcome
from fhir_profiles.limits import Limits
from fhir_profiles.validator import load_validator
import orjson
found = load_validator().validate(parse(sys.stdin.buffer.read(), Limits()))
sys.stdout.buffer.write(orjson.dumps(operation_outcome(found.issues)))
"""


def test_the_same_bytes_give_the_same_issues_under_any_hash_seed() -> None:
    wrong = patient(gender="z", nonsense=1, birthDate="32", name=[{"use": "x", "other": 1}], contact=[{"gender": 1}])
    content = body(bundle("transaction", put(wrong), put(wrong), put(observation(status="x", valueString="", value=1))))
    outcomes = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=content,
            capture_output=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=Path(__file__).resolve().parents[3],
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert len(outcomes) == 1
    assert b"unknown-element" in outcomes.pop()


def test_every_code_of_the_catalogue_has_both_languages() -> None:
    from fhir_profiles.issues import catalogue

    for message in catalogue().values():
        assert message.text["fr"]
        assert message.text["en"]
        assert bool(message.repair["fr"]) == bool(message.repair["en"])
        assert issue(message.code).severity == message.severity
