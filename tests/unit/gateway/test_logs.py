"""A log on a full disk harms nobody; what was lost is told once there is room."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import resource, sys
from gateway import logs
logs.configure("info", process="test")
logs.logger().info("before")
resource.setrlimit(resource.RLIMIT_FSIZE, (150, resource.RLIM_INFINITY))
for number in range(20):
    logs.logger().info("meanwhile", number=number)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for number in range(3):
    logs.logger().info("after")
"""


def test_a_log_that_cannot_be_written_fails_nobody_and_says_how_much_was_lost(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        done = subprocess.run([sys.executable, "-c", SCRIPT], stderr=stderr, timeout=600, check=False)

    lines = log.read_text().splitlines()
    said = []
    for line in lines:
        try:
            said.append(json.loads(line))
        except json.JSONDecodeError:  # the line that the disk cut
            continue
    assert done.returncode == 0
    assert said[0]["event"] == "before"
    assert said[-1]["event"] == "after"
    assert [one["lines"] > 0 for one in said if one["event"] == "log-lines-lost"] == [True]
