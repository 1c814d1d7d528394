"""Event → Kafka, acknowledged by all in-sync replicas before the answer (promises P1, P2, P9, P12).

Idempotence is off and one request is in flight: order is kept, and our deterministic ids make duplicates harmless,
while kafka-python's idempotent producer stays stuck for good once sent records expire (tests/faults/test_kafka.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.producer.future import FutureRecordMetadata

from fhir_profiles.errors import Busy, Fault, Unavailable
from streaming.broker import Counts
from streaming.event import MAX_EVENT_BYTES, MAX_MESSAGE_BYTES, Event
from streaming.topics import BUNDLE, COUNTS, KafkaConnection, admin

DEADLINE_S = 9.5
CLOSE_WITHIN_S = 2.0
PROBE_S = 1.0
TRIAL_S = 2.0
STALLED_S = 2.0  # brokers that answer and acknowledge nothing (too few in sync): not ready, within 5 s (P12)
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

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    """The events of one request, and the future of the request's own loop that waits for them."""

    events: Sequence[Event]
    counts: Counts
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]
    left: int
    producer: KafkaProducer | None = None
    failed: bool = False


class KafkaPublisher:
    """One producer a process, one thread that hands it records, one that probes the broker each second."""

    def __init__(
        self, connection: KafkaConnection, *, node: str = "gateway", bytes_in_flight: int = BYTES_IN_FLIGHT
    ) -> None:
        self._connection = connection
        self._run = f"{node}.{secrets.token_hex(8)}"
        self._limit = bytes_in_flight
        self._bytes = 0
        self._totals: dict[str, list[int]] = {}
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting: dict[int, float] = {}
        self._acknowledged_at = 0.0
        self._gate = threading.Lock()
        self._stopping = threading.Event()
        self._reachable = False
        self._suspect = False
        self._producer: KafkaProducer | None = None
        self._threads = [
            threading.Thread(target=self._send_forever, name="kafka-send", daemon=True),
            threading.Thread(target=self._probe_forever, name="kafka-probe", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def ready(self) -> bool:
        """Say whether the last probe was answered and records are acknowledged; false within 5 s of losing them."""
        return self._reachable and not self._stopping.is_set() and not self._stalled()

    async def publish(self, events: Sequence[Event], counts: Counts) -> None:
        """See `broker.Publisher`: raises Busy when too many bytes wait, Unavailable when the fate is unknown."""
        if self._stopping.is_set():
            raise Unavailable("log-closed")
        if not self._reachable:
            raise Unavailable("broker-away")
        if any(len(event.value) > MAX_EVENT_BYTES for event in events):
            raise Fault("event-too-large")  # the intake answers 413 before it comes here
        size = sum(len(event.value) for event in events)
        if self._bytes and self._bytes + size > self._limit:
            raise Busy("bytes-in-flight")
        loop = asyncio.get_running_loop()
        job = _Job(events, counts, loop, loop.create_future(), left=len(events) + 1)
        self._bytes += size
        self._waiting[id(job)] = time.monotonic()
        self._jobs.put(job)
        try:
            async with asyncio.timeout(DEADLINE_S):
                await job.done
        except TimeoutError:
            self._abandon(job.producer)
            raise Unavailable("broker-away") from None
        finally:
            self._bytes -= size
            del self._waiting[id(job)]

    def _stalled(self) -> bool:
        """Say whether somebody waits and nothing was acknowledged for too long; a crowd that moves is no stall."""
        oldest = next(iter(self._waiting.values()), None)
        return oldest is not None and time.monotonic() - max(oldest, self._acknowledged_at) > STALLED_S

    async def close(self) -> None:
        """Flush what is in flight, within two seconds, and end the threads: nobody waits for it any more."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """Do as `close`, outside an event loop."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._jobs.put(None)
        until = time.monotonic() + CLOSE_WITHIN_S
        for thread in self._threads:
            thread.join(timeout=max(until - time.monotonic(), 0.0))
        with self._gate:
            producer, self._producer = self._producer, None
        if producer is not None:
            _close(producer, timeout_s=max(until - time.monotonic(), 0.0))

    def _send_forever(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.done.done():  # its caller gave up while it waited here: sending it now would only add a duplicate
                continue
            try:
                self._send(job)
            except Exception as error:  # noqa: BLE001 - a producer that was let go of raises anything
                _tell(error)
                self._fail(job)

    def _send(self, job: _Job) -> None:
        producer = job.producer = self._current()
        for event in job.events:
            headers = [(name, value.encode()) for name, value in event.headers.items()]
            self._follow(producer.send(BUNDLE, key=event.key.encode(), value=event.value, headers=headers), job)
        total = orjson.dumps(self._add(job.counts, sign=1))
        key = f"{self._run}|{job.counts.finess}".encode()
        self._follow(producer.send(COUNTS, key=key, value=total), job)

    def _follow(self, record: FutureRecordMetadata, job: _Job) -> None:
        record.add_callback(self._acknowledged, job)
        record.add_errback(self._refused, job)

    def _add(self, counts: Counts, *, sign: int) -> list[int]:
        """Add to this run's totals of the hospital: a compacted topic keeps the last value of each key."""
        added = (counts.received, counts.refused, counts.suppressed, counts.published)
        with self._gate:
            before = self._totals.get(counts.finess, [0, 0, 0, 0])
            total = self._totals[counts.finess] = [was + sign * plus for was, plus in zip(before, added, strict=True)]
            return list(total)

    def _acknowledged(self, job: _Job, _metadata: object) -> None:
        with self._gate:
            self._acknowledged_at = time.monotonic()
            job.left -= 1
            last = job.left == 0
        if last:
            _settle(job, None)

    def _refused(self, job: _Job, _error: BaseException) -> None:
        self._fail(job)

    def _fail(self, job: _Job) -> None:
        with self._gate:
            first, job.failed = not job.failed, True
        if first:
            self._add(job.counts, sign=-1)
        self._reachable = False
        self._suspect = True
        _settle(job, Unavailable("broker-away"))

    def _current(self) -> KafkaProducer:
        with self._gate:
            producer = self._producer
        if producer is not None:
            return producer
        made = KafkaProducer(**self._connection.arguments(), **PROMISES)
        with self._gate:
            if self._producer is None:
                self._producer = made
                return made
            producer = self._producer
        _close(made)
        return producer

    def _abandon(self, producer: KafkaProducer | None) -> None:
        """Replace a producer whose future did not complete in time: it may never complete another."""
        self._reachable = False
        self._suspect = True
        with self._gate:
            if producer is None or self._producer is not producer:
                return
            self._producer = None
        threading.Thread(target=_close, args=(producer,), name="kafka-abandon", daemon=True).start()

    def _probe_forever(self) -> None:
        """Ask the broker each second; after a failure, and while nobody posts, only an acknowledged record will do."""
        client: KafkaAdminClient | None = None
        while not self._stopping.is_set():
            try:
                client = client or admin(self._connection, timeout_ms=2_000)
                client.describe_cluster()
                self._reachable = self._trial() if self._suspect or self._idle() else True
            except Exception as error:  # noqa: BLE001 - this thread must outlive it too
                _tell(error)
                self._reachable = False
                _throw_away(client)
                client = None
            self._stopping.wait(PROBE_S)
        _throw_away(client)

    def _idle(self) -> bool:
        """Say whether no request shows if records are acknowledged: brokers without a quorum answer all the same."""
        return not self._waiting and time.monotonic() - self._acknowledged_at > PROBE_S

    def _trial(self) -> bool:
        """Send an empty record of the compacted topic with a producer that has to prove itself, and to know the other.

        A topic that was made a moment ago is unknown to a broker that has not heard of it: the first request would wait
        for it, and be refused.
        """
        producer = None
        try:
            producer = self._current()
            producer.partitions_for(BUNDLE)
            producer.send(COUNTS, key=self._run.encode(), value=b"[]").get(timeout=TRIAL_S)
        except Exception as error:  # noqa: BLE001 - a producer that another thread let go of raises RuntimeError
            _tell(error)
            self._abandon(producer)
            return False
        self._suspect = False
        self._acknowledged_at = time.monotonic()
        return True


def _tell(error: Exception) -> None:
    """Tell what is neither an outage nor expected, by its kind."""
    if not isinstance(error, KafkaError | Unavailable):
        log.error("kafka client: %s", type(error).__name__)


def _settle(job: _Job, error: Unavailable | None) -> None:
    def set_once() -> None:
        if job.done.done():
            return
        if error is None:
            job.done.set_result(None)
        else:
            job.done.set_exception(error)

    with contextlib.suppress(RuntimeError):  # the request's loop is closed: nobody waits for this answer any more
        job.loop.call_soon_threadsafe(set_once)


def _throw_away(client: KafkaAdminClient | None) -> None:
    if client is not None:
        with contextlib.suppress(KafkaError, RuntimeError, OSError):  # it is thrown away because it does not answer
            client.close()


def _close(producer: KafkaProducer, *, timeout_s: float = 0.0) -> None:
    try:
        producer.close(timeout=timeout_s)
    except (KafkaError, RuntimeError):
        # close() raises and leaves its thread when records are stuck (pitfall 1): only this ends it
        producer._sender.force_close()  # noqa: SLF001
