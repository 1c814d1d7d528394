"""Where generated modules come from: compiled from definitions here, or read from the cache (`cache.py`).

A target is named as in links: a type by its name, a profile by its key, a value set by `package canonical`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, Protocol

from fhir_profiles.compiler.base_code import write_type
from fhir_profiles.compiler.defects import defects_of
from fhir_profiles.compiler.library import BASE, Definition, Library
from fhir_profiles.compiler.profile_code import write_profile
from fhir_profiles.compiler.writer import Link, Writer
from fhir_profiles.model import CORE, short_type
from fhir_profiles.terminology import Expansion, expand


@dataclass(frozen=True, slots=True)
class Module:
    """A compiled module, ready to be bound. `not_checked` lists the rules it cannot check (key and reason),
    `rebound` the elements whose binding it replaces."""

    code: CodeType
    constants: Mapping[str, Any]
    links: Mapping[str, Link]
    not_checked: tuple[tuple[str, str], ...]
    rebound: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ExtensionFacts:
    """What is known of an extension without its code."""

    key: str
    contexts: frozenset[str] | None
    modifier: bool


class Modules(Protocol):
    """Gives modules and facts by name."""

    def has_type(self, name: str) -> bool:
        """Say whether R4 has a type of this name."""
        ...

    def is_profile(self, key: str) -> bool:
        """Say whether a key is that of a profile, not of a type."""
        ...

    def resolve(self, canonical: str) -> str | None:
        """Return the key of `url` or `url|version`."""
        ...

    def targets(self) -> Iterator[tuple[str, str]]:
        """Yield kind and target of every module."""
        ...

    def module(self, kind: str, target: str) -> Module:
        """Return a module."""
        ...

    def expansion(self, target: str) -> Expansion:
        """Return the codes of a value set."""
        ...

    def extension(self, url: str, scope: str) -> ExtensionFacts | None:
        """Return the facts of an extension as a package knows it."""
        ...


class Compiled:
    """Modules made here, from a library."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._definitions: dict[str, Definition] = {}
        self._keys: dict[str, str] = {}
        for one in library.definitions():
            self._definitions[one.key] = one
            self._keys[one.key] = self._keys[one.url] = one.key

    def has_type(self, name: str) -> bool:
        """Say whether R4 has a type of this name."""
        return name.isalnum() and self._library.definition(CORE + name, scope=BASE) is not None

    def is_profile(self, key: str) -> bool:
        """Say whether a key is that of a profile, not of a type."""
        return key in self._definitions and self._definitions[key].raw.get("derivation") == "constraint"

    def resolve(self, canonical: str) -> str | None:
        """Return the key of `url` or `url|version`."""
        return self._keys.get(canonical)

    def targets(self) -> Iterator[tuple[str, str]]:
        """Yield kind and target of every module."""
        for one in self._definitions.values():
            if one.raw.get("derivation") == "constraint":
                yield "profile", one.key
            elif one.url.startswith(CORE) and one.raw["kind"] in ("resource", "complex-type"):
                yield "type", short_type(one.url)

    def types(self) -> Mapping[str, str]:
        """Return the constrained type of every definition by key."""
        return {key: short_type(str(one.raw["type"])) for key, one in self._definitions.items()}

    def bases(self) -> Mapping[str, str]:
        """Return, by key, the key of the profile that a profile derives from."""
        found: dict[str, str] = {}
        for key, one in self._definitions.items():
            base = one.raw.get("baseDefinition")
            above = self._library.definition(str(base), scope=one.package) if base else None
            if above is not None:
                found[key] = above.key
        return found

    def packages(self) -> Mapping[str, str]:
        """Return the package of every definition by key."""
        return {key: one.package for key, one in self._definitions.items()}

    def module(self, kind: str, target: str) -> Module:
        """Generate and compile a module."""
        writer = Writer()
        if kind == "type":
            entry = write_type(writer, self._library.type(target), self._library)
        else:
            entry = write_profile(writer, self._definitions[target], self._library)
        writer(f"main = {entry}")
        code = compile(writer.source(), f"<{kind} {target}>", "exec", dont_inherit=True, optimize=2)
        return Module(code, writer.constants, writer.links, tuple(writer.not_checked), frozenset(writer.rebound))

    def expansion(self, target: str) -> Expansion:
        """Expand a value set as a package means it."""
        scope, _, canonical = target.partition(" ")

        def find(kind: str, url: str) -> Mapping[str, Any] | None:
            found = self._library.find(kind, url, scope=scope)
            return found[1] if found else None

        return expand(canonical, find)

    def extension(self, url: str, scope: str) -> ExtensionFacts | None:
        """Return the facts of an extension as a package knows it."""
        found = self._library.definition(url, scope=scope)
        if found is None or short_type(str(found.raw["type"])) != "Extension":
            return None
        return facts_of(found)


def facts_of(definition: Definition) -> ExtensionFacts:
    """Read where an extension may stand; a context by FHIRPath or by another extension cannot be told from a path."""
    raw = definition.raw
    listed = raw.get("context", ())
    contexts: frozenset[str] | None = frozenset(str(one["expression"]) for one in listed if one["type"] == "element")
    dropped = defects_of(definition.url, definition.key.partition("|")[2]).ignores("context")
    if not listed or dropped or any(one["type"] != "element" for one in listed):
        contexts = None
    view = raw.get("snapshot") or raw.get("differential") or {}
    elements = view.get("element", ())
    return ExtensionFacts(definition.key, contexts, bool(elements and elements[0].get("isModifier")))
