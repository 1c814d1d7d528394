"""`serve` as a process of its own: started in its own group, awaited until ready, ended by its id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from fhir_profiles.errors import Unavailable

READY_WITHIN_S = 180.0
POLL_S = 0.05
ENDS_WITHIN_S = 60.0  # its supervisor cuts what does not end after 24 s: we are not to be quicker
PID = "server.pid"
LOG = "server.log"
MODULE = "gateway.cli.main"


class Server:
    """A running gateway. `end` stops it; without that it outlives us."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = data_dir / LOG
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 — our own command
                [sys.executable, "-m", MODULE, "serve", "--data-dir", str(data_dir), "--port", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        (data_dir / PID).write_text(f"{self._process.pid}\n", encoding="utf-8")

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def wait_ready(self, *, wait: Callable[[float], None] = time.sleep) -> None:
        """Return when `/health/ready` answers 200. Raises Unavailable when it ended or took too long."""
        deadline = time.monotonic() + READY_WITHIN_S
        with httpx.Client(timeout=2.0, trust_env=False) as client:  # our own, whatever proxy the machine has
            while time.monotonic() < deadline:
                if self._process.poll() is not None:
                    raise Unavailable(f"serve-ended-{self._process.returncode}")
                try:
                    if client.get(f"{self.url}/health/ready").status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    pass
                wait(POLL_S)
        raise Unavailable("serve-not-ready")

    def end(self) -> None:
        """Ask it to finish what it has begun; after a while, kill its group."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def end_former(data_dir: Path, *, wait: Callable[[float], None] = time.sleep) -> None:
    """End the server that an earlier `demo --keep` left, if it still runs and is that one."""
    path = data_dir / PID
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8").strip()
    if not text.isdigit():
        return
    pid = int(text)
    command = Path(f"/proc/{pid}/cmdline")
    if not command.is_file():
        return
    words = command.read_bytes().decode(errors="replace").split("\0")
    if MODULE not in words or str(data_dir) not in words:
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + ENDS_WITHIN_S
    while _runs(command) and time.monotonic() < deadline:
        wait(POLL_S)


def _runs(command: Path) -> bool:
    """Say whether a process is there and has not ended: who ended and is not reaped has no words left."""
    try:
        return bool(command.read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def free_port(wanted: int) -> int:
    """Return the port, or a free one of the system's choice when somebody listens on it."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
