"""The whole embedded chain under a steady load: posted, acknowledged, applied and shown, minute after minute.

Wanted on two cores, the generator among them: 2,000 resources a second for ten minutes with the last minute within a
tenth of the first, a worker in 150 MB, the writer flat in 500, all in 800. `python -m bench.sustained MINUTES [RATE]`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bench.history import Watch
from bench.http import answer, ended, memory, processes, requests_of, started, summary
from gateway.synthetic.bundles import stay_bundle
from gateway.synthetic.dice import Span
from gateway.synthetic.plan import plan_ordinary
from gateway.synthetic.scene import Hospital
from streaming.accounts import status, wait_idle
from tests.support.installation import FINESS, free_port, snds_gateway

MINUTES, RATE, SEED, CONNECTIONS = 1, 2_200, 20, 8
MINUTE_S = 60.0
RESOURCES = Span(42, 48)
LONGEST_S = 600.0


def body(number: int) -> tuple[bytes, int]:
    """Return the bundle of a stay that was never posted, and how many resources it has."""
    stay = replace(plan_ordinary(SEED, number), kind="ordinary")
    bundle = stay_bundle(SEED, Hospital(FINESS), stay, resources=RESOURCES)
    return orjson.dumps(bundle), len(bundle["entry"])


@dataclass(slots=True)
class Load:
    """A load at a steady rate of resources; `posted` and `taken` grow as it goes."""

    port: int
    key: str
    rate: int
    end: float
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    due: float = field(default_factory=time.perf_counter)
    posted: int = 0
    taken: list[float] = field(default_factory=list)

    async def client(self) -> None:
        """Post on one connection, each bundle when it is due; later when all connections are busy."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1024 * 1024)
        while (now := time.perf_counter()) < self.end:
            content, resources = body(next(self.numbers))
            due, self.due = self.due, max(self.due, now - 1) + resources / self.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            begun = time.perf_counter()
            writer.write(requests_of([content], self.key)[0])
            if (found := await answer(reader)) != 200:
                raise RuntimeError(f"answered {found}")
            self.taken.append(time.perf_counter() - begun)
            self.posted += resources
        writer.close()

    async def run(self) -> None:
        """Post from all connections until the end."""
        await asyncio.gather(*(self.client() for _ in range(CONNECTIONS)))


def minutes_of(load: Load, data_dir: Path, server: int, count: int) -> list[dict[str, Any]]:
    """Look at the chain at the end of each minute."""
    told, begun, before = [], time.perf_counter(), (0, 0, 0)
    writer, *workers = processes(server)
    for number in range(1, count + 1):
        time.sleep(max(0.0, begun + number * MINUTE_S - time.perf_counter()))
        now, posted, answers = status(data_dir), load.posted, len(load.taken)
        resources = (posted - before[0]) / max(1, answers - before[2])
        told.append({
            "posted_resources_per_s": round((posted - before[0]) / MINUTE_S),
            "applied_resources_per_s": round((now.applied - before[1]) * resources / MINUTE_S),
            "lag_events": now.lag,
            **summary(load.taken[before[2] : answers], MINUTE_S),
            "worker_rss_mib": max(memory(pid)["rss_mib"] for pid in workers),
            "writer_rss_mib": memory(writer)["rss_mib"],
        })  # fmt: skip
        before = (posted, now.applied, answers)
    return told


def measure(count: int, rate: int, data_dir: Path) -> dict[str, Any]:
    """Run the chain for some minutes, then wait until the lake shows everything."""
    snds_gateway("init", "--data-dir", str(data_dir), "--finess", FINESS, "--test-identities")
    port = free_port()
    server, _ = started(data_dir, port)
    key = (data_dir / "credentials" / f"{FINESS}.key").read_text().strip()
    load = Load(port, key, rate, time.perf_counter() + count * MINUTE_S + 1)
    generator = threading.Thread(target=lambda: uvloop.run(load.run()))
    watch = Watch(server.pid)
    try:
        watch.start()
        generator.start()
        told = minutes_of(load, data_dir, server.pid, count)
        generator.join()
        begun = time.perf_counter()
        if not wait_idle(data_dir, LONGEST_S):
            raise RuntimeError("not idle in time")
        idle_s, most = time.perf_counter() - begun, watch.end()
    finally:
        ended(server)
    now = status(data_dir)
    first, last = (told[place]["applied_resources_per_s"] for place in (0, -1))
    return {
        "minutes": told,
        "asked_resources_per_s": rate,
        "last_minute_of_first": round(last / first, 3) if first else None,
        "idle_after_s": round(idle_s, 1),
        "refused": now.refused,
        "stays": now.stays.written,
        "memory_mib": most,
    }


def main() -> int:
    """Measure."""
    given = [int(one) for one in sys.argv[1:3]]
    count, rate = (*given, *(MINUTES, RATE)[len(given) :])
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(count, rate, Path(folder) / "data")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
