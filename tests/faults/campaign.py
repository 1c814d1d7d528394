"""The fault campaign: real processes under load, killed and paused at random; one JSON line a run (`make faults`).

Expected: acknowledged ⊆ rows, nothing missing, nothing doubled: the tables of the run are, digest for digest, those of
a run without a fault; every request ends in time with 2xx, 4xx or a 503 that may be tried again; no 500.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from gateway.synthetic.scene import Hospital
from gateway.synthetic.writing import write_stays
from streaming.digest import digest
from streaming.postgres import PostgresEngine
from streaming.postgres_sink import PostgresSink
from streaming.topics import KafkaConnection, create_topics
from tests.support.installation import COMMAND, FINESS, Installation, snds_gateway
from tests.support.kafka_broker import KafkaBroker
from tests.support.postgres_server import PostgresServer

CLIENTS = 8
ANSWER_WITHIN_S = 11.0  # deadline + 1 (promise P2)
SETTLED_WITHIN_S = 150.0


@dataclass
class Tally:
    """What the clients saw."""

    statuses: Counter[str] = field(default_factory=Counter)
    accepted: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    slowest_s: float = 0.0
    without_retry_after: int = 0
    successes: list[float] = field(default_factory=list)
    gate: threading.Lock = field(default_factory=threading.Lock)

    def note(self, number: int, status: int | str, seconds: float, headers: Any) -> None:
        with self.gate:
            self.statuses[str(status)] += 1
            self.slowest_s = max(self.slowest_s, seconds)
            if status == 200:
                self.accepted.add(number)
                self.successes.append(time.monotonic())
            elif status in (429, 503):
                self.without_retry_after += not str(headers.get("Retry-After", "")).isdigit()
            elif isinstance(status, int) and 400 <= status < 500:
                self.refused.add(number)


def post_until(
    stop: threading.Event, *, installation: Installation, bodies: list[bytes], mine: int, tally: Tally
) -> None:
    """Post every n-th bundle, again and again: what was not accepted yet comes first, then resends."""
    with installation.client() as client:
        for turn in itertools.count():
            todo = [n for n in range(mine, len(bodies), CLIENTS) if n not in tally.accepted | tally.refused]
            numbers = todo or [n for n in range(mine, len(bodies), CLIENTS) if n in tally.accepted][turn % 7 :: 7]
            for number in numbers:
                if stop.is_set():
                    return
                started = time.monotonic()
                try:
                    answer = client.post("/fhir", content=bodies[number])
                    tally.note(number, answer.status_code, time.monotonic() - started, answer.headers)
                    waiting = answer.status_code in (429, 503)
                except httpx.TransportError as error:
                    tally.note(number, type(error).__name__, time.monotonic() - started, {})
                    waiting = True
                if waiting:
                    stop.wait(0.3)
            if stop.wait(0.05):
                return


@dataclass
class Stage:
    """Everything that runs, and what may be done to it."""

    installation: Installation
    serve: subprocess.Popen[bytes]
    writer: subprocess.Popen[bytes] | None = None
    broker: KafkaBroker | None = None
    postgres: PostgresServer | None = None
    dice: random.Random = field(default_factory=random.Random)

    def faults(self) -> dict[str, Callable[[], None]]:
        found: dict[str, Callable[[], None]] = {
            "kill-gateway-worker": self.kill_worker,
            "kill-writer": self.kill_writer,
        }
        if self.broker is not None:
            found |= {"kill-broker": self.kill_broker, "pause-broker": self.pause_broker}
        if self.postgres is not None:
            found["kill-postgresql"] = self.kill_postgres
        return found

    def kill_worker(self) -> None:
        workers = [pid for pid, words in children(self.serve.pid) if "tables" not in words]
        os.kill(self.dice.choice(workers), signal.SIGKILL)

    def kill_writer(self) -> None:
        if self.writer is not None:
            self.writer.kill()
            self.writer.wait()
            self.writer = started("tables", "run", self.installation)
            return
        for pid, words in children(self.serve.pid):
            if "tables" in words:
                os.kill(pid, signal.SIGKILL)

    def kill_broker(self) -> None:
        assert self.broker is not None
        self.broker.kill()
        time.sleep(self.dice.uniform(0.5, 3))
        self.broker.start()

    def pause_broker(self) -> None:
        assert self.broker is not None
        self.broker.pause()
        time.sleep(10)
        self.broker.resume()

    def kill_postgres(self) -> None:
        assert self.postgres is not None
        self.postgres.kill()
        time.sleep(self.dice.uniform(0.5, 3))
        self.postgres.start()


def children(pid: int) -> list[tuple[int, str]]:
    """Return the children of a process with their words."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            found.append((int(child), words))
    return found


def started(first: str, second: str, installation: Installation) -> subprocess.Popen[bytes]:
    words = [*COMMAND, *([first, second] if second else [first]), "--data-dir", str(installation.data_dir)]
    if first == "serve":
        words += ["--port", str(installation.port)]
    with installation.log.open("ab") as log:
        return subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)


@contextmanager
def stage_of(form: str, folder: Path, seed: int) -> Iterator[Stage]:
    """Set everything up, and end everything."""
    installation = Installation(folder / "data", "--french-profiles", "declared", "--test-identities")
    with ExitStack() as stack:
        broker = postgres = writer = None
        if form == "server":
            broker, postgres = KafkaBroker(folder / "broker"), PostgresServer()
            stack.callback(postgres.remove)
            for server in (broker, postgres):
                stack.callback(server.stop)
                server.start()
            create_topics(KafkaConnection((broker.bootstrap,)))
            with (installation.data_dir / "gateway.toml").open("a") as settings:
                settings.write(f'broker = "kafka"\nkafka_bootstrap = "{broker.bootstrap}"\n')
                settings.write(f'sink = "postgresql"\npostgres_dsn = "{postgres.connection.dsn}"\n')
            writer = started("tables", "run", installation)
        serve = started("serve", "", installation)
        stage = Stage(installation, serve, writer, broker, postgres, random.Random(seed))
        stack.callback(lambda: ended(stage))
        installation._wait_ready(serve)
        yield stage


