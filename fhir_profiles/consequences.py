"""Issues of one resource → the same without those that only follow from another: one root cause, one issue.

A value of a wrong shape is neither what a profile fixes, nor in the slice it was meant for, nor fit for a rule; a rule
about an element that is missing says it a second time. Promise: an issue goes only where an error stays at its cause.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fhir_profiles.issues import Issue
from fhir_profiles.positions import element_path

SHAPES = frozenset(
    (
        "empty-array",
        "empty-object",
        "empty-string",
        "not-an-array",
        "not-an-object",
        "null-value",
        "unexpected-array",
        "wrong-json-type",
    )
)
VALUES = frozenset(("fixed-value", "pattern-value"))
CODES = frozenset(("code-missing", "code-not-in-value-set"))
ABSENT = frozenset(("missing-element", "slice-missing"))
_WORD = re.compile("[A-Za-z]+")


def without_consequences(issues: Sequence[Issue]) -> list[Issue]:
    """Drop what another error explains; `issues` of one resource, any order."""
    if len(issues) < 2:
        return list(issues)
    shaped = [one.expression for one in issues if one.blocks and (one.code in SHAPES or one.code[:7] == "format-")]
    coded = [one.expression for one in issues if one.blocks and one.code in CODES]
    absent = [one for one in issues if one.blocks and one.code in ABSENT]
    if not shaped and not coded and not absent:
        return list(issues)
    return [one for one in issues if not _follows(one, shaped, coded, absent)]


def _follows(one: Issue, shaped: list[str], coded: list[str], absent: list[Issue]) -> bool:
    code, place = one.code, one.expression
    if code in VALUES or code in CODES:
        return any(_within(other, place) for other in shaped)
    if code == "missing-element":
        return any(_within(other, f"{place}.{one.params.get('element')}") for other in shaped)
    if code == "slice-missing" and one.rule is not None:
        return any(_tells_slice(one, other) for other in (*shaped, *coded))
    if code == "invariant":
        words = set(_WORD.findall(one.params.get("expression", "")))
        return any(_concerns(other, place, words) for other in shaped) or any(
            other.expression == place and _absent(other) in words for other in absent
        )
    return False


def _tells_slice(one: Issue, other: str) -> bool:
    """Say whether a wrong value stands where the items of a slice are told: in it, or the item itself."""
    sliced = _sliced(one)
    if not sliced or not _within(other, f"{one.expression}.{sliced}"):
        return False
    told = element_path(other)[len(element_path(one.expression)) + len(sliced) + 1 :].lstrip(".")
    if "by" not in one.params:
        return True
    return any(_within(by, told) or _within(told, by) for by in one.params["by"].split(" "))


def _sliced(one: Issue) -> str:
    return (one.rule or "").rpartition(":")[0].rpartition(".")[2].removesuffix("[x]")


def _absent(one: Issue) -> str:
    """Return the name of the element that is missing, or whose slice is."""
    return _sliced(one) if one.code == "slice-missing" else one.params.get("element", "").removesuffix("[x]")


def _concerns(other: str, place: str, words: set[str]) -> bool:
    """Say whether a wrong value is that of a rule's element, or of a child of it that the rule names."""
    child = element_path(other)[len(element_path(place)) + 1 :].removesuffix("[x]")
    return other == place or (_within(other, place) and other[len(place)] == "." and child in words)


def _within(place: str, element: str) -> bool:
    """Say whether a place is an element, an item of it, or in it."""
    return not element or place == element or (place.startswith(element) and place[len(element)] in ".[")
