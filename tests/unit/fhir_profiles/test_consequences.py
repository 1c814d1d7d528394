"""One root cause, one issue: what only follows from a value of a wrong shape is not said again."""

from __future__ import annotations

import pytest

from fhir_profiles.consequences import without_consequences
from fhir_profiles.issues import Issue
from fhir_profiles.validator import Validator
from tests.support.differential import mutations

SLICE = Issue("slice-missing", "Observation", rule="Observation.category:VSCat")
FIXED = Issue("fixed-value", "Observation.value.ofType(Quantity).system", rule="Observation.value[x].system")


PERIOD = Issue("invariant", "X.period", params={"key": "per-1", "expression": "start.empty() or (start <= end)"})
STAGE = Issue("code-missing", "Condition.clinicalStatus")
SYSTEM = Issue("missing-element", "Observation.value.ofType(Quantity)", params={"element": "system"})
UNIT = Issue(
    "invariant",
    "Observation.value.ofType(Quantity)",
    params={"key": "qty-3", "expression": "code.empty() or system.exists()"},
)
NAMED = Issue("slice-missing", "Patient", params={"by": "use"}, rule="Patient.name:official")
PARTS = Issue("slice-missing", "Observation", rule="Observation.component:SystolicBP")
VITAL = Issue("invariant", "Observation", params={"key": "vs-2", "expression": "(component.empty() and x) implies y"})


@pytest.mark.parametrize(
    ("cause", "following"),
    [
        (Issue("not-an-array", "Observation.category[0].coding"), SLICE),
        (Issue("null-value", "Observation.category"), SLICE),
        (Issue("format-uri", "Observation.category[0].coding[0].system"), SLICE),
        (Issue("unexpected-array", "Observation.value.ofType(Quantity).system"), FIXED),
        (Issue("not-an-object", "Observation.value.ofType(Quantity).system"), FIXED),
        (Issue("format-dateTime", "X.period.end"), PERIOD),
        (Issue("wrong-json-type", "X.period"), PERIOD),
        (Issue("null-value", "Condition.clinicalStatus.coding[0].code"), STAGE),
        (Issue("null-value", "Observation.value.ofType(Quantity).system"), SYSTEM),
        (SYSTEM, UNIT),
        (Issue("code-not-in-value-set", "Patient.name[0].use"), NAMED),
        (PARTS, VITAL),
    ],
)
def test_what_follows_from_another_error_is_not_said_again(cause: Issue, following: Issue) -> None:
    assert without_consequences([following, cause]) == [cause]


@pytest.mark.parametrize(
    "other",
    [
        Issue("not-an-array", "Observation.categoryOfAnother"),
        Issue("wrong-json-type", "Observation.code"),
        Issue("unknown-element", "Observation.category[0]"),
        Issue("format-uri", "Observation.category[0].coding[0].system", "warning"),
        Issue("format-dateTime", "X.period.start.extension[0].url"),
        Issue("format-dateTime", "X.periodOfAnother.end"),
        Issue("wrong-json-type", "Condition.verificationStatus"),
        Issue("code-not-in-value-set", "Patient.name[0].period"),
        Issue("missing-element", "Observation.value.ofType(Quantity)", params={"element": "value"}),
    ],
)
def test_what_has_another_cause_stays(other: Issue) -> None:
    all_of_them = [SLICE, FIXED, PERIOD, STAGE, SYSTEM, NAMED, VITAL, other]

    assert without_consequences(all_of_them) == all_of_them


def test_lists_out_of_step_are_one_error_however_many_nulls_they_hold() -> None:
    name = {"given": ["A"], "_given": [None, None, {"id": "x"}]}

    found = Validator.load().validate_resource({"resourceType": "Patient", "name": [name]}, french_profiles="declared")

    assert [one.code for one in found if one.blocks] == ["sibling-length"]


def test_a_single_mutation_has_one_error_unless_it_takes_two_slices_away() -> None:
    validator = Validator.load()
    errors = [
        [one.code for one in validator.validate_resource(resource, french_profiles="declared") if one.blocks]
        for _, resource in mutations()
    ]

    assert len(errors) >= 1000
    assert {tuple(one) for one in errors if len(one) > 1} <= {("slice-missing", "slice-missing")}
