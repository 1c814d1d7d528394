"""The examples that the guides publish, with their definitions as published: what is found is explained in the docs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fhir_profiles.issues import Issue
from fhir_profiles.validator import FrenchProfiles, Validator

pytestmark = pytest.mark.shared

CLARIFICATIONS = Path(__file__).resolve().parents[2] / "docs" / "spec-clarifications.md"
FR_CORE = "fhir-fr/examples"
# Folder → number of examples; names, codes and elements of the errors.
FOLDERS: dict[str, tuple[int, set[tuple[str, str, str]]]] = {
    FR_CORE: (16, set()),
    "fhir-fr-2.1.0/examples": (6, set()),
    "fhir-eds/ans-eds/examples": (9, set()),
    "fhir-eds/aphp-edsh/examples": (1, set()),
    "fhir-eds/deps-annuaire-1.1.0/examples": (
        9,
        {
            (f"Practitioner-{number}", "code-not-in-value-set", "Practitioner.communication[0]")
            for number in ("334081", "3719500")
        },
    ),
}
# What only we say of FR Core's own examples: each stands in the page with its reason.
OURS = {
    ("Organization-FRCoreOrganizationExample", "code-outside-extensible", "Organization.identifier[0].type"),
    ("Organization-FRCoreOrganizationExample", "code-outside-extensible", "Organization.identifier[1].type"),
    ("Organization-hopitaltest-eg-4-members", "siret-key", "Organization.identifier[1].value"),
    (
        "Organization-hopitaltest-uac-4420-uac-02",
        "code-outside-extensible",
        "Organization.extension[2].value.ofType(Coding)",
    ),
    ("Patient-FRCorePatientExample", "nir-key", "Patient.identifier[0].value"),
    ("PractitionerRole-FRCorePractitionerRoleExample", "rpps-shape", "PractitionerRole.identifier[0].value"),
}


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator.load()


def found(validator: Validator, folder: Path, mode: FrenchProfiles) -> dict[str, tuple[Issue, ...]]:
    paths = sorted(folder.glob("*.json"))
    return {one.stem: validator.validate(one.read_bytes(), french_profiles=mode).issues for one in paths}


@pytest.mark.parametrize("folder", FOLDERS)
def test_published_examples_have_no_error_but_those_that_are_explained(
    validator: Validator, shared: Path, folder: str
) -> None:
    number, errors = FOLDERS[folder]

    told = found(validator, shared / folder, "enforce" if folder == FR_CORE else "declared")

    assert len(told) == number
    assert {(name, one.code, one.expression) for name, issues in told.items() for one in issues if one.blocks} == errors


def test_the_examples_of_fr_core_keep_its_profiles_in_each_version(validator: Validator, shared: Path) -> None:
    told = found(validator, shared / "fhir-fr-2.1.0/examples", "enforce")

    assert {one.code for issues in told.values() for one in issues if one.blocks} == set()


def test_the_warnings_of_the_official_quality_report_and_ours_are_accounted_for(
    validator: Validator, shared: Path
) -> None:
    report = json.loads((shared / "fhir-fr" / "examples-expected-validation.json").read_text(encoding="utf-8"))
    theirs = [issue for example in report.values() for issue in example["issues"]]
    told = found(validator, shared / FR_CORE, "enforce")
    ours = {(name, one.code, one.expression) for name, issues in told.items() for one in issues}

    assert len(report) == 16
    assert len(theirs) == 14
    assert all(one["severity"] == "warning" for one in theirs)
    # A system that nobody defines: there is no offline list of identifier systems, so nothing is asked here.
    assert all(
        one["expression"].endswith(".identifier[0].system") or "[1].system" in one["expression"] for one in theirs
    )
    assert all(one["text"].startswith("No definition could be found for URL value") for one in theirs)
    assert ours == OURS


def test_every_deviation_stands_in_the_page() -> None:
    page = CLARIFICATIONS.read_text(encoding="utf-8")
    named = {name for name, *_ in OURS} | {name for _, errors in FOLDERS.values() for name, *_ in errors}

    assert [name for name in sorted(named) if f"`{name}`" not in page] == []
