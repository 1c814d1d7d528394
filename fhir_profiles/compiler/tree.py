"""A snapshot's lines → a tree: children by name, slices by name; and the steps from an element into its type.

Pure: reads rules, keeps each tree once a run of the compiler.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fhir_profiles.compiler.library import BASE, Library
from fhir_profiles.model import Element, Structure

RESOURCE_TYPES = ("Resource", "DomainResource")
CONTAINERS = ("BackboneElement", "Element")


@dataclass(slots=True)
class Node:
    """An element in its tree. `children` are its own unfolded ones; those of its type are found by `Trees.child`."""

    element: Element
    root: Node | None = None
    scope: str = BASE
    children: dict[str, Node] = field(default_factory=dict)
    slices: dict[str, Node] = field(default_factory=dict)


class Trees:
    """The trees of the definitions that one profile needs."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._trees: dict[str, Node] = {}

    def of_type(self, name: str) -> Node | None:
        """Return the tree of an R4 type."""
        found = self.library.definition(f"http://hl7.org/fhir/StructureDefinition/{name}", scope=BASE)
        return self._tree(self.library.read(found), BASE) if found else None

    def of_profile(self, canonical: str, scope: str) -> Node | None:
        """Return the tree of a profile as a package means it; None when it is not loaded."""
        found = self.library.definition(canonical, scope=scope)
        return self._tree(self.library.read(found), found.package) if found else None

    def child(self, node: Node, name: str, code: str | None = None) -> Node | None:
        """Return what is known of a child: the node's own, else that of its type (`code`, for a choice)."""
        if name in node.children:
            return node.children[name]
        target = self.inside(node, code)
        return target.children.get(name) if target is not None else None

    def inside(self, node: Node, code: str | None = None) -> Node | None:
        """Return the node that holds the children of an element: its content reference, its profile or its type."""
        element = node.element
        if element.content_reference:
            return self._referred(node, element.content_reference.partition("#")[2])
        kinds = [one for one in element.types if code is None or one.code == code]
        if len(kinds) == 1 and len(kinds[0].profiles) == 1:
            profile = self.of_profile(kinds[0].profiles[0], node.scope)
            if profile is not None:
                return profile
        if len(kinds) == 1:
            return self.of_type(kinds[0].code)
        return self.of_type(code) if code else None

    def _referred(self, node: Node, identity: str) -> Node | None:
        first, *rest = identity.split(".")
        found = node.root if node.root is not None else self.of_type(first)
        if found is not None and found.element.path != first:
            found = self.of_type(first)
        for part in rest:
            found = found.children.get(part.partition(":")[0]) if found is not None else None
        return found

    def _tree(self, structure: Structure, scope: str) -> Node:
        key = f"{structure.url}|{structure.version}"
        if key not in self._trees:
            self._trees[key] = tree(structure, scope)
        return self._trees[key]


def tree(structure: Structure, scope: str) -> Node:
    """Grow the tree of a snapshot. Raises ValueError when a line has no parent."""
    root = Node(structure.elements[0], None, scope)
    for element in structure.elements[1:]:
        parts = element.id.split(".")
        node = root
        for part in parts[1:-1]:
            node = _below(node, part, element.id)
        name, _, slice_name = parts[-1].partition(":")
        added = Node(element, root, scope)
        if not slice_name or name not in node.children:
            node.children[name] = added  # some of R4's own snapshots name a slice and not what it is a slice of
            continue
        owner = _below(node, name, element.id)
        above = slice_name.rpartition("/")[0]
        if above in owner.slices:
            owner = owner.slices[above]
        owner.slices[slice_name] = added
    return root


def _below(node: Node, part: str, identity: str) -> Node:
    name, _, slice_name = part.partition(":")
    found = node.children.get(name)
    if found is not None and slice_name and found.element.slice_name != slice_name:
        found = next((one for one in _deep(found) if one.element.slice_name == slice_name), None)
    if found is None:
        raise ValueError(f"{identity}: no line for its parent")
    return found


def _deep(node: Node) -> Iterator[Node]:
    for one in node.slices.values():
        yield one
        yield from _deep(one)
