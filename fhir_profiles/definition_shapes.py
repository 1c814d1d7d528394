"""A conformance resource of a package → the first thing in it that this product could not read, with its place.

Asks only for what is read here: elements of other FHIR versions, and what no rule needs, pass. Never a whole
validation. Promise: what passes makes no code of this package stumble over its shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

DEEPEST = 100

# A shape: "text", "number", "flag", "maximum", a choice of words (`a|b`), `[shape]`, an object, or the name of one
# (`@concept`). `!` after a key: it must be there.
_EXTENSION = {"url!": "text", "valueCanonical": "text", "valueUri": "text", "valueUrl": "text"}
_INCLUDE = {
    "system": "text",
    "version": "text",
    "concept": [{"code!": "text"}],
    "filter": [{"property!": "text", "op!": "text", "value!": "text"}],
    "valueSet": ["text"],
}
_ELEMENT = {
    "id": "text",
    "path": "text",
    "sliceName": "text",
    "min": "number",
    "max": "maximum",
    "base": {"path": "text", "max!": "maximum"},
    "slicing": {
        "discriminator": [{"type!": "text", "path!": "text"}],
        "rules": "open|closed|openAtEnd",
        "ordered": "flag",
    },
    "type": [{"code!": "text", "profile": ["text"], "targetProfile": ["text"], "extension": [_EXTENSION]}],
    "binding": {
        "strength!": "required|extensible|preferred|example",
        "valueSet": "text",
        "extension": [_EXTENSION],
    },
    "constraint": [{"key!": "text", "severity!": "error|warning", "expression": "text"}],
    "contentReference": "text",
    "maxLength": "number",
    "isModifier": "flag",
}
_SHAPES: Mapping[str, Any] = MappingProxyType(
    {
        "StructureDefinition": {
            "url!": "text",
            "version": "text",
            "type!": "text",
            "kind!": "primitive-type|complex-type|resource|logical",
            "abstract": "flag",
            "baseDefinition": "text",
            "derivation": "specialization|constraint",
            "context": [{"type!": "text", "expression!": "text"}],
            "contextInvariant": ["text"],
            "snapshot": {"element!": ["@element"]},
            "differential": {"element!": ["@element"]},
        },
        "ValueSet": {
            "url!": "text",
            "version": "text",
            "compose": {"include!": [_INCLUDE], "exclude": [_INCLUDE]},
            "expansion": {"total": "number", "contains": ["@contained"]},
        },
        "CodeSystem": {"url!": "text", "version": "text", "content": "text", "concept": ["@concept"]},
        "ImplementationGuide": {"url!": "text", "version": "text", "global": [{"type!": "text", "profile!": "text"}]},
        "@element": _ELEMENT,
        "@concept": {
            "code!": "text",
            "property": [{"code!": "text", "valueCode": "text", "valueBoolean": "flag"}],
            "concept": ["@concept"],
        },
        "@contained": {"system": "text", "code": "text", "abstract": "flag", "contains": ["@contained"]},
    }
)
_WORDS = {
    "text": "not a text",
    "number": "not a whole number",
    "flag": "not true or false",
    "maximum": "neither a number in quotes nor *",
}


def fault(resource: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a definition, after the element or path it concerns; None when all can be read."""
    return _fault(resource, _SHAPES[resource["resourceType"]], "", 0)


def _fault(value: object, shape: Any, place: str, depth: int) -> str | None:  # noqa: ANN401 — see _SHAPES
    if isinstance(shape, str) and shape[0] == "@":
        if depth > DEEPEST:
            return f"{place}: nested too deep"
        if shape == "@element" and isinstance(value, dict):
            return _element_fault(value, place)
        shape = _SHAPES[shape]
    if isinstance(shape, str):
        return None if _is(value, shape) else f"{place}: {_WORDS.get(shape) or 'none of ' + shape.replace('|', ', ')}"
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{place}: not an array"
        found = (_fault(one, shape[0], f"{place}[{index}]", depth + 1) for index, one in enumerate(value))
        return next((one for one in found if one is not None), None)
    if not isinstance(value, dict):
        return f"{place}: not an object"
    return _object_fault(value, shape, place, depth)


def _object_fault(value: dict[str, Any], shape: Mapping[str, Any], place: str, depth: int) -> str | None:
    for key, inner in shape.items():
        name = key.removesuffix("!")
        below = f"{place}.{name}" if place else name
        if name not in value:
            if key != name:
                return f"{below}: missing"
        elif (found := _fault(value[name], inner, below, depth)) is not None:
            return found
    return None


def _element_fault(element: dict[str, Any], place: str) -> str | None:
    """Name an element by its id, as its author does."""
    identity = element.get("id", element.get("path"))
    if not _is(identity, "text"):
        return f"{place}: neither id nor path"
    found = _object_fault(element, _ELEMENT, "", 0)
    return found and f"{identity}: {found}"


def _is(value: object, shape: str) -> bool:
    if shape == "flag":
        return isinstance(value, bool)
    if shape == "number":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not isinstance(value, str) or not value:
        return False
    if shape == "maximum":
        return value == "*" or (value.isascii() and value.isdigit() and len(value) < 10)
    return shape == "text" or value in shape.split("|")
