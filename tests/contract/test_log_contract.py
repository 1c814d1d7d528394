"""One contract for every log: what the gateway and the table writer rely on, in memory, embedded and Kafka alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from fhir_profiles.errors import Unavailable
from streaming.broker import Consumer, Counts, Publisher
from streaming.embedded_log import EmbeddedConsumer, EmbeddedLog
from streaming.event import Record
from streaming.kafka_consumer import KafkaLog
from streaming.kafka_publisher import KafkaPublisher
from streaming.memory_log import MemoryLog
from streaming.topics import KafkaConnection
from tests.support.made_events import FINESS, event, patient

pytestmark = [
    # kafka-python leaves the sockets of failed connection attempts to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
ONE = Counts(FINESS, received=1, published=1)
Opened = Callable[[Path], AbstractAsyncContextManager[tuple[Publisher, Consumer]]]


@asynccontextmanager
async def memory(folder: Path) -> AsyncIterator[tuple[Publisher, Consumer]]:
    log = MemoryLog()
    yield log, log
    await log.close()


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[tuple[Publisher, Consumer]]:
    publisher = EmbeddedLog(folder / "events.sqlite")
    consumer = EmbeddedConsumer(folder / "events.sqlite")
    yield publisher, consumer
    await publisher.close()
    consumer.close()


def on_kafka(connection: KafkaConnection) -> Opened:
    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[tuple[Publisher, Consumer]]:
        publisher = KafkaPublisher(connection)
        consumer = KafkaLog(connection)
        async with asyncio.timeout(240):
            while not publisher.ready():  # noqa: ASYNC110 - the probe is another thread
                await asyncio.sleep(0.02)
        yield publisher, consumer
        await publisher.close()
        consumer.close()

    return opened


@pytest.fixture(params=["memory", "embedded", pytest.param("kafka", marks=pytest.mark.slow)])
def opened(request: pytest.FixtureRequest) -> Opened:
    if request.param == "kafka":
        return on_kafka(request.getfixturevalue("kafka"))
    return memory if request.param == "memory" else embedded


def used(consumer: Consumer) -> list[int]:
    return [partition for partition in consumer.partitions() if consumer.last_offset(partition) >= consumer.origin]


def everything(consumer: Consumer, *, after: int | None = None) -> list[Record]:
    start = consumer.origin - 1 if after is None else after
    return [record for partition in used(consumer) for record in consumer.tail(partition, start)]


async def test_what_is_published_is_read_back_unchanged_and_in_order(opened: Opened, tmp_path: Path) -> None:
    sent = [event(patient(f"pat-{number}")) for number in range(7)]
    async with opened(tmp_path) as (publisher, consumer):
        await publisher.publish(sent[:3], ONE)
        await publisher.publish(sent[3:], ONE)

        records = await asyncio.to_thread(everything, consumer)

        assert [record.event for record in records] == sent
        assert [record.offset - consumer.origin for record in records] == [0, 1, 2, 3, 4, 5, 6]
        assert [list(record.event.headers) for record in records] == [list(one.headers) for one in sent]


async def test_the_events_of_a_key_share_a_partition(opened: Opened, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        for number in range(20):
            await publisher.publish([event(patient(f"pat-{number}"))], ONE)

        assert len(used(consumer)) == 1


async def test_a_reader_goes_on_from_its_own_offset_in_pieces(opened: Opened, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        await publisher.publish([event(patient()) for _ in range(5)], ONE)
        [partition] = used(consumer)
        first = consumer.origin

        taken = [record.offset - first for record in await asyncio.to_thread(pieces, consumer, partition)]

        assert taken == [0, 1, 2, 3, 4]
        assert [record.offset - first for record in consumer.tail(partition, first)] == [1, 2, 3, 4]
        assert list(consumer.read(partition, first + 4, 10)) == []


def pieces(consumer: Consumer, partition: int) -> list[Record]:
    taken: list[Record] = []
    while len(taken) < 5:
        after = taken[-1].offset if taken else consumer.origin - 1
        piece = consumer.read(partition, after, 2)
        assert len(piece) <= 2
        taken += piece
    return taken


async def test_offsets_tell_where_the_log_begins_and_ends(opened: Opened, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        origin = consumer.origin
        edges = {(consumer.first_offset(one), consumer.last_offset(one)) for one in consumer.partitions()}
        assert edges == {(origin, origin - 1)}

        await publisher.publish([event(patient()), event(patient())], ONE)

        [partition] = used(consumer)
        assert (consumer.first_offset(partition), consumer.last_offset(partition)) == (origin, origin + 1)


async def test_concurrent_requests_are_all_kept_and_each_stays_together(opened: Opened, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        groups = [[event(patient(), named=f"{request}-{part}") for part in range(3)] for request in range(40)]

        await asyncio.gather(*(publisher.publish(group, ONE) for group in groups))

        ids = [record.event.id for record in await asyncio.to_thread(everything, consumer)]
        assert sorted(ids) == sorted(one.id for group in groups for one in group)
        assert all(
            ids[ids.index(f"{number}-0") :][:3] == [f"{number}-{part}" for part in range(3)] for number in range(40)
        )


async def test_a_request_without_events_is_counted_all_the_same(opened: Opened, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        await publisher.publish([], Counts(FINESS, received=2, refused=2))

        assert used(consumer) == []


async def test_a_log_keeps_one_identity(opened: Opened, tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, consumer):
        assert consumer.identity() == consumer.identity() != ""


@pytest.mark.parametrize("opened", [memory, embedded], ids=["memory", "embedded"])
async def test_two_logs_have_two_identities(opened: Opened, tmp_path: Path) -> None:
    async with opened(tmp_path / "a") as (_, one), opened(tmp_path / "b") as (_, other):
        assert one.identity() != other.identity()


async def test_a_partition_that_is_no_longer_followed_can_be_read_again(opened: Opened, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        await publisher.publish([event(patient()) for _ in range(3)], ONE)
        [partition] = used(consumer)
        before = [record.offset for record in consumer.tail(partition, consumer.origin - 1)]

        consumer.follow([])
        consumer.follow([partition])

        assert [record.offset for record in consumer.tail(partition, consumer.origin - 1)] == before


async def test_a_closed_log_refuses_and_is_not_ready(opened: Opened, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        assert publisher.ready()

        await publisher.close()

        assert not publisher.ready()
        with pytest.raises(Unavailable):
            await publisher.publish([event(patient())], ONE)
        assert used(consumer) == []
