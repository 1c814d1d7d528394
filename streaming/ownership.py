"""Which rows belong to whom: persons as last written, the tables that hold rows of them, their stays and exits.

An owner is named in `ops` before the first row of it is committed to the store, and forgotten only after its last
one has gone: a crash between the two stores leaves nothing that the next attempt does not find. Promise: P6.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from streaming.persons import Loaded, Person
from transformers.snds.view import PersonRows, Row

HOSPITAL = ""
"""The alias under which a hospital owns its own rows (`T_MCOaaE`)."""

NOWHERE = (None, None)

OWNER_TABLES = """
SELECT name, owner FROM owner_table WHERE owner IN (SELECT value FROM json_each(?)) ORDER BY name, owner
"""
BIND = "INSERT OR IGNORE INTO owner_alias (finess, alias, owner) VALUES (?, ?, ?)"
HOLD = "INSERT OR IGNORE INTO owner_table (owner, name) VALUES (?, ?)"


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """One person with its new rows. `owner` is None when it has nothing to own."""

    person: Person
    loaded: Loaded
    rows: PersonRows
    owner: int | None = None

    def __repr__(self) -> str:
        return f"Written(owner={self.owner})"


def assign(connection: sqlite3.Connection, computed: Sequence[tuple[Person, Loaded, PersonRows]]) -> list[Written]:
    """Give each person that has something to own its smallest old owner, else a new one; bind it to its aliases."""
    taken: set[int] = set()
    written: list[Written] = []
    for person, loaded, rows in computed:
        owner = None
        if rows.stays or rows.exits or rows.counts or any(rows.tables.values()):
            free = person.owners - taken
            owner = min(free) if free else new_owner(connection, person.finess)
            taken.add(owner)
            connection.executemany(BIND, [(person.finess, alias, owner) for alias in person.aliases])
        written.append(Written(person, loaded, rows, owner))
    return written


def new_owner(connection: sqlite3.Connection, finess: str) -> int:
    """Return a fresh owner number; numbers are never used again."""
    owner = connection.execute("INSERT INTO owner (finess) VALUES (?)", (finess,)).lastrowid
    assert owner is not None
    return owner


def hospital_owner(connection: sqlite3.Connection, finess: str) -> int:
    """Return the owner of a hospital's own rows."""
    row = connection.execute(
        "SELECT owner FROM owner_alias WHERE finess = ? AND alias = ?", (finess, HOSPITAL)
    ).fetchone()
    if row:
        return int(row[0])
    owner = new_owner(connection, finess)
    connection.execute(BIND, (finess, HOSPITAL, owner))
    return owner


def tables_held(connection: sqlite3.Connection, owners: Iterable[int]) -> dict[str, list[int]]:
    """Return the tables that may hold rows of these owners, with the owners."""
    listed = "[" + ",".join(map(str, sorted(owners))) + "]"
    held: dict[str, list[int]] = {}
    for name, owner in connection.execute(OWNER_TABLES, (listed,)):
        held.setdefault(name, []).append(owner)
    return held


def hold(connection: sqlite3.Connection, tables: Mapping[str, Sequence[tuple[int, Row]]]) -> None:
    """Note that these owners are about to have rows in these tables."""
    connection.executemany(HOLD, sorted({(owner, name) for name, rows in tables.items() for owner, _ in rows}))


def move_exits(connection: sqlite3.Connection, written: Sequence[Written]) -> None:
    """Replace the exits of these persons and mark the hospital years that they touch."""
    # all old ones go first: persons that parted share an owner
    for owner in sorted({owner for one in written for owner in one.person.owners}):
        connection.execute(
            "INSERT OR IGNORE INTO dirty_year (finess, year) SELECT finess, year FROM exit WHERE owner = ?", (owner,)
        )
        connection.execute("DELETE FROM exit WHERE owner = ?", (owner,))
    for one in written:
        for year, month in one.rows.exits:
            connection.execute(
                "INSERT INTO exit (finess, year, month, owner, stays) VALUES (?, ?, ?, ?, 1)"
                " ON CONFLICT DO UPDATE SET stays = stays + 1",
                (one.person.finess, year, month, one.owner),
            )
            connection.execute(
                "INSERT OR IGNORE INTO dirty_year (finess, year) VALUES (?, ?)", (one.person.finess, year)
            )


def settle(connection: sqlite3.Connection, written: Sequence[Written], held: Mapping[str, Sequence[int]]) -> None:
    """After the store's commit: keep what is true now, forget what was, clear the marks.

    `held` is what `tables_held` said before; every row of these owners was replaced.
    """
    connection.executemany(
        "DELETE FROM owner_table WHERE owner = ? AND name = ?",
        [(owner, name) for name, owners in held.items() for owner in owners],
    )
    hold(connection, rows_by_table(written))
    gone: set[int] = set()
    aliases: list[tuple[str, str]] = []
    for one in written:
        gone |= one.person.owners
        aliases += [(one.person.finess, alias) for alias in one.person.aliases]
    connection.executemany("DELETE FROM owner_alias WHERE finess = ? AND alias = ?", aliases)
    for table in ("stay", "quality"):
        connection.executemany(f"DELETE FROM {table} WHERE owner = ?", [(owner,) for owner in sorted(gone)])  # noqa: S608
    for one in written:
        _keep(connection, one)
    unused = gone - {one.owner for one in written}
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


def _keep(connection: sqlite3.Connection, one: Written) -> None:
    if one.owner is None:
        return
    owner, finess = one.owner, one.person.finess
    connection.executemany(BIND, [(finess, alias, owner) for alias in one.person.aliases])
    connection.executemany(
        "INSERT OR REPLACE INTO stay (owner, key, finess, status, exit_year, rsa_num, reason, event_id, entry)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (owner, s.key, finess, s.status, s.exit_year, s.rsa_num, s.reason, *one.loaded.origins.get(s.key, NOWHERE))
            for s in one.rows.stays
        ],
    )
    counts: dict[str, int] = dict(one.rows.counts)
    for stay in one.rows.stays:
        for code, n in stay.counts.items():
            counts[code] = counts.get(code, 0) + n
    connection.executemany(
        "INSERT INTO quality (owner, code, n) VALUES (?, ?, ?)", [(owner, code, n) for code, n in counts.items()]
    )
