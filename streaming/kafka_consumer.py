"""Kafka → records, for a table writer that keeps its own offsets beside its rows.

Partitions are assigned by hand and nothing is committed to the broker: the offsets of the rows are the only truth.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from fhir_profiles.errors import Unavailable
from streaming.event import Event, Record
from streaming.topics import BUNDLE, MAX_MESSAGE_BYTES, KafkaConnection, admin

POLL_MS = 200
BUFFERED_RECORDS = 2_000


class KafkaLog:
    """One consumer over some partitions of a topic (all of them by default)."""

    def __init__(
        self, connection: KafkaConnection, *, topic: str = BUNDLE, partitions: Sequence[int] | None = None
    ) -> None:
        self._connection = connection
        self._topic = topic
        try:
            self._consumer = KafkaConsumer(
                **connection.arguments(),
                group_id=None,
                enable_auto_commit=False,
                isolation_level="read_committed",
                auto_offset_reset="none",
                max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
                request_timeout_ms=10_000,
            )
            known = partitions if partitions is not None else sorted(self._consumer.partitions_for_topic(topic) or ())
        except KafkaError as error:
            raise Unavailable("broker-away") from error
        self._partitions = tuple(known)
        self._consumer.assign([TopicPartition(topic, partition) for partition in self._partitions])
        self._next: dict[int, int] = {}
        self._buffers: dict[int, deque[Record]] = {partition: deque() for partition in self._partitions}
        self._identity: str | None = None
        self._asked: set[int] = set()

    def partitions(self) -> Sequence[int]:
        """See `broker.Consumer`."""
        return self._partitions

    def read(self, partition: int, after: int, limit: int) -> Sequence[Record]:
        """See `broker.Consumer`. Raises Unavailable when the broker does not answer."""
        if self._next.get(partition) != after + 1:
            self._start_at(partition, after + 1)
        buffer = self._buffers[partition]
        if not buffer:
            self._fill_once_a_round(partition)
        taken = [buffer.popleft() for _ in range(min(limit, len(buffer)))]
        if taken:
            self._next[partition] = taken[-1].offset + 1
        return taken

    def first_offset(self, partition: int) -> int:
        """See `broker.Consumer`; Kafka's first offset is 0."""
        return self._edge(partition, first=True)

    def last_offset(self, partition: int) -> int:
        """See `broker.Consumer`; -1 while nothing was written."""
        return self._edge(partition, first=False) - 1

    def identity(self) -> str:
        """Return cluster id and topic id: a topic made anew is another log."""
        if self._identity is None:
            client = admin(self._connection)
            try:
                [topic] = client.describe_topics([self._topic])
                self._identity = f"{client.describe_cluster()['cluster_id']}/{topic['topic_id']}"
            except KafkaError as error:
                raise Unavailable("broker-away") from error
            finally:
                client.close()
        return self._identity

    def tail(self, partition: int, after: int) -> Iterator[Record]:
        """See `broker.Consumer`."""
        last = self.last_offset(partition)
        while after < last:
            for record in self.read(partition, after, 100):
                after = record.offset
                yield record

    def close(self) -> None:
        """Let go of the sockets."""
        self._consumer.close()

    def _edge(self, partition: int, *, first: bool) -> int:
        where = TopicPartition(self._topic, partition)
        try:
            ask = self._consumer.beginning_offsets if first else self._consumer.end_offsets
            return int(ask([where])[where])
        except KafkaError as error:
            raise Unavailable("broker-away") from error

    def _start_at(self, partition: int, offset: int) -> None:
        self._consumer.seek(TopicPartition(self._topic, partition), offset)
        self._buffers[partition].clear()
        self._next[partition] = offset

    def _fill_once_a_round(self, partition: int) -> None:
        """Poll when a partition is asked for the second time since the last poll: a round over all waits once."""
        if self._asked and partition not in self._asked:
            self._asked.add(partition)
            return
        self._asked = {partition}
        self._fill()

    def _fill(self) -> None:
        """Poll once; partitions with a full buffer pause, so that memory stays bounded."""
        full = [
            TopicPartition(self._topic, partition)
            for partition, buffer in self._buffers.items()
            if len(buffer) >= BUFFERED_RECORDS or partition not in self._next
        ]
        try:
            self._consumer.pause(*full)
            polled = self._consumer.poll(timeout_ms=POLL_MS, max_records=BUFFERED_RECORDS)
            self._consumer.resume(*full)
        except KafkaError as error:
            raise Unavailable("broker-away") from error
        for where, records in polled.items():
            for record in records:
                headers = {name: bytes(value).decode() for name, value in record.headers}
                event = Event(
                    id=headers.get("ce_id", ""), key=bytes(record.key).decode(), headers=headers, value=record.value
                )
                self._buffers[where.partition].append(Record(where.partition, record.offset, event))
