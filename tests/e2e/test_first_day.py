"""The first day of an operator, as the guide has it: one script, an empty folder, a bundle in PostgreSQL over TLS."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support import kafka_broker, postgres_server
from tests.support.installation import FINESS, free_port

PROJECT = Path(__file__).resolve().parents[2]
PORTS = ("HTTP_PORT", "KAFKA_PORT", "CONTROLLER_PORT", "POSTGRES_PORT")


def missing() -> str | None:
    """Say in one line what is missing, or None."""
    without = next((f"no {name}" for name in ("openssl", "curl", "setpriv") if shutil.which(name) is None), None)
    return kafka_broker.missing() or postgres_server.missing() or without


pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=missing() or "")]


def test_an_empty_folder_becomes_the_whole_line_over_tls_and_leaves_nothing_running() -> None:
    ports = {name: str(free_port()) for name in PORTS}
    with tempfile.TemporaryDirectory(prefix="snds-first-day-") as above:
        Path(above).chmod(0o711)  # PostgreSQL's own user passes through
        folder = Path(above) / "first-day"
        done = subprocess.run(
            ["sh", str(PROJECT / "deploy" / "first-day.sh"), str(folder)],
            env=os.environ | ports, capture_output=True, text=True, timeout=1200, check=False,
        )  # fmt: skip

        logs = {path.name: path.read_text(errors="replace") for path in (folder / "logs").glob("*")}
        assert done.returncode == 0, done.stdout + done.stderr + logs.get("gateway", "")[-2000:]
        assert "1 stay of exit year 2025 in PostgreSQL" in done.stdout
        password = (folder / "postgres-password").read_text().strip()
        key = (folder / "gateway" / "credentials" / f"{FINESS}.key").read_text().strip()
        assert not (folder / "gateway" / "keys" / "tables.key").exists()
        assert all(secret not in text for secret in (password, key) for text in (*logs.values(), done.stdout))
    for port in ports.values():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(port)), timeout=5)


def test_the_guides_show_the_script_as_it_is_called() -> None:
    script = (PROJECT / "deploy" / "first-day.sh").read_text(encoding="utf-8")
    [shown] = re.findall(r"^#   (sh deploy/first-day\.sh \S+)", script, re.MULTILINE)

    for page in ("operation.md", "exploitation.md"):
        assert shown in (PROJECT / "docs" / page).read_text(encoding="utf-8")
