"""A real broker, killed and paused: what was acknowledged is there, and the publisher comes back by itself."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from fhir_profiles.errors import Busy, Fault, Misconfigured, Unavailable
from streaming import read_events
from streaming.broker import Counts
from streaming.dead_letter import DeadLetter
from streaming.event import MAX_EVENT_BYTES, Event, Record
from streaming.kafka_consumer import KafkaLog, published_counts
from streaming.kafka_dead_letters import KafkaDeadLetters
from streaming.kafka_publisher import KafkaPublisher
from streaming.kafka_register import KafkaRegister
from streaming.opposition import Act
from streaming.topics import BUNDLE, DEAD_LETTER, KafkaConnection, admin
from tests.support import kafka_broker
from tests.support.answered import answered
from tests.support.golden_events import recorded
from tests.support.servers import fresh_topics, made_topics

pytestmark = [
    pytest.mark.slow,
    # kafka-python leaves the sockets of failed connection attempts to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
FINESS = "750712184"
PATIENCE_S = 60.0


@pytest.fixture
def harmed(tmp_path: Path) -> Iterator[kafka_broker.KafkaBroker]:
    """A broker of this test alone: it will be killed or paused."""
    if reason := kafka_broker.missing():
        pytest.skip(f"no real Kafka here: {reason}")
    with kafka_broker.running_broker(tmp_path / "broker") as running:
        made_topics(KafkaConnection((running.bootstrap,)))
        yield running


def event(number: int, key: str = "person|a") -> Event:
    return Event(f"id-{number}", key, {"ce_id": f"id-{number}", "ce_time": "2026-01-01T00:00:00Z"}, b"{%d}" % number)


def counts(published: int) -> Counts:
    return Counts(FINESS, received=published, published=published)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread or the broker does in its own time: it answers an act before it shows it."""
    async with asyncio.timeout(240):
        while not condition():  # noqa: ASYNC110 - the condition is in another thread's hands
            await asyncio.sleep(0.02)


def everything(connection: KafkaConnection) -> list[Event]:
    log = KafkaLog(connection, answer_s=PATIENCE_S)
    try:
        return [record.event for partition in log.partitions() for record in log.tail(partition, -1)]
    finally:
        log.close()


async def test_an_event_is_read_as_it_was_published(kafka: KafkaConnection) -> None:
    publisher = KafkaPublisher(kafka)
    await until(publisher.ready)

    await publisher.publish([event(1), event(2, "person|b")], counts(2))
    await publisher.close()

    read = sorted(everything(kafka), key=lambda one: one.id)
    assert [(one.id, one.key, one.value, one.headers["ce_time"]) for one in read] == [
        ("id-1", "person|a", b"{1}", "2026-01-01T00:00:00Z"),
        ("id-2", "person|b", b"{2}", "2026-01-01T00:00:00Z"),
    ]


async def test_the_events_of_a_key_keep_their_order(kafka: KafkaConnection) -> None:
    publisher = KafkaPublisher(kafka)
    await until(publisher.ready)

    for number in range(200):
        await publisher.publish([event(number, f"person|{number % 5}")], counts(1))
    await publisher.close()

    read = everything(kafka)
    for key in range(5):
        numbers = [int(one.id[3:]) for one in read if one.key == f"person|{key}"]
        assert numbers == sorted(numbers)
        assert len(numbers) == 40


async def test_a_killed_broker_answers_retry_and_the_publisher_recovers(
    harmed: kafka_broker.KafkaBroker,
) -> None:
    connection = KafkaConnection((harmed.bootstrap,))
    publisher = KafkaPublisher(connection)
    await until(publisher.ready)
    await publisher.publish([event(1)], counts(1))

    harmed.kill()
    with pytest.raises(Unavailable):
        await publisher.publish([event(2)], counts(1))
    await until(lambda: not publisher.ready())
    with pytest.raises(Unavailable):
        await publisher.publish([event(3)], counts(1))
    await asyncio.to_thread(harmed.start)
    await until(publisher.ready)
    await publisher.publish([event(4)], counts(1))
    await publisher.close()

    assert {"id-1", "id-4"} <= {one.id for one in everything(connection)}


