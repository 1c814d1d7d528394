"""What is known of the loaded definitions without their rules: canonicals, types, bases, extensions.

Plain facts that a cache can keep, so that a warm start reads no definition at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fhir_profiles.compiler.extension_facts import ExtensionFacts, facts_of
from fhir_profiles.compiler.library import BASE, Definition, Library
from fhir_profiles.compiler.primitives import uri_ok
from fhir_profiles.model import CORE, short_type

COMMON = ("http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org", "http://www.whocc.no/atc")


@dataclass(frozen=True, slots=True)
class Index:
    """Facts by canonical (`keys`), by key (the rest) and by url (`extensions`; `meant`: other versions by scope).

    `uris` are well-formed ones that data is full of: canonicals and code systems, recognised instead of read.
    `demanded` are the profiles that added guides demand of every resource of a type.
    """

    keys: Mapping[str, str]
    types: Mapping[str, str]
    scopes: Mapping[str, str]
    bases: Mapping[str, str]
    profiles: frozenset[str]
    type_names: frozenset[str]
    extensions: Mapping[str, ExtensionFacts]
    meant: Mapping[str, Mapping[str, ExtensionFacts]]
    uris: frozenset[str]
    demanded: Mapping[str, tuple[str, ...]]

    def unread_contexts(self, key: str) -> list[tuple[str, str]]:
        """Return the contexts and rules of an extension that are not checked, with the reason."""
        url = key.partition("|")[0]
        meant = (listed[url] for listed in self.meant.values() if url in listed)
        known = [self.extensions[url]] if url in self.extensions else []
        return sorted({(what, why) for one in (*known, *meant) if one.key == key for what, why in one.unread})

    def extension(self, url: str, scope: str) -> ExtensionFacts | None:
        """Return an extension as a package (or "": nobody in particular) means it."""
        found = self.meant.get(scope, {}).get(url)
        return found if found is not None else self.extensions.get(url)

    def plain(self) -> dict[str, Any]:
        """Return it as builtins alone."""
        return asdict(self) | {
            "profiles": sorted(self.profiles),
            "type_names": sorted(self.type_names),
            "uris": sorted(self.uris),
        }


def from_plain(raw: Mapping[str, Any]) -> Index:
    """Make it again of builtins."""
    return Index(
        keys=raw["keys"],
        types=raw["types"],
        scopes=raw["scopes"],
        bases=raw["bases"],
        profiles=frozenset(raw["profiles"]),
        type_names=frozenset(raw["type_names"]),
        extensions={url: ExtensionFacts(**facts) for url, facts in raw["extensions"].items()},
        meant={
            scope: {url: ExtensionFacts(**facts) for url, facts in listed.items()}
            for scope, listed in raw["meant"].items()
        },
        uris=frozenset(raw["uris"]),
        demanded=raw["demanded"],
    )


def index_of(library: Library) -> Index:
    """Read the facts of every loaded definition."""
    by_key: dict[str, Definition] = {}
    keys: dict[str, str] = {}
    for one in library.definitions():
        by_key[one.key] = one
        keys[one.key] = keys[one.url] = one.key
    types = {key: short_type(str(one.raw["type"])) for key, one in by_key.items()}
    profiles = frozenset(key for key, one in by_key.items() if one.raw.get("derivation") == "constraint")
    urls = sorted({one.url for key, one in by_key.items() if types[key] == "Extension" and key in profiles})
    extensions = {url: facts_of(library, url, "") for url in urls}
    meant = {
        scope: {url: facts for url in urls if (facts := facts_of(library, url, scope)) != extensions[url]}
        for scope in library.packages
    }
    return Index(
        keys=keys,
        types=types,
        scopes={key: one.package for key, one in by_key.items()},
        bases=_bases(library, by_key),
        profiles=profiles,
        type_names=frozenset(
            short_type(one.url)
            for key, one in by_key.items()
            if one.package == BASE and key not in profiles and one.url.startswith(CORE) and _is_made(one)
        ),
        extensions=extensions,
        meant={scope: listed for scope, listed in meant.items() if listed},
        demanded=_demanded(library),
        uris=frozenset(one for one in (*keys, *library.systems(), *COMMON) if uri_ok(one)),
    )


def _demanded(library: Library) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for kind, key in library.demanded():
        if key not in found.setdefault(kind, []):
            found[kind].append(key)
    return {kind: tuple(listed) for kind, listed in found.items()}


def _is_made(one: Definition) -> bool:
    """Say whether a type has JSON objects of its own."""
    return one.raw["kind"] in ("resource", "complex-type") and short_type(one.url).isalnum()


def _bases(library: Library, by_key: Mapping[str, Definition]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, one in by_key.items():
        base = one.raw.get("baseDefinition")
        above = library.definition(str(base), scope=one.package) if base else None
        if above is not None:
            found[key] = above.key
    return found
