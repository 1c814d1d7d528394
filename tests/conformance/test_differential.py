"""Our verdict beside those of fhir.resources (R4B) and fhirkit-rs, on seeded mutations of right French resources."""

from __future__ import annotations

from collections import Counter

import pytest

from fhir_profiles.validator import Validator
from scripts.build_conformance import DOCUMENT
from scripts.conformance_differences import classes, explanations, judged, section
from tests.support.differential import OTHERS, WAYS, Judged, judge, originals


@pytest.fixture(scope="module")
def found() -> list[Judged]:
    return judged()


def test_all_three_accept_the_resources_before_they_are_changed() -> None:
    validator = Validator.load()
    rights = [judge(validator, "none", one) for one in originals()]

    assert len(rights) >= 40
    assert [one for one in rights if one.ours or any(one.others.values())] == []


def test_there_are_a_thousand_mutations_of_every_way(found: list[Judged]) -> None:
    ways = Counter(one.way for one in found)

    assert len(found) >= 1000
    assert set(ways) == set(WAYS)
    assert min(ways.values()) >= 100


def test_nothing_that_another_refuses_is_accepted_here(found: list[Judged]) -> None:
    assert [one for one in found if not one.ours and any(one.others[other] for other in OTHERS)] == []


def test_every_class_of_difference_is_explained_and_none_is_explained_that_is_not(found: list[Judged]) -> None:
    assert set(classes(found)) == set(explanations())


def test_the_table_is_what_the_mutations_say(found: list[Judged]) -> None:
    assert section(found) in DOCUMENT.read_text(encoding="utf-8")