async def test_an_outage_longer_than_the_delivery_timeout_sticks_the_default_producer_and_not_ours(
    harmed: kafka_broker.KafkaBroker,
) -> None:
    connection = KafkaConnection((harmed.bootstrap,))
    ours = KafkaPublisher(connection)
    await until(ours.ready)
    await ours.publish([event(1)], counts(1))
    default = await asyncio.to_thread(default_producer, connection)

    harmed.pause()
    lost = [default.send(BUNDLE, b"lost", key=b"k"), default.send(BUNDLE, b"lost", key=b"k2")]
    with pytest.raises(Unavailable):
        await ours.publish([event(2)], counts(1))
    harmed.resume()
    await until(ours.ready)
    await ours.publish([event(3)], counts(1))
    went_on = await asyncio.to_thread(completes, default)
    await ours.close()
    default._sender.force_close()

    assert all(future.is_done is False or future.failed() for future in lost)
    assert not went_on
    assert {"id-1", "id-3"} <= {one.id for one in everything(connection)}


def default_producer(connection: KafkaConnection) -> KafkaProducer:
    """Return one that works: on a slow machine the short delay of its records may be over before the first is there."""
    for _ in range(10):
        producer = KafkaProducer(
            **connection.arguments(), request_timeout_ms=2_000, delivery_timeout_ms=3_000, max_block_ms=2_000
        )
        if completes(producer):
            return producer
        producer._sender.force_close()
    raise AssertionError("no producer works")


def completes(producer: KafkaProducer) -> bool:
    try:
        producer.send(BUNDLE, b"one", key=b"k").get(8)
    except KafkaError:
        return False
    return True


async def test_a_log_made_anew_is_another_log(kafka: KafkaConnection) -> None:
    log = KafkaLog(kafka)
    before = log.identity()
    log.close()

    await asyncio.to_thread(fresh_topics, kafka)

    log = KafkaLog(kafka)
    after = log.identity()
    log.close()
    assert before != after


async def test_a_broker_that_does_not_answer_makes_the_gateway_unready_and_every_request_ends(
    harmed: kafka_broker.KafkaBroker,
) -> None:
    publisher = KafkaPublisher(KafkaConnection((harmed.bootstrap,)))
    await until(publisher.ready)
    before = threading.active_count()

    harmed.pause()
    sent = asyncio.gather(*(publisher.publish([event(n)], counts(1)) for n in range(50)), return_exceptions=True)
    await until(lambda: not publisher.ready())
    answers = await sent
    harmed.resume()
    await until(publisher.ready)
    await publisher.publish([event(99)], counts(1))
    await publisher.close()

    assert {type(answer) for answer in answers} == {Unavailable}
    assert threading.active_count() < before + 15  # one for each of the fifty would be many more


async def test_a_producer_that_is_let_go_of_while_records_are_handed_to_it_ends_no_thread(
    kafka: KafkaConnection,
) -> None:
    publisher = KafkaPublisher(kafka)
    await until(publisher.ready)
    await publisher.publish([event(1)], counts(1))
    assert publisher._producer is not None

    publisher._producer.close()  # as another thread does that gave it up
    with pytest.raises(Unavailable):
        await publisher.publish([event(2)], counts(1))
    publisher._abandon(publisher._producer)
    await until(publisher.ready)
    await publisher.publish([event(3)], counts(1))
    alive = [thread.is_alive() for thread in publisher._threads]
    await publisher.close()

    assert alive == [True, True]


async def test_a_gateway_whose_broker_does_not_know_the_topic_yet_is_not_ready(kafka: KafkaConnection) -> None:
    client = admin(kafka)
    client.delete_topics([BUNDLE])
    await until(lambda: BUNDLE not in client.list_topics())
    client.close()
    publisher = KafkaPublisher(kafka)
    await until(lambda: publisher._suspect or publisher.ready())
    early = publisher.ready()

    await asyncio.to_thread(made_topics, kafka)
    await until(publisher.ready)
    await publisher.publish([event(1)], counts(1))
    await publisher.close()

    assert not early


async def test_a_broker_whose_name_is_not_found_is_an_outage() -> None:
    publisher = KafkaPublisher(KafkaConnection(("broker.invalid:9092",)))

    with pytest.raises(Unavailable):
        await publisher.publish([event(1)], counts(1))
    ready = publisher.ready()
    await publisher.close()

    assert not ready


