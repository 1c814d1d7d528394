"""Two Python conditions that stand for one three-valued boolean of FHIRPath, and how they combine (FHIRPath §6.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Truth:
    """`true` holds when the expression is true, `false` when it is false; neither when it is empty.

    Both give real booleans. Without any one of the keys `true_without` in the element the expression is true, of
    `false_without` false. `total` says that it is never empty; `cost` orders what is evaluated first.
    """

    true: str
    false: str
    cost: int
    true_without: frozenset[str] = NOTHING
    false_without: frozenset[str] = NOTHING
    total: bool = False


EMPTY = Truth("False", "False", 0)


def constant(value: bool) -> Truth:  # noqa: FBT001 — the value itself
    """Return the conditions of what is known beforehand."""
    return Truth(str(value), str(not value), 0, total=True)


def total(source: str, cost: int, *, false_without: frozenset[str] = NOTHING) -> Truth:
    """Return the conditions of something that is true or false."""
    return Truth(source, negated(source), cost, NOTHING, false_without, total=True)


def joined(operator: str, *sources: str) -> str:
    """Join conditions by `and` or `or`; constants that decide nothing are left out."""
    neutral, decisive = ("True", "False") if operator == "and" else ("False", "True")
    if decisive in sources:
        return decisive
    kept = [one for one in sources if one != neutral]
    if not kept:
        return neutral
    return kept[0] if len(kept) == 1 else f"({f' {operator} '.join(kept)})"


def negated(source: str) -> str:
    """Return the opposite condition."""
    return {"True": "False", "False": "True"}.get(source, f"(not {source})")


def opposite(one: Truth) -> Truth:
    """Return `not()`."""
    return Truth(one.false, one.true, one.cost, one.false_without, one.true_without, total=one.total)


def every(listed: Sequence[Truth]) -> Truth:
    """Return `and` of any number of conditions; the cheapest is evaluated first."""
    return opposite(some([opposite(one) for one in listed]))


def some(listed: Sequence[Truth]) -> Truth:
    """Return `or` of any number of conditions; the cheapest is evaluated first."""
    sorted_ones = sorted(listed, key=lambda one: one.cost)
    return Truth(
        joined("or", *(one.true for one in sorted_ones)),
        joined("and", *(one.false for one in sorted_ones)),
        sum(one.cost for one in listed),
        frozenset().union(*(one.true_without for one in listed)),
        frozenset.intersection(*(one.false_without for one in listed)),
        total=all(one.total for one in listed),
    )


def same(left: Truth, right: Truth) -> Truth:
    """Return that two booleans are equal."""
    cost = left.cost + right.cost
    if left.total and right.total:
        return total(f"(({left.true}) is ({right.true}))", cost)
    true = joined("or", joined("and", left.true, right.true), joined("and", left.false, right.false))
    false = joined("or", joined("and", left.true, right.false), joined("and", left.false, right.true))
    return Truth(true, false, 2 * cost)
