"""FHIRPath functions that FHIR adds: types, extensions, references, value sets, profiles, narrative (R4 §2.9.1.4).

`x` is the CheckContext; only its public attributes are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_profiles.fhirpath.errors import Unevaluable, Unknown
from fhir_profiles.fhirpath.moments import Moment
from fhir_profiles.fhirpath.nodes import Collection, Item, Node, TypeInfo, child, has_value, single, text_of
from fhir_profiles.fhirpath.nodes import node as make_node
from fhir_profiles.fhirpath.quantities import Quantity
from fhir_profiles.fhirpath.types import PRIMITIVES, is_a, r4_types, type_name
from fhir_profiles.model import CORE

if TYPE_CHECKING:
    from fhir_profiles.compiler.context import CheckContext

_SYSTEM_NAMES = {"bool": "Boolean", "str": "String", "int": "Integer", "Decimal": "Decimal", "Quantity": "Quantity"}
_MOMENT_NAMES = {"date": "Date", "dateTime": "DateTime", "time": "Time"}
EXTENSION = ("%extension",)  # where the context keeps it
SYSTEM = frozenset({*_SYSTEM_NAMES.values(), *_MOMENT_NAMES.values(), "Any"})


def focus(json: object, type_path: str, beside: object = None) -> Collection:
    """Return the collection of one element."""
    return [make_node(json, type_path, beside)]


def resource(x: CheckContext) -> Collection:
    """Return %resource."""
    return [make_node(x.resource, "Resource")]


def root_resource(x: CheckContext) -> Collection:
    """Return %rootResource."""
    return [make_node(x.root, "Resource")]


def extension_in_question(x: CheckContext) -> Collection:
    """Return %extension: the one whose contextInvariant is evaluated. Raises Unevaluable anywhere else."""
    found: Node | None = x.kept.get(EXTENSION)
    if found is None:
        raise Unevaluable("no extension is in question")
    return [found]


def head(c: Collection, name: str) -> Collection:
    """Return what a capital first word means: the focus itself when it is of that type, else its elements."""
    found: Collection = [item for item in c if type(item) is Node and is_a(item.type, name, r4_types())]
    return found or child(c, name)


def system_name(item: Item) -> str:
    """Return the name of the System type of a value."""
    if isinstance(item, Moment):
        return _MOMENT_NAMES[item.kind]
    return _SYSTEM_NAMES.get(type(item).__name__, "Any")


def _is(item: Item, name: str, *, exact: bool) -> bool:
    namespace, dot, short = name.rpartition(".")
    if type(item) is not Node:
        return namespace in ("", "System") and system_name(item) == short and type(item) is not TypeInfo
    if dot and namespace != "FHIR":
        return False
    if exact and item.is_primitive:
        return item.type == short
    return is_a(item.type, short, r4_types())


def known_type(name: str) -> bool:
    """Say whether a type specifier names a type."""
    namespace, _, short = name.rpartition(".")
    if namespace == "System" or (not namespace and short in SYSTEM):
        return short in SYSTEM
    return r4_types().knows(short) or short in PRIMITIVES or short in ("Element", "BackboneElement")


def is_type(c: Collection, name: str) -> Collection:
    """Say whether the single item is of a type or of one that specialises it."""
    item = single(c)
    return [] if item is None else [_is(item, name, exact=False)]


def of_type(c: Collection, name: str) -> Collection:
    """Return the items of a type. Raises Unevaluable for a type that is not one."""
    if not known_type(name):
        raise Unevaluable("a type that R4 has not")
    return [item for item in c if _is(item, name, exact=True)]


def type_of(c: Collection) -> Collection:
    """Return the type of every item."""
    found: Collection = []
    for item in c:
        if type(item) is Node:
            found.append(TypeInfo("FHIR", type_name(item.type)))
        else:
            found.append(TypeInfo("System", system_name(item)))
    return found


def extension(c: Collection, url: Collection) -> Collection:
    """Return the extensions of a url."""
    wanted = text_of(url)
    found = child(c, "extension")
    return [
        one
        for one in found
        if wanted is not None and type(one) is Node and isinstance(one.json, dict) and one.json.get("url") == wanted
    ]


def with_value(c: Collection) -> Collection:
    """Say whether the collection is a single primitive with a value."""
    return [len(c) == 1 and has_value(c[0])]


def get_value(c: Collection) -> Collection:
    """Return the value of the single primitive."""
    from fhir_profiles.fhirpath.nodes import value_of

    value = value_of(c) if len(c) == 1 and has_value(c[0]) else None
    return [] if value is None else [value]


def resolve(c: Collection, x: CheckContext) -> Collection:
    """Return the resources that references of the same request name; others are nothing, never fetched."""
    found: Collection = []
    for item in c:
        reference: object = item
        entry = None
        if type(item) is Node:
            reference, entry = (item.json.get("reference") if isinstance(item.json, dict) else item.json), item.entry
        if isinstance(reference, str):
            target = x.target(reference, entry)
            if target is not None:
                found.append(make_node(target, "Resource", None, entry if reference[:1] == "#" else None))
    return found


def member_of(c: Collection, value_set: Collection, x: CheckContext) -> Collection:
    """Say whether a code, Coding or CodeableConcept is in a value set. Raises Unknown when this is not known."""
    item, url = single(c), text_of(value_set)
    if item is None or url is None:
        return []
    answer = x.member_of(item.json if type(item) is Node else item, url)
    if answer is None:
        raise Unknown("a value set that cannot be enumerated here")
    return [answer]


def conforms_to(c: Collection, profile: Collection, x: CheckContext) -> Collection:
    """Say whether an element breaks no rule of a profile. Raises Unknown when the profile is not loaded."""
    item, url = single(c), text_of(profile)
    if item is None or url is None or type(item) is not Node:
        return []
    from fhir_profiles.compiler.findings import sound
    from fhir_profiles.compiler.nested import conforms

    name = url.removeprefix(CORE)
    check = x.checks.type_check(name) if name != url and "/" not in name else None
    if check is not None:
        found = check(item.json, x)
        return [is_a(item.type, name, r4_types()) and (found is None or sound(found))]
    key = x.checks.resolve(url)
    if key is None:
        raise Unknown("a profile that is not loaded")
    return [conforms(item.json, x, key)]


def html_checks(c: Collection) -> Collection:
    """Say whether the narrative is XHTML that FHIR allows."""
    from fhir_profiles.compiler.xhtml import xhtml_fault

    return [all(type(item) is Node and isinstance(item.json, str) and xhtml_fault(item.json) is None for item in c)]


def quantity(value: str, unit: str, *, calendar: bool) -> Collection:
    """Return a quantity literal."""
    from decimal import Decimal

    return [Quantity(Decimal(value), unit, calendar)]
