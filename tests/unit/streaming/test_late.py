"""Events that waited for longer than half of what the log keeps are told, until what is read is younger again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from streaming.accounts import status
from streaming.event import Event
from streaming.table_writer import Pace
from tests.support.made_events import encounter, event, log_of, patient, written


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
