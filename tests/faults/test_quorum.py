"""Two of three brokers gone: nothing can be acknowledged, and a gateway that nobody posts to says so. Promise: P12."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from streaming.kafka_publisher import KafkaPublisher
from tests.support import kafka_broker
from tests.support.kafka_cluster import KafkaCluster
from tests.support.servers import made_topics

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(300):
        while not condition():  # noqa: ASYNC110 - the condition is in another thread's hands
            await asyncio.sleep(0.02)


async def test_without_a_quorum_an_idle_gateway_is_not_ready_until_it_is_back(tmp_path: Path) -> None:
    if reason := kafka_broker.missing():
        pytest.skip(f"no real Kafka here: {reason}")
    cluster = KafkaCluster(tmp_path / "cluster")
    try:
        await asyncio.to_thread(cluster.start)
        await asyncio.to_thread(made_topics, cluster.connection, replication=len(cluster.brokers))
        publisher = KafkaPublisher(cluster.connection)
        await until(publisher.ready)
        first, second, _ = cluster.brokers.values()

        for broker in (first, second):
            broker.kill()
        await until(lambda: not publisher.ready())
        for broker in (first, second):
            broker.launch()
        await until(publisher.ready)
        await publisher.close()
    finally:
        await asyncio.to_thread(cluster.stop)
