"""Rules of the definitions are told in words: every packaged one, and never one that is not the product's."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhir_profiles.constraint_words import constraint_words
from fhir_profiles.issues import Issue, text
from gateway.cli.profiles import library_of

PER_1 = "start.hasValue().not() or end.hasValue().not() or (start <= end)"


def test_every_rule_of_the_packaged_definitions_has_a_sentence_in_both_languages(tmp_path: Path) -> None:
    library = library_of(tmp_path)
    rules = {
        (rule.key, rule.expression)
        for one in library.definitions()
        for element in library.read(one).elements
        for rule in element.constraints
    }

    assert len(rules) > 250
    assert [key for key, written in sorted(rules) if not constraint_words(key, written, "fr")] == []
    assert [key for key, written in sorted(rules) if not constraint_words(key, written, "en")] == []


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("fr", "La règle per-1 n'est pas respectée : le début d'une période n'est pas après sa fin."),
        ("en", "The rule per-1 is broken: the start of a period is not after its end."),
    ],
)
def test_a_broken_rule_is_told_in_words(language: str, told: str) -> None:
    assert text(Issue("invariant", params={"key": "per-1", "expression": PER_1}), language) == told


def test_a_rule_of_another_package_under_a_known_key_is_told_by_its_expression() -> None:
    broken = Issue("invariant", params={"key": "per-1", "expression": "start.exists()"})

    assert text(broken, "fr").endswith(" : start.exists()")
