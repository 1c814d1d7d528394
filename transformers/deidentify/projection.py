"""Rule book + definitions → one Python function a type: a new resource that holds what the rules let leave.

Closures over dicts, compiled once. What the rules do not list is not copied; identifiers are left to `identities`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transformers.deidentify import primitives
from transformers.deidentify.elements import Element, Elements
from transformers.deidentify.primitives import Action
from transformers.deidentify.rule_checks import NUMBERS, is_resource
from transformers.deidentify.rulebook import SHAPES, ExtensionRule, Rule, RuleBook
from transformers.deidentify.scene import Scene

SIMPLE: Mapping[str, Action] = {
    "minute": primitives.minute,
    "day": primitives.day,
    "month": primitives.month,
    "stamp": primitives.stamp,
    "counter": primitives.counter,
    "mode": primitives.mode,
    "digits": primitives.digits,
}
QUANTITIES = ("Quantity", "Age", "Duration")
BACKBONES = ("BackboneElement", "Element")


MOST_PLANS = 256

Plan = tuple[tuple[tuple[str, Action], ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Fields:
    """What one object keeps (name → action) and what it is known to leave out (name → path).

    `names` are those that the definitions know: an object that has no other one may be remembered by them.
    """

    kept: Mapping[str, Action]
    left_out: Mapping[str, str]
    names: frozenset[str]

    def plan(self, names: tuple[str, ...]) -> Plan:
        """Return what becomes of an object that has these members: what is kept in the order sent, what is left out."""
        kept = tuple((name, self.kept[name]) for name in names if name in self.kept)
        return kept, tuple(self.left_out[name] for name in names if name in self.left_out)


def compile_rules(book: RuleBook, elements: Elements) -> Mapping[str, Action]:
    """Return, for each resource type that leaves, the function that projects it."""
    compiler = _Compiler(book, elements)
    return {name: compiler.type(name) for name in book.types if name in elements.types and is_resource(elements, name)}


class _Compiler:
    def __init__(self, book: RuleBook, elements: Elements) -> None:
        self._book = book
        self._elements = elements
        self._types: dict[str, Action] = {}
        comparators = elements.types["Quantity"]["comparator"].values or frozenset()
        self._quantity = primitives.quantity(comparators, book.units)

    def type(self, name: str) -> Action:
        """Return the projection of a resource or data type."""
        if name in QUANTITIES:
            return self._quantity
        if name not in self._types:
            self._types[name] = shape(self._fields(name, ""))
        return self._types[name]

    def _fields(self, name: str, path: str) -> Fields:
        kept: dict[str, Action] = {}
        left_out: dict[str, str] = {}
        names = {"resourceType", "id", "extension", "modifierExtension"}
        for child, element in self._elements.children(name, path):
            below = f"{path}.{child}" if path else child
            made = self._element(name, below, element)
            names |= {child, f"_{child}"}
            if made is not None:
                kept[child] = many(made) if element.repeats else made
            elif (rule := self._book.rule(name, below)) is not None and rule.action == "drop":
                left_out[child] = f"{name}.{below}"
        extensions = self._extensions(f"{name}.{path}" if path else name)
        if extensions is not None:
            kept["extension"] = extensions
        return Fields(kept, left_out, frozenset(names))

    def _element(self, name: str, path: str, element: Element) -> Action | None:
        rule = self._book.rule(name, path)
        if rule is None:
            if element.type not in BACKBONES:
                return self.type("Meta") if path == "meta" else None
            fields = self._fields(name, path)
            return shape(fields) if fields.kept else None
        return self._leaf(rule, element, name=name, path=path)

    def _leaf(self, rule: Rule, element: Element, *, name: str, path: str) -> Action | None:
        if not rule.leaves or rule.action == "identifier":
            return None  # identifiers are made from the identity of the entry, not copied
        if rule.action in SIMPLE:
            return SIMPLE[rule.action]
        if rule.action == "code":
            expected = self._book.systems.expected.get(f"{name}.{path}")
            if expected is not None:
                return primitives.expected_concept(SHAPES[expected])
            return primitives.code if element.type == "Coding" else primitives.concept
        if rule.action == "department":
            return None  # `places` reads the address and writes extensions
        if rule.action == "reference":
            if (name, path) == ("Encounter", "partOf"):
                return primitives.parent
            return primitives.reference(primitives.expected_type(element.targets))
        return self._kept(element, name)

    def _kept(self, element: Element, name: str) -> Action:
        if element.type.startswith("#"):
            return shape(self._fields(name, element.type[1:]))
        if element.type == "boolean":
            return primitives.boolean
        if element.type in NUMBERS:
            return primitives.number
        if element.type == "code":
            return primitives.one_of(element.values or frozenset())
        return self.type(element.type)

    def _extensions(self, place: str) -> Action | None:
        here = {url: self._extension(one) for url, one in self._book.extensions.items() if place in one.on}
        return extensions(here) if here else None

    def _extension(self, rule: ExtensionRule) -> Action:
        values = self._values(rule.values)
        if rule.parts:
            parts = {part: extension(self._values(one)) for part, one in rule.parts.items()}
            values["extension"] = extensions(parts)
        return extension(values)

    def _values(self, rules: Mapping[str, Rule]) -> dict[str, Action]:
        return {name: self._value(name, rule) for name, rule in rules.items()}

    def _value(self, name: str, rule: Rule) -> Action:
        kind = name.removeprefix("value")
        element = Element(kind if kind in self._elements.types else kind[:1].lower() + kind[1:], repeats=False)
        made = self._leaf(rule, element, name="Extension", path=name)
        assert made is not None
        return made


def shape(fields: Fields) -> Action:
    """Return the projection of an object. The same few sets of members come over and over: each is read once."""
    plans: dict[tuple[str, ...], Plan] = {}

    def project(value: object, scene: Scene) -> dict[str, Any] | None:
        if type(value) is not dict:
            return None
        names = tuple(value)
        plan = plans.get(names)
        if plan is None:
            plan = fields.plan(names)
            if len(plans) < MOST_PLANS and fields.names.issuperset(names):
                plans[names] = plan
        kept, left_out = plan
        made: dict[str, Any] = {}
        for name, action in kept:
            one = action(value[name], scene)
            if one is not None:
                made[name] = one
        if left_out:
            scene.left_out += left_out
        return made or None

    return project


def many(action: Action) -> Action:
    """Return the projection of a list."""

    def project(values: object, scene: Scene) -> list[Any] | None:
        if type(values) is not list:
            return None
        if len(values) == 1:
            made = action(values[0], scene)
            return None if made is None else [made]
        kept = []
        for one in values:
            made = action(one, scene)
            if made is not None:
                kept.append(made)
        return kept or None

    return project


def extension(values: Mapping[str, Action]) -> Action:
    """Return the projection of one extension's value or parts; the url is added by `extensions`."""

    def project(value: object, scene: Scene) -> dict[str, Any] | None:
        if type(value) is not dict:
            return None
        made = {
            name: kept
            for name, action in values.items()
            if name in value and (kept := action(value[name], scene)) is not None
        }
        return made or None

    return project


def extensions(by_url: Mapping[str, Action]) -> Action:
    """Return the projection of a list of extensions: those of the rules, in the order sent."""

    def project(listed: object, scene: Scene) -> list[Any] | None:
        if type(listed) is not list:
            return None
        made = []
        for one in listed:
            url = one.get("url") if type(one) is dict else None
            action = by_url.get(url) if type(url) is str else None
            kept = action(one, scene) if action is not None else None
            if kept is not None:
                made.append({"url": url} | kept)
        return made or None

    return project
