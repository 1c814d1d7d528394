"""A path over typed elements → the conditions and loops that reach its items in plain JSON.

A way is what a comprehension says: `if` and `for` clauses, then the item. Paths that need run-time types raise
NotInline, and the caller falls back to `translate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fhir_profiles.fhirpath.syntax import Binary, Call, Dollar, Expression, Literal, Member, Variable
from fhir_profiles.fhirpath.translate import Constant, quoted, type_specifier
from fhir_profiles.fhirpath.types import PRIMITIVES, Child, Types, is_a

MOST_OPTIONS = 64
# What stands in the `_` sibling of a primitive.
PRIMITIVE_CHILDREN = {
    "id": Child(many=False, options=(("id", "string"),)),
    "extension": Child(many=True, options=(("extension", "Extension"),)),
}


class NotInline(Exception):  # noqa: N818 — not an error: the general translation takes over
    """An expression that this translation does not know."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression stands: the Python variable of `$this`, its type path, and that of %resource."""

    item: str
    type: str
    resource: str | None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach items: clauses, then `item` of `type`. `last` is a step not yet taken from `item`."""

    clauses: tuple[str, ...]
    item: str
    type: str
    loops: bool = False
    last: Child | None = None
    key: str | None = None  # the key of `$this` without which there is no item

    def with_clause(self, clause: str) -> Way:
        """Return the way with one more clause."""
        return replace(self, clauses=(*self.clauses, clause))


@dataclass(slots=True)
class Paths:
    """Makes ways; `criterion` writes the condition under which a criterion is true of an item."""

    types: Types
    constant: Constant
    criterion: Callable[[Expression, Place], str]
    counter: int = 0

    def of(self, node: Expression, place: Place) -> list[Way]:
        """Return the ways of a path: several where a choice element has several types."""
        match node:
            case Dollar(name="this"):
                return [Way((), place.item, place.type)]
            case Variable(name="resource") if place.resource is not None:
                return [Way((), "x.resource", place.resource)]
            case Member(base=None) if node.name == place.type:
                return [Way((), place.item, place.type)]
            case Member():
                return self._step(self._base(node.base, place), node.name, own=node.base is None)
            case Call(name="where", arguments=(criterion,)):
                return self._where(self._base(node.base, place), criterion, place)
            case Call(name="extension", arguments=(Literal(value=str() as url),)):
                found = self._step(self._base(node.base, place), "extension", own=node.base is None)
                entered = [way for one in found for way in self.enter(one)]
                return [one.with_clause(f'if {one.item}.get("url") == {self.constant(url)}') for one in entered]
            case Call(name="ofType" | "as", arguments=(specifier,)):
                return self._of_type(self._base(node.base, place), type_specifier(specifier))
            case Call(name="trace"):
                return self._base(node.base, place)
            case _:
                raise NotInline

    def _base(self, base: Expression | None, place: Place) -> list[Way]:
        return [Way((), place.item, place.type)] if base is None else self.of(base, place)

    def _step(self, ways: list[Way], name: str, *, own: bool) -> list[Way]:
        found = []
        for one in ways:
            if one.last is not None and one.last.is_choice and not one.last.many:
                found += self._through(one, one.last, name)
                continue
            for way in self.enter(one):
                child = self._child(way, name)
                if child is not None:
                    key = child.options[0][0] if own and self._is_one_key(child) else way.key
                    found.append(replace(way, last=child, key=key))
        return found

    def _through(self, way: Way, choice: Child, name: str) -> list[Way]:
        """Take a choice element and the step beyond it: the types that have the same child go together."""
        groups: dict[Child, list[str]] = {}
        for key, kind in choice.options:
            if kind in PRIMITIVES:
                child, place = PRIMITIVE_CHILDREN.get(name), f"_{key}"
            else:
                child, place = self._child(replace(way, type=kind, last=None), name), key
            if child is not None:
                groups.setdefault(child, []).append(place)
        found = []
        for child, keys in groups.items():
            self.counter += 1
            variable = f"w{self.counter}"
            source = f"fp.those({way.item}, {self.constant(frozenset(keys))})"
            looped = way.with_clause(f"for {variable} in {source}")
            found.append(replace(looped, item=variable, loops=True, last=child))
        return found

    def _child(self, way: Way, name: str) -> Child | None:
        """Return the child of a type, None when it has none of this name. A resource may be of any type."""
        if way.last is not None or name[0].isupper():
            raise NotInline
        if way.type != "Resource":
            return self.types.children(way.type).get(name)
        found = self.types.children("DomainResource").get(name)
        if found is None:
            raise NotInline
        return found

    @staticmethod
    def _is_one_key(child: Child) -> bool:
        return not child.is_choice and child.options[0][1] not in PRIMITIVES

    def enter(self, way: Way) -> list[Way]:
        """Take the last step: one way for each type that a choice element may have."""
        if way.last is None:
            return [way]
        child = way.last
        if len(child.options) > MOST_OPTIONS:
            raise NotInline
        return [self._into(way, child, key, kind) for key, kind in child.options]

    def _into(self, way: Way, child: Child, key: str, kind: str) -> Way:
        name = quoted(key)
        if kind in PRIMITIVES:
            return replace(way, type=kind, last=Child(child.many, ((key, kind),)))
        if not child.many:
            item = f"{way.item}[{name}]"
            return replace(way.with_clause(f"if {name} in {way.item}"), item=item, type=kind, last=None)
        self.counter += 1
        variable = f"w{self.counter}"
        head = way if way.loops else way.with_clause(f"if {name} in {way.item}")
        source = f"{way.item}.get({name}, ())" if way.loops else f"{way.item}[{name}]"
        looped = head.with_clause(f"for {variable} in {source}")
        return replace(looped, item=variable, type=kind, loops=True, last=None)

    def _where(self, ways: list[Way], criterion: Expression, place: Place) -> list[Way]:
        found = []
        for one in ways:
            if one.last is not None and one.last.is_choice and not one.last.many:
                found += self._where_choice(one, one.last, criterion, place)
                continue
            for way in self.enter(one):
                if way.last is not None:
                    raise NotInline
                found.append(way.with_clause(f"if {self._condition(way, criterion, place)}"))
        return [one for one in found if one.clauses[-1] != "if False"]

    def _condition(self, way: Way, criterion: Expression, place: Place) -> str:
        return self.criterion(criterion, Place(way.item, way.type, place.resource, place.depth + 1))

    def _where_choice(self, way: Way, child: Child, criterion: Expression, place: Place) -> list[Way]:
        """Ask the criterion of each type that the element may have, in one condition."""
        kept, asked = [], []
        for key, kind in child.options:
            if kind in PRIMITIVES:
                if not needs_child(criterion):
                    raise NotInline
                continue
            name = quoted(key)
            condition = self._condition(Way((), f"{way.item}[{name}]", kind), criterion, place)
            if condition != "False":
                kept.append((key, kind))
                asked.append(f"{name} in {way.item} and {condition}")
        if not kept:
            return []
        whole = f"if {' or '.join(f'({one})' for one in asked)}"
        return [replace(way.with_clause(whole), last=replace(child, options=tuple(kept)))]

    def _of_type(self, ways: list[Way], name: str) -> list[Way]:
        found = []
        for one in ways:
            if one.last is None:
                raise NotInline
            kept = self.kept(one.last, name)
            if kept:
                found.append(replace(one, last=Child(one.last.many, kept)))
        return found

    def kept(self, child: Child, name: str, *, exact: bool = True) -> tuple[tuple[str, str], ...]:
        """Return the options of an element that are of a type (`exact`: a code is no string)."""
        return tuple((key, kind) for key, kind in child.options if self.is_of(kind, name, exact=exact))

    def is_of(self, kind: str, name: str, *, exact: bool) -> bool:
        """Say whether a type is another or specialises it. Raises NotInline when only the value can tell."""
        short = name.removeprefix("FHIR.")
        if kind in ("Resource", "DomainResource"):
            raise NotInline
        if "." in short:
            return False
        return kind == short if exact and kind in PRIMITIVES else is_a(kind, short, self.types)

    def present(self, way: Way) -> str:
        """Return the source that is true when the last step leads to something; True when it has been taken."""
        if way.last is None:
            return "True"
        keys = [key for key, _kind in way.last.options]
        beside = [f"_{key}" for key, kind in way.last.options if kind in PRIMITIVES]
        if len(keys) + len(beside) > 3:
            return f"(not {self.constant(frozenset([*keys, *beside]))}.isdisjoint({way.item}))"
        tests = [f"{quoted(key)} in {way.item}" for key in (*keys, *beside)]
        return f"({' or '.join(tests)})"


def needs_child(criterion: Expression) -> bool:
    """Say whether a criterion can only be true of an element that has a certain child, so of no primitive."""
    match criterion:
        case Binary(operator="="):
            return any(_first_name(one) is not None for one in (criterion.left, criterion.right))
        case Binary(operator="and"):
            return needs_child(criterion.left) or needs_child(criterion.right)
        case _:
            return False


def _first_name(node: Expression) -> str | None:
    while isinstance(node, Member) and node.base is not None:
        node = node.base
    return node.name if isinstance(node, Member) and node.name not in ("id", "extension") else None


def split(way: Way) -> tuple[tuple[str, ...], str]:
    """Split the clauses: the conditions before the first loop, and the rest as a comprehension has it."""
    head: list[str] = []
    for index, clause in enumerate(way.clauses):
        if clause.startswith("for "):
            return tuple(head), " ".join(way.clauses[index:])
        head.append(clause.removeprefix("if "))
    return tuple(head), ""
