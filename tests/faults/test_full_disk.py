"""A disk that fills up under state, tables and lake, then has room again: nothing lost, nobody called. Promise: P9."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming.accounts import STATE, status
from streaming.broker import Counts
from streaming.digest import digest
from streaming.embedded_log import EmbeddedLog
from streaming.reading import LOG
from streaming.table_writer import Pace, TableWriter
from tests.support.installation import COMMAND, snds_gateway
from tests.support.made_events import FINESS, condition, encounter, event, log_of, patient, rules, written

pytestmark = pytest.mark.slow
MEGABYTES = 48
WITHIN_S = 180.0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small disk here: mounting takes root")
    try:
        yield folder
    finally:
        # what ends just now may hold a file a moment longer
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def stays(first: int, count: int) -> list:  # type: ignore[type-arg]
    return [
        event(
            patient(f"pat-{n}", f"rest-{n}"),
            encounter(f"enc-{n}", f"visit-{n}", person=f"rest-{n}"),
            *(condition(f"c-{n}-{m}", f"I{m}", person=f"rest-{n}", stay=f"visit-{n}") for m in range(20)),
        )
        for n in range(first, first + count)
    ]


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise
    return filler


def test_a_full_disk_stops_nothing_for_good(small: Path, tmp_path: Path) -> None:
    first, then = stays(0, 20), stays(20, 400)
    reference = written(tmp_path / "reference", log_of(first + then), pace=Pace())
    expected = digest(reference.sink)
    reference.close()
    log = log_of(first)
    written(small / "data", log, pace=Pace()).close()
    stop, failed = threading.Event(), []
    writer = TableWriter(small / "data", consumer=log, rules=rules(), pace=Pace(events=50, persons=50, coalesce_s=0.0))
    filler = fill(small)
    log.append(then, Counts(FINESS))

    def work() -> None:
        try:
            writer.run(stop)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        stop.wait(4)  # some attempts on the full disk
        during = status(small / "data")
        filler.unlink()
        deadline = time.monotonic() + WITHIN_S
        while status(small / "data").applied < 420 and not failed and time.monotonic() < deadline:
            stop.wait(0.1)
    finally:
        stop.set()
        thread.join()
    assert failed == []
    writer.drain()
    after = digest(writer.sink)
    writer.close()

    assert during.applied < 420
    assert after == expected == digest(small / "data")


def test_a_writer_that_starts_on_a_full_disk_says_so_and_begins_once_there_is_room(small: Path) -> None:
    data_dir = small / "data"
    snds_gateway("init", "--data-dir", str(data_dir), "--finess", FINESS)
    log = EmbeddedLog(data_dir / LOG)
    asyncio.run(log.publish(stays(0, 5), Counts(FINESS, received=5, published=5)))
    log.close_now()
    filler = fill(small)
    with subprocess.Popen([*COMMAND, "tables", "run", "--data-dir", str(data_dir)], stderr=subprocess.PIPE) as writer:
        try:
            assert writer.stderr is not None
            said = next(line for line in writer.stderr if b"store-disk" in line)
            waiting = writer.poll() is None
            filler.unlink()
            deadline = time.monotonic() + WITHIN_S
            while not (data_dir / STATE).is_file() or status(data_dir).applied < 5:
                assert writer.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        finally:
            writer.terminate()

    assert waiting
    assert b"Traceback" not in said
    assert writer.returncode == 0
