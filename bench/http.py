"""The gateway over HTTP, on this machine with its own load generator: throughput, latency, CPU a stage, memory, start.

Workload of performance.md §0: transaction bundles of about 45 resources and 105 KB. Every answer is checked.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvloop

from tests.support.installation import COMMAND, FINESS, free_port, snds_gateway

BUNDLES, SEED = 300, 20
CONNECTIONS = 8
SECONDS = 10.0
SMALL, SMALL_COPIES, SMALL_CONNECTIONS = 100, 150, 16
LINKS = ("encounter", "performer", "managingOrganization", "generalPractitioner", "specimen", "basedOn")
UNLOADED = 200


def started(data_dir: Path, port: int) -> tuple[subprocess.Popen[bytes], float]:
    """Start `serve`; return it and the seconds until it was ready."""
    begun = time.perf_counter()
    with (data_dir / "serve.log").open("ab") as log:
        server = subprocess.Popen(
            [*COMMAND, "serve", "--data-dir", str(data_dir), "--port", str(port)], stdout=log, stderr=log
        )
    with httpx.Client() as client:
        while server.poll() is None:
            try:
                if client.get(f"http://127.0.0.1:{port}/health/ready", timeout=1).status_code == httpx.codes.OK:
                    return server, time.perf_counter() - begun
            except httpx.TransportError:
                time.sleep(0.01)
    raise RuntimeError(f"serve ended with {server.returncode}")


def ended(server: subprocess.Popen[bytes]) -> None:
    """Stop it cleanly, or fail."""
    server.send_signal(signal.SIGTERM)
    if server.wait(20) != 0:
        raise RuntimeError(f"serve ended with {server.returncode}")


def requests_of(bodies: Sequence[bytes], key: str) -> list[bytes]:
    """Return whole HTTP requests, so that the generator only writes and reads."""
    head = (
        "POST /fhir HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nPrefer: {prefer}\r\n"
        "Content-Type: application/fhir+json\r\nContent-Length: {length}\r\n\r\n"
    )
    return [head.format(key=key, prefer="respond-async", length=len(body)).encode() + body for body in bodies]


def small_transactions(bodies: Sequence[bytes]) -> list[bytes]:
    """Return transactions of a Patient and an Observation, no two alike: each is an event of its own on the disk."""
    made = []
    for body in bodies:
        bundle = orjson.loads(body)
        of_type = {entry["resource"]["resourceType"]: entry for entry in reversed(bundle["entry"])}
        bundle["entry"] = [of_type["Patient"], of_type["Observation"]]
        for entry in bundle["entry"]:
            entry["resource"] = {name: one for name, one in entry["resource"].items() if name not in LINKS}
        made.append((orjson.dumps(bundle), of_type["Patient"]["resource"]["id"].encode()))
    return [body.replace(own, b"%s-%d" % (own, copy)) for copy in range(SMALL_COPIES) for body, own in made]


async def answer(reader: asyncio.StreamReader) -> int:
    """Read one answer; return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return status


