"""Of one bundle's events a part is stored and a part is not: 503; sent again, each gives its rows once. Promise: P3."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_profiles.errors import Unavailable
from streaming.accounts import status
from streaming.broker import Counts
from streaming.digest import digest
from streaming.event import Event
from streaming.kafka_consumer import KafkaLog
from streaming.kafka_publisher import KafkaPublisher
from streaming.table_writer import TableWriter
from streaming.topics import BUNDLE, admin
from tests.support import kafka_broker
from tests.support.answered import answered
from tests.support.kafka_cluster import KafkaCluster
from tests.support.made_events import FINESS, condition, encounter, event, log_of, patient, rules, written
from tests.support.servers import made_topics

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PATIENTS = 24
WITHIN_S = 240.0
DEATHS = 10


def events() -> list[Event]:
    """One bundle of many patients: an event each, under a key of its own."""
    made = [
        event(
            patient(f"pat-{n}", f"rest-{n}"),
            encounter(f"enc-{n}", f"visit-{n}", person=f"rest-{n}"),
            condition(f"c-{n}", "I10", person=f"rest-{n}", stay=f"visit-{n}"),
        )
        for n in range(PATIENTS)
    ]
    return [replace(one, key=f"person|rest-{n}") for n, one in enumerate(made)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - the condition is in another thread's hands
            await asyncio.sleep(0.02)


async def accepted(publisher: KafkaPublisher, bundle: list[Event]) -> None:
    """Send again until it is acknowledged, as a hospital does after a 503."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                await publisher.publish(bundle, Counts(FINESS, received=1, published=1))
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return


def stored(cluster: KafkaCluster) -> list[str]:
    with closing(KafkaLog(cluster.connection, answer_s=60)) as log:
        return [record.event.id for partition in log.partitions() for record in log.tail(partition, -1)]


def tables(cluster: KafkaCluster, folder: Path) -> str:
    """Apply everything that the log holds; return the digest of the tables."""
    with (
        closing(KafkaLog(cluster.connection, answer_s=60)) as log,
        closing(TableWriter(folder, consumer=log, rules=rules())) as writer,
    ):
        writer.drain()
        return digest(writer.sink)


async def stored_in_part(cluster: KafkaCluster, publisher: KafkaPublisher, bundle: list[Event]) -> list[str]:
    """Let a broker die under the bundle; return what is stored of it.

    A gateway that sees the death before it publishes refuses and sends nothing: that is another story, so the broker
    dies again.
    """
    dead = cluster.brokers[await asyncio.to_thread(answered, lambda: some_leader(cluster))]
    for _ in range(DEATHS):
        await until(publisher.ready)
        dead.kill()
        with pytest.raises(Unavailable):
            await publisher.publish(bundle, Counts(FINESS, received=1, published=1))
        await asyncio.to_thread(dead.start)
        if found := await asyncio.to_thread(answered, lambda: stored(cluster)):
            return found
    raise AssertionError("nothing was ever stored")


def some_leader(cluster: KafkaCluster) -> int:
    """Return the leader of a partition, not of every one: each has one copy, and dies with its broker."""
    client = admin(cluster.connection)
    leaders = [one["leader_id"] for one in client.describe_topics([BUNDLE])[0]["partitions"]]
    client.close()
    assert len(set(leaders)) == len(cluster.brokers)
    return int(leaders[0])


async def test_a_bundle_that_was_stored_in_part_is_refused_and_sent_again_gives_each_row_once(tmp_path: Path) -> None:
    if reason := kafka_broker.missing():
        pytest.skip(f"no real Kafka here: {reason}")
    bundle = events()
    alone = written(tmp_path / "alone", log_of(bundle))
    expected = digest(alone.sink)
    alone.close()
    cluster = KafkaCluster(tmp_path / "cluster")
    try:
        await asyncio.to_thread(cluster.start)
        await asyncio.to_thread(made_topics, cluster.connection, replication=1)
        publisher = KafkaPublisher(cluster.connection)

        in_part = await stored_in_part(cluster, publisher, bundle)
        await accepted(publisher, bundle)
        await publisher.close()
        found = await asyncio.to_thread(answered, lambda: tables(cluster, tmp_path / "tables"))
    finally:
        await asyncio.to_thread(cluster.stop)

    assert 0 < len(set(in_part)) < PATIENTS
    assert status(tmp_path / "tables").applied == PATIENTS
    assert found == expected
