"""HL7's FHIRPath cases for R4: every one that we support answers as it should, the others are listed with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhir_profiles.compiler.profiles import load_profiles
from tests.support.fhirpath_cases import Case, cases, resource_of, verdict
from tests.support.fhirpath_unsupported import UNSUPPORTED

pytestmark = pytest.mark.shared
WITHOUT_INPUT = 14


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "hl7-cases" / "fhirpath"


def answered(case: Case, folder: Path) -> str:
    resource = resource_of(case, folder)
    assert resource is not None
    profiles = load_profiles() if "conformsTo" in case.expression else None
    return verdict(case, resource, profiles.context(resource) if profiles else None)


def test_every_supported_case_answers_as_hl7_says(folder: Path) -> None:
    listed = [case for case in cases(folder) if resource_of(case, folder) is not None]

    wrong = {f"{one.group}/{one.name}": answered(one, folder) for one in listed if one.name not in UNSUPPORTED}

    assert {name: answer for name, answer in wrong.items() if answer} == {}
    assert len(wrong) >= 900
    print(f"official FHIRPath cases: {len(wrong)} as HL7 says, {len(listed) - len(wrong)} not supported")


def test_no_case_is_listed_as_unsupported_that_is_supported(folder: Path) -> None:
    by_name = {case.name: case for case in cases(folder)}

    assert [name for name in UNSUPPORTED if not answered(by_name[name], folder)] == []


def test_only_cases_whose_input_is_not_there_are_left_out(folder: Path) -> None:
    absent = [case.name for case in cases(folder) if resource_of(case, folder) is None]

    assert len(absent) == WITHOUT_INPUT
