"""`ops`: what the table writer knows, kept as long as the rows (DESIGN §6): D/ops.sqlite, or a schema of PostgreSQL.

Holds the connection, offsets, counters and marks; the modules beside it (`resources`, `persons`, `ownership`,
`numbers`, `dead_letter`) each own their tables of the same database. Promise: P6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fhir_profiles.errors import Misconfigured, Unavailable
from streaming.broker import Consumer
from streaming.database import Database, Engine
from streaming.sqlite import SqliteEngine

REBUILDING = "rebuilding"
"""The note that stands while all rows are computed anew."""

RULES_VERSION = "rules-version"
"""The note that keeps by which rules of de-identification the last event was made."""

MOVE = "UPDATE stored_offset SET position = ? WHERE partition = ? AND log = ? AND position = ?"
BEGIN = "INSERT INTO stored_offset (partition, log, position) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
ADD = """
INSERT INTO counter (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value
"""
SET = "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
NOTE = "INSERT INTO note (name, text) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET text = excluded.text"
MARK = "INSERT INTO dirty (finess, alias) VALUES (?, ?) ON CONFLICT DO NOTHING"
HOSPITALS = "SELECT finess FROM dirty UNION SELECT finess FROM dirty_year ORDER BY 1"
MARKED = "SELECT alias FROM dirty WHERE finess = ? ORDER BY 1 LIMIT ?"
EVERYBODY = """
SELECT DISTINCT finess, person FROM resource WHERE person IS NOT NULL
UNION SELECT finess, alias FROM owner_alias WHERE alias <> ''
"""


class State:
    """The open state. `transaction` wraps every write; reads see the last commit."""

    def __init__(self, where: Path | Engine) -> None:
        self._engine: Engine = SqliteEngine(where, "ops") if isinstance(where, Path) else where

    @property
    def connection(self) -> Database:
        """Return the connection of the engine, for reads outside a transaction."""
        return self._engine.connection

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """Keep all of a block's writes, on disk, or none; a block inside another one joins it."""
        with self._engine.transaction():
            yield self._engine.connection

    def purge(self) -> None:
        """Leave nothing of what was removed in the files of the state."""
        self._engine.purge()

    def lock(self, hospitals: Iterable[str]) -> None:
        """Wait until no other writer is at work on these hospitals; until the transaction ends."""
        self._engine.lock(hospitals)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.close()

    def positions(self, consumer: Consumer, partitions: Iterable[int] | None = None) -> dict[int, int]:
        """Return the last offset applied of each partition, and check that this log can continue from it.

        Raises `Misconfigured`: `offset-foreign` (stored for another log), `offset-beyond` (the log is shorter than
        what was applied), `offset-lost` (the log no longer holds what comes next). Nothing is ever reset silently.
        """
        identity = consumer.identity()
        stored = {
            partition: (log, position)
            for partition, log, position in self.connection.execute(
                "SELECT partition, log, position FROM stored_offset"
            )
        }
        if any(log != identity for log, _ in stored.values()):
            raise Misconfigured("offset-foreign", "the tables were written from another log than this one")
        positions: dict[int, int] = {}
        for partition in consumer.partitions() if partitions is None else partitions:
            _, position = stored.get(partition, (identity, consumer.origin - 1))
            if position > consumer.last_offset(partition):
                raise Misconfigured("offset-beyond", "the log ends before the last event that was applied")
            if position + 1 < consumer.first_offset(partition):
                raise Misconfigured("offset-lost", "the log no longer holds the next event to apply")
            positions[partition] = position
        return positions

    def move_position(self, partition: int, before: int, position: int, *, log: str) -> None:
        """Remember the last offset applied, in the transaction of what it brought, if it still was `before`.

        Raises `Unavailable` (`offset-raced`) when another writer applied the same records meanwhile.
        """
        execute = self.connection.execute
        if execute(MOVE, (position, partition, log, before)).rowcount == 1:
            return
        if execute(BEGIN, (partition, log, position)).rowcount != 1:
            raise Unavailable("offset-raced")

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to named counters, in the order of their names: two writers never wait for each other in a circle."""
        self.connection.executemany(ADD, [(name, value) for name, value in sorted(counts.items()) if value])

    def set_counter(self, name: str, value: int) -> None:
        """Give a counter a value (change numbers)."""
        self.connection.execute(SET, (name, value))

    def counter(self, name: str) -> int | None:
        """Return a counter, None when it was never touched."""
        row = self.connection.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else None

    def note(self, name: str, text: str | None) -> None:
        """Keep or remove a short text (a code, never a value), such as why the writer stopped."""
        if text is None:
            self.connection.execute("DELETE FROM note WHERE name = ?", (name,))
        else:
            self.connection.execute(NOTE, (name, text))

    def noted(self, name: str) -> str | None:
        """Return a short text that was kept."""
        row = self.connection.execute("SELECT text FROM note WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def mark_dirty(self, aliases: Iterable[tuple[str, str]]) -> None:
        """Mark persons, by (FINESS, alias), whose rows must be computed anew."""
        self.connection.executemany(MARK, sorted(aliases))

    def mark_everybody(self) -> None:
        """Mark every person and every year of a hospital that `ops` knows."""
        execute = self.connection.execute
        self.mark_dirty({(finess, alias) for finess, alias in execute(EVERYBODY)})
        execute("INSERT INTO dirty_year (finess, year) SELECT DISTINCT finess, year FROM exit WHERE true"
                " ON CONFLICT DO NOTHING")  # fmt: skip

    def finish_rebuild(self) -> None:
        """After a rebuild that died: compute everybody anew into the tables that are there."""
        if self.noted(REBUILDING) is not None:
            with self.transaction():
                self.mark_everybody()
                self.note(REBUILDING, None)

    def dirty(self, limit: int) -> dict[str, Sequence[str]]:
        """Return up to `limit` marked aliases by FINESS, also hospitals with no more than a marked year.

        Hospitals that another writer is at work on are left to it; the others are this writer's until the
        transaction ends.
        """
        found: dict[str, Sequence[str]] = {}
        left = limit
        for (finess,) in self.connection.execute(HOSPITALS).fetchall():
            if left <= 0:
                break
            if not self._engine.try_lock(finess):
                continue
            found[finess] = [alias for (alias,) in self.connection.execute(MARKED, (finess, left))]
            left -= len(found[finess])
        return found

    def is_dirty(self) -> bool:
        """Say whether any person or hospital year waits to be written."""
        query = "SELECT EXISTS (SELECT 1 FROM dirty) OR EXISTS (SELECT 1 FROM dirty_year)"
        return bool(self.connection.execute(query).fetchone()[0])
