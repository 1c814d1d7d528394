"""Who objected: acts of opposition, limitation and erasure, by pseudonym, and whom an event speaks of (DESIGN §7).

Pure. A person is known by `ano`, by (`psa`, twin rank), by the local keys of person and stays; never by an identity,
never by `psa` alone (twins share it). The register that keeps the acts is `register`. Promise: P18.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson

from fhir_profiles.errors import PipelineError, Poisoned
from streaming.staging import resources_of

Kind = Literal["opposition", "limitation", "erasure"]
Key = tuple[str, str, str]
"""(`ano`, "", value) · (`psa`, "", value|twin rank) · (`person` or `stay`, FINESS, local alias)."""

PLATFORM = "*"
SYSTEM = "urn:snds-gateway:"
PERSON_ELEMENTS = ("subject", "patient", "beneficiary")
STAY_ELEMENTS = ("encounter", "context")


@dataclass(frozen=True, slots=True, repr=False)
class Act:
    """One act. `finess` is its perimeter (`PLATFORM` for all hospitals); times are aware UTC, ISO 8601 text."""

    id: str
    kind: Kind
    finess: str
    ground: str
    begun: str
    ended: str | None = None
    keys: frozenset[Key] = frozenset()

    def __repr__(self) -> str:
        return f"Act(kind={self.kind}, keys={len(self.keys)}, ended={self.ended is not None})"

    def reaches(self, finess: str) -> bool:
        """Say whether the act holds in a hospital now."""
        return self.ended is None and self.finess in (finess, PLATFORM)

    def suppresses(self, legal_basis: str) -> bool:
        """Say whether nothing of the person may be stored, under the legal basis of the hospital's contract."""
        return self.kind == "erasure" or (self.kind == "opposition" and legal_basis == "research")


@dataclass(frozen=True, slots=True, repr=False)
class Acts:
    """All acts at one moment, found by key."""

    by_id: Mapping[str, Act] = field(default_factory=dict)
    by_key: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Acts({len(self.by_id)})"

    def of(self, finess: str, keys: Iterable[Key]) -> tuple[Act, ...]:
        """Return the acts that hold in a hospital now for a person known by any of these keys."""
        found = {number for key in keys for number in self.by_key.get(key, ())}
        return tuple(act for number in sorted(found) if (act := self.by_id[number]).reaches(finess))

    def suppressing(self, finess: str, keys: Iterable[Key], *, legal_basis: str) -> Act | None:
        """Return an act that keeps this person out, or None."""
        return next((act for act in self.of(finess, keys) if act.suppresses(legal_basis)), None)


NO_ACTS = Acts()


def acts_of(entries: Iterable[bytes]) -> Acts:
    """Put together what a register holds, in any order: acts, and keys that were learnt of them later."""
    acts: dict[str, Act] = {}
    learnt: dict[str, set[Key]] = {}
    for entry in entries:
        one = orjson.loads(entry)
        keys = {(kind, finess, value) for kind, finess, value in one.pop("keys")}
        if "learnt" in one:
            learnt.setdefault(one["learnt"], set()).update(keys)
        else:
            acts[one["id"]] = Act(**one, keys=frozenset(keys))
    complete = {number: replace(act, keys=act.keys | learnt.get(number, set())) for number, act in acts.items()}
    by_key: dict[Key, tuple[str, ...]] = {}
    for number, act in sorted(complete.items()):
        for key in act.keys:
            by_key[key] = (*by_key.get(key, ()), number)
    return Acts(complete, by_key)


def entry_of(act: Act) -> bytes:
    """Return what a register keeps of an act."""
    named = {name: getattr(act, name) for name in ("id", "kind", "finess", "ground", "begun", "ended")}
    return orjson.dumps(named | {"keys": sorted(act.keys)})


def learnt_entry(act: str, keys: Iterable[Key]) -> bytes:
    """Return what a register keeps of keys that were learnt of a person after the act."""
    return orjson.dumps({"learnt": act, "keys": sorted(keys)})


def keys_of(finess: str, resources: Sequence[Mapping[str, Any]]) -> frozenset[Key]:
    """Return every key by which de-identified resources of one event name persons and stays."""
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
    if len(patients) > 1 or not keys:
        raise PipelineError("person-ambiguous")
    return keys


def named_by(keys: frozenset[Key]) -> frozenset[Key]:
    """Return the keys that say who a person is: those of its stays only where nothing else does.

    A newborn may share a stay with its mother, and has a will of its own.
    """
    persons = frozenset(key for key in keys if key[0] != "stay")
    return persons or keys


def local_keys(keys: frozenset[Key]) -> frozenset[Key]:
    """Return the keys that hold in one hospital: those that are learnt of a person."""
    return frozenset(key for key in keys if key[1])


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
    elif kind == "Encounter":
        yield from (("stay", finess, value) for value in _identifiers(resource, "stay"))
    elif kind == "Basic":
        yield from (("ano", "", value) for value in _identifiers(resource, "ano"))
        rank = next((one.get("valuePositiveInt") for one in _extensions(resource, "twin-rank")), None)
        if rank is not None:
            yield from (("psa", "", f"{value}|{rank}") for value in _identifiers(resource, "psa"))
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