def ended(stage: Stage) -> None:
    for process in (stage.serve, stage.writer):
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def tables_of(stage: Stage) -> str:
    if stage.postgres is None:
        return digest(stage.installation.data_dir)
    engine = PostgresEngine(stage.postgres.connection)
    try:
        return digest(PostgresSink(engine))
    finally:
        engine.close()


def settled(stage: Stage) -> tuple[dict[str, Any], float]:
    """Wait until nothing is left to apply; return the accounts and how long it took."""
    began = time.monotonic()
    folder, wait = str(stage.installation.data_dir), str(SETTLED_WITHIN_S)
    done = snds_gateway("status", "--data-dir", folder, "--wait-idle", wait, "--format", "json", check=False)
    accounts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return accounts, time.monotonic() - began


def reference_of(folder: Path, keys: Path, bodies: list[bytes], accepted: set[int]) -> str:
    """Post the same bundles once each, in order, to an embedded installation with the same keys and no fault."""
    data_dir = folder / "reference"
    shutil.copytree(keys, data_dir, ignore=shutil.ignore_patterns("*.sqlite*", "*.duckdb*", "lake", "audit", "run"))
    settings = data_dir / "gateway.toml"
    lines = [
        line for line in settings.read_text().splitlines() if not line.startswith(("broker", "kafka", "sink", "post"))
    ]
    settings.write_text("\n".join(lines) + "\n")
    installation = Installation.at(data_dir)
    with installation.serving(), installation.client() as client:
        for number in sorted(accepted):
            assert client.post("/fhir", content=bodies[number]).status_code == 200
        installation.wait_idle()
    return digest(data_dir)


def run(form: str, *, seed: int, seconds: float, stays: int, folder: Path) -> dict[str, Any]:
    """Run one campaign and return its line."""
    write_stays(folder / "bundles", seed=seed, stays=stays, hospital=Hospital(FINESS))
    bodies = [path.read_bytes() for path in sorted((folder / "bundles").glob("0*.json"))]
    tally, stop = Tally(), threading.Event()
    happened: Counter[str] = Counter()
    recovered: dict[str, float] = {}
    with stage_of(form, folder, seed) as stage:
        clients = [
            threading.Thread(
                target=post_until, args=(stop,),
                kwargs={"installation": stage.installation, "bodies": bodies, "mine": n, "tally": tally},
            )
            for n in range(CLIENTS)
        ]  # fmt: skip
        for client in clients:
            client.start()
        until = time.monotonic() + seconds
        names = sorted(stage.faults())
        for name in itertools.chain(names, iter(lambda: stage.dice.choice(names), None)):
            if time.monotonic() > until:
                break
            time.sleep(stage.dice.uniform(1, 3))
            stage.faults()[name]()
            over = time.monotonic()
            happened[name] += 1
            while not (after := [at for at in tally.successes if at > over]) and time.monotonic() - over < 30:
                time.sleep(0.02)
            recovered[name] = max(recovered.get(name, 0.0), (after[0] if after else time.monotonic()) - over)
        deadline = time.monotonic() + 60
        while len(tally.accepted | tally.refused) < len(bodies) and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        for client in clients:
            client.join()
        accounts, lag_s = settled(stage)
        tables = tables_of(stage)
    expected = reference_of(folder, stage.installation.data_dir, bodies, tally.accepted)
    here, there = set(tables.splitlines()), set(expected.splitlines())
    return {
        "form": form, "seed": seed, "seconds": seconds, "bundles": len(bodies), "faults": dict(happened),
        "requests": sum(tally.statuses.values()), "statuses": dict(sorted(tally.statuses.items())),
        "accepted": len(tally.accepted), "refused": len(tally.refused), "slowest_s": round(tally.slowest_s, 2),
        "without_retry_after": tally.without_retry_after,
        "first_success_after_s": {name: round(value, 2) for name, value in sorted(recovered.items())},
        "lag_zero_after_s": round(lag_s, 2), "accounts": accounts,
        "same_tables": tables == expected, "differing": sorted(line.split()[0] for line in here ^ there),
    }  # fmt: skip


def faultless(line: dict[str, Any]) -> list[str]:
    """Return the promises that a run broke."""
    broken = []
    if not line["same_tables"]:
        broken.append("P1 P3 P6: tables differ from the run without a fault")
    if any(status.startswith("5") and status != "503" for status in line["statuses"]):
        broken.append("P2: a 5xx that is not 503")
    if line["without_retry_after"]:
        broken.append("P2: a refusal without Retry-After")
    if line["accepted"] + line["refused"] < line["bundles"]:
        broken.append("P9: bundles not taken within a minute after the last fault")
    if line["accounts"]["lag"] or line["accounts"]["dead_letters"]:
        broken.append("P9 P10: lag or dead letters left")
    return broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--form", choices=("embedded", "server"), action="append")
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--stays", type=int, default=120)
    given = parser.parse_args()
    bad = False
    for form, seed in itertools.product(given.form or ("embedded", "server"), given.seed or (1,)):
        with tempfile.TemporaryDirectory(prefix="snds-faults-") as name:
            line = run(form, seed=seed, seconds=given.seconds, stays=given.stays, folder=Path(name))
        line["broken"] = faultless(line)
        bad = bad or bool(line["broken"])
        print(json.dumps(line), flush=True)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
