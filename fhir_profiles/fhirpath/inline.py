"""Boolean FHIRPath over typed elements → Python conditions on plain JSON, for the shapes that rules are made of.

Chosen by the shape of the syntax tree, never by the key of a rule. What is not known here becomes a call of the
generally translated expression, so every rule has one meaning (a test compares both).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from fhir_profiles.fhirpath import leaves
from fhir_profiles.fhirpath.conditions import (
    EMPTY,
    NOTHING,
    Truth,
    constant,
    every,
    joined,
    negated,
    opposite,
    same,
    some,
    total,
)
from fhir_profiles.fhirpath.functions import URLS
from fhir_profiles.fhirpath.leaves import BOOLEANS, COMPARISONS, MOMENTS, NUMBERS, TEXTS, leaf
from fhir_profiles.fhirpath.shapes import depends_on_outside, is_boolean, is_child_count, literal_texts, runs
from fhir_profiles.fhirpath.syntax import Binary, Call, Dollar, Expression, Literal, Member, TypeOperator, Variable
from fhir_profiles.fhirpath.translate import Constant, quoted, type_specifier
from fhir_profiles.fhirpath.types import PRIMITIVES, Types
from fhir_profiles.fhirpath.ways import NotInline, Paths, Place, Way, split

MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
GENERAL_COST = 100
THIS = Dollar("this")
General = Callable[[Expression, Place], str]


class Inliner:
    """Writes the conditions of one rule. `general` defines the general translation of a part and names it."""

    def __init__(self, types: Types, make_constant: Constant, general: General) -> None:
        self.constant = make_constant
        self.general = general
        self.paths = Paths(types, make_constant, lambda node, place: self.of(node, place).true)

    def of(self, node: Expression, place: Place) -> Truth:
        """Return the conditions of a boolean expression."""
        try:
            return self._known(node, place)
        except NotInline:
            return self._general(node, place)

    def _general(self, node: Expression, place: Place) -> Truth:
        if place.depth and depends_on_outside(node):
            raise NotInline
        call = f"fp.answer({self.general(node, place)}, {place.item}, x)"
        return Truth(f"({call} is True)", f"({call} is False)", GENERAL_COST)

    def _known(self, node: Expression, place: Place) -> Truth:
        match node:
            case Binary(operator="and"):
                return every(list(self._conjuncts(node, place)))
            case Binary(operator="or" | "implies"):
                return some(list(self._disjuncts(node, place)))
            case Binary(operator="xor"):
                return same(opposite(self.of(node.left, place)), self.of(node.right, place))
            case Binary(operator="=" | "!="):
                return self._equality(node, place)
            case Binary(operator="<" | "<=" | ">" | ">="):
                return self._comparison(node.operator, node.left, node.right, place)
            case Binary(operator="in"):
                return self._member_of(node, place)
            case Literal(value=bool() as value):
                return constant(value)
            case Call():
                return self._call(node, place)
            case TypeOperator(operator="is"):
                return self._is(self.paths.of(node.operand, place), node.type)
            case Member():
                return leaves.is_true(leaf(self.paths.of(node, place), BOOLEANS, self.paths))
            case _:
                raise NotInline

    def _conjuncts(self, node: Expression, place: Place) -> Iterator[Truth]:
        if isinstance(node, Binary) and node.operator == "and":
            yield from self._conjuncts(node.left, place)
            yield from self._conjuncts(node.right, place)
        else:
            yield self.of(node, place)

    def _disjuncts(self, node: Expression, place: Place) -> Iterator[Truth]:
        """Yield the sides of `or`; `a implies b` is `a.not() or b`."""
        if isinstance(node, Binary) and node.operator == "or":
            yield from self._disjuncts(node.left, place)
            yield from self._disjuncts(node.right, place)
        elif isinstance(node, Binary) and node.operator == "implies":
            yield opposite(self.of(node.left, place))
            yield from self._disjuncts(node.right, place)
        else:
            yield self.of(node, place)

    def _call(self, node: Call, place: Place) -> Truth:
        base = node.base or THIS
        match node:
            case Call(name="not", arguments=()) if node.base is not None:
                return opposite(self.of(node.base, place))
            case Call(name="exists", arguments=()):
                return self._exists(self.paths.of(base, place))
            case Call(name="exists", arguments=(criterion,)):
                return self._exists(self.paths.of(Call(node.base, "where", (criterion,)), place))
            case Call(name="empty", arguments=()):
                return opposite(self._exists(self.paths.of(base, place)))
            case Call(name="all", arguments=(criterion,)):
                return self._all(self.paths.of(base, place), criterion, place)
            case Call(base=Call(name="select", arguments=(projection,)) as inner, name="isDistinct", arguments=()):
                return self._distinct(self.paths.of(inner.base or THIS, place), projection, place)
            case Call(base=None, name="hasValue", arguments=()) if place.type not in PRIMITIVES:
                return constant(value=False)
            case Call(name="hasValue", arguments=()):
                return leaves.has_value(leaf(self.paths.of(base, place), PRIMITIVES, self.paths))
            case Call(
                name="startsWith" | "endsWith" | "contains" | "matches", arguments=(Literal(value=str() as text),)
            ):
                return self._text_function(self.paths.of(base, place), node.name, text)
            case Call(name="is", arguments=(specifier,)):
                return self._is(self.paths.of(base, place), type_specifier(specifier))
            case Call(name="trace") if node.base is not None:
                return self._known(node.base, place)
            case _:
                raise NotInline

    def _equality(self, node: Binary, place: Place) -> Truth:
        left, right = node.left, node.right
        if isinstance(left, Literal) and not isinstance(right, Literal):
            left, right = right, left
        found: Truth
        match right:
            case Literal(value=str() as text):
                found = self._equals_text(self.paths.of(left, place), self.constant(text))
            case Variable(name=name) if name in URLS:
                found = self._equals_text(self.paths.of(left, place), self.constant(URLS[name]))
            case Literal(value=bool() as value) if isinstance(left, Member):
                found = leaves.is_true(leaf(self.paths.of(left, place), BOOLEANS, self.paths))
                found = found if value else opposite(found)
            case _ if is_boolean(left) and is_boolean(right):
                found = same(self.of(left, place), self.of(right, place))
            case _:
                return self._comparison(node.operator, left, right, place)
        return found if node.operator == "=" else opposite(found)

    def _member_of(self, node: Binary, place: Place) -> Truth:
        if isinstance(node.right, Member):
            return leaves.in_path(self.paths.of(node.left, place), self.paths.of(node.right, place), self.paths)
        found = leaf(self.paths.of(node.left, place), TEXTS, self.paths)
        return leaves.in_texts(found, self.constant(frozenset(literal_texts(node.right))))

    def _equals_text(self, ways: list[Way], text: str) -> Truth:
        """Compare; where a choice element leads to the value over several types, only one of them is there."""
        if len(ways) > 1:
            return leaves.equals_text_on_ways(ways, text, self.paths)
        if ways and ways[0].last is not None and not any(kind in PRIMITIVES for _, kind in ways[0].last.options):
            there, cost = self._reached(ways[0])
            return Truth("False", there, cost)  # an element is no text
        return leaves.equals_text(leaf(ways, TEXTS, self.paths), text) if ways else EMPTY

    def _exists(self, ways: list[Way]) -> Truth:
        sources, costs = [], 0
        for way in ways:
            source, cost = self._reached(way)
            sources.append(source)
            costs += cost + GENERAL_COST * source.count("fp.answer")
        keys = frozenset(way.key for way in ways if way.key) if all(way.key for way in ways) else NOTHING
        without = keys if len(keys) == 1 else NOTHING
        return total(joined("or", *sources), costs, false_without=without)

    def _reached(self, way: Way) -> tuple[str, int]:
        """Return the condition that a way leads to an item, a real boolean, and its cost."""
        present = self.paths.present(way)
        head, loops = split(way)
        if not loops:
            cost = 2 + 2 * len(head) + (6 if " or " in present or "isdisjoint" in present else 2)
            return joined("and", *head, present), cost
        inner = f"bool([1 {loops}{f' if {present}' if present != 'True' else ''}])"
        return joined("and", *head, inner), 6 + 2 * len(head)

    def _all(self, ways: list[Way], criterion: Expression, place: Place) -> Truth:
        entered = [way for one in ways for way in self.paths.enter(one)]
        if len(entered) != 1 or entered[0].last is not None:
            raise NotInline
        way = entered[0]
        inner = Place(way.item, way.type, place.resource, place.depth + 1)
        return opposite(self._exists([way.with_clause(f"if not {self.of(criterion, inner).true}")]))

    def _distinct(self, ways: list[Way], projection: Expression, place: Place) -> Truth:
        """Return `select(a & b).isDistinct()`: no text that the projection gives is there twice."""
        entered = [way for one in ways for way in self.paths.enter(one)]
        joins = isinstance(projection, Binary) and projection.operator == "&"
        if not joins or len(entered) != 1 or entered[0].last is not None or not entered[0].loops:
            raise NotInline
        way = entered[0]
        head, loops = split(way)
        text = self._joined_text(projection, Place(way.item, way.type, place.resource, place.depth + 1))
        test = f"fp.all_differ([{text} {loops}])"
        if not head:
            return total(test, 20)
        keys = NOTHING if way.key is None else frozenset({way.key})
        return replace(total(joined("or", negated(joined("and", *head)), test), 20), true_without=keys)

    def _joined_text(self, node: Expression, place: Place) -> str:
        """Return the source of a text made by `&`, which takes nothing for an empty text."""
        match node:
            case Binary(operator="&"):
                return f"({self._joined_text(node.left, place)} + {self._joined_text(node.right, place)})"
            case Literal(value=str() as text):
                return self.constant(text)
            case Member():
                return leaves.text_or_empty(leaf(self.paths.of(node, place), TEXTS, self.paths))
            case _:
                raise NotInline

    def _text_function(self, ways: list[Way], name: str, text: str) -> Truth:
        wanted = self.constant(text)
        test, cost = f"{{v}}.{name.lower()}({wanted})", 2
        if name == "contains":
            test = f"({wanted} in {{v}})"
        elif name == "matches":
            test, cost = f"fp.finds({wanted}, {{v}})", 16
            if not runs(text):
                raise NotInline
        return leaves.tested(leaf(ways, TEXTS, self.paths), test, f"not {test}", cost)

    def _is(self, ways: list[Way], name: str) -> Truth:
        if len(ways) != 1 or ways[0].loops:
            raise NotInline
        way, last = ways[0], ways[0].last
        head, _loops = split(way)
        if last is None:
            source = joined("and", *head)
            return total(source, 2) if self.paths.is_of(way.type, name, exact=False) else opposite(total(source, 2))
        if last.many:
            raise NotInline
        kept = self.paths.kept(last, name, exact=False)
        others = tuple(one for one in last.options if one not in kept)
        true, false = (
            joined("and", *head, self.paths.present(replace(way, last=replace(last, options=options))))
            if options
            else "False"
            for options in (kept, others)
        )
        return Truth(true, false, 6)

    def _comparison(self, operator: str, left: Expression, right: Expression, place: Place) -> Truth:
        if isinstance(left, Literal):
            operator, left, right = MIRRORED[operator], right, left
        if operator == ">" and is_child_count(left):
            return self._has_other_child(right, place)
        counted = self._count(left, place)
        if counted is not None:
            other = self._count(right, place)
            if other is None:
                raise NotInline
            return total(f"({counted} {COMPARISONS[operator][0]} {other})", 10)
        if isinstance(right, Literal) and type(right.value) is int:
            if isinstance(left, Call) and left.name == "length":
                return leaves.compared(self._text(left.base or THIS, place), operator, right.value, of="len({v})")
            return leaves.compared(leaf(self.paths.of(left, place), NUMBERS, self.paths), operator, right.value)
        first, last = (leaf(self.paths.of(one, place), MOMENTS, self.paths) for one in (left, right))
        if operator not in ("<=", ">="):
            raise NotInline
        return leaves.in_order(first, last) if operator == "<=" else leaves.in_order(last, first)

    def _text(self, node: Expression, place: Place) -> leaves.Leaf:
        """Return a string, or with `toString()` also what JSON writes as one."""
        if isinstance(node, Call) and node.name == "toString" and not node.arguments:
            return leaf(self.paths.of(node.base or THIS, place), TEXTS | MOMENTS, self.paths)
        return leaf(self.paths.of(node, place), TEXTS, self.paths)

    def _has_other_child(self, node: Expression, place: Place) -> Truth:
        """Return `children().count() > name.count()`: the element has a key that is not this name."""
        match node:
            case Call(base=Member(base=None, name=name), name="count") if self._is_plain(place.type):
                source = f"(len({place.item}) > 1 or {quoted(name)} not in {place.item})"
                return replace(total(source, 3), true_without=frozenset({name}))
            case _:
                raise NotInline

    def _is_plain(self, kind: str) -> bool:
        """Say whether the JSON keys of a type are its children: a resource has `resourceType` beside them."""
        return kind not in PRIMITIVES and not self.paths.types.is_resource(kind)

    def _count(self, node: Expression, place: Place) -> str | None:
        """Return the source of a number made of counts; None when it is something else."""
        match node:
            case Literal(value=int() as value) if type(value) is int:
                return str(value)
            case Binary(operator="+"):
                left, right = self._count(node.left, place), self._count(node.right, place)
                return None if left is None or right is None else f"({left} + {right})"
            case Call(name="count", arguments=()) if node.base is not None:
                return f"({' + '.join(self._counted(way) for way in self.paths.of(node.base, place)) or '0'})"
            case _:
                return None

    def _counted(self, way: Way) -> str:
        """Return the source of the number of items that a way leads to."""
        head, loops = split(way)
        if way.last is not None and way.last.many:
            key, kind = way.last.options[0]
            if loops or kind in PRIMITIVES or way.last.is_choice:
                raise NotInline
            source = f"len({way.item}.get({quoted(key)}, ()))"
        elif not loops:
            return self._reached(way)[0]
        else:
            present = self.paths.present(way)
            source = f"len([1 {loops}{f' if {present}' if present != 'True' else ''}])"
        return f"({source} if {joined('and', *head)} else 0)" if head else source
