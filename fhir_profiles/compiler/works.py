"""A profile's tree → what it adds to what its types check already, element by element; nothing where it adds nothing.

Pure. `profile_code.py` writes the plan down as Python.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fhir_profiles.compiler.bindings import same_binding
from fhir_profiles.compiler.defects import Defects
from fhir_profiles.compiler.members import target_types
from fhir_profiles.compiler.primitives import CHECKS
from fhir_profiles.compiler.slicing import Test, extra_tests, key_of_choice, tests_of
from fhir_profiles.compiler.tree import RESOURCE_TYPES, Node, Trees
from fhir_profiles.model import Binding, Constraint, Element, Slicing, TypeRef, Value, short_type, unversioned


@dataclass(slots=True)
class Piece:
    """A slice: its tests, how often it may be there, what is checked of its items."""

    name: str
    minimum: int
    maximum: int
    tests: list[Test]
    unless: list[list[Test]] = field(default_factory=list)
    work: Work | None = None
    pieces: Pieces | None = None

    @property
    def counted(self) -> bool:
        """Say whether its items are counted."""
        return self.minimum > 0 or self.maximum < 1 << 30


@dataclass(slots=True)
class Pieces:
    """The slices of an element, in order."""

    listed: list[Piece]
    rules: str
    ordered: bool


@dataclass(slots=True)
class Key:
    """One JSON key of a child: what is checked of its values; `allowed` is false for a type the profile drops."""

    key: str
    step: str
    code: str
    works: list[Work]
    allowed: bool = True


@dataclass(slots=True)
class Child:
    """A child element: its keys (several for a choice), cardinality where it is narrower, slices."""

    element: Element
    keys: list[Key]
    repeats: bool
    minimum: int | None = None
    maximum: int | None = None
    pieces: Pieces | None = None
    needed: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


@dataclass(slots=True)
class Work:
    """What is checked of one value, and of its children."""

    element: Element
    code: str
    scope: str
    fixed: Value | None = None
    pattern: Value | None = None
    binding: Binding | None = None
    profiles: tuple[str, ...] = ()
    targets: frozenset[str] | None = None
    target_profiles: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    resource_types: frozenset[str] | None = None
    max_length: int | None = None
    least: Value | None = None
    most: Value | None = None
    children: list[Child] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Say whether there is nothing to check."""
        return self == Work(self.element, self.code, self.scope)


