"""The commands of the README run as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.installation import free_port

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[2]


def test_the_readme_commands_lead_from_nothing_to_an_answer(tmp_path: Path) -> None:
    section = (PROJECT / "README.md").read_text(encoding="utf-8").split("## Try it", 1)[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    port = str(free_port())
    commands = [
        line.replace("8080", port)
        .replace("serve --data-dir data", f"serve --data-dir data --port {port}")
        .replace("--wait-idle 30", "--wait-idle 300")
        for line in block.group(1).splitlines()
        if not line.startswith("make install")
    ]
    wait = (
        f"for i in $(seq 300); do {sys.executable} -c \"import httpx; httpx.get('http://127.0.0.1:{port}/health/ready')"
        '.raise_for_status()" 2>/dev/null && break; done'
    )
    served = next(number for number, line in enumerate(commands) if " serve " in line)
    commands.insert(served + 1, wait)
    pushed = next(number for number, line in enumerate(commands) if " push " in line)
    commands[pushed] = commands[pushed].partition("#")[0] + "|| [ $? = 1 ]"  # one bundle is wrong on purpose
    script = "\n".join(["set -e", "trap 'kill %1; wait' EXIT", *commands])

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "DGN_PAL" in done.stdout, done.stdout + done.stderr
