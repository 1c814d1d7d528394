"""Issues of one resource → the same without those that only follow from another: one root cause, one issue.

A value of a wrong shape is neither what a profile fixes nor in the slice it was meant for: not said again.
Promise: an issue goes only where an error stays at the element that caused it.
"""

from __future__ import annotations

from collections.abc import Sequence

from fhir_profiles.issues import Issue

SHAPES = frozenset(("unexpected-array", "not-an-array", "wrong-json-type", "empty-string", "null-value"))
VALUES = frozenset(("fixed-value", "pattern-value"))


def without_consequences(issues: Sequence[Issue]) -> list[Issue]:
    """Drop what a value of a wrong shape (or format) explains; `issues` of one resource, any order."""
    shaped = [one.expression for one in issues if one.blocks and (one.code in SHAPES or one.code[:7] == "format-")]
    return [one for one in issues if not any(_follows(one, place) for place in shaped)] if shaped else list(issues)


def _follows(one: Issue, place: str) -> bool:
    if one.code in VALUES:
        return _within(place, one.expression)
    if one.code == "slice-missing" and one.rule is not None:
        sliced = one.rule.rpartition(":")[0].rpartition(".")[2].removesuffix("[x]")
        return bool(sliced) and _within(place, f"{one.expression}.{sliced}")
    return False


def _within(place: str, element: str) -> bool:
    """Say whether a place is an element, an item of it, or in it."""
    return place == element or (place.startswith(element) and place[len(element)] in ".[")