class Planner:
    """Plans one profile; `not_checked` collects what it cannot check, and why."""

    def __init__(self, trees: Trees, defects: Defects) -> None:
        self.trees = trees
        self.defects = defects
        self.not_checked: list[tuple[str, str]] = []
        self.rebound: set[str] = set()

    def root(self, node: Node) -> Work:
        """Plan a whole profile against its type."""
        base = self.trees.of_type(node.element.path)
        return self._work(node, base, node.element.path)

    def _work(self, node: Node, known: Node | None, code: str) -> Work:
        """Plan one value of type `code`; `known` is what another check has seen to already."""
        element = node.element
        was = known.element if known is not None else None
        work = Work(element, code, node.scope)
        if element.fixed != (was.fixed if was else None) and not self._dropped(element, "fixed"):
            work.fixed = element.fixed
        if element.pattern != (was.pattern if was else None) and not self._dropped(element, "pattern"):
            work.pattern = element.pattern
        if element.binding is not None and not same_binding(element.binding, was.binding if was else None):
            self.rebound.add(element.path)
            if not self._dropped(element, "binding"):
                work.binding = self.defects.softened(element)
        seen = {(one.key, one.expression) for one in (was.constraints if was else ())}
        inner = self._own_constraints(known, code)
        work.constraints = tuple(
            self.defects.weakened(one, element)
            for one in element.constraints
            if (one.key, one.expression) not in seen | inner and not self._dropped(element, one.key)
        )
        if element.max_length and element.max_length != (was.max_length if was else None):
            work.max_length = element.max_length
        work.least = element.min_value if element.min_value != (was.min_value if was else None) else None
        work.most = element.max_value if element.max_value != (was.max_value if was else None) else None
        if code not in CHECKS:
            known = self._typed(work, node, known, code)
            work.children = self._children(node, known, code)
        return work

    def _own_constraints(self, known: Node | None, code: str) -> set[tuple[str, str]]:
        """Return the constraints that the type's own check evaluates."""
        inside = self.trees.inside(known, code) if known is not None and not known.children else None
        return {(one.key, one.expression) for one in inside.element.constraints} if inside is not None else set()

    def _typed(self, work: Work, node: Node, known: Node | None, code: str) -> Node | None:
        """Plan type and target profiles; return what is known of the children once the profile was checked."""
        kind = next((one for one in node.element.types if one.code == code), None)
        was = next((one for one in (known.element.types if known is not None else ()) if one.code == code), None)
        if kind is None:
            return known
        if kind.targets and (was is None or kind.targets != was.targets):
            self._targets(work, kind, was, node.scope)
        if known is not None and known.element.types and known.element.types[0].code in RESOURCE_TYPES:
            names = frozenset(one.code for one in node.element.types)
            if not names.intersection(RESOURCE_TYPES):
                work.resource_types = names
        if not kind.profiles or (was is not None and kind.profiles == was.profiles):
            return known
        found = [self.trees.library.definition(url, scope=node.scope) for url in kind.profiles]
        for url, one in zip(kind.profiles, found, strict=True):
            if one is None:
                self.not_checked.append((node.element.id, f"profile {url} is not loaded"))
        keys = tuple(one.key for one in found if one is not None)
        if code != "Extension" and len(keys) == len(kind.profiles):
            work.profiles = keys
        inner = self.trees.of_profile(kind.profiles[0], node.scope) if len(kind.profiles) == 1 else None
        return inner if inner is not None and (inner.children or known is None) else known

    def _targets(self, work: Work, kind: TypeRef, was: TypeRef | None, scope: str) -> None:
        types = target_types(kind, self.trees.library, scope=scope)
        before = target_types(was, self.trees.library) if was is not None else None
        if types is not None and types != before:
            work.targets = types
        found = [self.trees.library.definition(url, scope=scope) for url in kind.targets]
        if all(one is not None for one in found):
            keys = tuple(one.key for one in found if one is not None)
            if any(one is not None and one.raw.get("derivation") == "constraint" for one in found):
                work.target_profiles = keys

    def _children(self, node: Node, known: Node | None, code: str) -> list[Child]:
        found: list[Child] = []
        for name, child in node.children.items():
            if name == "url" and code == "Extension":
                continue  # the definition was found by it
            was = self.trees.child(known, name, code) if known is not None else None
            if was is None and known is not None:
                continue  # a child of another type of the choice
            planned = self._child(child, was)
            if planned is not None:
                found.append(planned)
        return found

    def _child(self, child: Node, was: Node | None) -> Child | None:
        element = child.element
        base_maximum = element.base_maximum if element.base_maximum is not None else element.maximum
        planned = Child(element, [], repeats=base_maximum > 1)
        before = was.element if was is not None else element
        if element.minimum > (before.minimum if was is not None else 0) and not self._dropped(element, "min"):
            planned.minimum = element.minimum
        if element.maximum < (before.maximum if was is not None else base_maximum) and not self._dropped(
            element, "max"
        ):
            planned.maximum = element.maximum
        if element.maximum == 0:
            planned.keys = [Key(one, step, code, []) for one, step, code in _keys(before)]
            return planned if planned.maximum == 0 else None
        if element.is_choice:
            self._choice(planned, child, was)
        else:
            self._plain(planned, child, was)
        useful = planned.minimum is not None or planned.maximum is not None or planned.pieces is not None
        useful = useful or bool(planned.needed) or any(one.works or not one.allowed for one in planned.keys)
        return planned if useful else None

    def _plain(self, planned: Child, child: Node, was: Node | None) -> None:
        element = child.element
        code = element.types[0].code if element.types else ""
        work = self._work(child, was, code)
        planned.keys = [Key(element.name, f".{element.name}", code, [] if work.empty else [work])]
        if element.slicing is not None and child.slices:
            planned.pieces = self._pieces(child, element.slicing, code)

    def _choice(self, planned: Child, child: Node, was: Node | None) -> None:
        allowed = {one.code for one in child.element.types}
        for key, step, code in _keys(was.element if was is not None else child.element):
            one = Key(key, step, code, [], allowed=code in allowed)
            if one.allowed:
                applied = [self._work(child, was, code)]
                for piece in child.slices.values():
                    if [kind.code for kind in piece.element.types] == [code] or (
                        piece.element.slice_name == key and code in {kind.code for kind in piece.element.types}
                    ):
                        applied.append(self._work(piece, child if child.children else was, code))
                        self._needed(planned, piece, key)
                one.works = [work for work in applied if not work.empty]
            planned.keys.append(one)

    def _needed(self, planned: Child, piece: Node, key: str) -> None:
        if piece.element.minimum and len(piece.element.types) == 1:
            planned.needed.append((piece.element.slice_name or key, (key, f"_{key}")))

    def _pieces(self, owner: Node, slicing: Slicing, code: str) -> Pieces | None:
        identity = owner.element.id
        if not slicing.discriminators:
            self.not_checked.append((identity, "slicing without discriminator"))
            return None
        listed: list[Piece] = []
        complete = True
        for name, node in owner.slices.items():
            tests = tests_of(self.trees, node, slicing.discriminators)
            if tests is None:
                complete = False
                self.not_checked.append((node.element.id, "the discriminator fixes no value"))
                continue
            listed.append(self._piece(name, node, owner, tests, code))
        self._tell_apart(listed, owner)
        rules = slicing.rules if complete else "open"
        if rules == "open" and not slicing.ordered:
            listed = [one for one in listed if one.counted or one.work is not None or one.pieces is not None]
        return Pieces(listed, rules, slicing.ordered and complete) if listed else None

    def _piece(self, name: str, node: Node, owner: Node, tests: list[Test], code: str) -> Piece:
        element = node.element
        maximum = element.maximum if element.maximum < owner.element.maximum else 1 << 30
        minimum = 0 if self._dropped(element, "min") else element.minimum
        work = self._work(node, owner, code)
        work.constraints = tuple(one for one in work.constraints if one not in owner.element.constraints)
        piece = Piece(name, minimum, maximum, tests, work=None if work.empty else work)
        if node.slices and element.slicing is not None and element.slicing.discriminators:
            piece.pieces = self._pieces(node, element.slicing, code)
        return piece

    def _tell_apart(self, listed: list[Piece], owner: Node) -> None:
        """Give slices of the same discriminator values the rest of what they fix: the first keeps what is left."""
        groups: dict[str, list[Piece]] = {}
        for one in listed:
            groups.setdefault(repr([test.facts for test in one.tests]), []).append(one)
        for group in groups.values():
            if len(group) < 2:
                continue
            shared = {test.facts for test in group[0].tests}
            extras = [
                [test for test in extra_tests(self.trees, owner.slices[one.name]) if test.facts not in shared]
                for one in group
            ]
            if not all(extras) or len({repr(extra) for extra in extras}) < len(extras):
                self._join(group, listed, owner)
                continue
            group[0].unless = extras[1:]
            for one, extra in zip(group[1:], extras[1:], strict=True):
                one.tests = one.tests + extra

    def _join(self, group: list[Piece], listed: list[Piece], owner: Node) -> None:
        """Count slices that nothing tells apart together, and check nothing else of them."""
        self.not_checked.append((owner.element.id, "slices with the same discriminator values"))
        first, *others = group
        first.name = " / ".join(one.name for one in group)
        first.minimum = sum(one.minimum for one in group)
        first.maximum = min(sum(one.maximum for one in group), 1 << 30)
        first.work = first.pieces = None
        for one in others:
            listed.remove(one)

    def _dropped(self, element: Element, fact: str) -> bool:
        return self.defects.ignored(element, fact)


def _keys(element: Element) -> list[tuple[str, str, str]]:
    """Return key, path step and type of each JSON key of an element."""
    if not element.is_choice:
        code = element.types[0].code if element.types else ""
        return [(element.name, f".{element.name}", code)]
    stem = element.name[:-3]
    return [(key_of_choice(stem, kind), f".{stem}.ofType({kind.code})", kind.code) for kind in element.types]


def unpinned(profiles: tuple[str, ...]) -> tuple[str, ...]:
    """Return short names of profiles, for messages."""
    return tuple(short_type(unversioned(one)) for one in profiles)


__all__ = ["Child", "Key", "Piece", "Pieces", "Planner", "Work", "replace", "unpinned"]
