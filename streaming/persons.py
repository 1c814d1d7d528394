"""`ops` → persons: who is one person now, and everything current that is known of them.

A person is a connected component, inside one hospital, of the alias edges that the current versions of Patient
resources declare; computed anew for the persons concerned, so that a corrected edge is gone. Read only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from streaming.database import Database
from streaming.staging import flags_of
from transformers.snds.view import PersonView, Staged

# CROSS JOIN fixes the order: SQLite would else start from every alias of the hospital.
COMPONENT = """
WITH RECURSIVE link (alias) AS (
    VALUES (:alias)
    UNION
    SELECT other.alias
    FROM link
        CROSS JOIN declared ON declared.finess = :finess AND declared.kind = 'person' AND declared.alias = link.alias
        CROSS JOIN declared AS other ON other.finess = :finess AND other.key = declared.key AND other.kind = 'person'
)
SELECT alias FROM link
"""
OWNERS = "SELECT DISTINCT owner FROM owner_alias WHERE finess = ? AND alias IN (SELECT value FROM json_each(?))"
OWNED = "SELECT alias FROM owner_alias WHERE owner = ?"
RESOURCES = """
SELECT key, type, body, event_id, entry FROM resource
WHERE finess = ? AND person IN (SELECT value FROM json_each(?)) AND body IS NOT NULL
"""
STAYS = """
WITH RECURSIVE link (alias) AS (
    SELECT alias FROM declared
    WHERE finess = :finess AND kind = 'stay' AND key IN (SELECT value FROM json_each(:keys))
    UNION
    SELECT other.alias
    FROM link
        CROSS JOIN declared ON declared.finess = :finess AND declared.kind = 'stay' AND declared.alias = link.alias
        CROSS JOIN declared AS other ON other.finess = :finess AND other.key = declared.key AND other.kind = 'stay'
)
SELECT key, type, body, event_id, entry FROM resource
WHERE finess = :finess AND person IS NULL AND stay IN (SELECT alias FROM link) AND body IS NOT NULL
"""
ANY_LOOSE = "SELECT EXISTS (SELECT 1 FROM resource WHERE finess = ? AND person IS NULL AND stay IS NOT NULL)"
TARGETS = """
WITH RECURSIVE down (key) AS (
    SELECT target FROM refers WHERE finess = :finess AND key IN (SELECT value FROM json_each(:keys))
    UNION
    SELECT refers.target FROM down CROSS JOIN refers ON refers.finess = :finess AND refers.key = down.key
)
SELECT key FROM down
"""
STRUCTURE = "SELECT type, body FROM resource WHERE finess = ? AND key = ? AND body IS NOT NULL"


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """One person as it is now, and the owners (persons as last written) that it had."""

    finess: str
    aliases: frozenset[str]
    owners: frozenset[int]

    def __repr__(self) -> str:
        return f"Person(aliases={len(self.aliases)})"


@dataclass(frozen=True, slots=True, repr=False)
class Loaded:
    """The view of a person, and where each resource came from: key → (event id, entry index)."""

    view: PersonView
    origins: Mapping[str, tuple[str, int]]


def persons(connection: Database, finess: str, aliases: Iterable[str]) -> list[Person]:
    """Return the persons of these aliases, with all those that shared rows with them before.

    A person that split or merged comes with every part: the rows of the old ones are then replaced together.
    """
    todo = sorted(aliases, reverse=True)
    done: set[str] = set()
    expanded: set[int] = set()
    found: list[Person] = []
    while todo:
        alias = todo.pop()
        if alias in done:
            continue
        component = frozenset(row[0] for row in connection.execute(COMPONENT, {"finess": finess, "alias": alias}))
        done |= component
        owners = frozenset(row[0] for row in connection.execute(OWNERS, (finess, _json(component))))
        for owner in owners - expanded:
            todo += [row[0] for row in connection.execute(OWNED, (owner,))]
        expanded |= owners
        found.append(Person(finess, component, owners))
    return found


class Views:
    """Loads the views of one hospital's persons; structures are read once a batch."""

    def __init__(self, connection: Database, finess: str) -> None:
        self._connection = connection
        self._finess = finess
        self._structures: dict[str, Staged | None] = {}
        self._loose = bool(connection.execute(ANY_LOOSE, (finess,)).fetchone()[0])

    def load(self, person: Person) -> Loaded:
        """Return everything current of one person, sorted by key."""
        rows = self._connection.execute(RESOURCES, (self._finess, _json(person.aliases))).fetchall()
        if self._loose:
            encounters = [row[0] for row in rows if row[1] == "Encounter"]
            rows += self._connection.execute(STAYS, {"finess": self._finess, "keys": _json(encounters)}).fetchall()
        rows.sort()
        view = PersonView(
            finess=self._finess,
            aliases=person.aliases,
            resources=tuple(_staged(key, kind, body) for key, kind, body, _, _ in rows),
            structures=self._structures_of({row[0] for row in rows}),
        )
        return Loaded(view, {key: (event_id, entry) for key, _, _, event_id, entry in rows})

    def _structures_of(self, keys: set[str]) -> dict[str, Staged]:
        parameters = {"finess": self._finess, "keys": _json(keys)}
        targets = {row[0] for row in self._connection.execute(TARGETS, parameters)} - keys
        found = {target: self._structure(target) for target in sorted(targets)}
        return {target: structure for target, structure in found.items() if structure is not None}

    def _structure(self, key: str) -> Staged | None:
        if key not in self._structures:
            row = self._connection.execute(STRUCTURE, (self._finess, key)).fetchone()
            self._structures[key] = _staged(key, *row) if row else None
        return self._structures[key]


def _staged(key: str, resource_type: str, body: bytes) -> Staged:
    resource: dict[str, Any] = orjson.loads(body)
    return Staged(key, resource_type, resource, flags_of(resource))


def _json(values: Iterable[str]) -> str:
    return orjson.dumps(sorted(values)).decode()
