"""elements.json → what the definitions say of the elements that rules may name.

Made by `scripts/build_deidentify_elements.py` from the packaged definitions; never used with others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from fhir_profiles.package import manifest
from transformers.deidentify.element_facts import facts

FROM_ELEMENT = ("id", "extension", "modifierExtension")
FROM_RESOURCE = ("id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension")


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its type (`#path` for a repetition of another element), and whether it repeats.

    `targets` are the types that a reference may name, `values` the codes of a closed list (None when open).
    """

    type: str
    repeats: bool
    targets: tuple[str, ...] = ()
    values: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of every type by path, what FR Core names, and the published lists of codes by system."""

    types: Mapping[str, Mapping[str, Element]]
    french: Mapping[str, tuple[str, ...]]
    french_extensions: tuple[str, ...]
    published: Mapping[str, frozenset[str]]

    def children(self, type_name: str, path: str = "") -> Iterator[tuple[str, Element]]:
        """Yield name and element of what stands directly under a path of a type."""
        prefix = f"{path}." if path else ""
        for candidate, element in self.types[type_name].items():
            name = candidate[len(prefix) :]
            if candidate.startswith(prefix) and "." not in name:
                yield name, element

    def is_backbone(self, type_name: str, path: str) -> bool:
        """Say whether an element has children of its own in its type."""
        return self.types[type_name][path].type in ("BackboneElement", "Element")


@cache
def packaged_elements() -> Elements:
    """Read the facts; they are made anew (slowly) when the file was made from other definitions."""
    raw: Mapping[str, Any] = orjson.loads((files("transformers.deidentify") / "elements.json").read_bytes())
    if any(name not in manifest() or manifest()[name].sha256 != digest for name, digest in raw["sources"].items()):
        raw = facts()
    values = {url: frozenset(codes) for url, codes in raw["values"].items()}
    return Elements(
        types={
            name: {path: _element(one, values) for path, one in listed.items()} for name, listed in raw["types"].items()
        },
        french={name: tuple(paths) for name, paths in raw["french"].items()},
        french_extensions=tuple(raw["french_extensions"]),
        published={url: frozenset(codes) for url, codes in raw["published"].items()},
    )


def _element(raw: list[Any], values: Mapping[str, frozenset[str]]) -> Element:
    kind, repeats, detail = raw
    if isinstance(detail, str):
        return Element(kind, bool(repeats), values=values[detail])
    return Element(kind, bool(repeats), targets=tuple(detail))
