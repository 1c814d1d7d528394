"""Event → Kafka, acknowledged by all in-sync replicas before the answer (promises P1, P2, P9).

Idempotence is off and one request is in flight: order is kept, and our deterministic ids make duplicates harmless,
while kafka-python's idempotent producer stays stuck for good once sent records expire (kafka-broker.md, pitfall 1).
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from kafka import KafkaProducer
from kafka.errors import KafkaError

from fhir_profiles.errors import Busy, Unavailable
from streaming.broker import Counts
from streaming.event import Event
from streaming.topics import BUNDLE, COUNTS, MAX_MESSAGE_BYTES, KafkaConnection, admin

DEADLINE_S = 10.0
PROBE_S = 1.0
BYTES_IN_FLIGHT = 64 * 1024 * 1024
# Promises, not settings: durable on every in-sync replica, in order, and a fate that is known before the answer.
PROMISES = {
    "acks": "all",
    "enable_idempotence": False,
    "max_in_flight_requests_per_connection": 1,
    "request_timeout_ms": 7_000,
    "delivery_timeout_ms": 9_000,
    "max_block_ms": 2_000,
    "max_request_size": MAX_MESSAGE_BYTES,
    "batch_size": 1024 * 1024,
    "linger_ms": 1,
    "compression_type": "lz4",
}


@dataclass(slots=True)
class _Job:
    """The events of one request, and the future of the request's own loop that waits for them."""

    events: Sequence[Event]
    counts: Counts
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]
    producer: KafkaProducer | None = None
    left: int = 0


class KafkaPublisher:
    """One producer a process, one thread that hands it records, one that probes the broker each second."""

    def __init__(self, connection: KafkaConnection, *, node: str, bytes_in_flight: int = BYTES_IN_FLIGHT) -> None:
        self._connection = connection
        self._node = node
        self._limit = bytes_in_flight
        self._bytes = 0
        self._totals: dict[str, list[int]] = {}
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._reachable = False
        self._producer: KafkaProducer | None = None
        self._threads = [
            threading.Thread(target=self._send_forever, name="kafka-send", daemon=True),
            threading.Thread(target=self._probe_forever, name="kafka-probe", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def ready(self) -> bool:
        """Say whether the last probe was answered; false within 5 s of losing the broker (P12)."""
        return self._reachable

    async def publish(self, events: Sequence[Event], counts: Counts) -> None:
        """See `broker.Publisher`: raises Busy when too many bytes wait, Unavailable when the fate is unknown."""
        if not self._reachable:
            raise Unavailable("broker-away")
        size = sum(len(event.value) for event in events)
        if self._bytes + size > self._limit and self._bytes:
            raise Busy("bytes-in-flight")
        loop = asyncio.get_running_loop()
        job = _Job(events, counts, loop, loop.create_future(), left=len(events) + 1)
        self._bytes += size
        try:
            self._jobs.put(job)
            await asyncio.wait_for(job.done, DEADLINE_S)
        except TimeoutError:
            self._abandon(job.producer)
            raise Unavailable("broker-away") from None
        finally:
            self._bytes -= size

    async def close(self) -> None:
        """Flush what is in flight, at most the delivery timeout, and end the threads."""
        self._stopping.set()
        self._jobs.put(None)
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join(timeout=DEADLINE_S)
        if self._producer is not None:
            _close(self._producer, timeout_s=DEADLINE_S)

    def _send_forever(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._send(job)
            except KafkaError:
                self._reachable = False
                _settle(job, Unavailable("broker-away"))

    def _send(self, job: _Job) -> None:
        producer = job.producer = self._current()
        for event in job.events:
            headers = [(name, value.encode()) for name, value in event.headers.items()]
            record = producer.send(BUNDLE, key=event.key.encode(), value=event.value, headers=headers)
            record.add_callback(self._acknowledged, job)
            record.add_errback(self._failed, job)
        key = f"{self._node}|{job.counts.finess}".encode()
        record = producer.send(COUNTS, key=key, value=orjson.dumps(self._count(job.counts, sign=1)))
        record.add_callback(self._acknowledged, job)
        record.add_errback(self._failed, job)

    def _count(self, counts: Counts, *, sign: int) -> list[int]:
        """Add to this node's running totals of the hospital: a compacted topic keeps the last value a node."""
        added = (counts.received, counts.refused, counts.suppressed, counts.published)
        with self._lock:
            before = self._totals.get(counts.finess, [0, 0, 0, 0])
            self._totals[counts.finess] = [was + sign * plus for was, plus in zip(before, added, strict=True)]
            return self._totals[counts.finess]

    def _acknowledged(self, job: _Job, _metadata: object) -> None:
        with self._lock:
            job.left -= 1
            last = job.left == 0
        if last:
            _settle(job, None)

    def _failed(self, job: _Job, _error: BaseException) -> None:
        self._count(job.counts, sign=-1)
        _settle(job, Unavailable("broker-away"))

    def _current(self) -> KafkaProducer:
        with self._lock:
            producer = self._producer
        if producer is None:
            producer = KafkaProducer(**self._connection.arguments(), **PROMISES)
            with self._lock:
                self._producer = producer
        return producer

    def _abandon(self, producer: KafkaProducer | None) -> None:
        """Replace a producer whose future did not complete in time: it may never complete another."""
        with self._lock:
            if producer is None or self._producer is not producer:
                return
            self._producer = None
        self._reachable = False
        threading.Thread(target=_close, args=(producer,), name="kafka-abandon", daemon=True).start()

    def _probe_forever(self) -> None:
        client = None
        while not self._stopping.is_set():
            try:
                client = client or admin(self._connection, timeout_ms=2_000)
                client.describe_cluster()
                self._reachable = True
            except (KafkaError, Unavailable):
                self._reachable = False
                if client is not None:
                    client.close()
                client = None
            self._stopping.wait(PROBE_S)
        if client is not None:
            client.close()


def _settle(job: _Job, error: Unavailable | None) -> None:
    def set_once() -> None:
        if job.done.done():
            return
        if error is None:
            job.done.set_result(None)
        else:
            job.done.set_exception(error)

    try:
        job.loop.call_soon_threadsafe(set_once)
    except RuntimeError:
        # the request's loop is closed: nobody waits for this answer any more
        return


def _close(producer: KafkaProducer, *, timeout_s: float = 0.0) -> None:
    try:
        producer.close(timeout=timeout_s)
    except KafkaError:
        # close() raises and leaves its thread when records are stuck (pitfall 1): only this ends it
        producer._sender.force_close()  # noqa: SLF001
