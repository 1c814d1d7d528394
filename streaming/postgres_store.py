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

    transient = (psycopg.OperationalError, psycopg.InterfaceError)

    def __init__(self, where: PostgresConnection) -> None:
        self._engine = PostgresEngine(where)
        try:
            self._enter()
        except BaseException:
            self._engine.close()
            raise
        self.state = State(self._engine)

    def round(self) -> AbstractContextManager[None]:
        """One transaction for the plan, the rows and the marks."""
        return self._engine.transaction()

    def share(self, partitions: Sequence[int]) -> Sequence[int]:
        """Hold a fair part of the partitions: give back what is too much, take what is free."""
        row = self._engine.connection.raw.execute(WRITERS, (WRITER,)).fetchone()
        writers = max(1, int(row[0]) if row else 1)
        fair = -(-len(partitions) // writers)
        for partition in sorted(self._mine, reverse=True)[: max(0, len(self._mine) - fair)]:
            self._engine.held(RELEASE, PARTITION, partition)
            self._mine.discard(partition)
        for partition in partitions:
            if len(self._mine) >= fair:
                break
            if partition not in self._mine and self._engine.held(TRY, PARTITION, partition):
                self._mine.add(partition)
        return sorted(self._mine)

    def reopen(self) -> None:
        """Begin a new session; the partitions of the old one are free for anybody."""
        self._engine.reopen()
        self._enter()

    def begin(self) -> None:
        """A crash interrupts nothing here: a transaction was committed or it was not."""

    def show(self, *, busy: bool) -> None:
        """Readers see what is committed."""

    def show_now(self) -> None:
        """Readers see what is committed."""

    def tidy(self) -> None:
        """The server does it."""

    def close(self) -> None:
        """End the session, and with it every lock."""
        self._engine.close()

    def _enter(self) -> None:
        """Take a writer's number, so that the others count this one."""
        self._mine: set[int] = set()
        self.sink = PostgresSink(self._engine)
        for number in range(MOST_WRITERS):
            if self._engine.held(TRY, WRITER, number):
                return
