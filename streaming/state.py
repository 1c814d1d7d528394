"""D/ops.sqlite: what the table writer knows, kept as long as the rows; every process may read it (DESIGN §6).

Holds the connection, offsets, counters and marks; the modules beside it (`resources`, `persons`, `ownership`,
`numbers`, `dead_letter`) each own their tables of the same file. Only the table writer writes. Promise: P6.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from streaming import sqlite
from streaming.broker import Consumer


class State:
    """The open state. `transaction` wraps every write; reads see the last commit."""

    def __init__(self, path: Path) -> None:
        self.connection: sqlite3.Connection = sqlite.connect(path, "ops")
        self._gate = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Keep all of a block's writes, on disk, or none."""
        with self._gate, sqlite.transaction(self.connection):
            yield self.connection

    def close(self) -> None:
        """Let go of the file."""
        with self._gate:
            self.connection.close()

    def positions(self, consumer: Consumer) -> dict[int, int]:
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
        positions: dict[int, int] = {}
        for partition in consumer.partitions():
            log, position = stored.get(partition, (identity, 0))
            if log != identity:
                raise Misconfigured("offset-foreign", "the tables were written from another log than this one")
            if position > consumer.last_offset(partition):
                raise Misconfigured("offset-beyond", "the log ends before the last event that was applied")
            if position + 1 < consumer.first_offset(partition):
                raise Misconfigured("offset-lost", "the log no longer holds the next event to apply")
            positions[partition] = position
        return positions

    def store_position(self, partition: int, position: int, *, log: str) -> None:
        """Remember the last offset applied, in the transaction of what it brought."""
        self.connection.execute(
            "INSERT INTO stored_offset (partition, log, position) VALUES (?, ?, ?)"
            " ON CONFLICT (partition) DO UPDATE SET log = excluded.log, position = excluded.position",
            (partition, log, position),
        )

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to named counters."""
        self.connection.executemany(
            "INSERT INTO counter (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            [(name, value) for name, value in counts.items() if value],
        )

    def set_counter(self, name: str, value: int) -> None:
        """Give a counter a value (change numbers)."""
        self.connection.execute("INSERT OR REPLACE INTO counter (name, value) VALUES (?, ?)", (name, value))

    def counter(self, name: str) -> int:
        """Return a counter, 0 when it was never touched."""
        row = self.connection.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def note(self, name: str, text: str | None) -> None:
        """Keep or remove a short text (a code, never a value), such as why the writer stopped."""
        if text is None:
            self.connection.execute("DELETE FROM note WHERE name = ?", (name,))
        else:
            self.connection.execute("INSERT OR REPLACE INTO note (name, text) VALUES (?, ?)", (name, text))

    def mark_dirty(self, aliases: set[tuple[str, str]]) -> None:
        """Mark persons, by (FINESS, alias), whose rows must be computed anew."""
        self.connection.executemany("INSERT OR IGNORE INTO dirty (finess, alias) VALUES (?, ?)", aliases)

    def dirty(self, limit: int) -> dict[str, list[str]]:
        """Return up to `limit` marked aliases, by FINESS."""
        found: dict[str, list[str]] = {}
        for finess, alias in self.connection.execute("SELECT finess, alias FROM dirty ORDER BY 1, 2 LIMIT ?", (limit,)):
            found.setdefault(finess, []).append(alias)
        return found

    def is_dirty(self) -> bool:
        """Say whether any person or hospital year waits to be written."""
        query = "SELECT EXISTS (SELECT 1 FROM dirty) OR EXISTS (SELECT 1 FROM dirty_year)"
        return bool(self.connection.execute(query).fetchone()[0])
