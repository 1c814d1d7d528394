"""A real broker (one node, same machine, acks=all): publisher and reader, the gateway over HTTP, a table writer.

Wanted with generator and broker on the same two cores: 350 bundles a second acknowledged, unloaded p50 within 8 ms.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from bench.http import BUNDLES, CONNECTIONS, SECONDS, SEED, ended, load, requests_of, started
from bench.table_writer import FINESS, Pseudonyms, events
from gateway.synthetic.bundles import workload
from streaming.broker import Counts
from streaming.conversion import Rules
from streaming.factory import open_writer
from streaming.kafka_consumer import KafkaLog
from streaming.kafka_publisher import KafkaPublisher
from streaming.topics import KafkaConnection, create_topics
from tests.support.installation import free_port, snds_gateway
from tests.support.kafka_broker import missing, running_broker
from transformers.contract import Contract

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


def write(connection: KafkaConnection, folder: Path) -> dict[str, Any]:
    """Apply what the topic holds into DuckDB tables."""
    contract = Contract(finess=FINESS, name="CHU FICTIF")
    rules = Rules(contracts=lambda _: contract, pseudonyms=Pseudonyms())
    with open_writer(folder, rules=rules, kafka=connection) as writer:
        wall, cpu = time.perf_counter(), time.process_time()
        writer.drain()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rows = sum(writer.sink.query(f'SELECT count(*) FROM "{name}"')[0][0] for name in writer.sink.published_tables())
    return {"writer_rows_per_s": round(rows / wall), "writer_rows_per_cpu_s": round(rows / cpu)}


def gateway(bootstrap: str, data_dir: Path) -> dict[str, Any]:
    """Post bundles of 45 resources over HTTP: one after the other, then from several connections."""
    snds_gateway("init", "--data-dir", str(data_dir), "--finess", FINESS, "--test-identities")
    with (data_dir / "gateway.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'broker = "kafka"\nkafka_replication = 1\nkafka_bootstrap = "{bootstrap}"\n')
    port = free_port()
    server, _ = started(data_dir, port)
    try:
        key = (data_dir / "credentials" / f"{FINESS}.key").read_text().strip()
        requests = requests_of(list(workload(SEED, BUNDLES)), key)
        uvloop.run(load(port, requests, connections=CONNECTIONS, seconds=3))
        quiet = uvloop.run(load(port, requests[:UNLOADED], connections=1, seconds=5))
        loaded = uvloop.run(load(port, requests, connections=CONNECTIONS, seconds=SECONDS))
        return {"unloaded": quiet, f"loaded_{CONNECTIONS}_connections": loaded}
    finally:
        ended(server)


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
        create_topics(where, replication=1)
        report = asyncio.run(measure(where, int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS))
        report |= write(where, Path(name) / "tables")
        report["gateway"] = gateway(broker.bootstrap, Path(name) / "data")
        print(json.dumps(report))
