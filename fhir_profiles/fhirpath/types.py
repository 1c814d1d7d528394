"""What FHIRPath must know of FHIR types: the elements of each type, their JSON keys, their types, what is a what.

Read from a Library at compile time, from a packaged table at run time (`r4_types`, the same facts; a test
compares them). A *type path* is `HumanName`, `string` or, for a backbone element, `Patient.contact`.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from fhir_profiles.errors import Misconfigured
from fhir_profiles.model import CORE, Element, Structure

TABLE = "r4-types.json.xz"
_PRIMITIVE_NAMES = """
base64Binary boolean canonical code date dateTime decimal id instant integer markdown oid positiveInt string time
unsignedInt uri url uuid xhtml
"""
PRIMITIVES = frozenset(_PRIMITIVE_NAMES.split())
_PRIMITIVE_BASES = {
    "canonical": "uri",
    "code": "string",
    "id": "string",
    "markdown": "string",
    "oid": "uri",
    "positiveInt": "integer",
    "unsignedInt": "integer",
    "url": "uri",
    "uuid": "uri",
}
_QUANTITIES = ("Age", "Count", "Distance", "Duration", "MoneyQuantity", "SimpleQuantity")
_BACKBONES = ("Dosage", "ElementDefinition", "MarketingStatus", "Population", "ProdCharacteristic", "ProductShelfLife")
_PLAIN_RESOURCES = ("Binary", "Bundle", "Parameters")


@dataclass(frozen=True, slots=True)
class Child:
    """An element: whether it repeats, and its (JSON key, type path) pairs, several for a choice."""

    many: bool
    options: tuple[tuple[str, str], ...]

    @property
    def is_choice(self) -> bool:
        """Say whether the JSON key is not the name."""
        return len(self.options) > 1


Children = Mapping[str, Child]
NO_CHILDREN: Children = {}


class Types:
    """The elements of types, by type path; each type is read once, when it is first asked for."""

    def __init__(self, read: Callable[[str], Mapping[str, Children] | None]) -> None:
        self._read = read
        self._known: dict[str, Children] = {}
        self._roots: dict[str, bool] = {}

    def children(self, path: str) -> Children:
        """Return the elements of a type path by name; none when the type is unknown or primitive."""
        found = self._known.get(path)
        if found is None:
            self.knows(path.partition(".")[0])
            found = self._known.setdefault(path, NO_CHILDREN)
        return found

    def knows(self, name: str) -> bool:
        """Say whether there is such a type."""
        if name not in self._roots:
            content = None if name in PRIMITIVES else self._read(name)
            self._roots[name] = content is not None or name in PRIMITIVES
            self._known.update(content or {})
        return self._roots[name]

    def is_resource(self, name: str) -> bool:
        """Say whether a type is a resource: those alone have `implicitRules`."""
        return "implicitRules" in self.children(name)


class Definitions(Protocol):
    """What is asked of a Library (`compiler.library`, which this package cannot import: it is used by it)."""

    def structure(self, canonical: str) -> Structure | None:
        """Return the rules of a StructureDefinition."""
        ...


def of_library(library: Definitions) -> Types:
    """Read the types of loaded packages."""

    def read(name: str) -> Mapping[str, Children] | None:
        try:
            found = library.structure(CORE + name)
        except Misconfigured:
            return None
        return None if found is None or found.is_profile else elements_of(found)

    return Types(read)


@cache
def r4_types() -> Types:
    """Read the packaged table (made by scripts/build_fhirpath_types.py)."""
    table: Mapping[str, Any] = json.loads(
        lzma.decompress((files("fhir_profiles") / "definitions" / TABLE).read_bytes())
    )

    def read(name: str) -> Mapping[str, Children] | None:
        return from_table(table[name]) if name in table else None

    return Types(read)


def to_table(content: Mapping[str, Children]) -> Any:  # noqa: ANN401 — plain JSON
    """Write the elements of one type as plain JSON."""
    return {
        path: {name: [int(one.many), *map(list, one.options)] for name, one in children.items()}
        for path, children in content.items()
    }


def from_table(raw: Any) -> Mapping[str, Children]:  # noqa: ANN401
    """Read what `to_table` wrote."""
    return {
        path: {
            name: Child(bool(many), tuple((key, kind) for key, kind in options))
            for name, (many, *options) in children.items()
        }
        for path, children in raw.items()
    }


def elements_of(structure: Structure) -> Mapping[str, Children]:
    """Return the elements of a type and of its backbone elements."""
    found: dict[str, dict[str, Child]] = {structure.type: {}}
    for element in structure.elements:
        parent, dot, name = element.path.rpartition(".")
        if not dot or element.slice_name:
            continue
        stem = name.removesuffix("[x]")
        found.setdefault(parent, {})[stem] = Child(element.maximum > 1, tuple(_options(element, stem)))
    return found


def _options(element: Element, stem: str) -> list[tuple[str, str]]:
    if element.content_reference:
        return [(stem, element.content_reference.partition("#")[2])]
    codes = [kind.code for kind in element.types]
    if element.is_choice:
        return [(stem + code[0].upper() + code[1:], code) for code in codes]
    inner = ("BackboneElement", "Element")
    return [(stem, element.path if code in inner else code) for code in codes[:1]]


def type_name(path: str) -> str:
    """Return the FHIR name of a type path."""
    return "BackboneElement" if "." in path else path


def base_of(path: str, types: Types) -> str | None:
    """Return the type that a type specialises."""
    name = type_name(path)
    if name in _PRIMITIVE_BASES:
        return _PRIMITIVE_BASES[name]
    if name in _QUANTITIES:
        return "Quantity"
    if name in ("Element", "Resource"):
        return None
    if name in _BACKBONES:
        return "BackboneElement"
    if types.is_resource(name):
        return "Resource" if name in (*_PLAIN_RESOURCES, "DomainResource") else "DomainResource"
    return "Element"


def is_a(path: str, wanted: str, types: Types) -> bool:
    """Say whether a type is another one or specialises it."""
    name: str | None = type_name(path)
    while name is not None:
        if name == wanted:
            return True
        name = base_of(name, types)
    return False
