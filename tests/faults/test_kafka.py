"""A real broker, killed and paused: what was acknowledged is there, and the publisher comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError

from fhir_profiles.errors import Misconfigured, PipelineError, Unavailable
from streaming.broker import Counts
from streaming.event import Event
from streaming.kafka_consumer import KafkaLog
from streaming.kafka_publisher import KafkaPublisher
from streaming.topics import BUNDLE, KafkaConnection, check_topics, create_topics
from tests.support import kafka_broker

pytestmark = [
    pytest.mark.slow,
    # kafka-python leaves the sockets of failed connection attempts to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
FINESS = "750712184"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[kafka_broker.KafkaBroker]:
    if reason := kafka_broker.missing():
        pytest.skip(f"no real Kafka here: {reason}")
    with kafka_broker.running_broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def connection(broker: kafka_broker.KafkaBroker) -> KafkaConnection:
    made = KafkaConnection((broker.bootstrap,))
    create_topics(made)
    return made


def event(number: int, key: str = "person|a") -> Event:
    return Event(f"id-{number}", key, {"ce_id": f"id-{number}", "ce_time": "2026-01-01T00:00:00Z"}, b"{%d}" % number)


def counts(published: int) -> Counts:
    return Counts(FINESS, received=published, published=published)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the condition is in another thread's hands
            await asyncio.sleep(0.02)


def everything(connection: KafkaConnection) -> list[Event]:
    log = KafkaLog(connection)
    try:
        return [record.event for partition in log.partitions() for record in log.tail(partition, -1)]
    finally:
        log.close()


async def test_an_event_is_read_as_it_was_published(connection: KafkaConnection) -> None:
    publisher = KafkaPublisher(connection)
    await until(publisher.ready)

    await publisher.publish([event(1), event(2, "person|b")], counts(2))
    await publisher.close()

    read = sorted(everything(connection), key=lambda one: one.id)
    assert [(one.id, one.key, one.value, one.headers["ce_time"]) for one in read] == [
        ("id-1", "person|a", b"{1}", "2026-01-01T00:00:00Z"),
        ("id-2", "person|b", b"{2}", "2026-01-01T00:00:00Z"),
    ]


async def test_the_events_of_a_key_keep_their_order(connection: KafkaConnection) -> None:
    publisher = KafkaPublisher(connection)
    await until(publisher.ready)

    for number in range(200):
        await publisher.publish([event(number, f"person|{number % 5}")], counts(1))
    await publisher.close()

    read = everything(connection)
    for key in range(5):
        numbers = [int(one.id[3:]) for one in read if one.key == f"person|{key}"]
        assert numbers == sorted(numbers)
        assert len(numbers) == 40


async def test_a_killed_broker_answers_retry_and_the_publisher_recovers(
    broker: kafka_broker.KafkaBroker, connection: KafkaConnection
) -> None:
    publisher = KafkaPublisher(connection)
    await until(publisher.ready)
    await publisher.publish([event(1)], counts(1))

    broker.kill()
    with pytest.raises(Unavailable):
        await publisher.publish([event(2)], counts(1))
    await until(lambda: not publisher.ready())
    with pytest.raises(Unavailable):
        await publisher.publish([event(3)], counts(1))
    await asyncio.to_thread(broker.start)
    await until(publisher.ready)
    await publisher.publish([event(4)], counts(1))
    await publisher.close()

    assert {"id-1", "id-4"} <= {one.id for one in everything(connection)}


async def test_an_outage_longer_than_the_delivery_timeout_sticks_the_default_producer_and_not_ours(
    broker: kafka_broker.KafkaBroker, connection: KafkaConnection
) -> None:
    ours = KafkaPublisher(connection)
    default = KafkaProducer(
        **connection.arguments(), request_timeout_ms=2_000, delivery_timeout_ms=3_000, max_block_ms=2_000
    )
    await until(ours.ready)
    await ours.publish([event(1)], counts(1))
    await asyncio.to_thread(default.send(BUNDLE, b"first", key=b"k").get, 10)

    broker.pause()
    lost = [default.send(BUNDLE, b"lost", key=b"k"), default.send(BUNDLE, b"lost", key=b"k2")]
    with pytest.raises(Unavailable):
        await ours.publish([event(2)], counts(1))
    broker.resume()
    await until(ours.ready)
    await ours.publish([event(3)], counts(1))
    stuck = await asyncio.to_thread(completes, default)
    await ours.close()
    default._sender.force_close()

    assert all(future.is_done is False or future.failed() for future in lost)
    assert not stuck
    assert {"id-1", "id-3"} <= {one.id for one in everything(connection)}


def completes(producer: KafkaProducer) -> bool:
    try:
        producer.send(BUNDLE, b"after", key=b"k").get(8)
    except KafkaError:
        return False
    return True


async def test_start_refuses_topics_that_do_not_exist(broker: kafka_broker.KafkaBroker) -> None:
    with pytest.raises(Misconfigured) as refused:
        check_topics(KafkaConnection((broker.bootstrap,)))

    assert refused.value.code == "topic-missing"


async def test_topics_are_created_once_and_pass_the_check(connection: KafkaConnection) -> None:
    again = create_topics(connection)

    check_topics(connection)
    assert list(again) == []


async def test_a_log_made_anew_is_another_log(broker: kafka_broker.KafkaBroker, connection: KafkaConnection) -> None:
    from streaming.topics import admin

    log = KafkaLog(connection)
    before = log.identity()
    log.close()
    client = admin(connection)
    client.delete_topics([BUNDLE])
    client.close()
    for _ in range(100):
        try:
            create_topics(connection)
            check_topics(connection)
            break
        except PipelineError:
            await asyncio.sleep(0.1)

    log = KafkaLog(connection)
    after = log.identity()
    log.close()

    assert before != after
