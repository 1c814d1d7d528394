"""Kafka → records, for a table writer that keeps its own offsets beside its rows.

Partitions are assigned by hand and nothing is committed to the broker: the offsets of the rows are the only truth,
no group has to be kept alive, and a writer that works for long misses no heartbeat.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

import orjson
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, KafkaTimeoutError, OffsetOutOfRangeError

from fhir_profiles.errors import Misconfigured, Unavailable
from streaming.broker import READ_BYTES
from streaming.event import MAX_MESSAGE_BYTES, Event, Record
from streaming.topics import BUNDLE, COUNTS, KafkaConnection, admin, away

POLL_MS = 200
POLL_RECORDS = 500
FULL_BYTES = 4 * 1024 * 1024
ANSWER_S = 10.0
CHECK_S = 5.0
COLUMNS = 4


class KafkaLog:
    """One consumer over the partitions of a topic; only those that are read are fetched."""

    origin = 0

    def __init__(self, connection: KafkaConnection, *, topic: str = BUNDLE, answer_s: float = ANSWER_S) -> None:
        """`answer_s`: how long a broker that says nothing is waited for while reading to the end."""
        self._connection = connection
        self._topic = topic
        self._answer_s = answer_s
        self._client: KafkaConsumer | None = None
        self._next: dict[int, int] = {}
        self._buffers: dict[int, deque[Record]] = {}
        self._waiting: dict[int, int] = {}
        self._identity: str | None = None
        self._asked: set[int] = set()
        self._check_at = time.monotonic() + CHECK_S
        self._behind: dict[TopicPartition, int] = {}
        try:
            self._partitions = tuple(sorted(self._consumer.partitions_for_topic(topic) or ()))
        except KafkaError as error:
            raise self._lost(error) from None
        if not self._partitions:  # a reader of nothing would look like one that has caught up
            raise self._lost(KafkaTimeoutError())

    @property
    def _consumer(self) -> KafkaConsumer:
        """The client, a new one after a failure: kafka-python 3.0.12 may never reach a broker again that was away.

        Seen with three brokers: a leader moved, all restarted, all paused (tests/faults/test_campaign.py).
        Raises `KafkaError` while the brokers are away.
        """
        if self._client is None:
            self._client = KafkaConsumer(
                **self._connection.arguments(),
                group_id=None,
                enable_auto_commit=False,
                isolation_level="read_committed",
                auto_offset_reset="none",
                max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
                request_timeout_ms=10_000,
            )
            self._assign()
        return self._client

    def _lost(self, error: KafkaError) -> Unavailable:
        """Let go of a client that failed; say what it means for the caller."""
        client, self._client = self._client, None
        self._behind = {}
        if client is not None:
            threading.Thread(target=_close, args=(client,), name="kafka-abandon", daemon=True).start()
        return away(error)

    def partitions(self) -> Sequence[int]:
        """See `broker.Consumer`."""
        return self._partitions

    def follow(self, partitions: Sequence[int]) -> None:
        """See `broker.Consumer`."""
        for partition in set(self._next) - set(partitions):
            del self._next[partition], self._buffers[partition], self._waiting[partition]
        self._assign()

    def read(self, partition: int, after: int, limit: int) -> Sequence[Record]:
        """See `broker.Consumer`. Empty also while the broker does not answer: `last_offset` tells these apart."""
        if self._next.get(partition) != after + 1:
            self._start_at(partition, after + 1)
        buffer = self._buffers[partition]
        if not buffer:
            self._fill_once_a_round(partition)
        taken: list[Record] = []
        size = 0
        while buffer and len(taken) < limit and size < READ_BYTES:
            taken.append(buffer.popleft())
            size += len(taken[-1].event.value)
        if taken:
            self._next[partition] = taken[-1].offset + 1
            self._waiting[partition] -= size
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
                raise away(error) from None
            finally:
                client.close()
        return self._identity

    def tail(self, partition: int, after: int) -> Iterator[Record]:
        """See `broker.Consumer`: up to what was written when it is called."""
        last = self.last_offset(partition)
        answered = time.monotonic()
        while after < last:
            for record in self.read(partition, after, POLL_RECORDS):
                after = record.offset
                answered = time.monotonic()
                yield record
            if time.monotonic() - answered > self._answer_s:
                raise self._lost(KafkaTimeoutError())

    def close(self) -> None:
        """Let go of the sockets."""
        if self._client is not None:
            _close(self._client)

    def _edge(self, partition: int, *, first: bool) -> int:
        where = TopicPartition(self._topic, partition)
        try:
            ask = self._consumer.beginning_offsets if first else self._consumer.end_offsets
            return int(ask([where], timeout_ms=int(500 * self._answer_s))[where])
        except KafkaError as error:
            raise self._lost(error) from None

    def _start_at(self, partition: int, offset: int) -> None:
        known = partition in self._next
        self._next[partition] = offset
        self._buffers[partition] = deque()
        self._waiting[partition] = 0
        if self._client is not None and known:
            self._client.seek(TopicPartition(self._topic, partition), offset)
        else:
            self._assign()

    def _assign(self) -> None:
        """Fetch the partitions that are read, each from the record after the last one that is buffered."""
        if self._client is None:  # the next one begins there
            return
        self._client.assign([TopicPartition(self._topic, partition) for partition in self._next])
        for partition in self._next:
            self._client.seek(TopicPartition(self._topic, partition), self._place(partition))

    def _fill_once_a_round(self, partition: int) -> None:
        """Poll when a partition is asked for the second time since the last poll: a round over all waits once."""
        if self._asked and partition not in self._asked:
            self._asked.add(partition)
            return
        self._asked = {partition}
        self._fill()

    def _fill(self) -> None:
        """Poll once; partitions with a full buffer pause, so that memory stays bounded."""
        full = [TopicPartition(self._topic, one) for one, size in self._waiting.items() if size > FULL_BYTES]
        try:
            consumer = self._consumer
            consumer.pause(*full)
            polled = consumer.poll(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            consumer.resume(*full)
            if time.monotonic() >= self._check_at:
                self._check_progress(consumer, moving={*full, *polled})
        except OffsetOutOfRangeError:
            raise Misconfigured("offset-lost", "the log no longer holds the next event to apply") from None
        except KafkaError as error:
            raise self._lost(error) from None
        for where, records in polled.items():
            buffer = self._buffers[where.partition]
            buffer.extend(_record(where.partition, record) for record in records)
            self._waiting[where.partition] += sum(len(record.value or b"") for record in records)

    def _check_progress(self, consumer: KafkaConsumer, *, moving: AbstractSet[TopicPartition]) -> None:
        """Tell a partition with nothing new from a client that brings nothing: twice at one place, it is replaced."""
        self._check_at = time.monotonic() + CHECK_S
        places = {TopicPartition(self._topic, partition): self._place(partition) for partition in self._next}
        ends = consumer.end_offsets(list(places), timeout_ms=int(500 * self._answer_s))
        behind = {one: place for one, place in places.items() if ends[one] > place and one not in moving}
        stuck = behind.items() & self._behind.items()
        self._behind = behind
        if stuck:
            raise KafkaTimeoutError

    def _place(self, partition: int) -> int:
        """Return the next offset to fetch."""
        buffer = self._buffers[partition]
        return buffer[-1].offset + 1 if buffer else self._next[partition]


def _close(client: KafkaConsumer) -> None:
    with contextlib.suppress(KafkaError, RuntimeError, OSError):  # it is let go of, whatever it still waits for
        client.close(autocommit=False, timeout_ms=1_000)


def _record(partition: int, record: ConsumerRecord) -> Record:
    """Read leniently: whatever stands in the topic is a record, and what is no event becomes a dead letter."""
    headers = {str(name): bytes(value or b"").decode(errors="replace") for name, value in record.headers}
    key = bytes(record.key or b"").decode(errors="replace")
    return Record(partition, record.offset, Event(headers.get("ce_id", ""), key, headers, record.value or b""))


def published_counts(connection: KafkaConnection) -> tuple[int, int, int, int]:
    """Return (received, refused, suppressed, published) over all runs of all gateways, from the counts topic."""
    log = KafkaLog(connection, topic=COUNTS)
    latest: dict[str, list[int]] = {}
    try:
        for partition in log.partitions():
            for record in log.tail(partition, log.first_offset(partition) - 1):
                latest[record.event.key] = orjson.loads(record.event.value)
    finally:
        log.close()
    totals = [
        sum(column) for column in zip(*(total for total in latest.values() if len(total) == COLUMNS), strict=True)
    ]
    received, refused, suppressed, published = totals or (0, 0, 0, 0)
    return received, refused, suppressed, published
