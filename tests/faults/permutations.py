"""Permutations and repetitions of a story, many more than in the test (`--times 500`): one JSON line. Promise: P5.

Says how many were tried and whether any gave other tables.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
TEST = "tests/unit/streaming/test_convergence.py::test_permutations_and_repetitions_converge"


def main() -> int:
    """Run the test with so many examples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=500)
    times, began = parser.parse_args().times, time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST],
        cwd=PROJECT, env={**os.environ, "PERMUTATIONS": str(times)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    line = {
        "campaign": "permutations", "examples": times, "wrong": int(done.returncode != 0),
        "seconds": round(time.monotonic() - began),
    }  # fmt: skip
    print(json.dumps(line), flush=True)
    if done.returncode != 0:
        print(done.stdout[-4000:], file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
