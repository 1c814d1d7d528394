"""De-identified resources → the keys by which they name a person, and what tells that person from another. Pure.

A person is known by `ano`, by (`psa`, twin rank), by the local keys of person and stays; never by an identity, never by
`psa` alone (twins share it). `opposition` compares these keys with those of an act.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fhir_profiles.errors import PipelineError, Poisoned
from streaming.staging import resources_of

Key = tuple[str, str, str]
"""These name: (`ano`, "", value) · (`psa`, "", value|twin rank) · (`person` or `stay`, FINESS, local alias).

These tell apart, and name nobody: (`rank`, FINESS, twin rank) · (`newborn`, FINESS, "") · (`shared`, FINESS, alias of a
stay that other persons have too). (`consent`, FINESS, resource key) is the Consent that an act comes from.
"""

PERSONS = frozenset({"ano", "psa", "person"})
NAMES = PERSONS | {"stay"}
DISTINCT = ("ano", "psa", "rank")
NEWBORN, SHARED, CONSENT = "newborn", "shared", "consent"
SYSTEM = "urn:snds-gateway:"
PERSON_ELEMENTS = ("subject", "patient", "beneficiary")
STAY_ELEMENTS = ("encounter", "context")


def names(keys: Iterable[Key]) -> frozenset[Key]:
    """Return the keys that name a person."""
    return frozenset(key for key in keys if key[0] in NAMES)


def local_keys(keys: Iterable[Key]) -> frozenset[Key]:
    """Return the keys that hold in one hospital: those that are learnt of a person."""
    return frozenset(key for key in keys if key[1])


def tells_apart(keys: frozenset[Key], others: frozenset[Key]) -> bool:
    """Say whether the first keys are those of another person: another number or twin rank, or a newborn's."""
    for kind in DISTINCT:
        mine, theirs = ({key for key in one if key[0] == kind} for one in (keys, others))
        if mine and theirs and not mine & theirs:
            return True
    return any(key[0] == NEWBORN for key in keys) and not any(key[0] == NEWBORN for key in others)


def keys_of(finess: str, resources: Iterable[Mapping[str, Any]]) -> frozenset[Key]:
    """Return every key of de-identified resources of one event."""
    return frozenset(key for one in resources for key in _keys(finess, one))


def keys_of_act(finess: str, resources: Sequence[Mapping[str, Any]]) -> frozenset[Key]:
    """Return the keys of the person that an act is about, from its de-identified Patient and facts.

    Raises `PipelineError`: `person-missing` (no Patient), `person-ambiguous` (more than one, or no `ano`, no
    `psa` with a twin rank and no local key).
    """
    patients = [one for one in resources if one.get("resourceType") == "Patient"]
    if not patients:
        raise PipelineError("person-missing")
    keys = keys_of(finess, [one for one in resources if one.get("resourceType") in ("Patient", "Basic")])
    if len(patients) > 1 or not names(keys):
        raise PipelineError("person-ambiguous")
    return keys


def keys_in(finess: str, value: bytes) -> frozenset[Key]:
    """Return the keys of an event's bytes; none when it is unreadable."""
    try:
        return keys_of(finess, resources_of(value))
    except Poisoned:
        return frozenset()


def _keys(finess: str, resource: Mapping[str, Any]) -> Iterator[Key]:
    kind = resource.get("resourceType")
    if kind == "Patient":
        yield from (("person", finess, value) for value in _identifiers(resource, "person"))
        if type(rank := resource.get("multipleBirthInteger")) is int:
            yield ("rank", finess, str(rank))
    elif kind == "Encounter":
        yield from (("stay", finess, value) for value in _identifiers(resource, "stay"))
    elif kind == "Basic":
        yield from (("ano", "", value) for value in _identifiers(resource, "ano"))
        rank = next((one.get("valuePositiveInt") for one in _extensions(resource, "twin-rank")), None)
        if rank is not None:
            yield from (("psa", "", f"{value}|{rank}") for value in _identifiers(resource, "psa"))
        if _extensions(resource, "age-days"):
            yield (NEWBORN, finess, "")
    for elements, name in ((PERSON_ELEMENTS, "person"), (STAY_ELEMENTS, "stay")):
        for element in elements:
            reference = resource.get(element)
            identifier = reference.get("identifier") if isinstance(reference, dict) else None
            if isinstance(identifier, dict) and identifier.get("system") == SYSTEM + name:
                yield (name, finess, str(identifier.get("value")))


def _identifiers(resource: Mapping[str, Any], name: str) -> list[str]:
    return [str(one["value"]) for one in resource.get("identifier", ()) if one.get("system") == SYSTEM + name]


def _extensions(resource: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [one for one in resource.get("extension", ()) if one.get("url") == SYSTEM + name]
