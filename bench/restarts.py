"""The gateway is stopped and started again under load, 20 times: what clients saw; what was acknowledged is kept.

Promise P11; the test suite does it five times.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from tests.support.installation import Installation
from tests.support.serving import Load, Serving, stored_receipts, until

RESTARTS = 20
ACCEPTED_BETWEEN = 10


def main() -> int:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        installation = Installation(Path(folder) / "data", "--test-identities", "--french-profiles", "declared")
        running = Serving(installation)
        load = Load(installation)
        codes, stops, starts = [], [], []
        for _ in range(RESTARTS):
            before = len(load.receipts)
            until(lambda before=before: len(load.receipts) >= before + ACCEPTED_BETWEEN)  # type: ignore[misc]
            begun = time.perf_counter()
            codes.append(running.end())
            stops.append(time.perf_counter() - begun)
            running = Serving(installation)
            starts.append(time.perf_counter() - begun - stops[-1])
        load.end()
        codes.append(running.end())
        missing = load.receipts - stored_receipts(installation)
    report = {
        "restarts": RESTARTS,
        "exit_codes": sorted(set(codes)),
        "statuses_seen": sorted(load.statuses),
        "connections_that_failed": dict(load.failures),
        "acknowledged": len(load.receipts),
        "acknowledged_and_not_stored": len(missing),
        "slowest_stop_s": round(max(stops), 2),
        "slowest_start_s": round(max(starts), 2),
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
