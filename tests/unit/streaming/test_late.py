"""Events that waited for longer than half of what the log keeps are told, until what is read is younger again.

Long before that the writer no longer yields the processors to the gateway.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from streaming.accounts import status
from streaming.event import Event
from streaming.table_writer import Pace, TableWriter
from tests.support.made_events import encounter, event, log_of, patient, rules, written


def received(ago: timedelta, number: int) -> Event:
    """Return an event that the gateway took so long ago."""
    made = event(patient(f"p{number}", f"r{number}"), encounter(f"e{number}", f"v{number}", person=f"r{number}"))
    at = (datetime.now(UTC) - ago).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return replace(made, headers={**made.headers, "ce_time": at})


def test_what_waited_too_long_is_told_until_it_is_over(tmp_path: Path) -> None:
    young, old, again = (received(timedelta(days=days, minutes=1), days) for days in (0, 4, 1))
    told = []

    for events in ([young], [young, old], [young, old, again]):
        data_dir = tmp_path / str(len(events))
        written(data_dir, log_of(events), pace=Pace(events=1)).close()
        told.append(status(data_dir).late)

    assert told == [False, True, False]


def test_the_writer_yields_the_processors_until_rows_are_behind(tmp_path: Path) -> None:
    usual = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    yields = min(19, usual + 5)
    shares = ((0.0, yields), (60.0, min(19, usual + 2)), (1800.0, 0))
    waits = (timedelta(hours=1), timedelta(hours=1), timedelta(minutes=10))
    log, stop, told = log_of([received(ago, number) for number, ago in enumerate(waits)]), threading.Event(), []

    def at(label: str) -> None:
        if label == "read":
            told.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            if len(told) == 5:
                stop.set()

    writer = TableWriter(tmp_path, consumer=log, rules=rules(), pace=Pace(events=1, shares=shares), at=at)
    try:
        writer.run(stop)
    finally:
        writer.close()

    assert told == [yields, usual, usual, min(19, usual + 2), yields]
    assert status(tmp_path).applied == 3