async def test_waiting_requests_take_no_thread_each(kafka: KafkaConnection) -> None:
    publisher = KafkaPublisher(kafka)
    await until(publisher.ready)
    before = threading.active_count()

    waiting = [asyncio.ensure_future(publisher.publish([event(n)], counts(1))) for n in range(200)]
    await asyncio.sleep(0)
    during = threading.active_count()
    await asyncio.gather(*waiting)
    await publisher.close()

    assert during <= before + 2  # the producer's own


async def test_bytes_in_flight_are_bounded(kafka: KafkaConnection) -> None:
    publisher = KafkaPublisher(kafka, bytes_in_flight=1000)
    await until(publisher.ready)
    large = Event("id-large", "person|a", {"ce_id": "id-large"}, b"x" * 900)

    first = asyncio.ensure_future(publisher.publish([large], counts(1)))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await publisher.publish([large], counts(1))
    await first
    await publisher.publish([large], counts(1))
    await publisher.close()


async def test_the_largest_event_is_taken_and_a_larger_one_harms_nobody(kafka: KafkaConnection) -> None:
    publisher = KafkaPublisher(kafka)
    await until(publisher.ready)
    largest = Event("id-1", "person|a", {"ce_id": "id-1"}, secrets.token_bytes(MAX_EVENT_BYTES))
    larger = Event("id-2", "person|a", {"ce_id": "id-2"}, secrets.token_bytes(MAX_EVENT_BYTES + 1))

    await publisher.publish([largest], counts(1))
    with pytest.raises(Fault, match="event-too-large"):
        await publisher.publish([event(3), larger], counts(2))
    await publisher.publish([event(4)], counts(1))
    await publisher.close()

    read = await asyncio.to_thread(everything, kafka)
    assert sorted(one.id for one in read) == ["id-1", "id-4"]


async def test_the_counts_of_every_run_add_up(kafka: KafkaConnection) -> None:
    for _ in range(2):
        publisher = KafkaPublisher(kafka)
        await until(publisher.ready)
        await publisher.publish([event(1)], Counts(FINESS, received=3, refused=2, published=1))
        await publisher.publish([], Counts(FINESS, received=1, refused=1))
        await publisher.close()

    assert await asyncio.to_thread(published_counts, kafka) == (8, 6, 0, 2)


def write_nonsense(kafka: KafkaConnection) -> None:
    """A client may miss a topic that was made a moment ago; another one finds it."""
    for _ in range(6):
        producer = KafkaProducer(**kafka.arguments(), max_block_ms=5_000)
        try:
            producer.send(BUNDLE, value=None, key=b"\xff", headers=[("ce_id", b"\xfe")]).get(10)
        except KafkaError:
            continue
        else:
            return
        finally:
            producer.close(timeout=5)
    raise AssertionError("no client could write")


async def test_what_is_no_event_of_ours_is_read_all_the_same(kafka: KafkaConnection) -> None:
    await asyncio.to_thread(write_nonsense, kafka)

    [one] = await asyncio.to_thread(everything, kafka)

    assert (one.value, one.id) == (b"", "\ufffd")


async def test_a_position_that_the_log_no_longer_holds_stops_the_reader(kafka: KafkaConnection) -> None:
    publisher = KafkaPublisher(kafka)
    await until(publisher.ready)
    await publisher.publish([event(n) for n in range(5)], counts(5))
    await publisher.close()
    log = KafkaLog(kafka)
    [partition] = [one for one in log.partitions() if log.last_offset(one) >= 0]
    client = admin(kafka)
    await asyncio.to_thread(client.delete_records, {TopicPartition(BUNDLE, partition): 3})
    client.close()

    def read_on() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            log.read(partition, 0, 10)

    with pytest.raises(Misconfigured, match="offset-lost"):
        await asyncio.to_thread(read_on)
    assert log.first_offset(partition) == 3
    log.close()


async def test_a_topic_that_nobody_knows_is_an_outage_and_not_an_empty_log(kafka: KafkaConnection) -> None:
    with pytest.raises(Unavailable):
        await asyncio.to_thread(KafkaLog, kafka, topic="snds.nowhere.v1")


