"""Definitions → generated modules. A target is named as in links: a type by name, a profile by key.

`Compiled` makes them from a library; `cache.py` keeps what was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, Protocol

from fhir_profiles.compiler.base_code import write_type
from fhir_profiles.compiler.library import UNREADABLE, Library
from fhir_profiles.compiler.profile_code import write_profile
from fhir_profiles.compiler.writer import Link, Writer
from fhir_profiles.errors import Misconfigured
from fhir_profiles.terminology import Expansion, expand


@dataclass(frozen=True, slots=True)
class Module:
    """A compiled module, ready to be bound. `not_checked` lists the rules it cannot check (element or key, reason),
    `rebound` the elements whose binding it replaces.
    """

    code: CodeType
    constants: Mapping[str, Any]
    links: Mapping[str, Link]
    not_checked: tuple[tuple[str, str], ...] = ()
    rebound: frozenset[str] = frozenset()


class Modules(Protocol):
    """Gives modules and expansions by name."""

    def module(self, kind: str, target: str) -> Module:
        """Return the module of a type or profile."""
        ...

    def expansion(self, target: str) -> Expansion:
        """Return the codes of a value set, named `package canonical`."""
        ...


class Compiled:
    """Modules made here, from a library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def module(self, kind: str, target: str) -> Module:
        """Generate and compile a module. Raises Misconfigured when the definition cannot be read."""
        writer = Writer()
        try:
            entry = self._write(writer, kind, target)
        except UNREADABLE as error:
            definition = self._library.definition(target)
            if definition is None:
                raise Misconfigured("definitions-incomplete", f"no definition of {target}") from None
            raise self._library.unreadable(definition, error) from None
        writer(f"main = {entry}")
        code = compile(writer.source(), f"<{kind} {target}>", "exec", dont_inherit=True, optimize=2)
        return Module(code, writer.constants, writer.links, tuple(writer.not_checked), frozenset(writer.rebound))

    def _write(self, writer: Writer, kind: str, target: str) -> str:
        if kind == "type":
            return write_type(writer, self._library.type(target), self._library)
        definition = self._library.definition(target)
        if definition is None:
            raise KeyError(target)
        return write_profile(writer, definition, self._library)

    def expansion(self, target: str) -> Expansion:
        """Expand a value set as a package means it."""
        scope, _, canonical = target.partition(" ")

        def find(kind: str, url: str) -> Mapping[str, Any] | None:
            found = self._library.find(kind, url, scope=scope)
            return found[1] if found else None

        return expand(canonical, find)
