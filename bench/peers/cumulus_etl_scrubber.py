"""The scrubber of cumulus-etl on the same resources, in a virtual environment of its own: the peer of `bench.scrub`.

Run by that environment's Python with -I, never imported by ours. In: one resource a line. Out: one JSON object.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from importlib.metadata import version

from cumulus_etl.deid.scrubber import Scrubber  # type: ignore[import-not-found,unused-ignore]

ROUNDS = 7


def main() -> int:
    """Measure reading and scrubbing, as `bench.scrub` does: CPU time, collector off, the best round of some."""
    lines = sys.stdin.buffer.read().splitlines()
    scrubber = Scrubber()
    gc.collect()
    gc.freeze()
    gc.disable()
    rounds, kept = [], 0
    for _ in range(ROUNDS):
        start = time.process_time()
        kept = sum(scrubber.scrub_resource(json.loads(line)) for line in lines)
        rounds.append(time.process_time() - start)
    print(json.dumps({
        "version": version("cumulus-etl"),
        "resources": len(lines),
        "kept": kept,
        "us_per_resource": round(min(rounds) / len(lines) * 1e6, 2),
        "read_and_scrub_resources_per_s": round(len(lines) / min(rounds)),
    }))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
