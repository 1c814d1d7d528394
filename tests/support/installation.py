"""A real installation in a folder: the command line, the server as its own process group, HTTP, the lake.

Everything goes through what DESIGN §8 to §10 promises to the outside: paths, options, file names, JSON names.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import httpx

from tests.support.ports import free_port

__all__ = ["COMMAND", "FINESS", "Installation", "free_port", "snds_gateway"]
FINESS = "750712184"
COMMAND = (sys.executable, "-m", "gateway.cli.main")
READY_WITHIN_S = 300
ANSWER_WITHIN_S = 180  # the kernel may deal a connection to a worker that is still starting: it waits for it


def snds_gateway(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one command of the product as a user does."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=600, env=_environment(), check=False
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{arguments[0]} ended with {done.returncode}: {done.stdout}\n{done.stderr}")
    return done


class Installation:
    """One data directory and, while `serving`, its gateway on loopback."""

    def __init__(self, data_dir: Path, *init_options: str, made: bool = False) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.pid = 0
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self.command = COMMAND  # a test build has another
        self.environment: dict[str, str] = {}
        if not made:
            snds_gateway("init", "--data-dir", str(data_dir), "--finess", FINESS, *init_options)

    @classmethod
    def at(cls, data_dir: Path) -> Installation:
        """Return one that exists already."""
        return cls(data_dir, made=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def key(self, name: str = FINESS) -> str:
        return (self.data_dir / "credentials" / f"{name}.key").read_text().strip()

    @contextmanager
    def serving(self) -> Iterator[Installation]:
        """Run `serve` in its own process group; end it by its id."""
        with self.log.open("ab") as log:
            server = subprocess.Popen(
                [*self.command, "serve", "--data-dir", str(self.data_dir), "--port", str(self.port)],
                stdout=log,
                stderr=log,
                env=_environment() | self.environment,
                start_new_session=True,
            )
        self.pid = server.pid
        try:
            self._wait_ready(server)
            yield self
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()

    def client(self, name: str = FINESS) -> httpx.Client:
        return httpx.Client(
            base_url=self.url,
            timeout=ANSWER_WITHIN_S,
            headers={"Authorization": f"Bearer {self.key(name)}", "Content-Type": "application/fhir+json"},
        )

    def post(self, resource: dict[str, Any], path: str = "/fhir", *, name: str = FINESS) -> httpx.Response:
        with self.client(name) as client:
            return client.post(path, content=json.dumps(resource).encode())

    def wait_idle(self) -> dict[str, Any]:
        """Return the accounts once nothing is left to apply and the lake shows it."""
        done = snds_gateway("status", "--data-dir", str(self.data_dir), "--wait-idle", "300", "--format", "json")
        accounts: dict[str, Any] = json.loads(done.stdout)
        return accounts

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the lake as an analyst does: a read-only DuckDB file with views of the official names."""
        with duckdb.connect(str(self.data_dir / "lake" / "snds.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def every_byte(self) -> Iterator[tuple[Path, bytes]]:
        """Yield every file of the installation but its secrets, and the server's log; what goes meanwhile is gone."""
        files = [Path(folder, name) for folder, _, names in os.walk(self.data_dir) for name in names]
        for path in sorted(files):
            if path.is_file() and path.parent.name not in ("keys", "credentials"):
                with suppress(FileNotFoundError):
                    yield path, path.read_bytes()
        yield self.log, self.log.read_bytes()

    def _wait_ready(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise AssertionError(f"serve ended with {server.returncode}: {self.log.read_text()[-4000:]}")
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=10).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready within {READY_WITHIN_S} s: {self.log.read_text()[-4000:]}")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
