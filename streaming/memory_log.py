"""Event → memory: a log for unit tests, with the same contract as the embedded one and Kafka.

Keeps nothing after the process; everything else behaves like the real ones (`tests/contract`).
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence

from fhir_profiles.errors import Unavailable
from streaming.broker import Counts
from streaming.event import Event, Record


class MemoryLog:
    """Publisher and consumer in one; one partition, offsets from 1."""

    origin = 1

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._identity = secrets.token_hex(16)
        self._gate = threading.Lock()
        self._closed = False
        self.counts: list[Counts] = []

    async def publish(self, events: Sequence[Event], counts: Counts) -> None:
        """Keep events and counts together."""
        self.append(events, counts)

    def append(self, events: Sequence[Event], counts: Counts) -> None:
        """Do as `publish`, outside an event loop."""
        with self._gate:
            if self._closed:
                raise Unavailable("log-closed")
            for event in events:
                self._records.append(Record(0, len(self._records) + 1, event))
            self.counts.append(counts)

    def ready(self) -> bool:
        """Say whether the log is open."""
        return not self._closed

    async def close(self) -> None:
        """Refuse further events; what is kept stays readable."""
        self._closed = True

    def partitions(self) -> Sequence[int]:
        """Return the only partition."""
        return (0,)

    def follow(self, partitions: Sequence[int]) -> None:
        """Nothing is buffered."""

    def read(self, partition: int, after: int, limit: int) -> Sequence[Record]:
        """Return up to `limit` records after an offset, in order, however large: they are in memory already."""
        del partition
        with self._gate:
            return self._records[after : after + limit]

    def first_offset(self, partition: int) -> int:
        """Return the first offset: nothing is ever removed."""
        del partition
        return 1

    def last_offset(self, partition: int) -> int:
        """Return the last offset, 0 when nothing was published."""
        del partition
        return len(self._records)

    def identity(self) -> str:
        """Return the random id of this log."""
        return self._identity

    def tail(self, partition: int, after: int) -> Iterator[Record]:
        """Yield records after an offset until the end."""
        while batch := self.read(partition, after, 256):
            yield from batch
            after = batch[-1].offset
