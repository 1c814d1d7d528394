"""A posted resource → which rule did what to each of its elements (dry runs only).

Paths hold known element names and indices, never a posted string: an unknown name is told by its parent's path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir_profiles.values import Entry
from transformers.deidentify.elements import Element
from transformers.deidentify.rule_checks import DESCRIBED
from transformers.deidentify.rulebook import Rule
from transformers.deidentify.rules import Rules

Line = tuple[int, str, str, str]

NO_RULE = "(no rule: does not leave)"


def explain(entry: Entry, rules: Rules) -> Iterator[Line]:
    """Yield (entry index, element path, action, rule) for each element sent, in the order sent."""
    book = rules.book
    reason = book.dropped_types.get(entry.type) or book.containers.get(entry.type)
    if entry.type not in rules.types:
        yield entry.index, entry.path, "drop", f"{entry.type}: {reason}" if reason else NO_RULE
        return
    for name, value in (entry.resource or {}).items():
        if name != "resourceType":
            for path, action, rule in _element(rules, entry.type, name, value, f"{entry.path}"):
                yield entry.index, path, action, rule


def _element(rules: Rules, type_name: str, path: str, value: object, place: str) -> Iterator[tuple[str, str, str]]:
    name = path.rpartition(".")[2]
    element = rules.elements.types[type_name].get(path)
    if element is None:
        yield place, "drop", NO_RULE
        return
    rule, label = _rule(rules, type_name, path)
    if name in ("extension", "modifierExtension") and isinstance(value, list):
        yield from _extensions(rules, f"{type_name}.{path}".rpartition(".")[0], value, f"{place}.{name}")
        return
    for here, one in _items(value, f"{place}.{name}"):
        below = _below(element, type_name, path, rule)
        if below is None or not isinstance(one, dict):
            yield here, *_told(rule, label)
            continue
        for child, grandchild in one.items():
            child_path = f"{below[1]}.{child}" if below[1] else child
            yield from _element(rules, below[0], child_path, grandchild, here)


def _rule(rules: Rules, type_name: str, path: str) -> tuple[Rule | None, str]:
    """Return the rule of an element and its name in rules.toml."""
    book = rules.book
    found = book.rule(type_name, path)
    if found is not None:
        return found, f"{type_name}.{path}"
    last = path.rpartition(".")[2]
    table = "Resource" if "." not in path and last in book.types["Resource"] else "Element"
    return book.types[table].get(last), f"{table}.{last}"


def _below(element: Element, type_name: str, path: str, rule: Rule | None) -> tuple[str, str] | None:
    """Return the type and path under which the children of an element have rules of their own."""
    if rule is None:
        return type_name, path
    if rule.action != "keep":
        return None
    if element.type.startswith("#"):
        return type_name, element.type[1:]
    return None if element.type in DESCRIBED or element.type[0].islower() else (element.type, "")


def _extensions(rules: Rules, owner: str, listed: list[Any], place: str) -> Iterator[tuple[str, str, str]]:
    book = rules.book
    for number, one in enumerate(listed):
        url = one.get("url") if isinstance(one, dict) else None
        here = f"{place}[{number}]"
        if not isinstance(url, str):
            yield here, "drop", NO_RULE
        elif url in book.extensions and owner in book.extensions[url].on:
            yield here, "keep", f"extensions.{url}"
        elif url in book.used_extensions:
            yield here, "used", f"used-extensions.{book.used_extensions[url]}"
        elif url in book.dropped_extensions:
            yield here, "drop", f"dropped-extensions.{book.dropped_extensions[url]}"
        else:
            yield here, "drop", NO_RULE


def _told(rule: Rule | None, label: str) -> tuple[str, str]:
    if rule is None:
        return "drop", NO_RULE
    return rule.action, f"{label} = drop.{rule.reason}" if rule.action == "drop" else f"{label} = {rule.action}"


def _items(value: object, place: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, list):
        yield from ((f"{place}[{number}]", one) for number, one in enumerate(value))
    else:
        yield place, value
