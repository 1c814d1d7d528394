"""State and tables in one PostgreSQL database; several writers share the partitions of the log (DESIGN §6).

Who reads which partition is decided by session locks in the database: they go with the session, so a writer that
dies is replaced without any other coordination, and the stored offsets stay the only truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import psycopg

from streaming.postgres import PARTITION, WRITER, PostgresConnection, PostgresEngine
from streaming.postgres_sink import PostgresSink
from streaming.state import State

WRITERS = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
MOST_WRITERS = 1024
TRY = "SELECT pg_try_advisory_lock(%s, %s)"
RELEASE = "SELECT pg_advisory_unlock(%s, %s)"


class PostgresStore:
    """One session of one writer."""

    staged_at_once = 0  # hospitals are locked in the order of each batch, and other writers wait for them
    transient = (psycopg.OperationalError, psycopg.InterfaceError)

    def __init__(self, where: PostgresConnection) -> None:
        self.engine = PostgresEngine(where)
        try:
            self._enter()
        except BaseException:
            self.engine.close()
            raise
        self.state = State(self.engine)

    def round(self) -> AbstractContextManager[None]:
        """One transaction for the plan, the rows and the marks."""
        return self.engine.transaction()

    def share(self, partitions: Sequence[int]) -> Sequence[int]:
        """Hold a fair part of the partitions: give back what is too much, take what is free."""
        row = self.engine.connection.raw.execute(WRITERS, (WRITER,)).fetchone()
        writers = max(1, int(row[0]) if row else 1)
        fair = -(-len(partitions) // writers)
        for partition in sorted(self._mine, reverse=True)[: max(0, len(self._mine) - fair)]:
            self.engine.held(RELEASE, PARTITION, partition)
            self._mine.discard(partition)
        for partition in partitions:
            if len(self._mine) >= fair:
                break
            if partition not in self._mine and self.engine.held(TRY, PARTITION, partition):
                self._mine.add(partition)
        return sorted(self._mine)

    def alone(self) -> bool:
        """Say whether no other writer has a session."""
        row = self.engine.connection.raw.execute(WRITERS, (WRITER,)).fetchone()
        return row == (1,)

    def reopen(self) -> None:
        """Begin a new session; the partitions of the old one are free for anybody."""
        self.engine.reopen()
        self._enter()

    def begin(self) -> None:
        """Finish a rebuild that died; nothing else is ever half done here."""
        self.state.finish_rebuild()

    def due(self, *, behind: bool) -> bool:  # noqa: ARG002 — a server shows at once
        """Readers see what is committed."""
        return True

    def wanted(self) -> bool:
        """Nobody can say so."""
        return False

    def show(self, *, busy: bool, behind: bool) -> None:
        """Readers see what is committed."""

    def show_now(self) -> None:
        """Readers see what is committed."""

    def tidy(self) -> None:
        """The server does it."""

    def purge(self) -> None:
        """Vacuum state and rows; the write-ahead log keeps what it has until it is recycled."""
        self.sink.purge()

    def close(self) -> None:
        """End the session, and with it every lock."""
        self.engine.close()

    def _enter(self) -> None:
        """Take a writer's number, so that the others count this one."""
        self._mine: set[int] = set()
        self.sink = PostgresSink(self.engine)
        for number in range(MOST_WRITERS):
            if self.engine.held(TRY, WRITER, number):
                return
