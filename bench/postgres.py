"""A table writer into PostgreSQL (`fsync` on, same machine): the events of `table_writer`, rows per second."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from bench.table_writer import FINESS, Pseudonyms, events
from streaming.broker import Counts
from streaming.conversion import Rules
from streaming.memory_log import MemoryLog
from streaming.postgres_store import PostgresStore
from streaming.table_writer import TableWriter
from tests.support.postgres_server import missing, running_postgres
from transformers.contract import Contract

EVENTS = 1000


def measure(count: int) -> dict[str, Any]:
    """Apply everything from a log in memory; the time is that of the writer and the database together."""
    log = MemoryLog()
    log.append(list(events(count)), Counts(FINESS))
    contract = Contract(finess=FINESS, name="CHU FICTIF")
    with running_postgres() as server:
        writer = TableWriter(
            PostgresStore(server.create("bench")),
            consumer=log,
            rules=Rules(contracts=lambda _: contract, pseudonyms=Pseudonyms()),
        )
        wall, cpu = time.perf_counter(), time.process_time()
        writer.drain()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rows = sum(writer.sink.query(f"SELECT count(*) FROM {name}")[0][0] for name in writer.sink.published_tables())
        writer.close()
    return {
        "events": count,
        "resources": 45 * count,
        "rows": rows,
        "seconds": round(wall, 2),
        "rows_per_s": round(rows / wall),
        "resources_per_s": round(45 * count / wall),
        "writer_cpu_ms_per_event": round(1000 * cpu / count, 3),
    }


if __name__ == "__main__":
    if reason := missing():
        print(json.dumps({"not_measured": reason}))
        sys.exit(0)
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)))
