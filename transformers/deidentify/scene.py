"""What one scrub knows while it projects: keys, the resources of the bundle by url, memos. Dropped with the call.

Gives keys and aliases; holds identities, so it never shows itself. Promise: one resource has one key, however named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fhir_profiles.french.identifiers import finess_of
from fhir_profiles.references import conditional, restful, searched_identifier
from fhir_profiles.values import Entry
from transformers.contract import Contract
from transformers.deidentify.aliases import (
    Parts,
    business_identifiers,
    business_parts,
    identifiers,
    person_alias,
    searched_person,
    searched_stay,
    stay_alias,
    system_of,
    value_of,
)
from transformers.deidentify.codings import CodeBook, Coding
from transformers.deidentify.known import PERSON, RESOURCE, STAY, STRUCTURES, Known
from transformers.deidentify.pseudonyms import HospitalKey

FINESS = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]{7}", re.ASCII)

Json = Mapping[str, Any]
Out = dict[str, Any]


class Scene:
    """One call of `scrub`."""

    __slots__ = (
        "_codes",
        "_codings",
        "_local_codes",
        "_logical",
        "_named",
        "_of_system",
        "_of_type",
        "_systems",
        "_unnamed",
        "by_url",
        "contained",
        "contract",
        "finess",
        "flags",
        "hospital",
        "implied",
        "keys",
        "known_codings",
        "known_concepts",
        "left_out",
        "references",
        "source",
        "targets",
        "types",
    )

    def __init__(
        self, *, contract: Contract, source: str, hospital: HospitalKey, codes: CodeBook, types: frozenset[str]
    ) -> None:
        self.contract = contract
        self.source = source
        self.hospital = hospital
        self._codes = codes
        self.known_codings: Mapping[tuple[Any, Any, Any], Coding] = codes.kept
        self.known_concepts: Mapping[tuple[Any, Any, Any], Out] = codes.concepts
        self.types = types
        self.by_url: dict[str, Known] = {}
        self.keys: dict[tuple[str, str], str] = {}
        self.contained: dict[str, Known] = {}
        self.targets: list[str] = []
        self.left_out: list[str] = []
        self.finess: set[str] = set()
        self.flags: set[str] = set()
        self.implied: dict[str, Json] = {}
        self._of_type: dict[str, Callable[[str], str]] = {}
        self._of_system: dict[Parts, Callable[[str], str]] = {}
        self._systems: dict[str, str] = {}
        self.references: dict[str, Out] = {}
        self._local_codes: dict[tuple[str, str], str] = {}
        self._codings: dict[tuple[object, object, object], Coding | None] = {}
        self._unnamed: dict[str, list[tuple[Known, Json]]] = {}
        self._named: dict[Parts, Known] = {}
        self._logical: dict[Parts, Out] = {}

    def __repr__(self) -> str:
        return f"Scene(resources={len(self.by_url)})"

    def key(self, type_name: str, resource_id: str) -> str:
        """Return the key of a resource by its RESTful id, which holds in its source."""
        found = self.keys.get((type_name, resource_id))
        if found is None:
            make = self._of_type.get(type_name)
            if make is None:
                make = self._of_type[type_name] = self.hospital.resources("rest", self.source, type_name)
            found = self.keys[type_name, resource_id] = make(resource_id)
        return found

    def local_code(self, system: str, code: str) -> str:
        """Return what stands for a code of a system that is not listed."""
        found = self._local_codes.get((system, code))
        if found is None:
            found = self._local_codes[system, code] = self.hospital.code(system, code)
        return found

    def coding(self, system: object, version: object, code: object) -> Coding | None:
        """Return what a Coding becomes, decided once in a bundle."""
        named = system, version, code
        try:
            return self._codings[named]
        except KeyError:
            made = self._codings[named] = self._codes.coding(system, version, code, self.local_code)
            return made
        except TypeError:  # a list or an object where a text should be
            return self._codes.coding(system, version, code, self.local_code)

    def register(self, known: Known, entry: Entry) -> None:
        """Make a resource of the bundle known by its urls, and by its business identifiers when one is asked for."""
        if entry.full_url is not None:
            self.by_url[entry.full_url] = known
        if entry.id is not None:
            self.by_url[f"{entry.type}/{entry.id}"] = known
        unnamed = self._unnamed.get(known.type)
        if unnamed is None:
            unnamed = self._unnamed[known.type] = []
        unnamed.append((known, entry.resource or {}))

    def by_identifier(self, parts: Parts) -> Known | None:
        """Return the resource of the bundle that has a business identifier."""
        for known, resource in self._unnamed.pop(parts[1], ()):
            for one in business_identifiers(known.type, identifiers(resource), source=self.source):
                self._named.setdefault(one, known)
        return self._named.get(parts)

    def rest_alias(self, type_name: str, resource_id: str) -> str:
        """Return the alias of a person or stay by its RESTful id."""
        make = self.hospital.person if type_name == "Patient" else self.hospital.stay
        return make("rest", self.source, resource_id)

    def refer(self, value: Json, expected: str | None) -> Out | None:
        """Return what a Reference becomes, None when nothing of it may leave."""
        text = value.get("reference")
        if type(text) is str:
            made = self.references.get(text)
            if made is not None:
                return made
            made = self._to(self.contained.get(text[1:])) if text[:1] == "#" else self._resolve(text)
            if made is not None:
                if made["type"] in STRUCTURES:
                    self.targets.append(made["identifier"]["value"])
                elif text[:1] != "#":
                    self.references[text] = made
                return made
        identifier = value.get("identifier")
        if isinstance(identifier, dict):
            made = self._by_identifier(identifier, type_named(value.get("type")) or expected)
            if made is not None and made["type"] in STRUCTURES:
                self.targets.append(made["identifier"]["value"])
            return made
        return None

    def refer_parent(self, value: Json) -> Out | None:
        """Return what `Encounter.partOf` becomes: a stay alias of the parent, and its resource key beside it."""
        made = self.refer(value, "Encounter")
        if made is None or made["identifier"]["system"] != STAY:
            return None
        key = self._parent_key(value)
        return made if key is None else made | {"extension": [{"url": RESOURCE, "valueString": key}]}

    def _resolve(self, text: str) -> Out | None:
        known = self.by_url.get(text)
        if known is not None:
            return self._to(known)
        link = restful(text)
        if link is not None:
            if link.type not in self.types:
                return None
            return self._to(self.by_url.get(link.url)) or self._by_id(link.type, link.id)
        searched = conditional(text)
        found = searched_identifier(searched[1]) if searched is not None else None
        if searched is None or found is None:
            return None
        return self._by_identifier({"system": found[0], "value": found[1]}, searched[0])

    def _by_id(self, type_name: str, resource_id: str) -> Out:
        if type_name == "Patient":
            return _out(type_name, PERSON, self.rest_alias(type_name, resource_id))
        if type_name == "Encounter":
            return _out(type_name, STAY, self.rest_alias(type_name, resource_id))
        return _out(type_name, RESOURCE, self.key(type_name, resource_id))

    def _to(self, known: Known | None) -> Out | None:
        if known is None or known.type not in self.types:
            return None
        if known.type == "Patient":
            return _out("Patient", PERSON, known.aliases[0]) if known.aliases else None
        if known.type == "Encounter":
            return _out("Encounter", STAY, known.aliases[0])
        return _out(known.type, RESOURCE, known.key)

    def _by_identifier(self, identifier: Json, type_name: str | None) -> Out | None:
        if type_name is None or type_name not in self.types:
            return None
        if type_name == "Patient":
            parts = person_alias(identifier, declared=False)
            return _out(type_name, PERSON, self.hospital.person(*parts)) if parts else None
        if type_name == "Encounter":
            parts = stay_alias(identifier)
            return _out(type_name, STAY, self.hospital.stay(*parts)) if parts else None
        value = value_of(identifier.get("value"))
        if not value:
            return None
        parts = business_parts(type_name, self._system(identifier.get("system")), value, source=self.source)
        made = self._logical.get(parts)
        if made is None:
            known = self.by_identifier(parts)
            made = self._to(known) or self._unknown(type_name, identifier, parts)
            self._logical[parts] = made
        return made

    def _system(self, sent: object) -> str:
        """Return the canonical spelling of a system, found once in a bundle."""
        if type(sent) is not str:
            return ""
        system = self._systems.get(sent)
        if system is None:
            system = self._systems[sent] = system_of(sent)
        return system

    def _unknown(self, type_name: str, identifier: Json, parts: Parts) -> Out:
        """Refer to what is not in the bundle; a hospital named by its FINESS alone is made known by that number."""
        finess = finess_of(identifier) if type_name == "Organization" else None
        if finess is None or not is_finess(finess):
            first = parts[:-1]
            make = self._of_system.get(first)
            if make is None:
                make = self._of_system[first] = self.hospital.resources(*first)
            return _out(type_name, RESOURCE, make(parts[-1]))
        key = self.hospital.resource("finess", finess)
        self.implied[key] = identifier
        return _out(type_name, RESOURCE, key)

    def _parent_key(self, value: Json) -> str | None:
        """Return the resource key of a referred Encounter: of the bundle's own one, else by id, else by number."""
        text = value.get("reference")
        if isinstance(text, str):
            known = self.by_url.get(text)
            if known is not None:
                return known.key
            link = restful(text)
            if link is not None:
                known = self.by_url.get(link.url)
                return known.key if known is not None else self.key(link.type, link.id)
        identifier = value.get("identifier")
        if not isinstance(identifier, dict):
            return None
        system, number = system_of(identifier.get("system")), value_of(identifier.get("value"))
        parts = business_parts("Encounter", system, number, source=self.source)
        known = self.by_identifier(parts)
        return known.key if known is not None else self.hospital.resource(*parts)


def is_finess(text: str) -> bool:
    """Say whether a text has the form of a FINESS number: nine digits, or 2A or 2B and seven digits."""
    return FINESS.fullmatch(text) is not None


def type_named(text: object) -> str | None:
    """Return the type that `Reference.type` says, without the canonical part."""
    return text.rpartition("/")[2] if isinstance(text, str) else None


def searched_alias(type_name: str, query: str) -> Parts | None:
    """Return the alias parts of a conditional url's query."""
    found = searched_identifier(query)
    if found is None:
        return None
    return (searched_person if type_name == "Patient" else searched_stay)(*found)


def _out(type_name: str, system: str, value: str) -> Out:
    return {"type": type_name, "identifier": {"system": system, "value": value}}
