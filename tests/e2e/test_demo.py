"""`snds-gateway demo`: the whole line runs, its accounts are what was planted, and it may be run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.installation import COMMAND, free_port, snds_gateway

pytestmark = pytest.mark.slow
STAYS = 40


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return snds_gateway(
        "demo", "--data-dir", str(folder), "--stays", str(STAYS), "--port", str(free_port()), *options, check=False
    )


def test_the_demonstration_ends_well_shows_its_steps_and_may_be_run_again(tmp_path: Path) -> None:
    for _ in range(2):
        done = demo(tmp_path / "demo")

        assert done.returncode == 0, done.stdout + done.stderr
        assert "≠" not in done.stdout, done.stdout
        for shown in ("entries received", "ligne", "T_MCOaaB", "SELECT", "men", "snds.duckdb", "snds-gateway sql"):
            assert shown in done.stdout, done.stdout


def test_the_demonstration_removes_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")

    done = demo(tmp_path)

    assert done.returncode == 78
    assert (tmp_path / "mine").read_text() == "kept"
    assert len(list(tmp_path.iterdir())) == 1


def test_with_keep_the_server_stays_up_and_the_next_demonstration_ends_it(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = demo(folder, "--keep")
    pid = int((folder / "server.pid").read_text())
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        url = next(word for word in done.stdout.split() if word.startswith("http://127.0.0.1:"))
        assert httpx.get(f"{url}/health/ready", timeout=180).status_code == 200
        assert COMMAND[2] in Path(f"/proc/{pid}/cmdline").read_text().split("\0")

        assert demo(folder).returncode == 0
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/health/ready", timeout=60)
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            if COMMAND[2] in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGTERM)


def test_the_accounts_of_the_demonstration_close(tmp_path: Path) -> None:
    demo(tmp_path / "demo")
    now = json.loads(snds_gateway("status", "--data-dir", str(tmp_path / "demo"), "--format", "json").stdout)
    planted = json.loads((tmp_path / "demo" / "bundles" / "manifest.json").read_text())["expected"]

    assert now["received"] == now["published"] + now["refused"] + now["suppressed"] == planted["received"]
    assert now["events"] == now["applied"] + now["duplicates"] + now["dead_letters"] + now["lag"]
    assert {name: now["stays"][name] for name in planted["stays"]} == planted["stays"]
