"""Loaded packages → definitions by canonical, as each package sees them: its own, then what it requires, then the rest.

Two versions of a guide stand side by side: `url|version` is exact, a bare `url` means what the asking package means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_profiles.errors import Misconfigured
from fhir_profiles.model import CORE, Structure, structure
from fhir_profiles.package import Package
from fhir_profiles.snapshot import with_snapshot

Json = Mapping[str, Any]
BASE = "r4"
# What a definition of any content may raise while it is read: its shape was looked at, not its sense.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)


@dataclass(frozen=True, slots=True)
class Definition:
    """A StructureDefinition of a loaded package."""

    key: str
    package: str
    raw: Json

    @property
    def url(self) -> str:
        """Return the canonical without its version."""
        return str(self.raw["url"])


class Library:
    """The definitions of some packages, in the order of preference: the last one wins. Reads each one on demand."""

    def __init__(self, packages: Sequence[Package]) -> None:
        self._order = tuple(one.id for one in packages)
        self._requires = {one.id: one.requires for one in packages}
        self._raw = {one.id: _by_canonical(one) for one in packages}
        self._places = {(one.id, key): place for one in packages for key, place in one.places.items()}
        self._structures: dict[str, Structure] = {}
        self._searches: dict[str, tuple[str, ...]] = {}

    @property
    def packages(self) -> tuple[str, ...]:
        """Return the ids of the packages, preferred ones last."""
        return self._order

    def definitions(self) -> Iterator[Definition]:
        """Yield every StructureDefinition, preferred packages last."""
        for package in self._order:
            seen: set[int] = set()
            for (kind, _canonical), raw in self._raw[package].items():
                if kind == "StructureDefinition" and id(raw) not in seen:
                    seen.add(id(raw))
                    yield Definition(key_of(raw), package, raw)

    def demanded(self) -> Iterator[tuple[str, str]]:
        """Yield type and profile of what the guides demand of every resource of a type (ImplementationGuide.global)."""
        for package in self._order:
            for (kind, canonical), raw in self._raw[package].items():
                if kind == "ImplementationGuide" and "|" not in canonical:
                    for one in raw.get("global", ()):
                        found = self.definition(str(one["profile"]), scope=package)
                        if found is not None:
                            yield str(one["type"]), found.key

    def systems(self) -> Iterator[str]:
        """Yield the url of every code system that a definition names."""
        for listed in self._raw.values():
            for (kind, canonical), raw in listed.items():
                if kind == "CodeSystem":
                    yield canonical
                elif kind == "ValueSet":
                    for include in raw.get("compose", {}).get("include", ()):
                        if "system" in include:
                            yield str(include["system"])

    def find(self, kind: str, canonical: str, *, scope: str = "") -> tuple[str, Json] | None:
        """Return package and definition of a canonical as `scope` (a package id; "" = the caller's own) means it.

        An unknown version falls back to the one that is there.
        """
        url, bar, _version = canonical.partition("|")
        search = self._search(scope)
        for wanted in (canonical, url) if bar else (url,):
            for package in search:
                found = self._raw[package].get((kind, wanted))
                if found is not None:
                    return package, found
        return None

    def definition(self, canonical: str, *, scope: str = "") -> Definition | None:
        """Return the StructureDefinition that a canonical means."""
        found = self.find("StructureDefinition", canonical, scope=scope)
        return Definition(key_of(found[1]), *found) if found else None

    def structure(self, canonical: str, *, scope: str = "") -> Structure | None:
        """Return the rules of a StructureDefinition, its snapshot generated when it carries none."""
        found = self.definition(canonical, scope=scope)
        return self.read(found) if found else None

    def read(self, found: Definition) -> Structure:
        """Return the rules of a definition. Raises Misconfigured when it cannot be read."""
        if found.key not in self._structures:

            def find(canonical: str) -> Json | None:
                other = self.find("StructureDefinition", canonical, scope=found.package)
                return other[1] if other else None

            try:
                self._structures[found.key] = structure(with_snapshot(found.raw, find))
            except UNREADABLE as error:
                raise self.unreadable(found, error) from None
        return self._structures[found.key]

    def unreadable(self, found: Definition, error: Exception) -> Misconfigured:
        """Return the error that names the file, the definition and what is wrong with it."""
        place = self._places.get((found.package, f"{found.url}|{found.raw.get('version', '')}"), found.package)
        return Misconfigured("definitions-invalid", f"{place}: {found.key}: {_reason(error)}")

    def type(self, name: str) -> Structure:
        """Return the R4 definition of a type. Raises Misconfigured when there is none."""
        found = self.structure(CORE + name, scope=BASE)
        if found is None:
            raise Misconfigured("definitions-incomplete", f"no definition of type {name}")
        return found

    def forget(self) -> None:
        """Drop the rules that were read: they are made again on demand."""
        self._structures.clear()

    def _search(self, scope: str) -> tuple[str, ...]:
        """Return the packages in which a scope looks, nearest first."""
        if scope not in self._searches:
            near: list[str] = []
            waiting = [scope] if scope in self._raw else []
            while waiting:
                package = waiting.pop(0)
                if package in self._raw and package not in near:
                    near.append(package)
                    waiting += reversed(self._requires[package])
            near.sort(key=BASE.__eq__)  # R4 last: guides carry newer versions of its extensions and value sets
            self._searches[scope] = (*near, *(one for one in reversed(self._order) if one not in near))
        return self._searches[scope]


def key_of(raw: Json) -> str:
    """Return the versioned canonical of a definition."""
    version = raw.get("version")
    return f"{raw['url']}|{version}" if version else str(raw["url"])


def _by_canonical(package: Package) -> dict[tuple[str, str], Json]:
    found: dict[tuple[str, str], Json] = {}
    for raw in package.resources:
        found[raw["resourceType"], raw["url"]] = raw
        if raw.get("version"):
            found[raw["resourceType"], key_of(raw)] = raw
    return found


def _reason(error: Exception) -> str:
    """Say what is wrong with a definition: our own sentence, or the kind of the fault."""
    return str(error) if type(error) is ValueError else "not a readable StructureDefinition"
