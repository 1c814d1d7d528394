"""FHIRPath functions on collections: existence, filtering, subsetting, combining, tree navigation (§5.1 – §5.4, §5.8).

A criterion is a function of `$this` (a collection), `$index` and `$total`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from fhir_profiles.fhirpath.equality import distinct, key, keys_of, sequence
from fhir_profiles.fhirpath.errors import Unevaluable
from fhir_profiles.fhirpath.nodes import Collection, Item, boolean, children, integer_of, single, system, truth

Lambda = Callable[..., Collection]
MOST_LEVELS = 1_000


def empty(c: Collection) -> Collection:
    """Say whether there is no item."""
    return [not c]


def exists(c: Collection, criterion: Lambda | None = None) -> Collection:
    """Say whether there is an item (that meets the criterion)."""
    return [bool(c if criterion is None else where(c, criterion))]


def all_items(c: Collection, criterion: Lambda) -> Collection:
    """Say whether every item meets the criterion."""
    return [all(truth(criterion([item], index)) is True for index, item in enumerate(c))]


def _booleans(c: Collection) -> list[bool]:
    found = [system(item) for item in c]
    if not all(type(value) is bool for value in found):
        raise Unevaluable("something else where booleans are expected")
    return [value is True for value in found]


def all_true(c: Collection) -> Collection:
    """Say whether every item is true."""
    return [all(_booleans(c))]


def any_true(c: Collection) -> Collection:
    """Say whether an item is true."""
    return [any(_booleans(c))]


def all_false(c: Collection) -> Collection:
    """Say whether every item is false."""
    return [not any(_booleans(c))]


def any_false(c: Collection) -> Collection:
    """Say whether an item is false."""
    return [not all(_booleans(c))]


def subset_of(c: Collection, other: Collection) -> Collection:
    """Say whether every item is in the other collection."""
    keys = keys_of(other)
    return [all(key(item) in keys for item in c)]


def superset_of(c: Collection, other: Collection) -> Collection:
    """Say whether every item of the other collection is here."""
    return subset_of(other, c)


def count(c: Collection) -> Collection:
    """Return the number of items."""
    return [len(c)]


def distinct_items(c: Collection) -> Collection:
    """Return each item once."""
    return distinct(c)


def is_distinct(c: Collection) -> Collection:
    """Say whether no item is there twice."""
    return [len({key(item) for item in c}) == len(c)]


def where(c: Collection, criterion: Lambda) -> Collection:
    """Return the items that meet the criterion."""
    return [item for index, item in enumerate(c) if truth(criterion([item], index)) is True]


def select(c: Collection, projection: Lambda) -> Collection:
    """Return what the projection gives for every item."""
    return [found for index, item in enumerate(c) for found in projection([item], index)]


def repeat(c: Collection, projection: Lambda) -> Collection:
    """Return what the projection gives for the items, for what it gave, and so on; each once."""
    found: dict[Any, Item] = {}
    waiting = list(c)
    for _ in range(MOST_LEVELS):
        fresh: Collection = []
        for index, item in enumerate(waiting):
            for one in projection([item], index):
                identity = _identity(one)
                if identity not in found:
                    found[identity] = one
                    fresh.append(one)
        if not fresh:
            return list(found.values())
        waiting = fresh
    raise Unevaluable("a repetition without end")


def _identity(item: Item) -> Any:  # noqa: ANN401 — any hashable
    """Two elements of a resource are two, even with equal content; values are what they are."""
    json = getattr(item, "json", None)
    return id(json) if isinstance(json, dict) else key(item)


def descendants(c: Collection) -> Collection:
    """Return all elements beneath every item."""
    found: Collection = []
    level = children(c)
    while level:
        found += level
        level = children(level)
    return found


def at(c: Collection, index: Collection) -> Collection:
    """Return the item at an index."""
    position = integer_of(index)
    return [] if position is None or not 0 <= position < len(c) else [c[position]]


def only(c: Collection) -> Collection:
    """Return the single item. Raises Unevaluable when there are several."""
    item = single(c)
    return [] if item is None else [item]


def first(c: Collection) -> Collection:
    """Return the first item."""
    return c[:1]


def last(c: Collection) -> Collection:
    """Return the last item."""
    return c[-1:]


def tail(c: Collection) -> Collection:
    """Return all but the first item."""
    return c[1:]


def skip(c: Collection, number: Collection) -> Collection:
    """Return all but the first items."""
    return c[max(integer_of(number) or 0, 0) :]


def take(c: Collection, number: Collection) -> Collection:
    """Return the first items."""
    return c[: max(integer_of(number) or 0, 0)]


def intersect(c: Collection, other: Collection) -> Collection:
    """Return the items that are in both, each once."""
    keys = keys_of(other)
    return distinct([item for item in c if key(item) in keys])


def exclude(c: Collection, other: Collection) -> Collection:
    """Return the items that are not in the other collection."""
    keys = keys_of(other)
    return [item for item in c if key(item) not in keys]


def union(c: Collection, other: Collection) -> Collection:
    """Return the items of both, each once."""
    return distinct([*c, *other])


def combine(c: Collection, other: Collection) -> Collection:
    """Return the items of both."""
    return [*c, *other]


def contains_item(c: Collection, wanted: Collection) -> Collection:
    """Say whether an item is in a collection; nothing when there is no item to look for."""
    item = single(wanted)
    return [] if item is None else [key(item) in keys_of(c)]


def member_of_collection(wanted: Collection, c: Collection) -> Collection:
    """Say whether an item is in a collection."""
    return contains_item(c, wanted)


def aggregate(c: Collection, step: Lambda, start: Collection | None = None) -> Collection:
    """Fold the items into `$total`."""
    total = list(start or [])
    for index, item in enumerate(c):
        total = step([item], index, total)
    return total


def iif(c: Collection, criterion: Lambda, then: Lambda, otherwise: Lambda | None = None) -> Collection:
    """Return one of two results; the other is not evaluated."""
    single(c)
    found = criterion(c, 0)
    if found and not isinstance(system(found[0]), bool):
        raise Unevaluable("a criterion of iif that is no boolean")
    if truth(found) is True:
        return then(c, 0)
    return otherwise(c, 0) if otherwise is not None else []


def trace(c: Collection, *_: object) -> Collection:
    """Return the input; nothing is ever written: what passes here is posted data."""
    return c


def sort(c: Collection, *keys: tuple[Lambda, bool]) -> Collection:
    """Sort by keys, the first one first; each is a projection and whether it descends. Empty keys come first."""
    found = list(c)
    for projection, descends in reversed(keys or ((lambda this, *_: this, False),)):
        _sort_by(found, projection, descends=descends)
    return found


def _sort_by(c: Collection, projection: Lambda, *, descends: bool) -> None:
    values: dict[int, Item | None] = {}
    for item in c:
        one = single(projection([item], 0))
        values[id(item)] = None if one is None else system(one)

    def order(one: Item, other: Item) -> int:
        mine, theirs = values[id(one)], values[id(other)]
        if mine is None or theirs is None:
            return int(theirs is None) - int(mine is None)
        sign = sequence(mine, theirs) or 0
        return -sign if descends else sign

    c.sort(key=cmp_to_key(order))


def negate(c: Collection) -> Collection:
    """Return the opposite of a boolean."""
    value = truth(c)
    return [] if value is None else [not value]


def both(one: Collection, other: Lambda) -> Collection:
    """Return `one and other`; the other is only evaluated when it matters."""
    mine = truth(one)
    if mine is False:
        return [False]
    theirs = truth(other())
    return [False] if theirs is False else boolean(True if mine and theirs else None)


def either(one: Collection, other: Lambda) -> Collection:
    """Return `one or other`."""
    mine = truth(one)
    if mine is True:
        return [True]
    theirs = truth(other())
    return [True] if theirs is True else boolean(False if mine is False and theirs is False else None)


def one_of_two(one: Collection, other: Collection) -> Collection:
    """Return `one xor other`."""
    mine, theirs = truth(one), truth(other)
    return [] if mine is None or theirs is None else [mine != theirs]


def implies(one: Collection, other: Lambda) -> Collection:
    """Return `one implies other`."""
    mine = truth(one)
    if mine is False:
        return [True]
    theirs = truth(other())
    return [True] if theirs is True else boolean(theirs if mine is True else None)
