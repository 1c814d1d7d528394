"""Who objected: acts of opposition, limitation and erasure, by pseudonym, and whether an event is about one (§7).

Pure. `naming` reads the keys of an event; the register that keeps the acts is `register`. Promise: P18.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

from streaming.naming import PERSONS, SHARED, Key, local_keys, names, tells_apart

Kind = Literal["opposition", "limitation", "erasure"]

PLATFORM = "*"


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

    @property
    def size(self) -> int:
        """Return how many keys name the person; it grows as more is learnt."""
        return len(names(self.keys))

    def is_about(self, keys: frozenset[Key]) -> bool:
        """Say whether an event with these keys is about the person.

        A stay of the person decides where nothing else says who it is. It decides too for somebody never heard of,
        unless others have that stay or the event shows another person: a newborn may share its mother's, and has a
        will of its own.
        """
        named = self.keys & names(keys)
        if not named or any(key[0] in PERSONS for key in named):
            return bool(named)
        if not any(key[0] in PERSONS for key in keys):
            return True
        return bool(self._own(named)) and not tells_apart(keys, self.keys)

    def fresh(self, keys: frozenset[Key]) -> frozenset[Key]:
        """Return what the register learns of an event that `is_about` the person: its keys in the hospital.

        Nothing of somebody who is kept out for the stay alone: it may turn out to be another person.
        """
        named, persons = self.keys & names(keys), {key for key in keys if key[0] in PERSONS}
        return local_keys(keys) - self.keys if not persons or named & persons else frozenset()

    def shared(self, keys: frozenset[Key]) -> frozenset[Key]:
        """Return what the register learns of an event about another person: stays that the two have in common."""
        named, persons = self.keys & names(keys), {key for key in keys if key[0] in PERSONS}
        if not named or named & persons or not persons:
            return frozenset()
        return frozenset((SHARED, finess, alias) for _, finess, alias in self._own(named))

    def _own(self, stays: Iterable[Key]) -> frozenset[Key]:
        return frozenset(key for key in stays if (SHARED, *key[1:]) not in self.keys)


@dataclass(frozen=True, slots=True, repr=False)
class Acts:
    """All acts at one moment, found by key. `number` grows with each change of the register."""

    by_id: Mapping[str, Act] = field(default_factory=dict)
    by_key: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    number: int = 0

    def __repr__(self) -> str:
        return f"Acts({len(self.by_id)})"

    def of(self, finess: str, keys: Iterable[Key]) -> tuple[Act, ...]:
        """Return the acts that hold in a hospital now for the person that an event with these keys is about."""
        known = frozenset(keys)
        return tuple(act for act in self.near(finess, known) if act.is_about(known))

    def near(self, finess: str, keys: Iterable[Key]) -> tuple[Act, ...]:
        """Return the acts that hold in a hospital now with any of these keys, whoever it is about."""
        found = {number for key in keys for number in self.by_key.get(key, ())}
        return tuple(act for number in sorted(found) if (act := self.by_id[number]).reaches(finess))

    def suppressing(self, finess: str, keys: Iterable[Key], *, legal_basis: str) -> Act | None:
        """Return an act that keeps this person out, or None."""
        return next((act for act in self.of(finess, keys) if act.suppresses(legal_basis)), None)


NO_ACTS = Acts()


def acts_of(entries: Iterable[bytes], *, number: int = 0) -> Acts:
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
    return indexed([replace(act, keys=act.keys | learnt.get(name, set())) for name, act in acts.items()], number=number)


def indexed(acts: Iterable[Act], *, number: int = 0) -> Acts:
    """Return acts so that they are found by key."""
    complete = {act.id: act for act in acts}
    by_key: dict[Key, tuple[str, ...]] = {}
    for name, act in sorted(complete.items()):
        for key in names(act.keys):
            by_key[key] = (*by_key.get(key, ()), name)
    return Acts(complete, by_key, number)


def entry_of(act: Act) -> bytes:
    """Return what a register keeps of an act."""
    named = {name: getattr(act, name) for name in ("id", "kind", "finess", "ground", "begun", "ended")}
    return orjson.dumps(named | {"keys": sorted(act.keys)})


def learnt_entry(act: str, keys: Iterable[Key]) -> bytes:
    """Return what a register keeps of keys that were learnt of a person after the act."""
    return orjson.dumps({"learnt": act, "keys": sorted(keys)})
