"""Moments are those of the civil calendar of Paris, whatever the offset that was sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest

from transformers.snds.instants import ORIGIN, PARIS, moment

# an ordinary day, the two changes of 2024, a change at 23:00 (1916), the end of local mean time (1911)
DAYS = (date(2024, 1, 10), date(2024, 3, 31), date(2024, 10, 27), date(1916, 6, 14), date(1911, 3, 10))
OFFSETS = (UTC, *(timezone(timedelta(hours=hours)) for hours in (1, 2, -5)))


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_offset_gives_the_day_of_paris_and_the_minute_of_utc(day: date) -> None:
    for hour in range(24):
        for minute in (0, 29, 59):
            for offset in OFFSETS:
                sent = datetime.combine(day, time(hour, minute, 59), tzinfo=offset)
                found = moment(sent.isoformat())
                assert found is not None
                assert found.day == sent.astimezone(PARIS).date()
                assert found.minute == (sent - ORIGIN) // timedelta(minutes=1)


@pytest.mark.parametrize(
    "text", ["1849-12-31T12:00:00+00:09", "2150-01-01T00:30:00+01:00", "2024-02-30T10:00:00+01:00"]
)
def test_an_implausible_or_impossible_day_is_no_moment(text: str) -> None:
    assert moment(text) is None
