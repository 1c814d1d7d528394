"""The items of a collection at run time: FHIR elements (`Node`) and FHIRPath's own values; how to go down from them.

A collection is a list. System values are bool, str, int, Decimal, Moment and Quantity.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias

from fhir_profiles.fhirpath.errors import Unevaluable
from fhir_profiles.fhirpath.moments import Moment, parse_moment
from fhir_profiles.fhirpath.quantities import Quantity
from fhir_profiles.fhirpath.types import PRIMITIVES, Child, is_a, r4_types

Json: TypeAlias = Any
Item: TypeAlias = "Node | bool | str | int | Decimal | Moment | Quantity | TypeInfo"
Collection: TypeAlias = "list[Item]"

_MOMENTS = {"date": "date", "dateTime": "dateTime", "instant": "dateTime", "time": "time"}
_INTEGERS = ("integer", "positiveInt", "unsignedInt")
UCUM = "http://unitsofmeasure.org"
PRIMITIVE_CHILDREN = ("id", "extension")


class Node:
    """An element: its JSON (None for a primitive without value), its type path, the `_` sibling of a primitive.

    `entry` is the resource of a Bundle's entry that it lies in: `#…` means what is contained there.
    """

    __slots__ = ("beside", "entry", "json", "type")

    def __init__(self, json: Json, type_path: str, beside: Json = None, entry: Json = None) -> None:
        self.json = json
        self.type = type_path
        self.beside = beside
        self.entry = entry

    @property
    def is_primitive(self) -> bool:
        """Say whether the element is of a primitive type."""
        return self.type in PRIMITIVES


class TypeInfo:
    """What `type()` gives."""

    __slots__ = ("name", "namespace")

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace = namespace
        self.name = name


def node(json: Json, type_path: str, beside: Json = None, entry: Json = None) -> Node:
    """Make the node of an element; a resource gets the type that it says it has."""
    if isinstance(json, dict) and "resourceType" in json:
        name = json["resourceType"]
        if isinstance(name, str) and r4_types().is_resource(name):
            return Node(json, name, None, entry)
    return Node(json, type_path, beside, entry)


def child(collection: Collection, name: str) -> Collection:
    """Return the elements `name` of every item."""
    found: Collection = []
    for item in collection:
        if type(item) is Node:
            if isinstance(item.json, dict):
                element = r4_types().children(item.type).get(name)
                if element is not None:
                    _add(found, item, element)
            elif item.is_primitive and name in PRIMITIVE_CHILDREN:
                _add_beside(found, item, name)
        elif type(item) is TypeInfo and name in ("name", "namespace"):
            found.append(item.name if name == "name" else item.namespace)
    return found


def children(collection: Collection) -> Collection:
    """Return all elements directly beneath every item."""
    found: Collection = []
    for item in collection:
        if type(item) is not Node:
            continue
        if isinstance(item.json, dict):
            for element in r4_types().children(item.type).values():
                _add(found, item, element)
        elif item.is_primitive:
            for name in PRIMITIVE_CHILDREN:
                _add_beside(found, item, name)
    return found


def _add(found: Collection, item: Node, element: Child) -> None:
    json = item.json
    for key, kind in element.options:
        value = json.get(key)
        if kind in PRIMITIVES:
            beside = json.get("_" + key)
            if value is not None or beside is not None:
                _add_primitives(found, value, kind, beside)
        elif isinstance(value, list):
            found.extend(node(one, kind, None, item.entry) for one in value if isinstance(one, dict))
        elif isinstance(value, dict):
            inside = value if kind == "Resource" and item.type == "Bundle.entry" else item.entry
            found.append(node(value, kind, None, inside))


def _add_primitives(found: Collection, value: Json, kind: str, beside: Json) -> None:
    if not isinstance(value, list) and not isinstance(beside, list):
        found.append(Node(value, kind, beside))
        return
    values = value if isinstance(value, list) else []
    sides = beside if isinstance(beside, list) else []
    for index in range(max(len(values), len(sides))):
        one = values[index] if index < len(values) else None
        side = sides[index] if index < len(sides) else None
        if one is not None or side is not None:
            found.append(Node(one, kind, side))


def _add_beside(found: Collection, item: Node, name: str) -> None:
    if isinstance(item.beside, dict) and name in item.beside:
        value = item.beside[name]
        if name == "id":
            found.append(Node(value, "string"))
        elif isinstance(value, list):
            found.extend(Node(one, "Extension") for one in value if isinstance(one, dict))


def system(item: Item) -> Item | None:
    """Return the FHIRPath value of a primitive or Quantity element; other items as they are; None without a value."""
    if type(item) is not Node:
        return item
    value = item.json
    if item.is_primitive:
        return None if value is None else _primitive(value, item.type)
    if isinstance(value, dict) and is_a(item.type, "Quantity", r4_types()):
        return _quantity(value) or item
    return item


def _primitive(value: Json, kind: str) -> Item | None:
    if type(value) is bool:
        return value if kind == "boolean" else None
    if kind in _MOMENTS:
        return parse_moment(value, _MOMENTS[kind]) if type(value) is str else None
    if type(value) is str:
        return None if kind in ("boolean", "decimal", *_INTEGERS) else value
    if type(value) is int:
        return Decimal(value) if kind == "decimal" else value if kind in _INTEGERS else None
    if type(value) is float and kind == "decimal" and value - value == 0:
        return Decimal(repr(value))
    return None


def _quantity(json: Json) -> Quantity | None:
    value = _primitive(json.get("value"), "decimal") if json.get("value") is not None else None
    if not isinstance(value, Decimal) or "comparator" in json:
        return None
    unit = json.get("code") if json.get("system") == UCUM else json.get("unit")
    return Quantity(value, unit) if isinstance(unit, str) else Quantity(value, "1")


def single(collection: Collection) -> Item | None:
    """Return the only item; None of an empty collection. Raises Unevaluable when there are more."""
    if len(collection) > 1:
        raise Unevaluable("several items where one is expected")
    return collection[0] if collection else None


def value_of(collection: Collection) -> Item | None:
    """Return the FHIRPath value of the only item."""
    item = single(collection)
    return None if item is None else system(item)


def text_of(collection: Collection) -> str | None:
    """Return the only item, a string. Raises Unevaluable when it is something else."""
    value = value_of(collection)
    if value is None or isinstance(value, str):
        return value
    raise Unevaluable("something else where a string is expected")


def integer_of(collection: Collection) -> int | None:
    """Return the only item, an integer. Raises Unevaluable when it is something else."""
    value = value_of(collection)
    if value is None or type(value) is int:
        return value
    raise Unevaluable("something else where an integer is expected")


def truth(collection: Collection) -> bool | None:
    """Return the boolean that a collection stands for: a single item that is no boolean is true (FHIRPath §4.5)."""
    if not collection:
        return None
    item = single(collection)
    if type(item) is Node and item.type == "boolean":
        return item.json if type(item.json) is bool else None
    return item if type(item) is bool else True


def boolean(value: bool | None) -> Collection:  # noqa: FBT001 — the value itself
    """Return the collection of a boolean or of nothing."""
    return [] if value is None else [value]


def has_value(item: Item) -> bool:
    """Say whether an item is a primitive with a value."""
    return type(item) is not Node or (item.is_primitive and item.json is not None)
