"""The part of JSON Schema (2020-12) that our published schema uses: value + schema → where it does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

TYPES = {"object": dict, "array": list, "string": str, "integer": int}
KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "type", "required", "properties", "additionalProperties",
    "items", "prefixItems", "minItems", "pattern", "minLength", "minimum", "const",
}  # fmt: skip


def violations(value: Any, schema: Any, root: Any, path: str = "$") -> Iterator[str]:
    """Yield the places where a value breaks a schema; an unknown keyword is an error of the test."""
    if schema is False:
        yield f"{path}: not allowed"
        return
    if schema is True:
        return
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        yield from violations(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, path)
        return
    if "const" in schema and value != schema["const"]:
        yield f"{path}: not {schema['const']}"
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, TYPES[kind]) or isinstance(value, bool)):
        yield f"{path}: not {kind}"
    elif isinstance(value, dict):
        yield from _object(value, schema, root, path)
    elif isinstance(value, list):
        yield from _array(value, schema, root, path)
    elif isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{path}: pattern"
        if len(value) < schema.get("minLength", 0):
            yield f"{path}: too short"
    elif isinstance(value, int) and value < schema.get("minimum", value):
        yield f"{path}: too small"


def _object(value: dict[str, Any], schema: Any, root: Any, path: str) -> Iterator[str]:
    yield from (f"{path}.{name}: missing" for name in schema.get("required", ()) if name not in value)
    properties = schema.get("properties", {})
    for name, one in value.items():
        yield from violations(
            one, properties.get(name, schema.get("additionalProperties", True)), root, f"{path}.{name}"
        )


def _array(value: list[Any], schema: Any, root: Any, path: str) -> Iterator[str]:
    if len(value) < schema.get("minItems", 0):
        yield f"{path}: too few"
    first = schema.get("prefixItems", [])
    for number, one in enumerate(value):
        yield from violations(
            one, first[number] if number < len(first) else schema.get("items", True), root, f"{path}[{number}]"
        )
