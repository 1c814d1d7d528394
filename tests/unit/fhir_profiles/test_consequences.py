"""One root cause, one issue: what only follows from a value of a wrong shape is not said again."""

from __future__ import annotations

from collections import Counter

import pytest

from fhir_profiles.consequences import without_consequences
from fhir_profiles.issues import Issue
from fhir_profiles.validator import Validator
from tests.support.differential import mutations

SLICE = Issue("slice-missing", "Observation", rule="Observation.category:VSCat")
FIXED = Issue("fixed-value", "Observation.value.ofType(Quantity).system", rule="Observation.value[x].system")


@pytest.mark.parametrize(
    ("cause", "following"),
    [
        (Issue("not-an-array", "Observation.category[0].coding"), SLICE),
        (Issue("null-value", "Observation.category"), SLICE),
        (Issue("format-uri", "Observation.category[0].coding[0].system"), SLICE),
        (Issue("unexpected-array", "Observation.value.ofType(Quantity).system"), FIXED),
    ],
)
def test_what_follows_from_a_wrong_shape_is_not_said_again(cause: Issue, following: Issue) -> None:
    assert without_consequences([following, cause]) == [cause]


@pytest.mark.parametrize(
    "other",
    [
        Issue("not-an-array", "Observation.categoryOfAnother"),
        Issue("wrong-json-type", "Observation.code"),
        Issue("unknown-element", "Observation.category[0]"),
        Issue("format-uri", "Observation.category[0].coding[0].system", "warning"),
    ],
)
def test_what_has_another_cause_stays(other: Issue) -> None:
    assert without_consequences([SLICE, FIXED, other]) == [SLICE, FIXED, other]


def test_lists_out_of_step_are_one_error_however_many_nulls_they_hold() -> None:
    name = {"given": ["A"], "_given": [None, None, {"id": "x"}]}

    found = Validator.load().validate_resource({"resourceType": "Patient", "name": [name]}, french_profiles="declared")

    assert [one.code for one in found if one.blocks] == ["sibling-length"]


def test_a_single_mutation_rarely_has_more_than_one_error() -> None:
    validator = Validator.load()
    errors = Counter(
        sum(one.blocks for one in validator.validate_resource(resource, french_profiles="declared"))
        for _, resource in mutations()
    )

    assert errors.total() >= 1000
    assert sum(times for number, times in errors.items() if number > 1) <= errors.total() // 40
