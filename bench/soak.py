"""Does a worker's memory stay flat? Requests of every kind, its own memory after a fifth of them and at the end."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

import uvloop

from bench.http import answer, ended, memory, processes, requests_of, started
from bench.overload import bundle_of
from tests.support.installation import FINESS, free_port, snds_gateway

REQUESTS = 6000
CONNECTIONS = 6


def mixture(key: str) -> list[bytes]:
    """Good bundles of several sizes, refused ones, broken ones, unknown callers."""
    good = [bundle_of(size, FINESS) for size in (2_000, 20_000, 60_000)]
    wrong = good[0].replace(b'"female"', b'"femme"')
    known = requests_of([*good, wrong, b'{"resourceType":', b"[" * 5000], key)
    return [*known, *requests_of([good[0]], "sgk_00000000_" + "A" * 43)]


async def client(port: int, requests: list[bytes], statuses: Counter[int]) -> None:
    """Post one after the other, on a new connection where the last one was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        try:
            writer.write(request)
            statuses[await answer(reader)] += 1
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def post(port: int, requests: list[bytes], statuses: Counter[int]) -> None:
    """Post from several connections."""
    shares = [requests[start::CONNECTIONS] for start in range(CONNECTIONS)]
    await asyncio.gather(*(client(port, share, statuses) for share in shares))


def main() -> int:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        snds_gateway("init", "--data-dir", str(data_dir), "--finess", FINESS, "--french-profiles", "declared")
        port = free_port()
        server, _ = started(data_dir, port)
        key = (data_dir / "credentials" / f"{FINESS}.key").read_text().strip()
        requests = list(islice(cycle(mixture(key)), REQUESTS))
        _, *workers = processes(server.pid)
        statuses: Counter[int] = Counter()
        uvloop.run(post(port, requests[: REQUESTS // 5], statuses))
        early = [memory(pid)["own_mib"] for pid in workers]
        uvloop.run(post(port, requests[REQUESTS // 5 :], statuses))
        late = [memory(pid)["own_mib"] for pid in workers]
        ended(server)
    print(
        json.dumps(
            {
                "requests": REQUESTS,
                "statuses": {str(status): number for status, number in sorted(statuses.items())},
                "own_mib_after_a_fifth": early,
                "own_mib_at_the_end": late,
                "growth": round(sum(late) / sum(early) - 1, 3),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
