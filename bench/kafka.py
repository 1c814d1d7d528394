"""Our publisher and reader on a real broker (one node, same machine): events of 30 KB, acks=all, one in flight."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.table_writer import FINESS, events
from streaming.broker import Counts
from streaming.kafka_consumer import KafkaLog
from streaming.kafka_publisher import KafkaPublisher
from streaming.topics import KafkaConnection, create_topics
from tests.support.kafka_broker import missing, running_broker

EVENTS = 1000
AT_ONCE = 64
UNLOADED = 200
ONE = Counts(FINESS, received=45, published=45)


async def publish(publisher: KafkaPublisher, made: list[Any]) -> tuple[float, float, list[float]]:
    """Return wall and CPU seconds of many requests at once, and the milliseconds of single ones."""
    waiting = iter(made)

    async def client() -> None:
        for one in waiting:
            await publisher.publish([one], ONE)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    single = []
    for one in made[:UNLOADED]:
        begun = time.perf_counter()
        await publisher.publish([one], ONE)
        single.append(1000 * (time.perf_counter() - begun))
    return wall, cpu, single


def read(connection: KafkaConnection) -> tuple[int, float, float]:
    """Return events read, wall and CPU seconds."""
    log = KafkaLog(connection)
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for partition in log.partitions() for _ in log.tail(partition, -1))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    log.close()
    return count, wall, cpu


async def measure(connection: KafkaConnection, count: int) -> dict[str, Any]:
    """Publish and read back."""
    made = list(events(count))
    publisher = KafkaPublisher(connection)
    while not publisher.ready():  # noqa: ASYNC110 - the probe is another thread
        await asyncio.sleep(0.02)
    wall, cpu, single = await publish(publisher, made)
    await publisher.close()
    seen, read_wall, read_cpu = await asyncio.to_thread(read, connection)
    return {
        "events": count,
        "bytes_an_event": sum(len(one.value) for one in made) // count,
        "published_per_s": round(count / wall),
        "publish_cpu_us_per_event": round(1e6 * cpu / count),
        "single_ms_p50": round(statistics.median(single), 2),
        "single_ms_p99": round(statistics.quantiles(single, n=100)[98], 2),
        "read_per_s": round(seen / read_wall),
        "read_cpu_us_per_event": round(1e6 * read_cpu / seen),
    }


if __name__ == "__main__":
    if reason := missing():
        print(json.dumps({"not_measured": reason}))
        sys.exit(0)
    with tempfile.TemporaryDirectory() as name, running_broker(Path(name) / "broker") as broker:
        where = KafkaConnection((broker.bootstrap,))
        create_topics(where)
        print(json.dumps(asyncio.run(measure(where, int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS))))
