"""Does memory stay flat? Requests of every kind, each process's memory after a fifth of them and at the end.

As fast as it goes by itself; `python -m bench.soak --minutes 30 --per-second 20` is the soak before a release.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
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


async def client(port: int, requests: list[bytes], statuses: Counter[int], *, each_s: float) -> None:
    """Post one after the other, one each `each_s` seconds, on a new connection where the last one was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    due = time.monotonic()
    for request in requests:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due += each_s
        try:
            writer.write(request)
            statuses[await answer(reader)] += 1
        except (OSError, asyncio.IncompleteReadError):  # closed after the answer before
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            statuses[await answer(reader)] += 1
    writer.close()


async def post(port: int, requests: list[bytes], statuses: Counter[int], *, per_s: float) -> None:
    """Post from several connections, `per_s` requests a second in all (0: as fast as it goes)."""
    shares = [requests[start::CONNECTIONS] for start in range(CONNECTIONS)]
    each_s = CONNECTIONS / per_s if per_s else 0.0
    await asyncio.gather(*(client(port, share, statuses, each_s=each_s) for share in shares))


def weighed(pids: list[int]) -> list[dict[str, int]]:
    """Return the memory of each process, MiB."""
    return [memory(pid) for pid in pids]


def grown(early: list[dict[str, int]], late: list[dict[str, int]], name: str) -> float:
    """Return by how much the sum of a kind of memory grew, as a share."""
    return round(sum(one[name] for one in late) / sum(one[name] for one in early) - 1, 3)


def main() -> int:
    """Measure."""
    options = argparse.ArgumentParser()
    options.add_argument("--minutes", type=float, default=0.0)
    options.add_argument("--per-second", type=float, default=20.0)
    asked = options.parse_args()
    per_s = asked.per_second if asked.minutes else 0.0
    number = int(asked.minutes * 60 * per_s) or REQUESTS
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        snds_gateway("init", "--data-dir", str(data_dir), "--finess", FINESS, "--french-profiles", "declared")
        port = free_port()
        server, _ = started(data_dir, port)
        key = (data_dir / "credentials" / f"{FINESS}.key").read_text().strip()
        requests = list(islice(cycle(mixture(key)), number))
        writer, *workers = processes(server.pid)
        statuses: Counter[int] = Counter()
        begun = time.monotonic()
        uvloop.run(post(port, requests[: number // 5], statuses, per_s=per_s))
        early, early_writer = weighed(workers), weighed([writer])
        uvloop.run(post(port, requests[number // 5 :], statuses, per_s=per_s))
        late, late_writer = weighed(workers), weighed([writer])
        seconds = time.monotonic() - begun
        same = processes(server.pid) == [writer, *workers]
        ended(server)
    print(
        json.dumps(
            {
                "requests": number,
                "seconds": round(seconds),
                "statuses": {str(status): one for status, one in sorted(statuses.items())},
                "no_process_was_started_anew": same,
                "workers_after_a_fifth": early,
                "workers_at_the_end": late,
                "growth_of_own_memory": grown(early, late, "own_mib"),
                "growth_of_rss": grown(early, late, "rss_mib"),
                "writer_after_a_fifth": early_writer,
                "writer_at_the_end": late_writer,
                "growth_of_writer_rss": grown(early_writer, late_writer, "rss_mib"),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
