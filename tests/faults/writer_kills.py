"""The table writer killed (SIGKILL) at each labelled point and at any instant, many times, on DuckDB and PostgreSQL.

Each time it is started again and the tables must be those of a writer that nobody killed. `python -m
tests.faults.writer_kills --times 20` prints one JSON line a store. Promise: P6.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from streaming.accounts import status
from streaming.broker import Counts
from streaming.digest import digest
from streaming.embedded_log import EmbeddedConsumer, EmbeddedLog
from streaming.postgres import PostgresConnection
from streaming.postgres_store import PostgresStore
from streaming.table_writer import Pace, TableWriter
from tests.support import postgres_server
from tests.support.made_events import FINESS, condition, encounter, event, log_of, patient, rules, written

PROJECT = Path(__file__).resolve().parents[2]
POINTS = ("read", "staged", "planned", "written", "settled")
ANYWHERE = "anywhere"
LONGEST_S = 0.15
FREE_WITHIN_S = 30.0
STORY = [
    event(patient("pat-1", "rest-1"), encounter("enc-1", "v1", person="rest-1"), condition("c1", "I10", stay="v1")),
    event(patient("pat-2", "rest-2"), encounter("enc-2", "v2", person="rest-2"), at=1),
    event(encounter("enc-1", "v1", person="rest-1", nights=2), condition("c1", "E11", stay="v1"), at=2),
    event(patient("pat-2", "rest-2", "rest-1"), at=3),
    event(patient("pat-2", "rest-2"), condition("c1", "D50", stay="v1"), at=4),
]
KILLED = """
    import os, signal, sys, threading
    from pathlib import Path
    from streaming.embedded_log import EmbeddedConsumer
    from streaming.postgres import PostgresConnection
    from streaming.postgres_store import PostgresStore
    from streaming.table_writer import Pace, TableWriter
    from tests.support.made_events import rules

    folder, dsn, point = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    left, delay = [int(sys.argv[4])], float(sys.argv[5])

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def at(label):
        if point == "anywhere" and label == "read" and left:
            left.clear()
            timer = threading.Timer(delay, die)
            timer.daemon = True
            timer.start()
        elif label == point:
            left[0] -= 1
            if left[0] == 0:
                die()

    sys.setswitchinterval(0.0005)
    where = PostgresStore(PostgresConnection(dsn)) if dsn else folder
    consumer = EmbeddedConsumer(folder / "events.sqlite")
    TableWriter(where, consumer=consumer, rules=rules(), pace=Pace(1, 1, 0.0), at=at).drain()
"""


def killed(folder: Path, dsn: str, point: str, *, turn: int, delay_s: float = 0.0) -> bool:
    """Run a writer that dies the `turn`-th time it comes to a point (or after a delay); say whether it died."""
    words = [str(folder), dsn, point, str(turn), str(delay_s)]
    command = [sys.executable, "-c", textwrap.dedent(KILLED), *words]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, timeout=240, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()[-2000:]
    return done.returncode == -signal.SIGKILL


def finished(folder: Path, postgres: PostgresConnection | None) -> tuple[str, int]:
    """Start it again, let it finish; return the digest of the tables and the number of events applied."""
    with closing(EmbeddedConsumer(folder / "events.sqlite")) as consumer:
        where = PostgresStore(postgres) if postgres else folder
        with closing(TableWriter(where, consumer=consumer, rules=rules(), pace=Pace(1, 1, 0.0))) as writer:
            deadline = time.monotonic() + FREE_WITHIN_S
            while True:
                writer.drain()
                applied = status(folder, postgres=postgres).applied
                # the server may hold the partition for the dead session a moment longer
                if applied == len(STORY) or time.monotonic() > deadline:
                    return digest(writer.sink), applied
                time.sleep(0.1)


def log_in(folder: Path) -> None:
    """Write the story to an embedded log."""

    async def publish() -> None:
        log = EmbeddedLog(folder / "events.sqlite")
        await log.publish(STORY, Counts(FINESS, received=len(STORY), published=len(STORY)))
        await log.close()

    asyncio.run(publish())


def expected_in(folder: Path) -> str:
    """Return the digest of the tables that nobody disturbed."""
    with closing(written(folder, log_of(STORY))) as writer:
        return digest(writer.sink)


def run(store: str, folder: Path, server: postgres_server.PostgresServer | None, *, times: int) -> dict[str, Any]:
    """Kill at every point so many times; return the line."""
    dice, began, expected = random.Random(times), time.monotonic(), expected_in(folder / "expected")
    line: dict[str, Any] = {"campaign": "writer-kills", "store": store, "times": times, "died": {}, "wrong": {}}
    for point in (*POINTS, ANYWHERE):
        died = wrong = 0
        for number in range(times):
            place = folder / f"{point}-{number}"
            log_in(place)
            postgres = server.create(f"{point}_{number}") if server else None
            dsn = postgres.dsn if postgres else ""
            delay = dice.uniform(0, LONGEST_S)
            died += killed(place, dsn, point, turn=dice.randint(1, 3), delay_s=delay)
            wrong += finished(place, postgres) != (expected, len(STORY))
        line["died"][point], line["wrong"][point] = died, wrong
    return line | {"seconds": round(time.monotonic() - began)}


def main() -> int:
    """Print a line a store; 1 when any table was wrong once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory(prefix="snds-kills-") as name:
        lines = [run("duckdb", Path(name) / "duckdb", None, times=times)]
        print(json.dumps(lines[-1]), flush=True)
        if reason := postgres_server.missing():
            print(json.dumps({"campaign": "writer-kills", "store": "postgresql", "not_run": reason}), flush=True)
        else:
            with postgres_server.running_postgres() as server:
                lines.append(run("postgresql", Path(name) / "postgresql", server, times=times))
            print(json.dumps(lines[-1]), flush=True)
    return int(any(sum(line["wrong"].values()) for line in lines))


if __name__ == "__main__":
    sys.exit(main())
