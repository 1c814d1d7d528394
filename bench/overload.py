"""A flood: one hospital keeps 500 connections posting 1 MB bundles while another sends one small bundle a second.

Says what was refused, how fast, what the other hospital noticed, how much memory it took, and that what was
acknowledged is stored (promises P1, P8). On this machine the flood takes much of the two processors too: how late its
own event loop runs is told beside what it measured, a client of its own process, which only waits, measures again, and
the gateway's log says how long a refusal took from its headers to its audited answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bench.http import ended, memory, processes, requests_of, started, summary
from tests.support.installation import FINESS, free_port, snds_gateway

OTHER = "690781810"
CONNECTIONS = 500
SECONDS = float(os.environ.get("OVERLOAD_SECONDS", "20"))
TICK_S = 0.02
BYTES = 1_000_000
SMALL = 20_000
REFUSED = (429, 503)


class Seen:
    """What the clients of one hospital saw."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.accepted: list[float] = []
        self.refused: list[float] = []

    def note(self, status: int, seconds: float) -> None:
        """Keep one answer."""
        self.statuses[status] += 1
        (self.accepted if status == 200 else self.refused).append(seconds)


def bundle_of(size: int, finess: str) -> bytes:
    """Return a transaction of about `size` bytes: observations of one patient."""
    subject = {"reference": "Patient/p"}
    entries: list[dict[str, Any]] = [_entry({"resourceType": "Patient", "id": "p", "gender": "female"})]
    length = 200
    while length < size:
        number = len(entries)
        observation = {
            "resourceType": "Observation", "id": f"{finess}-{number}", "status": "final", "subject": subject,
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
            "effectiveDateTime": "2024-03-01T08:00:00+01:00",
            "valueQuantity": {"value": 13.5, "system": "http://unitsofmeasure.org", "code": "g/dL"},
            "note": [{"text": "x" * 1500}],
        }  # fmt: skip
        entries.append(_entry(observation))
        length += len(orjson.dumps(entries[-1])) + 1
    return orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _entry(resource: dict[str, Any]) -> dict[str, Any]:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": f"https://his.example/{url}", "resource": resource, "request": {"method": "PUT", "url": url}}


async def flood(port: int, request: bytes, seen: Seen, *, until: float, pause: float = 0.0) -> None:
    """Post again and again, a new connection after each refusal, as clients do."""
    while time.perf_counter() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            seen.statuses[0] += 1
            await asyncio.sleep(0.1)
            continue
        try:
            while time.perf_counter() < until:
                begun = time.perf_counter()
                status, closes = await _post(reader, writer, request)
                seen.note(status, time.perf_counter() - begun)
                await asyncio.sleep(pause if status == 200 else max(pause, 1.0))
                if closes:
                    break
        except (OSError, asyncio.IncompleteReadError):
            seen.statuses[0] += 1
        finally:
            writer.close()


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bool]:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12]), b"connection: close" in lower


async def late(taken: list[float], *, until: float) -> None:
    """Note how much later than asked this event loop wakes: what it measures is that much too long."""
    while time.perf_counter() < until:
        begun = time.perf_counter()
        await asyncio.sleep(TICK_S)
        taken.append(time.perf_counter() - begun - TICK_S)


def apart(port: int, request: bytes, seconds: float) -> Seen:
    """Post one request after the other from a process of its own, each on a new connection."""

    async def alone(seen: Seen) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            begun = time.perf_counter()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                status, _ = await _post(reader, writer, request)
            except (OSError, asyncio.IncompleteReadError):
                seen.statuses[0] += 1
                continue
            seen.note(status, time.perf_counter() - begun)
            writer.close()
            await asyncio.sleep(TICK_S)

    seen = Seen()
    uvloop.run(alone(seen))
    return seen


async def measure(
    port: int, big: bytes, small: bytes, supervisor: int, *, delays: list[float]
) -> tuple[Seen, Seen, int]:
    """Run both hospitals; return what they saw and the most memory of all processes together."""
    until = time.perf_counter() + SECONDS
    a, b = Seen(), Seen()
    most = 0
    ticker = asyncio.create_task(late(delays, until=until))
    clients = [asyncio.create_task(flood(port, big, a, until=until)) for _ in range(CONNECTIONS)]
    clients.append(asyncio.create_task(flood(port, small, b, until=until, pause=1.0)))
    while time.perf_counter() < until:
        most = max(most, sum(memory(pid)["pss_mib"] for pid in (supervisor, *processes(supervisor))))
        await asyncio.sleep(0.5)
    await ticker
    await asyncio.wait(clients, timeout=30)
    for one in clients:
        one.cancel()
    return a, b, most


def stored(data_dir: Path) -> int:
    """Return how many events the log holds."""
    with sqlite3.connect(f"file:{data_dir / 'events.sqlite'}?mode=ro", uri=True) as log:
        return int(log.execute("SELECT count(*) FROM event").fetchone()[0])


def logged(log: Path) -> dict[str, Any] | None:
    """Sum up the refusals as the gateway's own log tells them."""
    lines = (orjson.loads(line) for line in log.read_bytes().splitlines() if line.startswith(b"{"))
    taken = [one["ms"] / 1000 for one in lines if one.get("event") == "request" and one["status"] in REFUSED]
    return summary(taken, SECONDS) if taken else None


def told(seen: Seen) -> dict[str, Any]:
    """Sum up what a hospital saw."""
    total = sum(seen.statuses.values())
    return {
        "requests": total,
        "statuses": {str(status): number for status, number in sorted(seen.statuses.items())},
        "success": round(seen.statuses[200] / max(total, 1), 3),
        "accepted": summary(seen.accepted, SECONDS) if seen.accepted else None,
        "refused": summary(seen.refused, SECONDS) if seen.refused else None,
    }


def main() -> int:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        options = ("--data-dir", str(data_dir), "--french-profiles", "declared")
        snds_gateway("init", "--finess", FINESS, *options)
        snds_gateway("hospital", "add", "--finess", OTHER, *options)
        port = free_port()
        server, _ = started(data_dir, port)
        keys = [(data_dir / "credentials" / f"{one}.key").read_text().strip() for one in (FINESS, OTHER)]
        [big] = requests_of([bundle_of(BYTES, FINESS)], keys[0])
        [small] = requests_of([bundle_of(SMALL, OTHER)], keys[1])
        delays: list[float] = []
        load = round(os.getloadavg()[0], 1)  # what others took of the processors: latencies mean nothing without it
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
            elsewhere.submit(int).result()
            watching = elsewhere.submit(apart, port, small.replace(keys[1].encode(), keys[0].encode()), SECONDS)
            a, b, most = uvloop.run(measure(port, big, small, server.pid, delays=delays))
            alone = watching.result()
        ended(server)
        acknowledged = a.statuses[200] + b.statuses[200] + alone.statuses[200]
        report = {
            "load_average_of_the_machine_before": load,
            "connections": CONNECTIONS,
            "seconds": SECONDS,
            "flooding_hospital": told(a),
            "other_hospital": told(b),
            "same_hospital_from_a_process_that_only_waits": told(alone),
            "refusals_as_the_gateway_logs_them": logged(data_dir / "serve.log"),
            "the_flood_s_own_delay": summary(delays, SECONDS),
            "most_memory_of_all_processes_mib": most,
            "acknowledged": acknowledged,
            "stored_at_least_as_many": stored(data_dir) >= acknowledged,
        }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
