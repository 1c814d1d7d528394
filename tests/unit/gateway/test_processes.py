"""Processes die, stop and lose what they stand on; what was acknowledged is stored, and health tells the truth."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.audit import audit_digest
from gateway.audit_check import read_chains
from tests.support.installation import COMMAND, Installation, snds_gateway
from tests.support.posted import bundle, patient, put
from transformers.deidentify.keys import read_key

pytestmark = pytest.mark.slow

WITHIN_S = 30.0
RESTARTS = 5


def until(condition: Callable[[], bool]) -> None:
    """Return once a condition holds; fail when it never does."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


class Serving:
    """`serve` as a child of ours, to be hit in all its processes."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.log = installation.log.open("ab")
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--data-dir", str(installation.data_dir), "--port", str(installation.port)],
            stdout=self.log, stderr=self.log, start_new_session=True,
        )  # fmt: skip
        until(self.is_ready)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.installation.url}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def workers(self) -> list[int]:
        return [pid for pid in self.children() if b"tables" not in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
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
            except httpx.TransportError:
                continue  # refused or cut: nothing was acknowledged
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


def test_a_clean_stop_under_load_ends_with_0_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        load = Load(running.installation)
        until(lambda: len(load.receipts) > 40)

        code = running.end()
        load.end()

        assert code == 0
        assert load.statuses <= {200, 503}
        assert load.receipts <= stored_receipts(running.installation)
        digest = audit_digest(read_key(running.installation.data_dir / "keys" / "ledger.key"))
        ends = [chain.entries[-1]["action"] for chain in read_chains(running.installation.data_dir, digest)]
        assert set(ends) == {"closed"}


def test_restarts_under_load_show_clients_2xx_503_or_a_refused_connection_only(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    running = Serving(installation)
    load = Load(installation)
    codes = []
    for _ in range(RESTARTS):
        before = len(load.receipts)
        until(lambda before=before: len(load.receipts) > before + 10)
        codes.append(running.end())
        running = Serving(installation)
    load.end()
    codes.append(running.end())

    assert codes == [0] * (RESTARTS + 1)
    assert load.statuses <= {200, 503}
    assert load.receipts <= stored_receipts(installation)


def test_killed_workers_come_back_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        load = Load(running.installation)
        for _ in range(3):
            before = len(load.receipts)
            until(lambda before=before: len(load.receipts) > before + 20)
            os.kill(running.workers()[0], signal.SIGKILL)
            until(lambda: len(running.workers()) == 2)
        load.end()

        assert running.is_ready()
        assert load.statuses <= {200, 503}
        assert load.receipts <= stored_receipts(running.installation)
        accounts = running.installation.wait_idle()
        assert accounts["received"] == accounts["published"] + accounts["refused"] + accounts["suppressed"]


def test_the_table_writer_comes_back_and_the_gateway_goes_on_meanwhile(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        [writer] = set(running.children()) - set(running.workers())
        os.kill(writer, signal.SIGKILL)
        entry = put(patient("w"), fullUrl="https://his.example/fhir/Patient/w")

        assert running.installation.post(bundle("transaction", entry)).status_code == 200
        assert running.installation.wait_idle()["applied"] == 1


def test_workers_and_the_table_writer_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        children = running.children()
        running.process.kill()
        running.process.wait()

        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))


def test_a_second_serve_on_the_same_folder_does_not_start(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        done = snds_gateway("serve", "--data-dir", str(running.installation.data_dir), "--port", "1", check=False)

        assert done.returncode == 78
        assert "already-served" in done.stderr
        assert running.is_ready()


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = snds_gateway("serve", "--data-dir", str(installation.data_dir), "--port", port, check=False)

    assert done.returncode == 78
    assert len(done.stderr.strip().splitlines()) == 1
    assert "port-taken" in done.stderr


def missing(running: Serving) -> list[str]:
    answer = httpx.get(f"{running.installation.url}/health/ready", timeout=20)
    return [] if answer.status_code == 200 else answer.json()["missing"]


def is_live(running: Serving) -> bool:
    return httpx.get(f"{running.installation.url}/health/live", timeout=20).status_code == 200


def test_without_a_key_it_is_live_and_not_ready_until_the_key_is_back(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        key = running.installation.data_dir / "keys" / "ledger.key"
        aside = tmp_path / "ledger.key"
        key.rename(aside)
        until(lambda: missing(running) == ["keys"])
        assert is_live(running)

        aside.rename(key)
        until(lambda: missing(running) == [])


def test_a_log_that_was_replaced_under_the_gateway_takes_nothing_more(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        log = running.installation.data_dir / "events.sqlite"
        log.rename(tmp_path / "aside.sqlite")
        until(lambda: "log" in missing(running))
        entry = put(patient("lost"), fullUrl="https://his.example/fhir/Patient/lost")

        answers = {running.installation.post(bundle("transaction", entry)).status_code for _ in range(6)}

        assert answers == {503}


def test_while_the_log_is_locked_it_answers_503_with_retry_after_and_recovers_by_itself(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        entry = put(patient("locked"), fullUrl="https://his.example/fhir/Patient/locked")
        sent = bundle("transaction", entry)
        lock = sqlite3.connect(running.installation.data_dir / "events.sqlite", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        try:
            first = running.installation.post(sent)
            until(lambda: "log" in missing(running))
            second = running.installation.post(sent)
            assert is_live(running)
        finally:
            lock.execute("ROLLBACK")
            lock.close()

        assert first.status_code == 503
        assert second.status_code in (503, 200)  # the other worker may not have tried yet
        assert int(first.headers["Retry-After"]) >= 1
        assert first.json()["issue"][0]["code"] == "transient"
        until(lambda: running.installation.post(sent).status_code == 200)
        until(lambda: missing(running) == [])
        assert running.installation.wait_idle()["applied"] == 1


def test_no_process_may_leave_a_core_file(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        for pid in (running.process.pid, *running.workers()):
            limits = Path(f"/proc/{pid}/limits").read_text()
            [line] = [one for one in limits.splitlines() if one.startswith("Max core file size")]
            assert line.split()[4:6] == ["0", "0"]
