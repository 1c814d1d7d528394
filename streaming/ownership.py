"""Which rows belong to whom: persons as last written, the tables that hold rows of them, their stays and exits.

An owner is named in `ops` before the first row of it is committed to the store, and forgotten only after its last
one has gone: a crash between the two stores leaves nothing that the next attempt does not find. Promise: P6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from streaming.database import Database
from streaming.persons import Person
from transformers.snds.view import PersonRows, Row

HOSPITAL = ""
"""The alias under which a hospital owns its own rows (`T_MCOaaE`)."""

Origins = Mapping[str, tuple[str | None, int | None]]
"""Resource key → (event id, entry index) of its current version."""
NOWHERE = (None, None)

OWNER_TABLES = """
SELECT name, owner FROM owner_table WHERE owner IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) ORDER BY name, owner
"""
OLD_YEARS = """
INSERT INTO dirty_year (finess, year)
SELECT DISTINCT finess, year FROM exit WHERE owner IN (SELECT CAST(value AS BIGINT) FROM json_each(?))
ON CONFLICT DO NOTHING
"""
DIRTY_YEAR = "INSERT INTO dirty_year (finess, year) VALUES (?, ?) ON CONFLICT DO NOTHING"
EXIT = "INSERT INTO exit (finess, year, month, owner, stays) VALUES (?, ?, ?, ?, ?)"
STAY = """
INSERT INTO stay (owner, key, finess, status, exit_year, rsa_num, reason, event_id, entry)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
QUALITY = "INSERT INTO quality (owner, code, n) VALUES (?, ?, ?)"
NEW_OWNERS = "INSERT INTO owner (finess) SELECT value FROM json_each(?) RETURNING id, finess"
BIND = "INSERT INTO owner_alias (finess, alias, owner) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
HOLD = "INSERT INTO owner_table (owner, name) VALUES (?, ?) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """One person with its new rows. `owner` is None when it has nothing to own; `origins` are those of its stays."""

    person: Person
    origins: Origins
    rows: PersonRows
    owner: int | None = None

    def __repr__(self) -> str:
        return f"Written(owner={self.owner})"


def assign(connection: Database, computed: Sequence[tuple[Person, Origins, PersonRows]]) -> list[Written]:
    """Give each person that has something to own its smallest old owner, else a new one; bind it to its aliases."""
    taken: set[int] = set()
    written: list[Written] = []
    without: list[int] = []
    for person, origins, rows in computed:
        owner = None
        if rows.stays or rows.exits or rows.counts or any(rows.tables.values()):
            owner = min(person.owners - taken, default=None)
            if owner is None:
                without.append(len(written))
            else:
                taken.add(owner)
        written.append(Written(person, origins, rows, owner))
    fresh = new_owners(connection, [written[place].person.finess for place in without])
    for place, owner in zip(without, fresh, strict=True):
        written[place] = replace(written[place], owner=owner)
    _bind(connection, (one for one in written if one.owner is not None))
    return written


def new_owners(connection: Database, hospitals: Sequence[str]) -> list[int]:
    """Return a fresh owner number for each; numbers are never used again."""
    if not hospitals:
        return []
    listed = orjson.dumps(hospitals).decode()
    found = connection.execute(NEW_OWNERS, (listed,)).fetchall()
    given: dict[str, list[int]] = {}
    for owner, finess in sorted(found, reverse=True):
        given.setdefault(finess, []).append(int(owner))
    return [given[finess].pop() for finess in hospitals]


def hospital_owner(connection: Database, finess: str) -> int:
    """Return the owner of a hospital's own rows."""
    row = connection.execute(
        "SELECT owner FROM owner_alias WHERE finess = ? AND alias = ?", (finess, HOSPITAL)
    ).fetchone()
    if row:
        return int(row[0])
    [owner] = new_owners(connection, [finess])
    connection.execute(BIND, (finess, HOSPITAL, owner))
    return owner


