"""One contract for every log: what the gateway and the table writer rely on, on each implementation alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fhir_profiles.errors import Unavailable
from streaming.broker import Consumer, Counts, Publisher
from streaming.embedded_log import EmbeddedConsumer, EmbeddedLog
from streaming.memory_log import MemoryLog
from tests.support.made_events import FINESS, event, patient

ONE = Counts(FINESS, received=1, published=1)


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


every_log = pytest.mark.parametrize("opened", [memory, embedded], ids=["memory", "embedded"])


@every_log
async def test_what_is_published_is_read_back_unchanged_and_in_order(opened: Any, tmp_path: Path) -> None:
    sent = [event(patient(f"pat-{number}")) for number in range(7)]
    async with opened(tmp_path) as (publisher, consumer):
        await publisher.publish(sent[:3], ONE)
        await publisher.publish(sent[3:], ONE)
        [partition] = consumer.partitions()

        records = consumer.read(partition, 0, 100)

        assert [record.event for record in records] == sent
        assert [record.offset for record in records] == [1, 2, 3, 4, 5, 6, 7]
        assert [list(record.event.headers) for record in records] == [list(one.headers) for one in sent]


@every_log
async def test_a_reader_goes_on_from_its_own_offset_in_pieces(opened: Any, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        await publisher.publish([event(patient()) for _ in range(5)], ONE)

        assert [record.offset for record in consumer.read(0, 2, 2)] == [3, 4]
        assert [record.offset for record in consumer.tail(0, 1)] == [2, 3, 4, 5]
        assert list(consumer.read(0, 5, 10)) == []


@every_log
async def test_offsets_tell_where_the_log_begins_and_ends(opened: Any, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        assert (consumer.first_offset(0), consumer.last_offset(0)) == (1, 0)

        await publisher.publish([event(patient()), event(patient())], ONE)

        assert (consumer.first_offset(0), consumer.last_offset(0)) == (1, 2)


@every_log
async def test_concurrent_requests_are_all_kept_and_each_stays_together(opened: Any, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        groups = [[event(patient(), named=f"{request}-{part}") for part in range(3)] for request in range(40)]

        await asyncio.gather(*(publisher.publish(group, ONE) for group in groups))

        ids = [record.event.id for record in consumer.tail(0, 0)]
        assert sorted(ids) == sorted(one.id for group in groups for one in group)
        assert all(
            ids[ids.index(f"{number}-0") :][:3] == [f"{number}-{part}" for part in range(3)] for number in range(40)
        )


@every_log
async def test_a_request_without_events_is_counted_all_the_same(opened: Any, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        await publisher.publish([], Counts(FINESS, received=2, refused=2))

        assert consumer.last_offset(0) == 0


@every_log
async def test_a_log_keeps_one_identity(opened: Any, tmp_path: Path) -> None:
    async with opened(tmp_path / "a") as (_, one), opened(tmp_path / "b") as (_, other):
        assert one.identity() == one.identity() != ""
        assert one.identity() != other.identity()


@every_log
async def test_a_closed_log_refuses_and_is_not_ready(opened: Any, tmp_path: Path) -> None:
    async with opened(tmp_path) as (publisher, consumer):
        assert publisher.ready()

        await publisher.close()

        assert not publisher.ready()
        with pytest.raises(Unavailable):
            await publisher.publish([event(patient())], ONE)
        assert consumer.last_offset(0) == 0
