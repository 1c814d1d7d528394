"""Definitions → compiled functions, on first use; binds each generated module to the functions it calls.

A link is a stub until its target is first called; then every module gets the function itself. Nothing posted is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from fhir_profiles.compiler import bound, extension_places, extensions, findings, nested, primitives, runtime, slices
from fhir_profiles.compiler.context import Check, CheckContext, KnownExtension
from fhir_profiles.compiler.findings import Findings
from fhir_profiles.compiler.index import Index
from fhir_profiles.compiler.memory import Memory
from fhir_profiles.compiler.modules import Module, Modules
from fhir_profiles.compiler.xhtml import usual_narrative
from fhir_profiles.fhirpath import operations
from fhir_profiles.terminology import Expansion

ENTRY = "main"
_PARTS = (primitives, findings, runtime, extensions, extension_places, bound, nested, slices)
_RUNTIME: Mapping[str, Any] = {
    name: value for part in _PARTS for name, value in vars(part).items() if callable(value) and name[0] != "_"
} | {"fp": operations}


@dataclass(frozen=True, slots=True)
class _Place:
    """A global of a module that waits for its function."""

    namespace: dict[str, Any]
    name: str


class Engine:
    """The compiled functions of one set of packages."""

    def __init__(self, index: Index, modules: Modules) -> None:
        self._index = index
        self._modules = modules
        self._functions: dict[tuple[str, str], Check] = {}
        self._waiting: dict[tuple[str, str], list[_Place]] = {}
        self._expansions: dict[str, Expansion] = {}
        self._extensions: dict[tuple[str, str], KnownExtension] = {}
        self._rebound: dict[str, frozenset[str]] = {}
        memory = self._memory = Memory()
        self._known: dict[str, Any] = {
            **_RUNTIME,
            "known_uris": index.uris,
            "usual_narrative": usual_narrative,
            "dumps": orjson.dumps,
            "remember": memory.keep,
        }

    def type_check(self, name: str) -> Check | None:
        """Return the check of an R4 type."""
        found = self._functions.get(("type", name))
        if found is not None:
            return found
        return self._function("type", name) if name in self._index.type_names else None

    def profile_check(self, key: str) -> Check:
        """Return what a loaded profile adds to its type."""
        return self._functions.get(("profile", key)) or self._function("profile", key)

    def extension(self, url: str, scope: str) -> KnownExtension | None:
        """Return an extension as a package knows it."""
        found = self._extensions.get((url, scope))
        if found is None:
            facts = self._index.extension(url, scope)
            if facts is None:
                return None  # not remembered: anybody can make up urls
            found = KnownExtension(facts.key, self._stub("profile", facts.key), facts.places(), facts.modifier)
            self._extensions[url, scope] = found
        return found

    def resolve(self, canonical: str) -> str | None:
        """Return the key of a loaded StructureDefinition."""
        return self._index.keys.get(canonical)

    def type_of(self, key: str) -> str:
        """Return the type that a profile constrains."""
        return self._index.types[key]

    def expansion(self, target: str) -> Expansion:
        """Return the codes of a value set, named as links name it: package and canonical."""
        found = self._expansions.get(target)
        if found is None:
            found = self._expansions[target] = self._modules.expansion(target)
        return found

    def rebound(self, key: str) -> frozenset[str]:
        """Return the paths of the elements whose binding a profile replaces."""
        if ("profile", key) not in self._functions and key in self._index.profiles:
            self._function("profile", key)
        return self._rebound.get(key, frozenset())

    def not_checked(self) -> Iterator[tuple[str, str, str]]:
        """Yield every rule that cannot be checked: type or profile, element or rule, reason."""
        for kind, target in self._targets():
            for rule, reason in self.unchecked(kind, target):
                yield target, rule, reason

    def unchecked(self, kind: str, target: str) -> Iterator[tuple[str, str]]:
        """Yield the rules of one type or profile that cannot be checked: element or rule, reason."""
        yield from self._modules.module(kind, target).not_checked
        yield from self._index.unread_contexts(target)

    def _targets(self) -> Iterator[tuple[str, str]]:
        for kind, targets in (("type", self._index.type_names), ("profile", self._index.profiles)):
            for target in sorted(targets):
                yield kind, target

    def load_all(self) -> None:
        """Compile or read every type and profile, so that processes forked from this one share them."""
        for kind, target in self._targets():
            if (kind, target) not in self._functions:
                self._function(kind, target)

    def _function(self, kind: str, target: str) -> Check:
        module = self._modules.module(kind, target)
        namespace = self._namespace(module)
        if module.rebound:
            self._rebound[target] = module.rebound
        check: Check = namespace[ENTRY]
        self._functions[kind, target] = check
        for place in self._waiting.pop((kind, target), ()):
            place.namespace[place.name] = check
        return check

    def _namespace(self, module: Module) -> dict[str, Any]:
        """Run the definitions of a module: its source holds nothing but our own code and checked names."""
        namespace: dict[str, Any] = {**self._known, **module.constants}
        for name, link in module.links.items():
            if link.kind == "expansion":
                namespace[name] = self.expansion(link.target)
            elif link.kind == "seen":
                namespace[name] = self._memory.of(link.target)
            elif link.kind == "codes":
                namespace[name] = self.expansion(link.target).codes
            else:
                known = self._functions.get((link.kind, link.target))
                namespace[name] = known or self._stub(link.kind, link.target)
                if known is None:
                    self._waiting.setdefault((link.kind, link.target), []).append(_Place(namespace, name))
        exec(module.code, namespace)  # noqa: S102 — generated by us, from names that safe_name passed
        return namespace

    def _stub(self, kind: str, target: str) -> Check:
        functions: dict[tuple[str, str], Check] = self._functions
        make: Callable[[str, str], Check] = self._function

        def stub(value: Any, x: CheckContext) -> Findings | None:  # noqa: ANN401 — any JSON value
            return (functions.get((kind, target)) or make(kind, target))(value, x)

        return stub
