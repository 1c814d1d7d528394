"""A StructureDefinition → the discriminators of its slicings that lead nowhere (R4 profiling §5.1.0.14).

A path is walked through the R4 types from the element that is sliced; what lies in another resource, or in a type that
R4 does not define, is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fhir_profiles.fhirpath.types import PRIMITIVES, Types, r4_types
from fhir_profiles.issues import Issue, issue

# One step: a name, `$this`, or a function with what is between its parentheses.
_STEP = re.compile(r"\$this|[A-Za-z_][A-Za-z0-9_]*(?:\[x\])?(?:\(([^()]*)\))?")
_OF_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9]*")
OWN_CHILDREN = ("BackboneElement", "Element")
OPEN = frozenset(("Resource", "DomainResource", "*"))

# Type paths that a path may lead to; None: nobody here can tell.
Reached = frozenset[str] | None


def discriminator_issues(resource: Mapping[str, Any], path: str) -> Iterator[Issue]:
    """Yield one issue a discriminator of the differential whose path no element answers to."""
    kind = resource.get("type")
    differential = resource.get("differential")
    elements = differential.get("element") if isinstance(differential, dict) else None
    if not isinstance(kind, str) or not isinstance(elements, list) or not r4_types().knows(kind):
        return
    for number, element in enumerate(elements):
        if not isinstance(element, dict):
            continue
        for position, steps in _discriminators(element):
            start = _types_of(element, kind, r4_types())
            if _walk(start, steps, r4_types()) == frozenset():
                place = f"{path}.differential.element[{number}].slicing.discriminator[{position}]"
                yield issue("discriminator-leads-nowhere", place, types=", ".join(sorted(start or ())))


def _discriminators(element: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    slicing = element.get("slicing")
    listed = slicing.get("discriminator") if isinstance(slicing, dict) else None
    for position, one in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(one, dict) and isinstance(one.get("path"), str):
            yield position, one["path"]


def _types_of(element: Mapping[str, Any], kind: str, types: Types) -> Reached:
    """Return the types of an element: those that it names, else those of its path in R4."""
    path = element.get("path")
    if not isinstance(path, str) or path.partition(".")[0] != kind:
        return None
    walked = _walk(frozenset((kind,)), path.partition(".")[2], types) if "." in path else frozenset((kind,))
    listed = element.get("type")
    named = [one.get("code") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not named or any(code in OWN_CHILDREN for code in named):
        return walked or None
    return frozenset(code for code in named if isinstance(code, str)) or None


def _walk(start: Reached, path: str, types: Types) -> Reached:
    """Follow a path from types; an empty set when it leads nowhere."""
    reached = start
    position = 0
    while position < len(path) and reached:
        found = _STEP.match(path, position)
        if found is None:
            return None
        reached = _step(reached, found[0], found[1], types)
        position = found.end() + (path[found.end() : found.end() + 1] == ".")
    return reached


def _step(reached: frozenset[str], step: str, argument: str | None, types: Types) -> Reached:
    if step == "$this":
        return reached
    if not OPEN.isdisjoint(reached) or any(_is_unknown(one, types) for one in reached):
        return None
    if argument is None:
        return _children(reached, step.removesuffix("[x]"), types)
    if step.startswith("extension("):
        return frozenset(("Extension",))
    if step.startswith("ofType(") and _OF_TYPE.fullmatch(argument):
        return reached & {argument}
    return None


def _children(reached: frozenset[str], name: str, types: Types) -> frozenset[str]:
    found: set[str] = set()
    for kind in reached:
        if kind in PRIMITIVES:
            found |= {"Extension"} if name == "extension" else {"string"} if name in ("id", "value") else set()
            continue
        for element, child in types.children(kind).items():
            found |= {inner for key, inner in child.options if name in (element, key)}
    return frozenset(found)


def _is_unknown(kind: str, types: Types) -> bool:
    return kind not in PRIMITIVES and not types.knows(kind.partition(".")[0])
