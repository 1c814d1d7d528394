"""Entries → who they are: the key of each resource, the aliases of persons and stays, what cannot be known.

In: parsed entries, identities in clear. Out: `Known` (keyed hashes) and the identifiers that leave. Promise: P15.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from fhir_profiles.french.identifiers import FINESS, FR_V2_0203, finess_of, kind_of
from fhir_profiles.resource_types import RESOURCE_TYPES
from fhir_profiles.values import Entry
from transformers.deidentify.aliases import (
    Parts,
    business_identifiers,
    business_parts,
    identifiers,
    names_test_identity,
    person_alias,
    stay_alias,
    system_of,
    value_of,
)
from transformers.deidentify.known import GATEWAY, PERSON, RESOURCE, STAY, Known
from transformers.deidentify.scene import Scene, is_finess, searched_alias

Json = Mapping[str, Any]

IDENTIFIED = frozenset({"Patient", "Coverage", "Encounter"})
WITH_IDENTIFIERS = frozenset({"Patient", "Encounter", "Organization", "Location"})
CONTAINED = frozenset({"Medication", "Organization", "Location", "Specimen"})
NO_IDENTITY = "no-stable-identity"
TEST_IDENTITY = "test-identity"


def identify(entry: Entry, scene: Scene) -> Known | str:
    """Return who the entry is, or the code of the issue that refuses it. `entry.resource` is there."""
    resource = entry.resource or {}
    if entry.id is not None and entry.type not in IDENTIFIED:
        return Known(entry.type, scene.key(entry.type, entry.id))
    listed = identifiers(resource)
    if entry.type in IDENTIFIED and not scene.contract.test and names_test_identity(listed):
        return TEST_IDENTITY
    if entry.type == "Patient":
        return _person(entry, listed, scene)
    if entry.type == "Encounter":
        return _stay(entry, listed, scene)
    key, unstable = _key(entry, _business(entry, listed, scene), scene)
    return Known(entry.type, key, unstable=unstable)


def deleted(entry: Entry, scene: Scene) -> Known | str:
    """Return who a DELETE removes."""
    parts = _business(entry, [], scene)
    if entry.id is None and not parts:
        return NO_IDENTITY
    key, unstable = _key(entry, parts, scene)
    return Known(entry.type, key, unstable=unstable)


def contained(resource: Json, known: Known, scene: Scene) -> Iterator[tuple[str, Known, dict[str, Any]]]:
    """Yield id, identity and content of the contained structures; other contained resources do not leave."""
    listed = resource.get("contained")
    for one in listed if isinstance(listed, list) else ():
        kind, own_id = (one.get("resourceType"), one.get("id")) if isinstance(one, dict) else (None, None)
        if kind in CONTAINED and isinstance(own_id, str):
            yield own_id, Known(kind, scene.hospital.resource("contained", known.key, kind, own_id)), one
        elif isinstance(kind, str) and kind in RESOURCE_TYPES:
            scene.left_out.append(f"contained {kind}")


def leaving(known: Known, resource: Json, scene: Scene) -> list[dict[str, Any]]:
    """Return the identifiers that a resource leaves with: its key first, then aliases, IPP, FINESS, unit."""
    made: list[dict[str, Any]] = [{"system": RESOURCE, "value": known.key}]
    if known.type not in WITH_IDENTIFIERS:
        return made
    if known.type == "Patient":
        made += [{"system": PERSON, "value": alias} for alias in known.aliases]
        made += [{"system": f"{GATEWAY}ipp", "value": value} for value in _ipps(resource, scene)]
    elif known.type == "Encounter":
        made += [{"system": STAY, "value": alias} for alias in known.aliases]
    else:
        made += _structure_identifiers(resource, scene)
    return made


def _person(entry: Entry, listed: list[dict[str, Any]], scene: Scene) -> Known | str:
    declared = {parts for one in listed if (parts := person_alias(one, declared=True)) is not None}
    searched = searched_alias("Patient", entry.conditional) if entry.conditional else None
    if searched is not None:
        declared.add(searched)
    ordered = sorted(declared, key=lambda parts: (parts[0] == "ins", parts))
    aliases = [scene.hospital.person(*parts) for parts in ordered]
    if entry.id is not None:
        aliases.insert(0, scene.rest_alias("Patient", entry.id))
        return Known("Patient", scene.key("Patient", entry.id), _unique(aliases))
    if not ordered:
        return NO_IDENTITY
    key, _ = _key(entry, [_as_business("Patient", ordered[0], scene)], scene)
    return Known("Patient", key, _unique(aliases))


def _stay(entry: Entry, listed: list[dict[str, Any]], scene: Scene) -> Known:
    declared = {parts for one in listed if (parts := stay_alias(one)) is not None}
    searched = searched_alias("Encounter", entry.conditional) if entry.conditional else None
    if searched is not None:
        declared.add(searched)
    ordered = sorted(declared, key=lambda parts: (parts[0] == "mn", parts))
    aliases = [scene.hospital.stay(*parts) for parts in ordered]
    key, unstable = _key(entry, _business(entry, listed, scene), scene)
    if entry.id is not None:
        aliases.insert(0, scene.rest_alias("Encounter", entry.id))
    return Known("Encounter", key, _unique(aliases) or (scene.hospital.stay("resource", key),), unstable)


def _as_business(type_name: str, parts: Parts, scene: Scene) -> Parts:
    return business_parts(type_name, parts[1], parts[2], source=scene.source) if parts[0] != "ins" else parts


def _business(entry: Entry, listed: list[dict[str, Any]], scene: Scene) -> list[Parts]:
    """Return the business identifiers of an entry without a RESTful id, that of its conditional url among them."""
    if entry.id is not None:
        return []
    searched = searched_alias(entry.type, entry.conditional) if entry.conditional else None
    named = [{"system": searched[1], "value": searched[2]}] if searched is not None else []
    return business_identifiers(entry.type, [*listed, *named], source=scene.source)


def _key(entry: Entry, parts: list[Parts], scene: Scene) -> tuple[str, bool]:
    """Return the key of a resource, and whether it is known by its fullUrl or content only."""
    if entry.id is not None:
        return scene.key(entry.type, entry.id), False
    if parts:
        return scene.hospital.resource(*parts[0]), False
    if entry.full_url is not None:
        return scene.hospital.resource("url", scene.source, entry.type, entry.full_url), True
    content = orjson.dumps(entry.resource, option=orjson.OPT_SORT_KEYS).decode()
    return scene.hospital.resource("content", scene.source, entry.type, content), True


def _ipps(resource: Json, scene: Scene) -> list[str]:
    found = {
        (system_of(one.get("system")), value_of(one.get("value")))
        for one in identifiers(resource)
        if kind_of(one) == "PI"
    }
    return [scene.hospital.ipp(system, value) for system, value in sorted(found) if value]


def _structure_identifiers(resource: Json, scene: Scene) -> list[dict[str, Any]]:
    """Return FINESS numbers in clear (hospitals are not persons), and the unit when the contract knows it."""
    made: list[dict[str, Any]] = []
    for one in identifiers(resource):
        finess, kind = finess_of(one), kind_of(one)
        if finess is not None and is_finess(finess):
            coded = {"type": {"coding": [{"system": FR_V2_0203, "code": kind}]}} if kind in ("FINEJ", "FINEG") else {}
            scene.finess.add(finess)
            made.append({"system": FINESS, "value": finess} | coded)
            continue
        value = value_of(one.get("value"))
        if value in scene.contract.units:
            made.append({"system": f"{GATEWAY}unit", "value": value})
    return made


def _unique(aliases: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(aliases))
