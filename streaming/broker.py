"""The two faces of a log: where the gateway publishes and where a table writer reads.

The embedded log (SQLite) and Kafka implement both; nothing outside `streaming` knows which one runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from streaming.event import Event, Record

READ_BYTES = 8 * 1024 * 1024
"""What a reader holds at once, give or take one event."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What one request adds to the accounts of its hospital, in entries (an unparsable body is 1).

    received = refused + suppressed + published.
    """

    finess: str
    received: int = 0
    refused: int = 0
    suppressed: int = 0
    published: int = 0


class Publisher(Protocol):
    """The gateway's side."""

    async def publish(self, events: Sequence[Event], counts: Counts) -> None:
        """Return when every event is durable (all in-sync replicas, or fsynced) and the counts are kept.

        Raises `Unavailable` when any of them is not known to be durable: a resend is safe. With no events only the
        counts are kept.
        """
        ...

    def ready(self) -> bool:
        """Say whether a publish would be tried now."""
        ...

    async def close(self) -> None:
        """Finish what is in flight and let go of files and sockets."""
        ...


class Consumer(Protocol):
    """The table writer's side: offsets are the writer's own, kept beside its rows."""

    @property
    def origin(self) -> int:
        """Return the offset of the first record that such a log ever gets (1 embedded, 0 Kafka)."""
        ...

    def partitions(self) -> Sequence[int]:
        """Return the partitions of the log."""
        ...

    def follow(self, partitions: Sequence[int]) -> None:
        """Read these from now on, and let go of what is buffered of others."""
        ...

    def read(self, partition: int, after: int, limit: int) -> Sequence[Record]:
        """Return up to `limit` records with an offset greater than `after`, in order; empty when none is there now.

        Stops at the record with which their values reach `READ_BYTES`.
        """
        ...

    def first_offset(self, partition: int) -> int:
        """Return the first offset that the log still holds; the next one to come when it holds none."""
        ...

    def last_offset(self, partition: int) -> int:
        """Return the last offset ever written, `origin - 1` when none was."""
        ...

    def identity(self) -> str:
        """Return what tells this log from another one (a cluster id): offsets of another log are never used."""
        ...

    def tail(self, partition: int, after: int) -> Iterator[Record]:
        """Yield records after an offset until the end."""
        ...
