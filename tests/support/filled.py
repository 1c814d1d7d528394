"""Resources filled from the definitions: every element of a type, with values of its type and a token in each text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transformers.deidentify.elements import Element, Elements

NUMBERS = {"boolean": True, "integer": 7, "decimal": 7.5, "positiveInt": 7, "unsignedInt": 7}
DATES = {"date": "2024-03-01", "dateTime": "2024-03-01T08:15:42.123+01:00", "instant": "2024-03-01T08:15:42.123+01:00"}
BACKBONES = ("BackboneElement", "Element")
CONTAINERS = ("Composition", "MessageHeader")
DEEPEST = 5


class Filler:
    """Fills types; `tokens` are the texts that it planted."""

    def __init__(self, elements: Elements, *, plant: bool = True) -> None:
        self._elements = elements
        self._plant = plant
        self.tokens: list[str] = []

    def resource(self, name: str) -> dict[str, Any]:
        return {"resourceType": name} | self._object(name, "", 0)

    def token(self) -> str:
        self.tokens.append(f"zqtoken{len(self.tokens):05d}xkwv")
        return self.tokens[-1]

    def _object(self, name: str, path: str, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for child, element in self._elements.children(name, path):
            below = f"{path}.{child}" if path else child
            value = self._value(name, below, element, depth)
            if value is not None:
                made[child] = [value] if element.repeats else value
            if self._plant and element.type[0].islower():
                made[f"_{child}"] = {
                    "id": self.token(),
                    "extension": [{"url": self.token(), "valueString": self.token()}],
                }
        return made

    def _value(self, name: str, path: str, element: Element, depth: int) -> Any:
        kind = element.type
        if depth > DEEPEST:
            return None
        if kind in BACKBONES:
            return self._object(name, path, depth + 1)
        if kind.startswith("#"):
            return self._object(name, kind[1:], depth + 1) if depth < 2 else None
        if kind in NUMBERS:
            return NUMBERS[kind]
        if kind in DATES:
            return DATES[kind]
        if kind == "time":
            return "08:15:42"
        if kind == "code":
            return min(element.values) if element.values else self.token()
        if kind == "Coding":
            return {"system": "http://loinc.org", "version": "2.77", "code": "718-7", "display": self.token()}
        if kind == "CodeableConcept":
            return {"coding": [self._value(name, path, Element("Coding", repeats=False), depth)], "text": self.token()}
        if kind == "Reference":
            return {
                "reference": f"{self._target(element)}/{self.token()}",
                "display": self.token(),
                "type": self.token(),
            }
        if kind == "Extension":
            return {"url": f"https://ext.example/{self.token()}", "valueString": self.token()}
        if kind in ("Resource", "Narrative", "xhtml"):
            return {"resourceType": "Basic", "id": self.token(), "status": self.token(), "div": self.token()}
        if kind in self._elements.types:
            return self._object(kind, "", depth + 1)
        return self.token()

    def _target(self, element: Element) -> str:
        """A type whose resources leave, when the element may name one."""
        known = [one for one in element.targets if one in self._elements.types and one not in CONTAINERS]
        return min(known, default="Observation")


def paths(node: Any, prefix: str) -> Iterator[str]:
    """The paths of every leaf of a JSON value, without indices."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from paths(value, f"{prefix}.{name}")
    elif isinstance(node, list):
        for value in node:
            yield from paths(value, prefix)
    else:
        yield prefix