async def client(port: int, requests: Sequence[bytes], *, until: Callable[[], bool]) -> list[float]:
    """Post one after the other; return the seconds each took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024 * 1024)
    taken: list[float] = []
    for request in requests:
        if until():
            break
        begun = time.perf_counter()
        writer.write(request)
        status = await answer(reader)
        taken.append(time.perf_counter() - begun)
        if status != 200:
            raise RuntimeError(f"answered {status}")
    writer.close()
    return taken


async def load(port: int, requests: Sequence[bytes], *, connections: int, seconds: float) -> dict[str, Any]:
    """Post from several connections for some seconds."""
    end = time.perf_counter() + seconds
    begun = time.perf_counter()
    shares = [requests[start::connections] * 100 for start in range(connections)]
    found = await asyncio.gather(*(client(port, one, until=lambda: time.perf_counter() > end) for one in shares))
    elapsed = time.perf_counter() - begun
    return summary([one for share in found for one in share], elapsed)


def summary(taken: list[float], elapsed: float) -> dict[str, Any]:
    """Sum up latencies."""
    taken.sort()
    return {
        "bundles": len(taken),
        "bundles_per_s": round(len(taken) / elapsed, 1),
        "p50_ms": round(taken[len(taken) // 2] * 1000, 2),
        "p99_ms": round(taken[int(len(taken) * 0.99)] * 1000, 2),
    }


def processes(supervisor: int) -> list[int]:
    """Return the children of the supervisor."""
    return [int(one) for one in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()]


def memory(pid: int) -> dict[str, int]:
    """Return RSS and the part of it that is the process's own, in MiB."""
    lines = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:] if ":" in line
    )
    mib = {name: int(value.split()[0]) // 1024 for name, value in lines.items()}
    return {"rss_mib": mib["Rss"], "own_mib": mib["Private_Dirty"] + mib["Private_Clean"], "pss_mib": mib["Pss"]}


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stages(bodies: Sequence[bytes], data_dir: Path) -> dict[str, float]:
    """Return µs a bundle of each stage, in this process."""
    from fhir_profiles.bundle import parse
    from fhir_profiles.values import RawBundle
    from gateway.answers import answer as answered
    from gateway.decision import Sender, decide
    from gateway.exchange import Target
    from gateway.house import load as load_house
    from gateway.settings import load_settings
    from transformers.deidentify.scrub import scrub

    house = load_house(load_settings(data_dir, {}))
    yardstick, contract = house.yardstick, house.access.contract(FINESS)
    assert contract is not None
    sender = Sender(contract, "main", house.access.keys[FINESS])
    now = datetime.now(UTC)

    def decided(body: bytes, *, placed: bool = False) -> Any:
        return decide(RawBundle(body), Target(), sender=sender, yardstick=yardstick, received_at=now, placed=placed)

    def validated(parsed: Any) -> Any:
        return yardstick.validator.validate(parsed, french_profiles=contract.french_profiles)

    def scrubbed(valid: Any) -> Any:
        return scrub(valid, contract=contract, source="main", keys=sender.keys, rules=yardstick.rules)

    parsed = [parse(body, yardstick.limits) for body in bodies]
    valid = [verdict.valid for verdict in map(validated, parsed) if verdict.valid is not None]
    decisions = [decided(body) for body in bodies]
    gc.collect()
    gc.freeze()
    gc.disable()
    return {
        "parse": micros(lambda one: parse(one, yardstick.limits), bodies),
        "validate": micros(validated, parsed),
        "scrub": micros(scrubbed, valid),
        "decide (all of these, provider, receipt, events)": micros(decided, bodies),
        "decide with lines and columns": micros(lambda one: decided(one, placed=True), bodies),
        "answer": micros(lambda one: answered(one, language="fr", preference=""), decisions),
        "answer, return=minimal": micros(lambda one: answered(one, language="fr", preference="minimal"), decisions),
        "accepted_share": round(len(valid) / len(parsed), 3),
    }


def micros(work: Callable[[Any], object], inputs: Sequence[Any]) -> float:
    """Return the median over three rounds of the mean µs an input takes."""
    rounds = []
    for _ in range(3):
        begun = time.perf_counter()
        for one in inputs:
            work(one)
        rounds.append((time.perf_counter() - begun) / len(inputs) * 1e6)
    return round(statistics.median(rounds), 1)


def main() -> int:
    """Measure."""
    from gateway.synthetic.bundles import workload

    bodies = list(workload(SEED, BUNDLES))
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        snds_gateway("init", "--data-dir", str(data_dir), "--finess", FINESS, "--test-identities")
        port = free_port()
        server, cold_s = started(data_dir, port)
        ended(server)
        server, warm_s = started(data_dir, port)
        key = (data_dir / "credentials" / f"{FINESS}.key").read_text().strip()
        requests = requests_of(bodies, key)
        writer, *workers = processes(server.pid)
        uvloop.run(load(port, requests, connections=CONNECTIONS, seconds=2))
        quiet = uvloop.run(load(port, requests[:UNLOADED], connections=1, seconds=5))
        before = {pid: cpu_s(pid) for pid in (*workers, writer)}
        loaded = uvloop.run(load(port, requests, connections=CONNECTIONS, seconds=SECONDS))
        after = {pid: cpu_s(pid) - before[pid] for pid in before}
        small = requests_of(small_transactions(bodies[:SMALL]), key)
        durable = uvloop.run(load(port, small, connections=SMALL_CONNECTIONS, seconds=SECONDS / 2))
        report = {
            "workload": {"bundles": len(bodies), "bytes_per_bundle": round(statistics.mean(map(len, bodies)))},
            "ready_s": {"first": round(cold_s, 2), "warm": round(warm_s, 2)},
            "unloaded": quiet,
            f"loaded_{CONNECTIONS}_connections": loaded,
            f"small_durable_transactions_{SMALL_CONNECTIONS}_connections": durable,
            "worker_cpu_us_per_bundle": round(sum(after[pid] for pid in workers) / loaded["bundles"] * 1e6),
            "writer_cpu_s": round(after[writer], 2),
            "workers": [memory(pid) for pid in workers],
            "writer": memory(writer),
        }
        ended(server)
        report["cpu_us_per_bundle"] = stages(bodies[:100], data_dir)
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
