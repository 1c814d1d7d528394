"""Everything that generated code may call, as `fp.…`: the functions of FHIRPath and the answers of constraints."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fhir_profiles.fhirpath.boundaries import *  # noqa: F403
from fhir_profiles.fhirpath.collections import *  # noqa: F403
from fhir_profiles.fhirpath.conversion import *  # noqa: F403
from fhir_profiles.fhirpath.equality import compare, equal, equivalent
from fhir_profiles.fhirpath.errors import Unevaluable, Unknown
from fhir_profiles.fhirpath.moments import parse_moment
from fhir_profiles.fhirpath.nodes import Collection, boolean, truth
from fhir_profiles.fhirpath.numbers import *  # noqa: F403
from fhir_profiles.fhirpath.strings import *  # noqa: F403
from fhir_profiles.fhirpath.surroundings import *  # noqa: F403

if TYPE_CHECKING:
    from fhir_profiles.compiler.context import CheckContext

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


def kept(expression: Callable[..., Collection], json: Any, x: CheckContext, key: str) -> bool:  # noqa: ANN401
    """Say whether a rule is kept; one that cannot be told counts as kept and is remembered as unchecked."""
    try:
        return answer(expression, json, x) is True
    except Unknown as missing:
        x.unchecked.add(f"{key} {missing.reason}")
        return True


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
