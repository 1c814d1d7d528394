"""An object or a list where a bound code should stand is an issue like any other, never a fault of ours (P20)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fhir_profiles.bundle import parse
from fhir_profiles.limits import Limits
from fhir_profiles.validator import Validator, load_validator
from tests.support.made_profiles import MADE, element, profile, slicing, written

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


@pytest.mark.parametrize("wrong", [{"a": 1}, [1], 1, True])
def test_a_resource_whose_type_is_no_text_is_an_issue_also_where_references_lead_to_it(wrong: Any) -> None:
    contained = {"resourceType": wrong, "id": "p", "name": [{"text": "x"}]}
    stay = {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "contained": [contained],
        "subject": {"reference": "#p"},
    }

    found = validator().validate(json.dumps(stay).encode()).issues

    assert "resource-type-missing" in [one.code for one in found]


@pytest.mark.parametrize("wrong", [{"a": 1}, [1], 1, True])
def test_a_resource_whose_type_is_no_text_is_in_no_slice_by_type(tmp_path: Path, wrong: Any) -> None:
    made = profile(
        "entries",
        "Bundle",
        slicing("Bundle.entry", ("type", "resource")),
        element("Bundle.entry:person", min=1),
        element("Bundle.entry:person.resource", type=[{"code": "Patient"}]),
    )
    validator = Validator.load([written(tmp_path, made)])
    posted = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": wrong}}]}

    found = validator.validate(json.dumps(posted).encode(), profiles=[MADE + "entries"]).issues

    assert "slice-missing" in [one.code for one in found]
