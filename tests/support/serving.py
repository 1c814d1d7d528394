"""`serve` to be hit in all its processes, clients that post meanwhile, and what the log holds of their answers."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from gateway.audit import audit_digest
from gateway.audit_check import read_chains
from tests.support.installation import COMMAND, Installation
from tests.support.posted import bundle, patient, put
from transformers.deidentify.keys import read_key

WITHIN_S = 300.0
ASKED = 12


def until(condition: Callable[[], bool]) -> None:
    """Return once a condition holds; fail when it never does."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def command_of(pid: int) -> bytes:
    """Return what a process was started with, nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


class Serving:
    """`serve` as a child of ours, to be hit in all its processes."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.log = installation.log.open("ab")
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--data-dir", str(installation.data_dir), "--port", str(installation.port)],
            stdout=self.log, stderr=self.log, start_new_session=True,
        )  # fmt: skip
        for _ in range(ASKED):  # the kernel deals connections out: one that nobody takes yet waits for its worker
            until(self.is_ready)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.installation.url}/health/ready", timeout=30).status_code == 200
        except httpx.TransportError:
            return False

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def workers(self) -> list[int]:
        commands = {pid: command_of(pid) for pid in self.children()}
        return [pid for pid, command in commands.items() if command and b"tables" not in command]

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=300)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait()
        finally:
            self.log.close()


@contextmanager
def serving(tmp_path: Path) -> Iterator[Serving]:
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    running = Serving(installation)
    try:
        yield running
    finally:
        running.end()


class Load:
    """Clients that post one bundle after the other until told to stop; each keeps the receipts that it got."""

    def __init__(self, installation: Installation, clients: int = 4) -> None:
        self.installation = installation
        self.receipts: set[str] = set()
        self.statuses: set[int] = set()
        self.failures: Counter[str] = Counter()
        self.stop = threading.Event()
        self.pool = ThreadPoolExecutor(clients)
        self.clients = [self.pool.submit(self._post, number) for number in range(clients)]

    def _post(self, number: int) -> None:
        sent = 0
        while not self.stop.is_set():
            sent += 1
            name = f"load-{number}-{sent}"
            entry = put(patient(name), fullUrl=f"https://his.example/fhir/Patient/{name}")
            try:
                answer = self.installation.post(bundle("transaction", entry))
            except httpx.TransportError as failure:  # nothing was acknowledged
                self.failures[type(failure).__name__] += 1
                continue
            self.statuses.add(answer.status_code)
            if answer.status_code == 200:
                self.receipts.add(answer.headers["Gateway-Receipt"])

    def end(self) -> None:
        self.stop.set()
        for one in self.clients:
            one.result()
        self.pool.shutdown()


def stored_receipts(installation: Installation) -> set[str]:
    """The receipts whose every event stands in the log, found by way of the audit."""
    digest = audit_digest(read_key(installation.data_dir / "keys" / "ledger.key"))
    with sqlite3.connect(f"file:{installation.data_dir / 'events.sqlite'}?mode=ro", uri=True) as log:
        events = {json.loads(headers)["ce_id"] for (headers,) in log.execute("SELECT headers FROM event")}
    return {
        entry["receipt"]
        for chain in read_chains(installation.data_dir, digest)
        for entry in chain.entries
        if entry.get("events") and set(entry["events"]) <= events
    }
