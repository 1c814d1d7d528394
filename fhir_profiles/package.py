"""The definitions that the product carries → packages of conformance resources, with what they require.

Reads packaged files alone; what an operator adds is read by `package_files.py`.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from fhir_profiles.errors import Misconfigured

Json = Mapping[str, Any]

KINDS = ("StructureDefinition", "ValueSet", "CodeSystem")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the manifest."""

    id: str
    version: str
    canonical: str
    licence: str
    requires: tuple[str, ...]
    file: str
    sha256: str
    counts: Mapping[str, int]

    @property
    def label(self) -> str:
        """Return `name@version`, as event headers and outcomes show it."""
        return f"{self.id.removesuffix('-' + self.version)}@{self.version}"


@dataclass(frozen=True, slots=True)
class Package:
    """Conformance resources of one package. `digest` tells one content from another; it proves nothing.

    Of an added one, `places` gives the file of each definition (by `url|version`), `missing` the packages it depends
    on that are not loaded (`name#version`).
    """

    id: str
    digest: str
    resources: tuple[Json, ...]
    requires: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)


@cache
def manifest() -> Mapping[str, Entry]:
    """Return the packaged definitions by id."""
    listed = orjson.loads(_definition("manifest.json"))["packages"]
    return {
        one["id"]: Entry(
            one["id"],
            one["version"],
            one["canonical"],
            one["licence"],
            tuple(one["requires"]),
            one["file"],
            one["sha256"],
            one["counts"],
        )
        for one in listed
    }


def closure(ids: Sequence[str]) -> tuple[str, ...]:
    """Return the packages and what they require, required ones first. Raises Misconfigured for an unknown id."""
    ordered: list[str] = []
    for one in ids:
        if one not in manifest():
            raise Misconfigured("unknown-package", f"{one}: the product carries {', '.join(manifest())}")
        for required in (*closure(manifest()[one].requires), one):
            if required not in ordered:
                ordered.append(required)
    return tuple(ordered)


def packaged(package_id: str) -> Package:
    """Load one packaged definition file."""
    entry = manifest()[package_id]
    content = orjson.loads(lzma.decompress(_definition(entry.file)))
    return Package(entry.id, entry.sha256, tuple(one for kind in KINDS for one in content[kind]), entry.requires)


def _definition(name: str) -> bytes:
    return (files("fhir_profiles") / "definitions" / name).read_bytes()
