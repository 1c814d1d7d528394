"""Which platform key made level 1 of what is stored: after a rotation, who was not sent again yet.

Events under the first key that was ever seen need no row; each event under a later one has its id here. Knows ids of
keys, never a key, and nothing of a person. Promise: P15.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streaming.database import Database
from streaming.staging import CHAINING, Delivery

FIRST = "first-platform-key"
"""The note that keeps the id of the first key seen."""

AT_ONCE = 5_000
ADD_NOTE = "INSERT INTO note (name, text) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
ADD_KEY = "INSERT INTO platform_key (id, since) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
ADD_EVENT = "INSERT INTO event_key (event_id, platform) VALUES (?, ?) ON CONFLICT (event_id) DO NOTHING"
NEXT_HOSPITAL = "SELECT min(finess) FROM resource WHERE finess > ?"
# one owner is one person; who has no rows has none and is known by its alias
FACTS = """
SELECT resource.key, resource.body, event_key.platform, resource.person,
    (SELECT min(owner_alias.owner) FROM owner_alias
        WHERE owner_alias.finess = resource.finess AND owner_alias.alias = resource.person)
FROM resource LEFT JOIN event_key ON event_key.event_id = resource.event_id
WHERE resource.finess = ? AND resource.key > ? AND resource.type = 'Basic'
    AND resource.person IS NOT NULL AND resource.body IS NOT NULL
ORDER BY resource.key LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class History:
    """Persons who chain, by the id of the platform key of their level 1; `replaced`: under another than `current`.

    A person whose facts are of several keys (a Patient sent again without its Coverage) counts under each of them.
    """

    current: str | None
    by_key: tuple[tuple[str, int], ...]
    replaced: int


def note_keys(connection: Database, deliveries: Sequence[Delivery]) -> None:
    """Note the platform keys of staged events, in their transaction."""
    since: dict[str, int] = {}
    for one in deliveries:
        for entry in one.entries[:1] if one.platform else ():
            since[one.platform] = min(entry.received, since.get(one.platform, entry.received))
    if not since:
        return
    first = _first(connection)
    if first is None:
        connection.execute(ADD_NOTE, (FIRST, min(since, key=lambda one: (since[one], one))))
        first = _first(connection)
    known = {one for (one,) in connection.execute("SELECT id FROM platform_key")}
    connection.executemany(ADD_KEY, [one for one in sorted(since.items()) if one[0] not in known])
    later = {one.event_id: one.platform for one in deliveries if one.platform not in ("", first) and _chains(one)}
    connection.executemany(ADD_EVENT, sorted(later.items()))


def history(connection: Database, *, current: str | None = None) -> History:
    """Count persons by the key of their level 1, reading every fact once.

    `current` is the id of the key in force; where nobody knows it (a table writer), the one that was seen last.
    """
    first = _first(connection)
    seen = connection.execute("SELECT id FROM platform_key ORDER BY since, id").fetchall()
    current = current or (seen[-1][0] if seen else None)
    by_key: dict[str, set[tuple[str, object]]] = {}
    for platform, person in _chained(connection):
        by_key.setdefault(platform or first or "", set()).add(person)
    replaced = set().union(*(persons for key, persons in by_key.items() if key != current))
    counted = ((key, len(by_key[key])) for key in sorted(by_key))
    return History(current, tuple(counted), len(replaced))


def _chained(connection: Database) -> Iterator[tuple[str | None, tuple[str, object]]]:
    """Yield key (None: the first one) and person of each current fact that holds a level-1 value."""
    finess = ""
    while (finess := connection.execute(NEXT_HOSPITAL, (finess,)).fetchone()[0]) is not None:
        after = ""
        while rows := connection.execute(FACTS, (finess, after, AT_ONCE)).fetchall():
            after = rows[-1][0]
            for _, body, platform, alias, owner in rows:
                if CHAINING.search(body):
                    yield platform, (finess, alias if owner is None else owner)


def _first(connection: Database) -> str | None:
    row = connection.execute("SELECT text FROM note WHERE name = ?", (FIRST,)).fetchone()
    return str(row[0]) if row else None


def _chains(delivery: Delivery) -> bool:
    return any(
        entry.type == "Basic" and entry.version is not None and CHAINING.search(entry.version.body) is not None
        for entry in delivery.entries
    )
