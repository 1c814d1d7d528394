"""Run measurements in a process of their own each, print one JSON object, keep it in `bench/results/`: a file a run.

All of them, or those that are named, with options where they take any: `sustained=10` (minutes), `history=20000`.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
LONGEST_S = 1800
PACKAGES = ("orjson", "duckdb", "pyarrow", "fastapi", "uvicorn", "uvloop", "httptools", "cryptography", "google-re2")


def measurements() -> list[str]:
    """Return the module names, in alphabetical order."""
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("__init__", "run"))


def machine() -> dict[str, object]:
    """Say what the figures were measured on: they mean nothing without it."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "build": sys.version,
        "versions": {name: version(name) for name in PACKAGES},
    }


def main() -> int:
    """Measure; a measurement that fails is reported as such and makes the exit code 1."""
    names = sys.argv[1:] or measurements()
    report: dict[str, object] = {"machine": machine()}
    failed = False
    for asked in names:
        name, _, options = asked.partition("=")
        command = [sys.executable, "-m", f"bench.{name}", *filter(None, options.split(","))]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
        except subprocess.TimeoutExpired:
            failed = True
            report[name] = {"failed": [f"not done after {LONGEST_S} s"]}
            continue
        if done.returncode == 0:
            report[name] = json.loads(done.stdout)
        else:
            failed = True
            report[name] = {"failed": done.stderr.strip().splitlines()[-1:]}
    text = json.dumps(report, indent=2, ensure_ascii=False)
    print(text)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / f"{datetime.now(UTC):%Y-%m-%dT%H%M}.json").write_text(text + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