def tables_held(connection: Database, owners: Iterable[int]) -> dict[str, list[int]]:
    """Return the tables that may hold rows of these owners, with the owners."""
    held: dict[str, list[int]] = {}
    for name, owner in connection.execute(OWNER_TABLES, (_listed(owners),)):
        held.setdefault(name, []).append(owner)
    return held


def hold(connection: Database, written: Iterable[Written]) -> None:
    """Note that these persons are about to have rows in their tables; those of a hospital go by `dirty_year`."""
    owned = [(one.owner, one.rows.tables) for one in written if one.owner is not None]
    connection.executemany(HOLD, [(owner, name) for owner, tables in owned for name, rows in tables.items() if rows])


def move_exits(connection: Database, written: Sequence[Written]) -> None:
    """Replace the exits of these persons and mark the hospital years that they touch."""
    # all old ones go first: persons that parted share an owner
    old = sorted({owner for one in written for owner in one.person.owners})
    connection.execute(OLD_YEARS, (_listed(old),))
    connection.executemany("DELETE FROM exit WHERE owner = ?", [(owner,) for owner in old])
    exits = Counter((one.person.finess, *exit_, one.owner) for one in written for exit_ in one.rows.exits)
    connection.executemany(EXIT, [(*exit_, stays) for exit_, stays in exits.items()])
    connection.executemany(DIRTY_YEAR, sorted({(finess, year) for finess, year, _, _ in exits}))


def settle(connection: Database, written: Sequence[Written], held: Mapping[str, Sequence[int]]) -> None:
    """After the store's commit: keep what is true now, forget what was, clear the marks.

    `held` is what `tables_held` said before; every row of these owners was replaced.
    """
    connection.executemany(
        "DELETE FROM owner_table WHERE owner = ? AND name = ?",
        [(owner, name) for name, owners in held.items() for owner in owners],
    )
    hold(connection, (one for one in written if one.person.owners))  # of new persons nothing was forgotten
    gone = sorted({owner for one in written for owner in one.person.owners})
    aliases = sorted({(one.person.finess, alias) for one in written for alias in one.person.aliases})
    connection.executemany("DELETE FROM owner_alias WHERE finess = ? AND alias = ?", aliases)
    connection.executemany("DELETE FROM stay WHERE owner = ?", [(owner,) for owner in gone])
    connection.executemany("DELETE FROM quality WHERE owner = ?", [(owner,) for owner in gone])
    kept = [one for one in written if one.owner is not None]
    _bind(connection, kept)
    connection.executemany(STAY, [row for one in kept for row in _stays(one)])
    connection.executemany(QUALITY, [(one.owner, code, n) for one in kept for code, n in _counts(one).items()])
    unused = set(gone) - {one.owner for one in kept}
    connection.executemany("DELETE FROM owner WHERE id = ?", [(owner,) for owner in sorted(unused)])
    connection.executemany("DELETE FROM dirty WHERE finess = ? AND alias = ?", aliases)


def rows_by_table(written: Sequence[Written]) -> dict[str, list[tuple[int, Row]]]:
    """Return the rows of all persons, by physical table, each with its owner."""
    tables: dict[str, list[tuple[int, Row]]] = {}
    for one in written:
        for name, rows in one.rows.tables.items():
            if rows and one.owner is not None:
                tables.setdefault(name, []).extend((one.owner, row) for row in rows)
    return tables


def _bind(connection: Database, written: Iterable[Written]) -> None:
    connection.executemany(
        BIND, [(one.person.finess, alias, one.owner) for one in written for alias in sorted(one.person.aliases)]
    )


def _stays(one: Written) -> Iterable[tuple[object, ...]]:
    for key, stay in {stay.key: stay for stay in one.rows.stays}.items():
        outcome = (stay.status, stay.exit_year, stay.rsa_num, stay.reason)
        yield (one.owner, key, one.person.finess, *outcome, *one.origins[key])


def _counts(one: Written) -> Mapping[str, int]:
    counts = Counter(one.rows.counts)
    for stay in one.rows.stays:
        counts.update(stay.counts)
    return counts


def _listed(owners: Iterable[int]) -> str:
    return "[" + ",".join(map(str, sorted(owners))) + "]"
