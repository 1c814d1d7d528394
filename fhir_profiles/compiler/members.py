"""The JSON keys of a type or backbone element, and the places that its extensions may name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_profiles.compiler.library import BASE, Library
from fhir_profiles.compiler.primitives import CHECKS
from fhir_profiles.compiler.writer import safe_name
from fhir_profiles.model import Element, Structure, TypeRef, short_type, unversioned

RESOURCE_TYPES = ("Resource", "DomainResource")
CONTAINERS = ("BackboneElement", "Element")


@dataclass(frozen=True, slots=True)
class Member:
    """One JSON key of a type: its element, the type that the key stands for, the step of its path."""

    key: str
    element: Element
    type: TypeRef
    step: str
    group: str | None = None

    @property
    def repeats(self) -> bool:
        """Say whether its JSON is an array."""
        return self.element.maximum > 1

    @property
    def primitive(self) -> bool:
        """Say whether it may have a `_` sibling."""
        return self.type.code in CHECKS


def members_of(elements: Sequence[Element], parent: str) -> list[Member]:
    """Return the JSON keys beneath a path: a choice element gives one a type."""
    depth = parent.count(".") + 1
    found: list[Member] = []
    for element in elements:
        if not element.path.startswith(parent + ".") or element.path.count(".") != depth or element.slice_name:
            continue
        if element.is_choice:
            stem = element.name[:-3]
            for kind in element.types:
                key = safe_name(stem + kind.code[0].upper() + kind.code[1:])
                found.append(Member(key, element, kind, f".{stem}.ofType({safe_name(kind.code)})", safe_name(stem)))
        else:
            kind = element.types[0] if element.types else TypeRef("")
            found.append(Member(safe_name(element.name), element, kind, f".{element.name}"))
    return found


def contexts_of(path: str, structure: Structure) -> tuple[str, ...]:
    """Return the context expressions that an element of this path answers to by itself."""
    if path == structure.type:
        generic = ("Resource", "DomainResource") if structure.kind == "resource" else ("Element",)
        parents = (structure.base.rpartition("/")[2].partition("|")[0],) if structure.base else ()
        return (path, *generic, *(one for one in parents if one not in generic))
    return (path, "Element", "BackboneElement")


def target_types(kind: TypeRef, library: Library, *, scope: str = BASE) -> frozenset[str] | None:
    """Return the resource types that a reference may name; None when any may."""
    names: set[str] = set()
    for target in kind.targets:
        found = library.definition(target, scope=scope)
        name = short_type(str(found.raw["type"])) if found else short_type(unversioned(target))
        if name in RESOURCE_TYPES or "/" in name:
            return None
        names.add(name)
    return frozenset(names)
