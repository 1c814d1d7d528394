"""A rule book against the definitions: every rule names an element, every element has one rule, actions fit types.

Refuses with Misconfigured, naming the rule. Promise: P14 (the allow-list is total).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fhir_profiles.errors import Misconfigured
from fhir_profiles.resource_types import RESOURCE_TYPES
from transformers.deidentify.elements import FROM_ELEMENT, FROM_RESOURCE, Element, Elements
from transformers.deidentify.rulebook import Rule, RuleBook

NUMBERS = frozenset({"boolean", "integer", "decimal", "positiveInt", "unsignedInt"})
STRUCTURED = frozenset({"Age", "Dosage", "Duration", "Meta", "Money", "Period", "Quantity", "Range", "Ratio", "Timing"})
FITTING: Mapping[str, frozenset[str]] = {
    "code": frozenset({"CodeableConcept", "Coding"}),
    "minute": frozenset({"date", "dateTime", "instant"}),
    "day": frozenset({"date", "dateTime"}),
    "month": frozenset({"date"}),
    "stamp": frozenset({"instant"}),
    "counter": frozenset({"id"}),
    "reference": frozenset({"Reference"}),
    "identifier": frozenset({"Identifier"}),
    "department": frozenset({"Address"}),
    "mode": frozenset({"string"}),
    "digits": frozenset({"string"}),
    "unit": frozenset({"string"}),
}
# Data types that one action reads as a whole: their tables describe it and are not compiled one element at a time.
DESCRIBED = frozenset({"Coding", "Reference", "Identifier", "Quantity", "Age", "Duration"})


def check(book: RuleBook, elements: Elements) -> None:
    """Compare everything. Raises Misconfigured at the first defect, in the order of the file."""
    for problem in _problems(book, elements):
        raise problem


def is_resource(elements: Elements, type_name: str) -> bool:
    """Say whether a type is a resource."""
    return "implicitRules" in elements.types[type_name]


def _problems(book: RuleBook, elements: Elements) -> Iterator[Misconfigured]:
    for name, table in book.types.items():
        if name not in ("Resource", "Element"):
            if name not in elements.types:
                yield Misconfigured("rules-unknown-type", f"rules.toml: no type is called {name}")
                continue
            yield from _rules_without_element(elements, name, table)
            yield from _elements_without_rule(book, elements, name)
    for place in book.systems.expected:
        name, _, path = place.partition(".")
        rule = book.types.get(name, {}).get(path)
        if rule is None or rule.action != "code":
            yield Misconfigured("rules-match-nothing", f"rules.toml: systems.expected: {place} keeps no code")
    yield from _types(book)
    yield from _french(book, elements)
    yield from _extensions(book, elements)


def _rules_without_element(elements: Elements, name: str, table: Mapping[str, Rule]) -> Iterator[Misconfigured]:
    for path, rule in table.items():
        element = elements.types[name].get(path)
        if element is None:
            yield Misconfigured("rules-match-nothing", f"rules.toml: {name}.{path} is no element of {name}")
        elif any(other.startswith(f"{path}.") for other in table):
            yield Misconfigured("rules-twice", f"rules.toml: {name}.{path} and an element below it have rules")
        elif rule.leaves and name not in DESCRIBED and not fits(rule.action, element):
            yield Misconfigured(
                "rules-unfit", f"rules.toml: {rule.action} does not fit {name}.{path}, which is a {element.type}"
            )


def fits(action: str, element: Element) -> bool:
    """Say whether an action can be used on an element."""
    if action == "keep":
        closed = element.type == "code" and element.values is not None
        return closed or element.type in NUMBERS or element.type in STRUCTURED or element.type.startswith("#")
    return element.type in FITTING[action]


def _elements_without_rule(book: RuleBook, elements: Elements, name: str) -> Iterator[Misconfigured]:
    common = FROM_RESOURCE if is_resource(elements, name) else ()
    for path, element in elements.types[name].items():
        last = path.rpartition(".")[2]
        if path in common or (last in FROM_ELEMENT and path not in book.types[name]):
            continue
        if element.type in ("BackboneElement", "Element") and book.rule(name, path) is None:
            continue  # its children have rules
        if book.rule(name, path) is None:
            yield Misconfigured("rules-unclassified", f"rules.toml: {name}.{path} has no rule")


def _types(book: RuleBook) -> Iterator[Misconfigured]:
    for name in (*book.dropped_types, *book.containers):
        if name not in RESOURCE_TYPES:
            yield Misconfigured("rules-unknown-type", f"rules.toml: no resource type is called {name}")
        elif name in book.types or (name in book.dropped_types and name in book.containers):
            yield Misconfigured("rules-twice", f"rules.toml: {name} is listed and dropped")


def _french(book: RuleBook, elements: Elements) -> Iterator[Misconfigured]:
    """Every element that a FR Core profile names: its type has a table or is dropped, its path has a rule."""
    for name, paths in elements.french.items():
        if name in book.dropped_types or name in book.containers:
            continue
        if name not in book.types:
            yield Misconfigured("rules-unclassified", f"rules.toml: FR Core's type {name} has no rule")
            continue
        for path in paths:
            if not _classified(book, elements, name, path):
                yield Misconfigured("rules-unclassified", f"rules.toml: FR Core's {name}.{path} has no rule")
    listed = {*book.extensions, *book.used_extensions, *book.dropped_extensions}
    for url in elements.french_extensions:
        if url not in listed:
            yield Misconfigured("rules-unclassified", f"rules.toml: FR Core's extension {url} has no rule")


def _classified(book: RuleBook, elements: Elements, name: str, path: str) -> bool:
    if any(part in FROM_RESOURCE for part in path.split(".")):
        return True  # [Resource] and [Element] say it once for all
    stem, choice, _ = path.partition("[x]")
    if choice:
        choices = [one for one in elements.types[name] if one.startswith(stem) and "." not in one[len(stem) :]]
        return bool(choices) and all(_classified(book, elements, name, one) for one in choices)
    if book.rule(name, path) is not None:
        return True
    return path in elements.types[name] and elements.is_backbone(name, path)


def _extensions(book: RuleBook, elements: Elements) -> Iterator[Misconfigured]:
    for url, extension in book.extensions.items():
        if url in book.used_extensions or url in book.dropped_extensions:
            yield Misconfigured("rules-twice", f"rules.toml: extension {url} has two rules")
        for place in extension.on:
            name, _, path = place.partition(".")
            if name not in book.types or (path and path not in elements.types[name]):
                yield Misconfigured("rules-match-nothing", f"rules.toml: extension {url}: {place} is no element")
