"""An object or a list where a bound code should stand is an issue like any other, never a fault of ours (P20)."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from fhir_profiles.bundle import parse
from fhir_profiles.limits import Limits
from fhir_profiles.validator import Validator, load_validator

CATEGORY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-contact-relationship-category"


@cache
def validator() -> Validator:
    return load_validator()


@pytest.mark.parametrize("wrong", [{"a": 1}, [1], 1, True])
def test_a_bound_code_of_a_wrong_type_is_an_issue(wrong: Any) -> None:
    extension = {"url": CATEGORY, "valueCode": wrong}
    patient = {"resourceType": "Patient", "contact": [{"relationship": [{"extension": [extension]}]}]}

    verdict = validator().validate(parse(json.dumps(patient).encode(), Limits()))

    assert verdict.valid is None


@pytest.mark.parametrize("wrong", [{"a": 1}, [1], 1, True])
def test_a_reference_type_of_a_wrong_type_is_an_issue(wrong: Any) -> None:
    patient = {"resourceType": "Patient", "managingOrganization": {"reference": "Organization/1", "type": wrong}}

    verdict = validator().validate(parse(json.dumps(patient).encode(), Limits()))

    assert verdict.valid is None
