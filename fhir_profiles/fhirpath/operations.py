"""Everything that generated code may call, as `fp.…`: the functions of FHIRPath and the answers of constraints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fhir_profiles.fhirpath.boundaries import *  # noqa: F403
from fhir_profiles.fhirpath.collections import *  # noqa: F403
from fhir_profiles.fhirpath.conversion import *  # noqa: F403
from fhir_profiles.fhirpath.equality import Fixed, compare, equal, equivalent
from fhir_profiles.fhirpath.errors import Unevaluable, Unknown
from fhir_profiles.fhirpath.moments import order, parse_moment
from fhir_profiles.fhirpath.nodes import Collection, boolean, truth
from fhir_profiles.fhirpath.numbers import *  # noqa: F403
from fhir_profiles.fhirpath.strings import *  # noqa: F403
from fhir_profiles.fhirpath.strings import pattern
from fhir_profiles.fhirpath.surroundings import *  # noqa: F403

if TYPE_CHECKING:
    from fhir_profiles.compiler.context import CheckContext
    from fhir_profiles.compiler.findings import Finding, Findings

# What wrong JSON types beneath an element may cause: they are reported as such, so the rule is not evaluated.
MALFORMED = (TypeError, AttributeError, KeyError, IndexError, ValueError, ArithmeticError, RecursionError)


def answer(expression: Callable[..., Collection], json: Any, x: CheckContext) -> bool | None:  # noqa: ANN401
    """Evaluate an expression as a rule: true, false, or None (nothing, or no meaning on this value)."""
    try:
        return truth(expression(json, x))
    except Unevaluable:
        return None
    except MALFORMED:
        return None


def judged(expression: Callable[..., Collection], json: Any, x: CheckContext) -> bool | None:  # noqa: ANN401
    """Say whether a rule is kept; None when it cannot be told here."""
    try:
        return answer(expression, json, x) is True
    except Unknown:
        return None


def not_checked(found: Findings | None, x: CheckContext, key: str) -> Findings | None:
    """Say once a request that a rule cannot be evaluated."""
    from fhir_profiles.compiler.findings import Finding, add

    if key in x.unchecked:
        return found
    x.unchecked.add(key)
    return add(found, Finding("constraint-not-checked", params={"key": key}, rule=key))


# Findings that leave the shape of an element in doubt: its rules are not evaluated then (no cascade).
_SHAPE = frozenset(
    {
        "choice-multiple",
        "element-of-other-version",
        "empty-array",
        "empty-object",
        "missing-element",
        "not-an-array",
        "not-an-object",
        "null-value",
        "unexpected-array",
        "unknown-element",
        "wrong-json-type",
    }
)


def evaluable(found: Sequence[Finding]) -> bool:
    """Say whether an element that breaks other rules is sound enough for its constraints to mean something."""
    return not any(one.code in _SHAPE for one in found)


def malformed(found: Findings | None, x: CheckContext, keys: str) -> Findings | None:
    """Say that rules were not evaluated on malformed content, unless what is malformed is among the findings."""
    from fhir_profiles.compiler.findings import sound

    return found if found is not None and not sound(found) else not_checked(found, x, keys)


def unlike(values: list[Any], text: str) -> bool:
    """Say whether there are values, and other than one text."""
    return bool(values) and values != [text]


def is_among(one: list[str | None], others: list[str | None]) -> bool | None:
    """Say whether the one text is among others; None when there is none, or more than one."""
    return one[0] in others if len(one) == 1 else None


def those(element: dict[str, Any], keys: frozenset[str]) -> list[dict[str, Any]]:
    """Return the objects that an element has under some keys."""
    return [value for key, value in element.items() if key in keys and type(value) is dict]


def all_differ(values: list[str]) -> bool:
    """Say whether no text is there twice."""
    return len(set(values)) == len(values)


def finds(regex: str, text: str) -> bool:
    """Say whether a pattern is found in a text."""
    return pattern(regex).search(text) is not None


def in_order(one: str, other: str) -> bool | None:
    """Say whether a date or dateTime is not later than another; None when this cannot be said."""
    if len(one) == len(other) and (len(one) <= 10 or one[19:] == other[19:]):
        return one <= other
    first, last = parse_moment(one), parse_moment(other)
    if first is None or last is None:
        return None
    sign = order(first, last)
    return None if sign is None else sign <= 0


def fixed(x: CheckContext, name: str, context: object, make: Callable[[], Collection]) -> Collection:
    """Return a part of an expression that is the same for every item of a resource."""
    key = (name, id(x.resource), id(x.root), id(context))
    found: Collection | None = x.kept.get(key)
    if found is None:
        found = x.kept[key] = Fixed(make())
    return found


def equals(one: Collection, other: Collection) -> Collection:
    """Return `one = other`."""
    return boolean(equal(one, other))


def differs(one: Collection, other: Collection) -> Collection:
    """Return `one != other`."""
    found = equal(one, other)
    return [] if found is None else [not found]


def is_equivalent(one: Collection, other: Collection) -> Collection:
    """Return `one ~ other`."""
    return [equivalent(one, other)]


def is_not_equivalent(one: Collection, other: Collection) -> Collection:
    """Return `one !~ other`."""
    return [not equivalent(one, other)]


def less(one: Collection, other: Collection) -> Collection:
    """Return `one < other`."""
    return boolean(compare(one, other, lambda sign: sign < 0))


def at_most(one: Collection, other: Collection) -> Collection:
    """Return `one <= other`."""
    return boolean(compare(one, other, lambda sign: sign <= 0))


def greater(one: Collection, other: Collection) -> Collection:
    """Return `one > other`."""
    return boolean(compare(one, other, lambda sign: sign > 0))


def at_least(one: Collection, other: Collection) -> Collection:
    """Return `one >= other`."""
    return boolean(compare(one, other, lambda sign: sign >= 0))


def moment(text: str) -> Collection:
    """Return a date, dateTime or time literal."""
    found = parse_moment(text)
    if found is None:
        raise Unevaluable("a date outside the calendar")
    return [found]


def decimal(text: str) -> Collection:
    """Return a decimal literal."""
    return [Decimal(text)]
