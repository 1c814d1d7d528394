"""The face of the compiler: canonicals → compiled checks, and one call that checks a resource against one.

Functions are compiled on first use and kept. Never reads the network. Promise: `check` reports every violation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fhir_profiles.compiler.context import CheckContext, Resolver, nothing_resolves
from fhir_profiles.compiler.french import french_profile
from fhir_profiles.compiler.library import Library, key_of
from fhir_profiles.issues import Issue
from fhir_profiles.model import CORE
from fhir_profiles.package import closure, from_paths, manifest, packaged

DEFAULT_PACKAGES = ("r4", "fr-core-2.2.0")


class Profiles:
    """The profiles of the loaded packages.

    A *key* is the versioned canonical of a loaded StructureDefinition.
    """

    digest: str
    packages: tuple[str, ...]

    def __init__(self, library: Library, *, digest: str, packages: tuple[str, ...]) -> None:
        self.digest = digest
        self.packages = packages
        self._types = {key_of(raw): str(raw["type"]) for raw in library.structures()}
        self._keys = {key.partition("|")[0]: key for key in self._types} | {key: key for key in self._types}

    def resolve(self, canonical: str) -> str | None:
        """Return the key of `url` or `url|version`; an unknown version of a known url gives None."""
        return self._keys.get(canonical)

    def base(self, resource_type: str) -> str | None:
        """Return the key of a resource type's base definition."""
        return self._keys.get(CORE + resource_type)

    def type_of(self, key: str) -> str:
        """Return the type that a profile constrains."""
        return self._types[key]

    def title(self, key: str) -> str:
        """Return `url|version`."""
        return key

    def french(self, resource_type: str, resource: dict[str, Any]) -> str | None:
        """Return the key of the FR Core profile that covers the resource by default."""
        canonical = french_profile(resource_type, resource)
        return self._keys.get(canonical) if canonical else None

    def context(
        self, resource: dict[str, Any], *, resolve: Resolver = nothing_resolves, skip_entries: bool = False
    ) -> CheckContext:
        """Make the context of one resource that stands alone or in an entry."""
        return CheckContext(resource, resource, resolve, skip_entries=skip_entries)

    def check(self, key: str, resource: dict[str, Any], path: str, issues: list[Issue], context: CheckContext) -> None:
        """Append every violation. The base key checks the type; a profile's key, what the profile adds to it."""


def load_profiles(
    definitions: Sequence[Path] = (), *, cache_dir: Path | None = None, packages: Sequence[str] = DEFAULT_PACKAGES
) -> Profiles:
    """Load packaged definitions (and `definitions`, later ones win). `cache_dir` keeps compiled functions."""
    ids = closure(packages)
    loaded = [packaged(one) for one in ids] + list(from_paths(definitions))
    digest = "-".join(one.digest[:12] for one in loaded)
    labels = tuple(manifest()[one].label for one in ids)
    return Profiles(Library(loaded), digest=digest, packages=labels)