async def test_dead_letters_are_told_with_their_reason_and_place(kafka: KafkaConnection) -> None:
    announce = KafkaDeadLetters(kafka)
    letter = DeadLetter(Record(7, 42, event(1)), "event-json", "read")

    await asyncio.to_thread(announce, [letter, letter])
    announce.close()

    def read() -> list[Event]:
        log = KafkaLog(kafka, topic=DEAD_LETTER, answer_s=PATIENCE_S)
        try:
            return [record.event for record in log.tail(0, -1)]
        finally:
            log.close()

    found = await asyncio.to_thread(read)
    assert [(one.id, one.value) for one in found] == [("id-1", b"{1}")] * 2
    added = {name: value for name, value in found[0].headers.items() if name not in event(1).headers}
    assert added == {
        "dead-letter-code": "event-json",
        "dead-letter-stage": "read",
        "source-partition": "7",
        "source-offset": "42",
    }


async def test_dead_letters_that_cannot_be_told_are_an_outage(harmed: kafka_broker.KafkaBroker) -> None:
    announce = KafkaDeadLetters(KafkaConnection((harmed.bootstrap,)))
    letter = DeadLetter(Record(0, 1, event(1)), "event-json", "read")
    await asyncio.to_thread(announce, [letter])

    harmed.kill()
    with pytest.raises(Unavailable):
        await asyncio.to_thread(announce, [letter])
    await asyncio.to_thread(harmed.start)

    await asyncio.to_thread(announce, [letter])
    announce.close()


def test_the_register_is_read_to_its_end_and_the_last_word_counts(kafka: KafkaConnection) -> None:
    one, other = KafkaRegister(kafka, clock=lambda: 0.0), KafkaRegister(kafka, clock=itertools.count().__next__)
    act = Act("a-1", "opposition", FINESS, "request", "2026-01-01T00:00:00+00:00", None, frozenset({("ano", "", "x")}))
    assert answered(other.acts).by_id == {}

    answered(lambda: one.keep(act))
    answered(lambda: one.learn("a-1", [("person", FINESS, "alias")]))
    held = answered(other.acts).suppressing(FINESS, {("person", FINESS, "alias")}, legal_basis="research")
    again = KafkaRegister(kafka)
    fresh = answered(again.acts)
    answered(lambda: one.keep(replace(act, ended="2026-02-01T00:00:00+00:00")))
    after = answered(other.acts).suppressing(FINESS, {("ano", "", "x")}, legal_basis="research")

    assert held is not None
    assert fresh.by_id["a-1"].keys == {("ano", "", "x"), ("person", FINESS, "alias")}
    assert after is None
    assert answered(other.acts) is answered(other.acts)
    for register in (one, other, again):
        register.close()


async def test_another_consumer_reads_typed_events_from_the_topic(kafka: KafkaConnection) -> None:
    publisher = KafkaPublisher(kafka)
    await until(publisher.ready)
    sent = list(recorded())
    for one in sent:
        await publisher.publish([one], counts(1))
    await publisher.close()

    everything_read = await asyncio.to_thread(lambda: list(read_events(kafka)))
    positions = {one.partition: one.offset for one in everything_read}
    rest = await asyncio.to_thread(lambda: list(read_events(kafka, after=positions)))

    assert sorted(one.id for one in everything_read) == sorted(one.id for one in sent)
    assert rest == []


def test_a_key_keeps_its_partition_in_every_version_of_the_client() -> None:
    lines = (Path(__file__).parents[1] / "golden" / "partitions.txt").read_text(encoding="utf-8").split()
    pairs = [(line.split("=")[0], int(line.split("=")[1])) for line in lines]

    assert len(pairs) == 1000
    partitioner, cluster = KafkaProducer.DEFAULT_CONFIG["partitioner"], Cluster()
    assert all(chosen(partitioner, key, cluster) == partition for key, partition in pairs)


class Cluster:
    """What a partitioner asks of the client's view of the topic."""

    def topics(self) -> set[str]:
        return {BUNDLE}

    def partitions_for_topic(self, topic: str) -> set[int]:
        assert topic == BUNDLE
        return set(range(12))

    def available_partitions_for_topic(self, topic: str) -> set[int]:
        assert topic == BUNDLE
        return set(range(12))


def chosen(partitioner: Any, key: str, cluster: Cluster) -> int:
    made = partitioner() if isinstance(partitioner, type) else partitioner
    return int(made.partition(BUNDLE, key.encode(), key.encode(), b"", b"", cluster))
