"""The face of the compiler: canonicals → compiled checks, and their findings → issues.

Functions are compiled on first use and kept. Never reads the network. Promise: a check reports every violation.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from fhir_profiles.compiler.bound import membership
from fhir_profiles.compiler.cache import Cached, private_folder, prune
from fhir_profiles.compiler.context import Check, CheckContext, MemberOf, Resolver, Shared, nothing_resolves
from fhir_profiles.compiler.engine import Engine
from fhir_profiles.compiler.findings import Findings, in_document_order, to_issue
from fhir_profiles.compiler.french import french_profile
from fhir_profiles.compiler.index import Index, index_of
from fhir_profiles.compiler.library import Library
from fhir_profiles.compiler.modules import Compiled, Modules
from fhir_profiles.digests import definitions_digest
from fhir_profiles.issues import Issue
from fhir_profiles.model import CORE
from fhir_profiles.package import Package, closure, manifest, packaged
from fhir_profiles.package_files import from_paths
from fhir_profiles.positions import element_path

OUTSIDE = "code-outside-extensible"
DEFAULT_PACKAGES = ("r4", "eds-0.1.0", "edsh-0.1.0", "fr-core-2.2.0")


class Profiles:
    """The profiles of the loaded packages.

    A *key* is the versioned canonical of a loaded StructureDefinition.
    """

    digest: str
    packages: tuple[str, ...]
    missing: tuple[tuple[str, str], ...]

    def __init__(
        self,
        index: Index,
        modules: Modules,
        *,
        digest: str,
        packages: tuple[str, ...],
        added: Sequence[Package] = (),
    ) -> None:
        self.digest = digest
        self.packages = packages
        self.missing = tuple((one.id, name) for one in added for name in one.missing)
        self._added = frozenset(one.id for one in added)
        self._index = index
        self._engine = Engine(index, modules)
        self._surroundings = lru_cache(maxsize=1024)(self._around)
        self._covered = lru_cache(maxsize=1024)(self._lineages)

    def resolve(self, canonical: str) -> str | None:
        """Return the key of `url` or `url|version`; an unknown version of a known url gives None."""
        return self._index.keys.get(canonical)

    def base(self, resource_type: str) -> str | None:
        """Return the key of a resource type's base definition."""
        return self._index.keys.get(CORE + resource_type)

    def type_of(self, key: str) -> str:
        """Return the type that a profile constrains."""
        return self._index.types[key]

    def demanded(self, resource_type: str) -> tuple[str, ...]:
        """Return the keys of the profiles that added guides demand of every resource of a type."""
        return self._index.demanded.get(resource_type, ())

    def covered(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Return profiles and all those that they derive from: who conforms to one conforms to these."""
        return self._covered(keys)

    def _lineages(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for key in keys:
            above: str | None = key
            while above is not None and above not in found:
                found[above] = None
                above = self._index.bases.get(above)
        return tuple(found)

    def canonicals(self) -> Sequence[str]:
        """Return the key of every loaded StructureDefinition."""
        return tuple(self._index.types)

    def title(self, key: str) -> str:
        """Return `url|version`."""
        return key

    def french(self, resource_type: str, resource: dict[str, Any]) -> str | None:
        """Return the key of the FR Core profile that covers the resource by default."""
        canonical = french_profile(resource_type, resource)
        return self._index.keys.get(canonical) if canonical else None

    def context(
        self,
        resource: dict[str, Any],
        *,
        resolve: Resolver = nothing_resolves,
        skip_entries: bool = False,
        keys: Sequence[str] = (),
        shared: Shared | None = None,
    ) -> CheckContext:
        """Make the context of one resource that stands alone or in an entry.

        `keys` are the profiles it will be checked against: the package of the last one says which version of an
        extension is meant. `shared` goes with all the resources of a request.
        """
        shared = shared or Shared()
        scope, rebound, member_of = self.surroundings(tuple(keys))
        return CheckContext(
            resource,
            resource,
            resolve,
            skip_entries=skip_entries,
            unchecked=shared.unchecked,
            judged=shared.judged,
            planned=shared.planned,
            member_of=member_of,
            checks=self._engine,
            scope=scope,
            rebound=rebound,
        )

    def surroundings(self, keys: tuple[str, ...]) -> tuple[str, frozenset[str], MemberOf]:
        """Return what these profiles mean for a context: scope, replaced bindings, membership in value sets."""
        return self._surroundings(keys)

    def _around(self, keys: tuple[str, ...]) -> tuple[str, frozenset[str], MemberOf]:
        scope = self._index.scopes[keys[-1]] if keys else ""
        expansion = self._engine.expansion

        def member_of(value: Any, value_set: str) -> bool | None:  # noqa: ANN401 — a code, Coding or CodeableConcept
            return membership(value, expansion(f"{scope} {value_set}"))

        return scope, frozenset[str]().union(*(self._engine.rebound(key) for key in keys[1:])), member_of

    def not_checked(self) -> tuple[tuple[str, str, str], ...]:
        """Return every rule of the loaded definitions that is not checked: type or profile, rule, reason."""
        return tuple(self._engine.not_checked())

    def added(self) -> tuple[str, ...]:
        """Return the keys of the profiles that stand in no package of the product."""
        return tuple(key for key in self._index.profiles if self._index.scopes[key] in self._added)

    def package_of(self, key: str) -> str:
        """Return the id of the package that a definition stands in."""
        return self._index.scopes[key]

    def unchecked(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return the rules of one profile that are not checked: element or rule, reason."""
        return tuple(self._engine.unchecked("profile", key))

    def check_definitions(self) -> None:
        """Compile the added profiles: what is wrong with one is told now. Raises Misconfigured."""
        for key in self._index.scopes:  # in the order of the packages
            if key in self._index.profiles and self._index.scopes[key] in self._added:
                self._engine.profile_check(key)

    def prepare(self) -> None:
        """Compile or read everything now: for a process that others are forked from."""
        self._engine.load_all()

    def checks(self, keys: Sequence[str]) -> tuple[tuple[str, Check], ...]:
        """Return the compiled functions of profiles: the base key checks the type, a profile's key what it adds."""
        found: list[tuple[str, Check]] = []
        for key in keys:
            if key in self._index.profiles:
                found.append((key, self._engine.profile_check(key)))
            elif (check := self._engine.type_check(self._index.types[key])) is not None:
                found.append((key, check))
        return tuple(found)

    def told(
        self, found: Findings, key: str, resource: dict[str, Any], path: str, *, rebound: frozenset[str]
    ) -> list[Issue]:
        """Return findings of a check as issues, in document order, without warnings about replaced bindings."""
        if rebound and key not in self._index.profiles:
            kind = self._index.types[key]
            found = [one for one in found if one.code != OUTSIDE or kind + element_path(one.path) not in rebound]
        if len(found) > 1:
            found = in_document_order(found, resource)
        return [to_issue(one, path, key) for one in found]


def load_profiles(
    definitions: Sequence[Path] = (), *, cache_dir: Path | None = None, packages: Sequence[str] = DEFAULT_PACKAGES
) -> Profiles:
    """Load packaged definitions (and `definitions`, later ones win). `cache_dir` keeps compiled functions."""
    ids = closure(packages)
    added = from_paths(definitions)
    digest = "-".join([manifest()[one].sha256[:12] for one in ids] + [one.digest for one in added])
    labels = tuple(manifest()[one].label for one in ids)

    @cache
    def library() -> Library:
        return Library([packaged(one) for one in ids] + list(added))

    if cache_dir is None:
        profiles = Profiles(index_of(library()), Compiled(library()), digest=digest, packages=labels, added=added)
        profiles.check_definitions()
        return profiles
    folder = private_folder(cache_dir, f"{digest} {compiler_digest()} {sys.version}")
    prune(folder)
    cached = Cached(folder, lambda: Compiled(library()))
    index = cached.index(lambda: index_of(library()))
    profiles = Profiles(index, cached, digest=digest, packages=labels, added=added)
    profiles.check_definitions()
    return profiles


@cache
def compiler_digest() -> str:
    """Return a digest of what makes the code: another compiler never runs this one's functions."""
    folders = [
        files("fhir_profiles"),
        *(files("fhir_profiles") / name for name in ("compiler", "fhirpath", "definitions")),
    ]
    return definitions_digest(
        one.read_bytes()
        for folder in folders
        for one in sorted(folder.iterdir(), key=lambda item: item.name)
        if one.name.endswith((".py", ".toml"))
    )
