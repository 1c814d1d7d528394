"""Equality, equivalence and order of items and collections (FHIRPath §6.1, §6.2). None means: cannot be said."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

from fhir_profiles.fhirpath.errors import Unevaluable
from fhir_profiles.fhirpath.moments import Moment, key_of, order
from fhir_profiles.fhirpath.nodes import Collection, Item, Node, TypeInfo, single, system
from fhir_profiles.fhirpath.quantities import Quantity, common

Number = int | Decimal


def equal(one: Collection, other: Collection) -> bool | None:
    """Compare two collections item by item, in order."""
    if not one or not other:
        return None
    if len(one) != len(other):
        return False
    answers = [same(mine, theirs) for mine, theirs in zip(one, other, strict=True)]
    if False in answers:
        return False
    return None if None in answers else True


def same(one: Item, other: Item) -> bool | None:
    """Compare two items."""
    mine, theirs = system(one), system(other)
    if mine is None or theirs is None:
        return key(one) == key(other)
    if isinstance(mine, Node) or isinstance(theirs, Node):
        both = isinstance(mine, Node) and isinstance(theirs, Node)
        return both and key(mine) == key(theirs)
    if isinstance(mine, Moment) and isinstance(theirs, Moment):
        if (mine.kind == "time") != (theirs.kind == "time"):
            return False
        found = order(mine, theirs)
        return None if found is None else found == 0
    if isinstance(mine, Quantity) or isinstance(theirs, Quantity):
        return _same_quantity(_as_quantity(mine), _as_quantity(theirs))
    return _family(mine) == _family(theirs) and key(mine) == key(theirs)


def _as_quantity(value: Item) -> Quantity | None:
    if isinstance(value, Quantity):
        return value
    return Quantity(Decimal(value), "1") if _family(value) == "number" and isinstance(value, Number) else None


def _same_quantity(one: Quantity | None, other: Quantity | None) -> bool | None:
    if one is None or other is None:
        return False
    values = common(one, other)
    if values is None:
        # a calendar year or month is no definite duration: it equals no UCUM unit, and differs from none
        return None if None in (one.ucum, other.ucum) else False
    return values[0] == values[1]


def _family(value: Item) -> str:
    if type(value) is bool:
        return "boolean"
    if isinstance(value, Number):
        return "number"
    return type(value).__name__


def key(item: Item) -> tuple[object, ...]:
    """Return what equal items share, so that distinct items are counted in linear time."""
    value = system(item)
    if value is None and type(item) is Node:
        return ("without value", _frozen(item.beside))
    if type(value) is Node:
        return ("node", _frozen(value.json))
    if isinstance(value, Moment):
        return ("moment", key_of(value))
    if isinstance(value, TypeInfo):
        return ("type", value.namespace, value.name)
    if value is None:
        return ("nothing",)
    return (_family(value), value)


class Fixed(list[Item]):
    """A collection that is kept for a resource, with the keys of its items."""

    __slots__ = ("keys",)
    keys: frozenset[object]

    def __init__(self, items: Collection) -> None:
        super().__init__(items)
        self.keys = frozenset(map(key, items))


def keys_of(collection: Collection) -> AbstractSet[object]:
    """Return the keys of the items."""
    return collection.keys if isinstance(collection, Fixed) else set(map(key, collection))


def _frozen(json: Any) -> Any:  # noqa: ANN401 — JSON
    if isinstance(json, dict):
        return frozenset((name, _frozen(value)) for name, value in json.items())
    if isinstance(json, list):
        return tuple(map(_frozen, json))
    return (type(json) is bool, json)


def distinct(collection: Collection) -> Collection:
    """Return each item once, in the order of first appearance."""
    if len(collection) < 2:
        return collection
    found: dict[Any, Item] = {}
    for item in collection:
        found.setdefault(key(item), item)
    return list(found.values())


def equivalent(one: Collection, other: Collection) -> bool:
    """Compare two collections without regard to order, case, white space or precision (FHIRPath §6.1.2)."""
    if len(one) != len(other):
        return False
    if len(one) == 1:
        return alike(one[0], other[0])
    left = list(other)
    for item in one:
        found = next((index for index, candidate in enumerate(left) if alike(item, candidate)), None)
        if found is None:
            return False
        del left[found]
    return True


def alike(one: Item, other: Item) -> bool:
    """Say whether two items are equivalent."""
    mine, theirs = system(one), system(other)
    if isinstance(mine, str) and isinstance(theirs, str):
        return " ".join(mine.lower().split()) == " ".join(theirs.lower().split())
    if isinstance(mine, Number) and isinstance(theirs, Number) and _family(mine) == _family(theirs) == "number":
        return _alike_numbers(Decimal(mine), Decimal(theirs))
    if isinstance(mine, Quantity) and isinstance(theirs, Quantity):
        values = common(_definite(mine), _definite(theirs))
        return values is not None and _alike_numbers(*values)
    if type(mine) is Node and type(theirs) is Node:
        return bool(mine.json == theirs.json)
    return same(one, other) is True


def _definite(quantity: Quantity) -> Quantity:
    """Take a calendar year or month for the UCUM unit of that name, as equivalence does."""
    ucum = {"year": "a", "month": "mo"}.get(quantity.unit) if quantity.calendar else None
    return Quantity(quantity.value, ucum) if ucum else quantity


def _alike_numbers(one: Decimal, other: Decimal) -> bool:
    places = min(_places(one), _places(other))
    return round(one, places) == round(other, places)


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def compare(one: Collection, other: Collection, test: Callable[[int], bool]) -> bool | None:
    """Apply `<`, `<=`, `>` or `>=`. Raises Unevaluable for items that have no order."""
    left, right = single(one), single(other)
    mine = None if left is None else system(left)
    theirs = None if right is None else system(right)
    if mine is None or theirs is None:
        return None
    found = sequence(mine, theirs)
    return None if found is None else test(found)


def sequence(mine: Item, theirs: Item) -> int | None:
    """Return -1, 0 or 1, or None when it cannot be said."""
    if isinstance(mine, Moment) and isinstance(theirs, Moment):
        return order(mine, theirs)
    if isinstance(mine, Quantity) or isinstance(theirs, Quantity):
        left, right = _as_quantity(mine), _as_quantity(theirs)
        if left is None or right is None:
            raise Unevaluable("a quantity compared with something else")
        values = common(left, right)
        return None if values is None else _sign(values[0], values[1])
    if isinstance(mine, str) and isinstance(theirs, str):
        return _sign(mine, theirs)
    if _family(mine) == _family(theirs) == "number":
        return _sign(mine, theirs)
    raise Unevaluable("a comparison between values that have no order")


def _sign(one: Any, other: Any) -> int:  # noqa: ANN401 — two values of one ordered type
    return int(one > other) - int(one < other)
