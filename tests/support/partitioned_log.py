"""A log of several partitions in memory, one for each reader: what Kafka is to writers that share it, without Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streaming.event import Event, Record


class PartitionedLog:
    """Events by partition; every reader shares the records and keeps nothing."""

    origin = 0

    def __init__(self, partitions: Sequence[Sequence[Event]]) -> None:
        self._records = [
            [Record(number, offset, event) for offset, event in enumerate(events)]
            for number, events in enumerate(partitions)
        ]

    def partitions(self) -> Sequence[int]:
        return tuple(range(len(self._records)))

    def follow(self, partitions: Sequence[int]) -> None:
        """Nothing is buffered."""

    def read(self, partition: int, after: int, limit: int) -> Sequence[Record]:
        return self._records[partition][after + 1 : after + 1 + limit]

    def first_offset(self, partition: int) -> int:
        assert partition in self.partitions()
        return 0

    def last_offset(self, partition: int) -> int:
        return len(self._records[partition]) - 1

    def identity(self) -> str:
        return "partitioned"

    def tail(self, partition: int, after: int) -> Iterator[Record]:
        yield from self._records[partition][after + 1 :]
