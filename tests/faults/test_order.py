"""Events of one patient, published one after the other, keep their order while leaders move. Promise: P4."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from pathlib import Path

import pytest

from fhir_profiles.errors import Unavailable
from streaming.broker import Counts
from streaming.event import Event
from streaming.kafka_consumer import KafkaLog
from streaming.kafka_publisher import KafkaPublisher
from tests.support import kafka_broker
from tests.support.kafka_cluster import KafkaCluster
from tests.support.servers import made_topics

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PATIENTS = 20
READ_AGAIN = 10
LEADERS_KILLED = 2
BEFORE, AFTER = 20, 20  # updates of each patient around each kill


async def sent(publisher: KafkaPublisher, patient: int, number: int) -> None:
    """Publish one update until it is acknowledged, as a hospital sends again after a 503."""
    event = Event(f"{patient}-{number}", f"person|{patient}", {"ce_id": f"{patient}-{number}"}, b"{}")
    while True:
        try:
            await publisher.publish([event], Counts("750712184", received=1, published=1))
        except Unavailable:
            await asyncio.sleep(0.05)
        else:
            return


async def test_a_patient_s_events_keep_their_order_while_leaders_move(tmp_path: Path) -> None:
    if reason := kafka_broker.missing():
        pytest.skip(f"no real Kafka here: {reason}")
    cluster = KafkaCluster(tmp_path / "cluster")
    last, ended = [0] * PATIENTS, threading.Event()
    try:
        await asyncio.to_thread(cluster.start)
        await asyncio.to_thread(made_topics, cluster.connection, replication=len(cluster.brokers))
        publisher = KafkaPublisher(cluster.connection)

        async def updates(patient: int) -> None:
            while not ended.is_set():
                last[patient] += 1
                await sent(publisher, patient, last[patient])

        async def progress(count: int) -> None:
            goal = [number + count for number in last]
            async with asyncio.timeout(300):
                while any(number < wanted for number, wanted in zip(last, goal, strict=True)):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

        clients = [asyncio.create_task(updates(patient)) for patient in range(PATIENTS)]
        for _ in range(LEADERS_KILLED):
            await progress(BEFORE)
            leader = cluster.brokers[await asyncio.to_thread(cluster.leader)]
            leader.kill()
            await progress(AFTER)
            await asyncio.to_thread(leader.start)
            async with asyncio.timeout(300):
                while await asyncio.to_thread(cluster.in_sync) < len(cluster.brokers):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        ended.set()
        await asyncio.gather(*clients)
        await publisher.close()
        read = await asyncio.to_thread(read_again, cluster)
    finally:
        await asyncio.to_thread(cluster.stop)

    assert read == {str(patient): list(range(1, last[patient] + 1)) for patient in range(PATIENTS)}


def read_again(cluster: KafkaCluster) -> dict[str, list[int]]:
    """Read the log from its start; begin anew while a leader is still moving, as a table writer does."""
    for _ in range(READ_AGAIN):
        try:
            return numbers_by_patient(cluster)
        except Unavailable:
            continue
    return numbers_by_patient(cluster)


def numbers_by_patient(cluster: KafkaCluster) -> dict[str, list[int]]:
    """Return the updates of each patient as they stand in the log, each at its first place."""
    log = KafkaLog(cluster.connection)
    found: dict[str, list[int]] = defaultdict(list)
    try:
        for partition in log.partitions():
            for record in log.tail(partition, -1):
                patient, number = record.event.id.split("-")
                if int(number) not in found[patient]:
                    found[patient].append(int(number))
    finally:
        log.close()
    return dict(found)
