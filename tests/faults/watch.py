"""What an operator sees during a campaign: is the gateway ready, how far the rows are behind, what the log holds."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg

from fhir_profiles.errors import Unavailable
from gateway.audit import audit_digest
from gateway.audit_check import read_chains
from streaming import sqlite
from streaming.digest import digest
from streaming.kafka_consumer import KafkaLog
from streaming.postgres import PostgresEngine
from streaming.postgres_sink import PostgresSink
from tests.faults.stage import Stage
from tests.support.installation import Installation, snds_gateway
from transformers.deidentify.keys import read_key

EACH_S = 0.1
ANSWER_WITHIN_S = 240.0
IN_A_ROW = 4  # answers of both workers, whichever the kernel chooses
Answer = TypeVar("Answer")
POSITIONS = "SELECT partition, position FROM stored_offset"


class Readiness:
    """Asks `/health/ready` ten times a second, on a new connection each time."""

    def __init__(self, installation: Installation) -> None:
        self._url = f"{installation.url}/health/ready"
        self._seen: list[tuple[float, bool]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def last_ready(self, begin: float, end: float) -> float | None:
        """Return how long after the beginning it was said for the last time that the gateway is ready."""
        return max((at - begin for at, ready in list(self._seen) if ready and begin < at < end), default=None)

    def ready_again(self, moment: float, *, within_s: float) -> float:
        """Wait until it is ready and stays so; return how long that took, infinity when it never was."""
        while True:
            after = [(at, ready) for at, ready in list(self._seen) if at > moment]
            for place, (at, _) in enumerate(after[: 1 - IN_A_ROW]):
                if all(ready for _, ready in after[place : place + IN_A_ROW]):
                    return at - moment
            if time.monotonic() - moment > within_s:
                return float("inf")
            time.sleep(EACH_S)

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(EACH_S):
            ready = False
            with suppress(httpx.TransportError):
                ready = httpx.get(self._url, timeout=5).status_code == 200
            self._seen.append((time.monotonic(), ready))


def caught_up_after(stage: Stage, moment: float, *, within_s: float) -> float:
    """Wait until the rows hold what the log held now; return how long after the moment, infinity if not in time."""
    ends = answered(lambda: log_ends(stage))
    while time.monotonic() - moment < within_s:
        done = answered(lambda: positions(stage))
        if all(done.get(partition, -1) >= end for partition, end in ends.items() if end >= 0):
            return time.monotonic() - moment
        time.sleep(EACH_S)
    return float("inf")


def answered(ask: Callable[[], Answer]) -> Answer:
    """Ask until there is an answer: a server may need a moment after a fault."""
    deadline = time.monotonic() + ANSWER_WITHIN_S
    while True:
        try:
            return ask()
        except (Unavailable, psycopg.OperationalError, sqlite3.OperationalError):
            if time.monotonic() > deadline:
                raise
            time.sleep(EACH_S)


def log_ends(stage: Stage) -> dict[int, int]:
    """Return the last offset of each partition."""
    if stage.kafka is None:
        with closing(sqlite.connect_read_only(stage.installation.data_dir / "events.sqlite")) as log:
            row = log.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
            return {0: row[0] if row else -1}
    with closing(KafkaLog(stage.kafka)) as log:
        return {partition: log.last_offset(partition) for partition in log.partitions()}


def positions(stage: Stage) -> dict[int, int]:
    """Return the last offset applied of each partition."""
    if stage.postgres is None:
        with closing(sqlite.connect_read_only(stage.installation.data_dir / "ops.sqlite")) as state:
            return dict(state.execute(POSITIONS).fetchall())
    with closing(PostgresEngine(stage.postgres.connection)) as engine:
        return dict(engine.connection.execute(POSITIONS).fetchall())


def event_ids(stage: Stage) -> set[str]:
    """Return the ids of everything that the log holds."""
    if stage.kafka is None:
        with closing(sqlite.connect_read_only(stage.installation.data_dir / "events.sqlite")) as log:
            return {json.loads(headers)["ce_id"] for (headers,) in log.execute("SELECT headers FROM event")}
    with closing(KafkaLog(stage.kafka)) as log:
        return {one.event.id for partition in log.partitions() for one in log.tail(partition, -1)}


def receipts_not_in_log(stage: Stage, receipts: set[str]) -> int:
    """Return how many receipts were given out without every event in the log (by way of the audit)."""
    ids = answered(lambda: event_ids(stage))
    key = audit_digest(read_key(stage.installation.data_dir / "keys" / "ledger.key"))
    stored = {
        entry["receipt"]
        for chain in read_chains(stage.installation.data_dir, key)
        for entry in chain.entries
        if entry.get("status") == 200 and "receipt" in entry and set(entry.get("events", ())) <= ids
    }
    return len(receipts - stored)


def settled(stage: Stage, *, within_s: float) -> Mapping[str, Any]:
    """Wait until nothing is left to apply; return the accounts."""
    folder = str(stage.installation.data_dir)
    done = snds_gateway("status", "--data-dir", folder, "--wait-idle", str(within_s), "--format", "json", check=False)
    accounts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return accounts


def tables_of(stage: Stage | Path) -> str:
    """Return the digest of every table."""
    if isinstance(stage, Path) or stage.postgres is None:
        return digest(stage if isinstance(stage, Path) else stage.installation.data_dir)
    with closing(PostgresEngine(stage.postgres.connection)) as engine:
        return digest(PostgresSink(engine))
