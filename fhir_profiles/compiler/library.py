"""Loaded packages → definitions by canonical, with or without `|version`; later packages win (newest by URL)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fhir_profiles.errors import Misconfigured
from fhir_profiles.model import CORE, Element, Structure, structure
from fhir_profiles.package import Package
from fhir_profiles.snapshot import with_snapshot

Json = Mapping[str, Any]


class Library:
    """The definitions of some packages. Reads each StructureDefinition once, on demand."""

    def __init__(self, packages: Sequence[Package]) -> None:
        self._raw: dict[tuple[str, str], Json] = {}
        self._structures: dict[str, Structure] = {}
        self._elements: dict[str, dict[str, Element]] = {}
        for package in packages:
            for resource in package.resources:
                kind, url, version = resource["resourceType"], resource["url"], resource.get("version")
                self._raw[kind, url] = resource
                if version:
                    self._raw[kind, f"{url}|{version}"] = resource

    def find(self, kind: str, canonical: str) -> Json | None:
        """Return a definition; an unknown version falls back to the one that is there."""
        found = self._raw.get((kind, canonical))
        if found is None:
            found = self._raw.get((kind, canonical.partition("|")[0]))
        return found

    def structures(self) -> Iterator[Json]:
        """Yield every StructureDefinition once, by its versioned canonical."""
        seen: set[int] = set()
        for (kind, _canonical), resource in self._raw.items():
            if kind == "StructureDefinition" and id(resource) not in seen:
                seen.add(id(resource))
                yield resource

    def structure(self, canonical: str) -> Structure | None:
        """Return the rules of a StructureDefinition, its snapshot generated when it carries none."""
        raw = self.find("StructureDefinition", canonical)
        if raw is None:
            return None
        key = key_of(raw)
        if key not in self._structures:
            try:
                self._structures[key] = structure(with_snapshot(raw, self._raw_structure))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise Misconfigured("definitions-invalid", f"{key}: not a readable StructureDefinition") from error
        return self._structures[key]

    def type(self, name: str) -> Structure:
        """Return the R4 definition of a type. Raises Misconfigured when there is none."""
        found = self.structure(CORE + name)
        if found is None:
            raise Misconfigured("definitions-incomplete", f"no definition of type {name}")
        return found

    def elements(self, type_name: str) -> Mapping[str, Element]:
        """Return the elements of a type by path."""
        if type_name not in self._elements:
            self._elements[type_name] = {one.path: one for one in self.type(type_name).elements}
        return self._elements[type_name]

    def _raw_structure(self, canonical: str) -> Json | None:
        return self.find("StructureDefinition", canonical)


def key_of(raw: Json) -> str:
    """Return the versioned canonical of a definition."""
    version = raw.get("version")
    return f"{raw['url']}|{version}" if version else str(raw["url"])
