"""Discriminators of a slice → tests of a JSON value: where to look, and what must be there.

A slice whose discriminators say nothing gives no test, and is listed as not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from fhir_profiles.compiler.primitives import CHECKS
from fhir_profiles.compiler.tree import Node, Trees
from fhir_profiles.model import Discriminator, TypeRef, unversioned

DEEPEST = 6
Step = str | tuple[str, Any]
_PART = re.compile(r"""\$this|extension\((['"])(?P<url>[^'"]+)\1\)|resolve\(\)|ofType\((?P<type>\w+)\)|\w+(?:\[x\])?""")


@dataclass(frozen=True, slots=True)
class Test:
    """What a slice asks of the values at `steps`: kind is equal, like, member, exists, absent, type or profile."""

    kind: str
    steps: tuple[Step, ...]
    value: Any

    @property
    def place(self) -> str:
        """Return the names of the steps within the item, `type.coding`: empty where the item itself is asked."""
        plain = takewhile(lambda one: isinstance(one, str) or one[0] == "many", self.steps)
        return ".".join(one if isinstance(one, str) else one[1] for one in plain)

    @property
    def facts(self) -> str:
        """Return what tells this test from another."""
        return repr((self.kind, self.steps, self.value))


def tests_of(trees: Trees, piece: Node, discriminators: tuple[Discriminator, ...]) -> list[Test] | None:
    """Return the tests of a slice; None when one of its discriminators cannot be read."""
    found: list[Test] = []
    for one in discriminators:
        tests = _of_discriminator(trees, piece, one)
        if tests is None:
            return None
        found += tests
    return found or None


def extra_tests(trees: Trees, piece: Node) -> list[Test]:
    """Return what the children of a slice fix: tells slices apart that share their discriminator values."""
    found: list[Test] = []
    for child in piece.children.values():
        if child.element.fixed or child.element.pattern:
            found += list(_required(trees, child, (step_to(child),)))
    return found


def _of_discriminator(trees: Trees, piece: Node, one: Discriminator) -> list[Test] | None:
    parts = _parts(one.path)
    if parts is None:
        return None
    if one.type == "value" and one.path == "url" and (url := _extension_url(piece)) is not None:
        return [Test("equal", ("url",), url)]
    steps, nodes = _walk(trees, piece, parts)
    if not nodes:
        return None
    node = nodes[0]
    if one.type == "exists":
        return [Test("exists", steps, None)] if node.element.minimum else _absent(node, steps)
    if one.type == "type":
        return _type_test(nodes[-1], steps, resolved="resolve()" in one.path)
    if one.type == "profile":
        return _profile_test(nodes[-1], steps, resolved="resolve()" in one.path)
    found = (list(_required(trees, candidate, steps)) for candidate in nodes)
    return next((tests for tests in found if tests), None)


def _absent(node: Node, steps: tuple[Step, ...]) -> list[Test] | None:
    return [Test("absent", steps, None)] if node.element.maximum == 0 else None


def _extension_url(piece: Node) -> str | None:
    """Return the url that the profile of an extension slice stands for."""
    profiles = [url for kind in piece.element.types for url in kind.profiles]
    if len(profiles) == 1 and "url" not in piece.children:
        return unversioned(profiles[0])
    return None


def _parts(path: str) -> list[re.Match[str]] | None:
    found: list[re.Match[str]] = []
    position = 0
    while position < len(path):
        part = _PART.match(path, position)
        if part is None:
            return None
        found.append(part)
        position = part.end()
        if position < len(path):
            if path[position] != ".":
                return None
            position += 1
    return found


def _walk(trees: Trees, piece: Node, parts: list[re.Match[str]]) -> tuple[tuple[Step, ...], list[Node]]:
    """Follow a discriminator path in the rules; return the JSON steps and the nodes at its end.

    They are several where an element on the way has slices of its own: the value may be fixed in one of them.
    """
    steps: list[Step] = []
    nodes = [piece]
    for part in parts:
        text = part[0]
        if text == "$this":
            continue
        if text == "resolve()":
            steps.append(("resolve", None))
            nodes = [*_targets(trees, nodes), *nodes]
        elif part["type"]:
            steps.append(("type", part["type"]))
        elif part["url"]:
            steps.append(("extension", part["url"]))
            nodes = [found for one in nodes if (found := _extension_slice(trees, one, part["url"])) is not None]
        else:
            nodes = [below for one in _with_slices(nodes) if (below := _named(trees, one, text)) is not None]
            steps += [step_to(one) for one in nodes[:1]]
    return tuple(steps), nodes


def _targets(trees: Trees, nodes: list[Node]) -> Iterator[Node]:
    """Yield what a reference expects of its target."""
    for one in nodes:
        for kind in one.element.types:
            for url in kind.targets if len(kind.targets) == 1 else ():
                if (found := trees.of_profile(url, one.scope)) is not None:
                    yield found


def _with_slices(nodes: list[Node]) -> Iterator[Node]:
    for one in nodes:
        yield one
        yield from one.slices.values()


def _named(trees: Trees, node: Node, text: str) -> Node | None:
    name = text.removesuffix("[x]")
    found = trees.child(node, name)
    return found if found is not None else trees.child(node, f"{name}[x]")


def _extension_slice(trees: Trees, node: Node, url: str) -> Node | None:
    listed = trees.child(node, "extension")
    for one in listed.slices.values() if listed is not None else ():
        if any(unversioned(profile) == url for kind in one.element.types for profile in kind.profiles):
            return one
    return None


def _required(trees: Trees, node: Node, steps: tuple[Step, ...], *, depth: int = 0) -> Iterator[Test]:
    """Yield what a node fixes: itself, or its children; a required binding of the node itself, or of its slices."""
    element = node.element
    if element.fixed is not None:
        yield Test("equal", steps, element.fixed.json)
        return
    if element.pattern is not None:
        yield Test("like" if isinstance(element.pattern.json, (dict, list)) else "equal", steps, element.pattern.json)
        return
    if depth == 0 and (value_sets := tuple(_value_sets(node))):
        yield Test("member", steps, value_sets)
        return
    if depth > DEEPEST:
        return
    for one in node.children.values():
        yield from _required(trees, one, (*steps, step_to(one)), depth=depth + 1)
    if not node.children and (profile := _type_profile(trees, node)) is not None:
        yield from _required(trees, profile, steps, depth=depth + 1)


def _value_sets(node: Node) -> Iterator[str]:
    for one in (node, *node.slices.values()):
        binding = one.element.binding
        if binding is not None and binding.strength == "required" and binding.value_set:
            yield f"{one.scope} {binding.value_set}"


def _type_profile(trees: Trees, node: Node) -> Node | None:
    kinds = node.element.types
    if len(kinds) == 1 and len(kinds[0].profiles) == 1:
        return trees.of_profile(kinds[0].profiles[0], node.scope)
    return None


def _type_test(node: Node, steps: tuple[Step, ...], *, resolved: bool) -> list[Test] | None:
    kinds = node.element.types
    if resolved or any(kind.targets for kind in kinds):
        names = {unversioned(url).rpartition("/")[2] for kind in kinds for url in kind.targets}
        if not resolved:
            steps = (*steps, ("resolve", None))
        return [Test("type", steps, frozenset(names or {kind.code for kind in kinds}))]
    if not kinds:
        return None
    if steps and isinstance(steps[-1], tuple) and steps[-1][0] == "choice":
        keys = tuple(key_of_choice(str(steps[-1][1]), kind) for kind in kinds)
        return [Test("exists", (*steps[:-1], ("keys", keys)), None)]
    if all(kind.code in CHECKS for kind in kinds):
        return None
    return [Test("type", steps, frozenset(kind.code for kind in kinds))]


def _profile_test(node: Node, steps: tuple[Step, ...], *, resolved: bool) -> list[Test] | None:
    kinds = node.element.types
    urls = [url for kind in kinds for url in (kind.targets if resolved else kind.profiles)]
    return [Test("profile", steps, tuple((node.scope, url) for url in urls))] if urls else None


def step_to(node: Node) -> Step:
    """Return the step to a child: its name; `many` where JSON has an array."""
    element = node.element
    if element.is_choice:
        return ("choice", element.name[:-3])
    maximum = element.base_maximum if element.base_maximum is not None else element.maximum
    return ("many", element.name) if maximum > 1 else element.name


def key_of_choice(stem: str, kind: TypeRef) -> str:
    """Return the JSON key of one type of a choice: `valueQuantity`."""
    return stem + kind.code[0].upper() + kind.code[1:]
