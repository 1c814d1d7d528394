"""The accounts close, at any moment and for any process; waiting for idle ends when the lake shows everything."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from streaming.accounts import Status, Stays, status, wait_idle
from streaming.broker import Counts
from streaming.embedded_log import EmbeddedConsumer, EmbeddedLog
from streaming.table_writer import TableWriter
from tests.support.made_events import FINESS, condition, encounter, event, log_of, patient, raw_event, rules, written


async def publish(data_dir: Path) -> None:
    log = EmbeddedLog(data_dir / "events.sqlite")
    once = event(patient(), encounter(), condition("c1", "I10"), named="once")
    await log.publish([once], Counts(FINESS, received=4, refused=1, published=3))
    await log.publish([once], Counts(FINESS, received=3, published=3))
    await log.publish([event(encounter("e2", "v2", status="in-progress"))], Counts(FINESS, received=1, published=1))
    await log.publish([raw_event(b"{")], Counts(FINESS, received=2, suppressed=1, published=1))
    await log.close()


def test_an_installation_that_never_ran_has_empty_accounts(tmp_path: Path) -> None:
    assert status(tmp_path) == Status()
    assert not wait_idle(tmp_path, 0)


async def test_accounts_close_before_and_after_the_writer(tmp_path: Path) -> None:
    await publish(tmp_path)
    before = status(tmp_path)
    consumer = EmbeddedConsumer(tmp_path / "events.sqlite")
    writer = TableWriter(tmp_path, consumer=consumer, rules=rules())
    writer.drain()
    after = status(tmp_path)
    writer.close()
    consumer.close()

    for one in (before, after):
        assert one.received == one.published + one.refused + one.suppressed
        assert one.events == one.applied + one.duplicates + one.dead_letters + one.lag
    assert (before.lag, before.idle) == (4, False)
    assert after.to_json() == {
        "received": 10,
        "refused": 1,
        "suppressed": 1,
        "published": 8,
        "events": 4,
        "applied": 2,
        "duplicates": 1,
        "dead_letters": 1,
        "lag": 0,
        "superseded": 0,
        "stays": {"open": 1, "written": 1, "quarantined": 0, "suppressed": 0},
    }
    assert after.idle


async def test_waiting_for_idle_asks_a_running_writer_to_publish_now(tmp_path: Path) -> None:
    await publish(tmp_path)
    consumer = EmbeddedConsumer(tmp_path / "events.sqlite")
    writer = TableWriter(tmp_path, consumer=consumer, rules=rules())
    writer._store._lake.due = lambda **_: False  # type: ignore[method-assign]
    stop = threading.Event()
    thread = threading.Thread(target=writer.run, args=(stop,))
    thread.start()
    try:
        idle = wait_idle(tmp_path, 300)
        with duckdb.connect(str(tmp_path / "lake" / "snds.duckdb"), read_only=True) as lake:
            rows = lake.execute("SELECT count(*) FROM T_MCO24D").fetchall()
    finally:
        stop.set()
        thread.join()
        writer.close()
        consumer.close()

    assert idle
    assert rows == [(1,)]
    assert not (tmp_path / "publish.request").exists()
    assert status(tmp_path).stays == Stays(open=1, written=1)


def test_waiting_without_a_writer_gives_up_in_time(tmp_path: Path) -> None:
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    assert not wait_idle(tmp_path, 3, clock=lambda: now[0], wait=wait)
    assert now[0] == pytest.approx(3, abs=0.2)


def test_an_installation_in_the_making_has_empty_accounts(tmp_path: Path) -> None:
    for name in ("ops.sqlite", "events.sqlite"):
        sqlite3.connect(tmp_path / name).execute("PRAGMA journal_mode = WAL").connection.close()

    assert status(tmp_path) == Status()


async def test_an_installation_whose_events_give_no_row_yet_becomes_idle(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path / "events.sqlite")
    await log.publish([event(encounter(status="in-progress"))], Counts(FINESS, received=1, published=1))
    await log.close()
    consumer = EmbeddedConsumer(tmp_path / "events.sqlite")
    writer = TableWriter(tmp_path, consumer=consumer, rules=rules())
    writer.drain()
    now = status(tmp_path)
    writer.close()
    consumer.close()

    assert (now.applied, now.lag) == (1, 0)
    assert now.idle


def test_events_that_wait_for_half_of_the_retention_are_told(tmp_path: Path) -> None:
    log = log_of([event(patient(), encounter())])
    written(tmp_path, log).close()
    late = status(tmp_path).late

    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    log.append([raw_event(event(patient()).value, ce_time=now)], Counts(FINESS))
    written(tmp_path, log).close()

    assert (late, status(tmp_path).late) == (True, False)
