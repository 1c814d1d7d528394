"""The face of the compiler: canonicals → compiled checks, and one call that checks a resource against one.

Functions are compiled on first use and kept. Never reads the network. Promise: `check` reports every violation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fhir_profiles.compiler.bound import membership
from fhir_profiles.compiler.context import CheckContext, Resolver, Shared, nothing_resolves
from fhir_profiles.compiler.engine import Engine
from fhir_profiles.compiler.findings import to_issue
from fhir_profiles.compiler.french import french_profile
from fhir_profiles.compiler.library import Library
from fhir_profiles.compiler.modules import Compiled
from fhir_profiles.issues import Issue
from fhir_profiles.model import CORE
from fhir_profiles.package import closure, from_paths, manifest, packaged

DEFAULT_PACKAGES = ("r4", "eds-0.1.0", "edsh-0.1.0", "fr-core-2.2.0")


class Profiles:
    """The profiles of the loaded packages.

    A *key* is the versioned canonical of a loaded StructureDefinition.
    """

    digest: str
    packages: tuple[str, ...]

    def __init__(self, modules: Compiled, *, digest: str, packages: tuple[str, ...]) -> None:
        self.digest = digest
        self.packages = packages
        self._modules = modules
        self._engine = Engine(modules)
        self._types = modules.types()
        self._scopes = modules.packages()
        self._bases = modules.bases()

    def resolve(self, canonical: str) -> str | None:
        """Return the key of `url` or `url|version`; an unknown version of a known url gives None."""
        return self._modules.resolve(canonical)

    def base(self, resource_type: str) -> str | None:
        """Return the key of a resource type's base definition."""
        return self._modules.resolve(CORE + resource_type)

    def type_of(self, key: str) -> str:
        """Return the type that a profile constrains."""
        return self._types[key]

    def lineage(self, key: str) -> tuple[str, ...]:
        """Return a profile and those that it derives from: who conforms to it conforms to them."""
        found = [key]
        while (above := self._bases.get(found[-1])) is not None and above not in found:
            found.append(above)
        return tuple(found)

    def canonicals(self) -> Sequence[str]:
        """Return the key of every loaded StructureDefinition."""
        return tuple(self._types)

    def title(self, key: str) -> str:
        """Return `url|version`."""
        return key

    def french(self, resource_type: str, resource: dict[str, Any]) -> str | None:
        """Return the key of the FR Core profile that covers the resource by default."""
        canonical = french_profile(resource_type, resource)
        return self._modules.resolve(canonical) if canonical else None

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
        scope = self._scopes[keys[-1]] if keys else ""
        expansion = self._engine.expansion
        return CheckContext(
            resource,
            resource,
            resolve,
            skip_entries=skip_entries,
            unchecked=shared.unchecked,
            judged=shared.judged,
            planned=shared.planned,
            member_of=lambda value, value_set: membership(value, expansion(f"{scope} {value_set}")),
            checks=self._engine,
            scope=scope,
        )

    def rebound(self, key: str) -> frozenset[str]:
        """Return the paths of the elements whose binding a profile replaces."""
        return self._engine.rebound(key)

    def check(self, key: str, resource: dict[str, Any], path: str, issues: list[Issue], context: CheckContext) -> None:
        """Append every violation. The base key checks the type; a profile's key, what the profile adds to it."""
        kind = self._types[key]
        if key == self.base(kind):
            check = self._engine.type_check(kind)
            found = check(resource, context) if check is not None else None
        else:
            found = self._engine.profile_check(key)(resource, context)
        if found is not None:
            issues += [to_issue(one, path, key) for one in found]


def load_profiles(
    definitions: Sequence[Path] = (), *, cache_dir: Path | None = None, packages: Sequence[str] = DEFAULT_PACKAGES
) -> Profiles:
    """Load packaged definitions (and `definitions`, later ones win). `cache_dir` keeps compiled functions."""
    ids = closure(packages)
    loaded = [packaged(one) for one in ids] + list(from_paths(definitions))
    digest = "-".join(one.digest[:12] for one in loaded)
    labels = tuple(manifest()[one].label for one in ids)
    return Profiles(Compiled(Library(loaded)), digest=digest, packages=labels)
