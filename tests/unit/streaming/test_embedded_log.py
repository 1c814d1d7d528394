"""The embedded log: acknowledged means on disk, for several processes and whatever the disk does."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from fhir_profiles.errors import Unavailable
from streaming.broker import Counts
from streaming.embedded_log import ROWS_AT_ONCE, EmbeddedConsumer, EmbeddedLog, trim
from streaming.reading import as_json, events
from tests.support.made_events import FINESS, OTHER, START, event, patient, raw_event

PUBLISHER = """
    import asyncio, sys
    from pathlib import Path
    from streaming import embedded_log, sqlite
    from streaming.broker import Counts
    from streaming.embedded_log import EmbeddedLog
    from tests.support.made_events import FINESS, event, patient

    # whoever waits for the file asks ten times a second, and a busy disk has it taken nearly always
    embedded_log.DEADLINE_S, sqlite.BUSY_TIMEOUT_MS = 240.0, 200_000

    async def main(path, name):
        log = EmbeddedLog(Path(path))
        for number in range(60):
            await log.publish([event(patient(), named=f"{name}-{number}")], Counts(FINESS, received=1, published=1))
            print(f"{name}-{number}", flush=True)
        await log.close()

    asyncio.run(main(*sys.argv[1:]))
"""


def counted(path: Path) -> list[tuple[str, int, int, int, int]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT * FROM count ORDER BY 1").fetchall()
    connection.close()
    return rows


async def test_counts_of_each_hospital_are_kept_with_the_events(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    log = EmbeddedLog(path)
    await log.publish([event(patient())], Counts(FINESS, received=5, refused=2, suppressed=1, published=2))
    await log.publish([], Counts(FINESS, received=1, refused=1))
    await log.publish([event(patient())], Counts(OTHER, received=1, published=1))
    await log.close()

    assert counted(path) == [(OTHER, 1, 0, 0, 1), (FINESS, 6, 3, 1, 2)]


async def test_a_crowd_is_kept_in_the_order_it_came_and_counted_whole(tmp_path: Path) -> None:
    path, crowd = tmp_path / "events.sqlite", 3 * ROWS_AT_ONCE + 1
    log = EmbeddedLog(path)
    await asyncio.gather(
        *(
            log.publish([event(patient(), named=f"{number:03d}")], Counts((FINESS, OTHER)[number % 2], received=2))
            for number in range(crowd)
        )
    )
    await log.close()

    assert [record.event.id for record in events(tmp_path)] == [f"{number:03d}" for number in range(crowd)]
    assert counted(path) == [(OTHER, crowd - 1, 0, 0, 0), (FINESS, crowd + 1, 0, 0, 0)]


def test_two_processes_share_one_log_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    command = [sys.executable, "-c", textwrap.dedent(PUBLISHER), str(path)]
    processes = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
        for name in ("one", "two")
    ]
    acknowledged = [line for process in processes for line in process.communicate(timeout=240)[0].split()]

    consumer = EmbeddedConsumer(path)
    ids = [record.event.id for record in consumer.tail(0, 0)]
    consumer.close()

    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(acknowledged) == sorted(ids)
    assert len(ids) == 120
    assert counted(path) == [(FINESS, 120, 0, 0, 120)]
    assert [one for one in ids if one.startswith("one")] == [f"one-{number}" for number in range(60)]


async def test_a_locked_file_is_unavailable_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.sqlite"
    monkeypatch.setattr("streaming.sqlite.BUSY_TIMEOUT_MS", 50)
    log = EmbeddedLog(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable, match="log-locked"):
        await log.publish([event(patient(), named="lost")], Counts(FINESS, received=1, published=1))
    unready = log.ready()
    other.execute("ROLLBACK")
    other.close()
    await log.publish([event(patient(), named="kept")], Counts(FINESS, received=1, published=1))
    ready = log.ready()
    await log.close()

    assert (unready, ready) == (False, True)
    assert [record.event.id for record in events(tmp_path)] == ["kept"]
    assert counted(path) == [(FINESS, 1, 0, 0, 1)]


async def test_a_full_disk_is_unavailable_then_the_log_recovers_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.embedded_log.PROBE_S", 3600.0)  # a probe would find room for nothing
    log = EmbeddedLog(tmp_path / "events.sqlite")
    pages = log._connection.execute("PRAGMA page_count").fetchone()[0]
    log._connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(Unavailable, match="log-disk"):
        await log.publish([raw_event(b"x" * 100_000)], Counts(FINESS, received=1, published=1))
    unready = log.ready()
    log._connection.execute("PRAGMA max_page_count = 1000000")
    await log.publish([raw_event(b"x" * 100_000, named="kept")], Counts(FINESS, received=1, published=1))
    await log.close()

    assert not unready
    assert [record.event.id for record in events(tmp_path)] == ["kept"]


async def test_bytes_in_flight_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.sqlite"
    monkeypatch.setattr("streaming.sqlite.BUSY_TIMEOUT_MS", 200_000)  # the lock is held as long as this test wants
    log = EmbeddedLog(path, max_bytes_in_flight=1000)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(log.publish([raw_event(b"x" * 5000)], Counts(FINESS, received=1, published=1)))
    await asyncio.sleep(0)

    with pytest.raises(Unavailable, match="log-saturated"):
        await log.publish([raw_event(b"y")], Counts(FINESS, received=1, published=1))
    other.execute("ROLLBACK")
    other.close()
    await waiting
    await log.publish([raw_event(b"y")], Counts(FINESS, received=1, published=1))
    await log.close()

    assert counted(path) == [(FINESS, 2, 0, 0, 2)]


async def test_a_caller_that_gave_up_disturbs_nobody(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path / "events.sqlite")
    gone = asyncio.create_task(log.publish([event(patient())], Counts(FINESS, received=1, published=1)))
    await asyncio.sleep(0)
    gone.cancel()

    await log.publish([event(patient())], Counts(FINESS, received=1, published=1))
    await log.close()

    assert len(list(events(tmp_path))) == 2


async def test_an_event_is_shown_as_one_json_line(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path / "events.sqlite")
    sent = [event(patient(), named=f"e{number}") for number in range(3)]
    await log.publish(sent, Counts(FINESS, received=3, published=3))
    await log.close()

    lines = [json.loads(as_json(record)) for record in events(tmp_path, from_offset=2)]

    assert lines == [
        {"offset": number + 1, "key": one.key, "headers": dict(one.headers), "value": json.loads(one.value)}
        for number, one in list(enumerate(sent))[1:]
    ]


async def test_following_waits_for_what_comes(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path / "events.sqlite")
    await log.publish([event(patient(), named="first")], Counts(FINESS))
    loop = asyncio.get_running_loop()

    def publish_more(seconds: float) -> None:
        later = log.publish([event(patient(), named="second")], Counts(FINESS))
        asyncio.run_coroutine_threadsafe(later, loop).result(300)

    followed = events(tmp_path, follow=True, wait=publish_more)
    ids = [(await asyncio.to_thread(next, followed)).event.id for _ in range(2)]
    followed.close()  # type: ignore[attr-defined]
    await log.close()

    assert ids == ["first", "second"]


def test_reading_an_installation_without_a_log_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="store-missing"):
        list(events(tmp_path))


async def test_old_events_are_forgotten_once_applied_and_never_before(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    log = EmbeddedLog(path)
    await log.publish([event(patient(), at=minutes) for minutes in (0, 10, 20, 30)], Counts(FINESS))
    await log.close()
    before = START + timedelta(minutes=25)

    waiting = trim(path, received_before=before, applied=1)
    applied = trim(path, received_before=before, applied=4)
    again = trim(path, received_before=before, applied=4)

    consumer = EmbeddedConsumer(path)
    left = [record.offset for record in consumer.tail(0, 0)]
    edges = (consumer.first_offset(0), consumer.last_offset(0))
    trim(path, received_before=START + timedelta(days=1), applied=4)
    emptied = (consumer.first_offset(0), consumer.last_offset(0))
    consumer.close()
    assert (waiting, applied, again) == (1, 2, 0)
    assert (left, edges, emptied) == ([4], (4, 4), (5, 4))
