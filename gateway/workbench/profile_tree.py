"""The elements of a profile as a tree: names beneath names, slices beneath what they slice. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Node = dict[str, Any]


def tree_of(lines: Iterable[Sequence[str]]) -> list[Node]:
    """Return nested nodes of (id, cardinality, types, demands…) lines; what stands between is made.

    A node holds `id`, `name`, `card`, `types`, `more` and `children`. `found` holds every word of it, for a search.
    """
    roots: list[Node] = []
    nodes: dict[str, Node] = {}
    for identity, cardinality, types, *more in lines:
        node = _node(identity, nodes, roots)
        node |= {"card": cardinality, "types": types, "more": list(more)}
        node["found"] = " ".join((identity, types, *more))
    return roots


def _node(identity: str, nodes: dict[str, Node], roots: list[Node]) -> Node:
    if identity in nodes:
        return nodes[identity]
    parent = _parent(identity)
    name = identity[len(parent) :].lstrip(".") or identity
    node: Node = {"id": identity, "name": name, "card": "", "types": "", "more": [], "found": identity, "children": []}
    nodes[identity] = node
    siblings = _node(parent, nodes, roots)["children"] if parent else roots
    siblings.append(node)
    return node


def _parent(identity: str) -> str:
    """`Patient.identifier:INS-NIR.use` is beneath `Patient.identifier:INS-NIR`, that beneath `Patient.identifier`."""
    above, _, last = identity.rpartition(".")
    slice_of, colon, _ = last.partition(":")
    return f"{above}.{slice_of}" if colon and above else above
