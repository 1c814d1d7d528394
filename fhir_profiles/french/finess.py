"""The FINESS of every service provider of a bundle: whose activity does this request describe? Pure.

Follows `Encounter.serviceProvider` and `Claim.provider` to Organizations of the same request and up `partOf`; a
provider that cannot be followed says nothing. The gateway compares with the FINESS of the caller (DESIGN §8).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from fhir_profiles.compiler.context import Resolver
from fhir_profiles.french.identifiers import finess_of
from fhir_profiles.references import BundleIndex
from fhir_profiles.values import Entry, ParsedBundle

PROVIDERS: Mapping[str, str] = MappingProxyType({"Encounter": "serviceProvider", "Claim": "provider"})
HIGHEST = 12


def service_providers(parsed: ParsedBundle) -> list[tuple[int, str]]:
    """Return (entry index, FINESS) of each provider, its own first, then those above it through `partOf`."""
    return [(number, finess) for number, chain in provider_chains(parsed) for finess in chain]


def foreign_providers(parsed: ParsedBundle, own: Collection[str]) -> list[int]:
    """Return the entries whose provider is known and is none of `own`, neither itself nor anything above it."""
    return [number for number, chain in provider_chains(parsed) if not any(finess in own for finess in chain)]


def provider_chains(parsed: ParsedBundle) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the entry index and all FINESS of each provider that has at least one."""
    wanted = [entry for entry in parsed.entries if entry.type in PROVIDERS and entry.resource is not None]
    if not wanted:
        return
    index = BundleIndex(parsed)
    for entry in wanted:
        resource = entry.resource or {}
        chain = tuple(dict.fromkeys(_chain(resource.get(PROVIDERS[entry.type]), _resolver(index, entry, resource))))
        if chain:
            yield entry.index, chain


def _resolver(index: BundleIndex, entry: Entry, resource: Mapping[str, Any]) -> Resolver:
    listed = resource.get("contained")
    contained = {
        "#" + one["id"]: one
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and isinstance(one.get("id"), str)
    }
    resolve = index.resolver(entry)
    return lambda reference: contained.get(reference) or resolve(reference)


def _chain(reference: object, resolve: Resolver) -> Iterator[str]:
    """Yield the FINESS of an organization and of those above it; a circle ends at HIGHEST."""
    for _ in range(HIGHEST):
        if not isinstance(reference, dict):
            return
        identifier, text = reference.get("identifier"), reference.get("reference")
        if isinstance(identifier, dict) and (finess := finess_of(identifier)) is not None:
            yield finess
        organization = resolve(text) if isinstance(text, str) else None
        if organization is None:
            return
        listed = organization.get("identifier")
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict) and (finess := finess_of(one)) is not None:
                yield finess
        reference = organization.get("partOf")
