"""`ops` → persons: who is one person now, and everything current that is known of them.

A person is a connected component, inside one hospital, of the alias edges that the current versions of Patient
resources declare; computed anew for the persons concerned, so that a corrected edge is gone. Read only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from streaming.database import Database
from streaming.staging import flags_of, links_of
from transformers.snds.view import PersonView, Staged

# CROSS JOIN fixes the order: SQLite would else start from every alias of the hospital.
COMPONENTS = """
WITH RECURSIVE link (root, alias) AS (
    SELECT value, value FROM json_each(:aliases)
    UNION
    SELECT link.root, other.alias
    FROM link
        CROSS JOIN declared ON declared.finess = :finess AND declared.kind = 'person' AND declared.alias = link.alias
        CROSS JOIN declared AS other ON other.finess = :finess AND other.key = declared.key AND other.kind = 'person'
)
SELECT root, alias FROM link
"""
OWNERS = """
SELECT alias, owner FROM owner_alias WHERE finess = ? AND alias IN (SELECT value FROM json_each(?))
"""
OWNED = "SELECT DISTINCT alias FROM owner_alias WHERE owner IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
SIZES = """
SELECT person, count(*) FROM resource WHERE finess = ? AND person IN (SELECT value FROM json_each(?)) GROUP BY person
"""
RESOURCES = """
SELECT key, type, body, event_id, entry, person FROM resource
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
SELECT key, type, body, event_id, entry, person FROM resource
WHERE finess = :finess AND person IS NULL AND stay IN (SELECT alias FROM link) AND body IS NOT NULL
"""
ANY_LOOSE = "SELECT EXISTS (SELECT 1 FROM resource WHERE finess = ? AND person IS NULL AND stay IS NOT NULL)"
AT_ONCE = 8_000
"""Resources that are loaded together: enough for few queries, few enough for any memory."""

STRUCTURE = "SELECT type, body FROM resource WHERE finess = ? AND key = ? AND body IS NOT NULL"


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """One person as it is now, and the owners (persons as last written) that it had."""

    finess: str
    aliases: frozenset[str]
    owners: frozenset[int]

    def __repr__(self) -> str:
        return f"Person(aliases={len(self.aliases)})"


class Found(NamedTuple):
    """A person whose resources were fetched and not yet parsed: `encounters` are the keys of its Encounters."""

    person: Person
    encounters: Sequence[str]
    load: Callable[[], Loaded]


@dataclass(frozen=True, slots=True, repr=False)
class Loaded:
    """The view of a person, and where each resource came from: key → (event id, entry index)."""

    view: PersonView
    origins: Mapping[str, tuple[str, int]]


def persons(connection: Database, finess: str, aliases: Iterable[str]) -> list[Person]:
    """Return the persons of these aliases, with all those that shared rows with them before.

    A person that split or merged comes with every part: the rows of the old ones are then replaced together.
    """
    todo = set(aliases)
    done: set[str] = set()
    expanded: set[int] = set()
    found: list[Person] = []
    while todo:
        components = _components(connection, finess, todo)
        done |= {alias for component in components for alias in component}
        owners: dict[str, set[int]] = {}
        for alias, owner in connection.execute(OWNERS, (finess, _json(done))):
            owners.setdefault(alias, set()).add(owner)
        for component in components:
            mine = frozenset(owner for alias in component for owner in owners.get(alias, ()))
            found.append(Person(finess, component, mine))
        fresh = {owner for one in found for owner in one.owners} - expanded
        expanded |= fresh
        listed = orjson.dumps(sorted(fresh)).decode()
        todo = {alias for (alias,) in connection.execute(OWNED, (listed,))} - done if fresh else set()
    return found


def _components(connection: Database, finess: str, aliases: set[str]) -> list[frozenset[str]]:
    """Return the alias components, each once, in the order of their smallest alias."""
    linked: dict[str, set[str]] = {}
    for root, alias in connection.execute(COMPONENTS, {"finess": finess, "aliases": _json(aliases)}):
        linked.setdefault(root, set()).add(alias)
    return sorted({frozenset(component) for component in linked.values()}, key=min)


class Views:
    """Loads the views of one hospital's persons; structures are read once a batch."""

    def __init__(self, connection: Database, finess: str) -> None:
        self._connection = connection
        self._finess = finess
        self._structures: dict[str, tuple[Staged, frozenset[str]] | None] = {}
        self._loose = bool(connection.execute(ANY_LOOSE, (finess,)).fetchone()[0])

    def load(self, person: Person) -> Loaded:
        """Return everything current of one person, sorted by key."""
        [[found]] = self.find_all([person])
        return found.load()

    def find_all(self, people: Sequence[Person]) -> Iterator[list[Found]]:
        """Yield everything current of each person, some persons at a time: never too many resources together.

        Each is parsed by its `load`, one after the other: what is small stays in the processor's cache.
        """
        sizes = dict(self._connection.execute(SIZES, (self._finess, _json(_aliases(people)))).fetchall())
        group: list[Person] = []
        size = 0
        for person in people:
            mine = sum(sizes.get(alias, 0) for alias in person.aliases)
            if group and size + mine > AT_ONCE:
                yield self._find(group)
                group, size = [], 0
            group.append(person)
            size += mine
        if group:
            yield self._find(group)

    def _find(self, people: Sequence[Person]) -> list[Found]:
        of = {alias: number for number, person in enumerate(people) for alias in person.aliases}
        rows: list[list[Any]] = [[] for _ in people]
        for row in self._connection.execute(RESOURCES, (self._finess, _json(of))):
            rows[of[row[5]]].append(row)
        if self._loose:
            for mine in rows:
                encounters = _json(row[0] for row in mine if row[1] == "Encounter")
                mine += self._connection.execute(STAYS, {"finess": self._finess, "keys": encounters}).fetchall()
        for mine in rows:
            mine.sort(key=itemgetter(0))
        return [
            Found(person, [row[0] for row in mine if row[1] == "Encounter"], partial(self._loaded, person, mine))
            for person, mine in zip(people, rows, strict=True)
        ]

    def _loaded(self, person: Person, rows: Sequence[Any]) -> Loaded:
        structures = self._referred(rows)
        resources = tuple(_staged(row[0], row[1], row[2]) for row in rows)
        view = PersonView(finess=self._finess, aliases=person.aliases, resources=resources, structures=structures)
        return Loaded(view, {row[0]: (row[3], row[4]) for row in rows})

    def _referred(self, rows: Sequence[Any]) -> dict[str, Staged]:
        """Return the structures that these resources refer to, directly or through other structures, by key."""
        own = {row[0] for row in rows}
        todo = {target for row in rows for target in links_of(row[1], row[2]).targets} - own
        known: set[str] = set()
        found: dict[str, Staged] = {}
        while todo:
            key = todo.pop()
            known.add(key)
            structure = self._structure(key)
            if structure is not None:
                found[key], targets = structure
                todo |= targets - known - own
        return dict(sorted(found.items()))

    def _structure(self, key: str) -> tuple[Staged, frozenset[str]] | None:
        if key not in self._structures:
            row = self._connection.execute(STRUCTURE, (self._finess, key)).fetchone()
            self._structures[key] = (_staged(key, *row), links_of(*row).targets) if row else None
        return self._structures[key]


def _aliases(people: Iterable[Person]) -> set[str]:
    return {alias for person in people for alias in person.aliases}


def _staged(key: str, resource_type: str, body: bytes) -> Staged:
    resource: dict[str, Any] = orjson.loads(body)
    return Staged(key, resource_type, resource, flags_of(resource))


def _json(values: Iterable[str]) -> str:
    return orjson.dumps(sorted(values)).decode()
