"""Processes die, stop and lose what they stand on; what was acknowledged is stored, and health tells the truth."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
from pathlib import Path

import httpx
import pytest

from gateway.audit import audit_digest
from gateway.audit_check import read_chains
from tests.support.installation import ANSWER_WITHIN_S, Installation, snds_gateway
from tests.support.posted import bundle, patient, put
from tests.support.serving import ASKED, Load, Serving, serving, stored_receipts, until
from transformers.deidentify.keys import read_key

pytestmark = pytest.mark.slow

RESTARTS = 5


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
        assert set(ends) - {"rolled"} == {"closed"}  # rolled: at midnight


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
    assert set(load.failures) <= {"ConnectError"}  # refused: no request was cut, none got no answer
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
        until(lambda: len(running.children()) == len(running.workers()) + 1)
        [writer] = set(running.children()) - set(running.workers())
        os.kill(writer, signal.SIGKILL)
        entry = put(patient("w"), fullUrl="https://his.example/fhir/Patient/w")

        assert running.installation.post(bundle("transaction", entry)).status_code == 200
        assert running.installation.wait_idle()["applied"] == 1


def runs(pid: int) -> bool:
    """Say whether a process runs; one that ended, and that nobody asks how, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_workers_and_the_table_writer_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        children = running.children()
        running.process.kill()
        running.process.wait()

        until(lambda: not any(map(runs, children)))


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
    answer = httpx.get(f"{running.installation.url}/health/ready", timeout=ANSWER_WITHIN_S)
    return [] if answer.status_code == 200 else answer.json()["missing"]


def is_live(running: Serving) -> bool:
    return httpx.get(f"{running.installation.url}/health/live", timeout=ANSWER_WITHIN_S).status_code == 200


def test_without_a_key_it_is_live_and_not_ready_until_the_key_is_back(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        key = running.installation.data_dir / "keys" / "ledger.key"
        aside = tmp_path / "ledger.key"
        key.rename(aside)
        until(lambda: missing(running) == ["keys"])
        assert is_live(running)

        aside.rename(key)
        until(lambda: missing(running) == [])


def test_a_worker_that_is_killed_while_a_key_is_away_comes_back_and_the_gateway_never_ends(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        key = running.installation.data_dir / "keys" / "ledger.key"
        aside = tmp_path / "ledger.key"
        key.rename(aside)
        before = set(running.workers())
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(set(running.workers()) - before) == 2)

        assert {tuple(missing(running)) for _ in range(8)} == {("keys",)}
        aside.rename(key)
        until(lambda: missing(running) == [])
        assert "child-failed" not in running.installation.log.read_text()


def test_a_log_that_was_replaced_under_the_gateway_takes_nothing_more(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        log = running.installation.data_dir / "events.sqlite"
        log.rename(tmp_path / "aside.sqlite")
        # each worker looks once a second: both have
        until(lambda: all("log" in missing(running) for _ in range(ASKED)))
        entry = put(patient("lost"), fullUrl="https://his.example/fhir/Patient/lost")

        answers = {running.installation.post(bundle("transaction", entry)).status_code for _ in range(6)}

        assert answers == {503}


def test_while_the_log_is_locked_it_answers_503_with_retry_after_and_recovers_by_itself(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        entry = put(patient("locked"), fullUrl="https://his.example/fhir/Patient/locked")
        sent = bundle("transaction", entry)
        lock = sqlite3.connect(running.installation.data_dir / "events.sqlite", isolation_level=None, timeout=60)
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
