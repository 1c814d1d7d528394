"""A history load through the embedded chain: stays with about 100 clinical events, posted to applied and published.

Wanted: 20,000 stays with 2,000,000 clinical rows on two cores within 3 minutes, 800 MB in all. The usual run is a
twentieth (the rate counts), `python -m bench.history 20000` the whole. The generator shares the cores.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import orjson
import uvloop

from bench.http import client, cpu_s, ended, memory, processes, requests_of, started
from gateway.synthetic.bundles import stay_bundle
from gateway.synthetic.dice import Span
from gateway.synthetic.plan import plan_ordinary
from gateway.synthetic.scene import Hospital
from streaming.accounts import status, wait_idle
from streaming.lake import DATABASE
from tests.support.installation import FINESS, free_port, snds_gateway

STAYS, SEED, CONNECTIONS = 1_000, 20, 6
EVENTS = Span(113, 121)
LONGEST_S = 1_200.0


def bodies(number: int) -> list[bytes]:
    """Return one bundle a stay."""
    hospital = Hospital(FINESS)
    stays = (replace(plan_ordinary(SEED, index), kind="ordinary") for index in range(number))
    return [orjson.dumps(stay_bundle(SEED, hospital, stay, resources=EVENTS)) for stay in stays]


class Watch(threading.Thread):
    """Remembers the largest memory of all processes together (shared pages counted once)."""

    def __init__(self, supervisor: int) -> None:
        super().__init__(daemon=True)
        self._supervisor = supervisor
        self._over = threading.Event()
        self.most_mib = 0

    def run(self) -> None:
        """Look twice a second."""
        while not self._over.wait(0.5):
            pids = [self._supervisor, *processes(self._supervisor)]
            self.most_mib = max(self.most_mib, sum(memory(pid)["pss_mib"] for pid in pids))

    def end(self) -> int:
        """Stop looking; return the largest."""
        self._over.set()
        self.join()
        return self.most_mib


async def post(port: int, requests: Sequence[bytes]) -> None:
    """Post everything once, from several connections."""
    shares = [requests[start::CONNECTIONS] for start in range(CONNECTIONS)]
    await asyncio.gather(*(client(port, share, until=lambda: False) for share in shares))


def counted(data_dir: Path) -> dict[str, int]:
    """Return the rows of the published lake: all, and clinical ones."""
    with duckdb.connect(str(data_dir / "lake" / DATABASE), read_only=True) as lake:
        names = [name for (name,) in lake.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
        rows = {name: int(lake.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0]) for name in names}
    clinical = ("BIO", "CST", "ADM", "PRE")
    return {"rows": sum(rows.values()), "clinical_rows": sum(n for name, n in rows.items() if name.endswith(clinical))}


def measure(number: int, data_dir: Path) -> dict[str, Any]:
    """Load a history and wait until the lake shows it."""
    snds_gateway("init", "--data-dir", str(data_dir), "--finess", FINESS, "--test-identities")
    port = free_port()
    server, _ = started(data_dir, port)
    try:
        requests = requests_of(bodies(number), (data_dir / "credentials" / f"{FINESS}.key").read_text().strip())
        watch = Watch(server.pid)
        watch.start()
        begun = time.perf_counter()
        uvloop.run(post(port, requests))
        posted_s = time.perf_counter() - begun
        if not wait_idle(data_dir, LONGEST_S):
            raise RuntimeError("not idle in time")
        whole_s = time.perf_counter() - begun
        most = watch.end()
        writer, *workers = (cpu_s(pid) for pid in processes(server.pid))
    finally:
        ended(server)
    found = counted(data_dir)
    now = status(data_dir)
    return found | {
        "stays": now.stays.written,
        "refused": now.refused,
        "posted_s": round(posted_s, 1),
        "whole_s": round(whole_s, 1),
        "clinical_rows_per_s": round(found["clinical_rows"] / whole_s),
        "minutes_for_two_million": round(2e6 / (found["clinical_rows"] / whole_s) / 60, 1),
        "writer_cpu_us_a_row": round(writer / found["rows"] * 1e6),
        "worker_cpu_us_a_row": round(sum(workers) / found["rows"] * 1e6),
        "memory_mib": most,
    }


def main() -> int:
    """Measure."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else STAYS
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(number, Path(folder) / "data")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
