"""Where a table writer keeps what it knows and what it writes: state and tables, together.

Embedded: D/ops.sqlite beside D/tables.duckdb, two transactions whose order makes a crash harmless, and the lake.
Server: one PostgreSQL session for both, one transaction, no lake (`postgres_store`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

import duckdb

from streaming.accounts import STATE, WISH
from streaming.duckdb_sink import DuckDbSink
from streaming.lake import Lake
from streaming.sink import Sink
from streaming.state import RULES_VERSION, State

TABLES = "tables.duckdb"
LAKE = "lake"


class Store(Protocol):
    """What the table writer needs of it. One thread calls."""

    @property
    def state(self) -> State:
        """Return the open state."""
        ...

    @property
    def sink(self) -> Sink:
        """Return the open tables."""
        ...

    @property
    def transient(self) -> tuple[type[Exception], ...]:
        """Return the failures after which another attempt is safe and may succeed."""
        ...

    @property
    def staged_at_once(self) -> int:
        """Return after how many bytes of events a transaction that stages them ends; 0: after each batch."""
        ...

    def round(self) -> AbstractContextManager[None]:
        """Hold state and rows together for one round, where they are one database."""
        ...

    def share(self, partitions: Sequence[int]) -> Sequence[int]:
        """Return the partitions that are this writer's now; called between batches."""
        ...

    def reopen(self) -> None:
        """Begin anew after a transient failure. Raises `Unavailable` while the store is away."""
        ...

    def begin(self) -> None:
        """Finish what a crash interrupted."""
        ...

    def due(self, *, behind: bool) -> bool:
        """Say whether readers would see what is written now. `behind`: rows wait for longer than they should."""
        ...

    def wanted(self) -> bool:
        """Say whether somebody waits for rows to be written and shown."""
        ...

    def show(self, *, busy: bool, behind: bool) -> None:
        """Let readers see what is committed, when it is time or somebody waits for it."""
        ...

    def show_now(self) -> None:
        """Let readers see what is committed."""
        ...

    def tidy(self) -> None:
        """Remove what no reader needs any more; called now and then."""
        ...

    def purge(self) -> None:
        """Leave nothing of removed rows and resources in any file, and let readers see that they are gone."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class EmbeddedStore:
    """The files of a data folder; a second writer on them is refused."""

    # keys come in no order: a page of an index that many events touch is written once a transaction
    staged_at_once = 32 * 1024 * 1024
    transient = (sqlite3.OperationalError, duckdb.IOException, duckdb.OutOfMemoryException, OSError)

    def __init__(self, data_dir: Path) -> None:
        self.sink = DuckDbSink(data_dir / TABLES)
        try:
            self.state = State(data_dir / STATE)
        except BaseException:
            self.sink.close()
            raise
        self._wish = data_dir / WISH
        self._lake = Lake(data_dir / LAKE)

    def round(self) -> AbstractContextManager[None]:
        """Two databases: the order of their transactions makes a crash between them harmless."""
        return nullcontext()

    def share(self, partitions: Sequence[int]) -> Sequence[int]:
        """All of them: there is one writer."""
        return partitions

    def reopen(self) -> None:
        """Files stay open: a full disk or a lock passes."""

    def begin(self) -> None:
        """Finish a rebuild that died, and publish what was committed and not yet published."""
        self.state.finish_rebuild()
        self._note_rows()
        if not self._lake.exists or self.sink.unpublished():
            self._lake.publish(self.sink, about=self._about())
        self._note_shown()

    def due(self, *, behind: bool) -> bool:
        """Say whether it is time for a publication."""
        return self._lake.due(behind=behind)

    def wanted(self) -> bool:
        """Say whether `status --wait-idle` waits."""
        return self._wish.exists()

    def show(self, *, busy: bool, behind: bool) -> None:
        """Publish when it is due, or when another process waits and nothing else is left to do first."""
        if self._lake.due(behind=behind) or (not busy and self.wanted()):
            self.show_now()

    def show_now(self) -> None:
        """Publish what changed, if anything did."""
        if self.sink.unpublished():
            self._wish.unlink(missing_ok=True)
            self._lake.publish(self.sink, about=self._about())
        self._note_shown()

    def tidy(self) -> None:
        """Remove publications that were replaced long ago."""
        self._lake.sweep()

    def purge(self) -> None:
        """Write the tables' file anew, publish, remove every older publication, empty the write-ahead log."""
        self.sink.purge()
        self.show_now()
        self._lake.sweep(keep_s=0)
        self.state.purge()

    def close(self) -> None:
        """Let go of the files."""
        self.state.close()
        self.sink.close()

    def _about(self) -> dict[str, str]:
        """Say what the rows were made from: the rules of the last event, and how far the log was read."""
        stored = self.state.connection.execute("SELECT partition, position FROM stored_offset ORDER BY 1").fetchall()
        return {
            "rules-version": self.state.noted(RULES_VERSION) or "",
            "log-position": ",".join(f"{partition}:{position}" for partition, position in stored),
            "change": str(self.sink.change_number()),
        }

    def _note_rows(self) -> None:
        with self.state.transaction():
            self.state.set_counter("rows_change", self.sink.change_number())

    def _note_shown(self) -> None:
        number = self.sink.change_number()
        if self.state.counter("lake_change") != number:
            with self.state.transaction():
                self.state.set_counter("lake_change", number)
