"""FHIR dates and instants → civil dates of Europe/Paris and minutes. Pure.

An instant without offset is read as Paris time; `YYYY` and `YYYY-MM` are no day and give None.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
DAY_LENGTH = 10
MONTH_LENGTH = 7
ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
YEARS = range(1850, 2150)


class Moment(NamedTuple):
    """A civil day in Paris and, when a time was sent, the minute since 1970 (UTC)."""

    day: date
    minute: int | None = None


@lru_cache(maxsize=1024)  # instants come again within a person, hardly between persons
def moment(text: str | None) -> Moment | None:
    """Return the moment of a FHIR date, dateTime or instant; None when it names no day."""
    if not text or len(text) < DAY_LENGTH:
        return None
    try:
        if len(text) == DAY_LENGTH:
            return _plausible(Moment(date.fromisoformat(text)))
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    offset = found.utcoffset()
    if offset is None:
        found = found.replace(tzinfo=PARIS)
    else:
        day = found.date()
        steady = _steady(day)
        if steady is not None and offset == steady[0]:  # sent in the time of Paris, as nearly all are
            return Moment(day, steady[1] + found.hour * 60 + found.minute)
    return _plausible(Moment(found.astimezone(PARIS).date(), int((found - ORIGIN).total_seconds() // 60)))


@lru_cache(maxsize=4096)
def _steady(day: date) -> tuple[timedelta, int] | None:
    """Return the offset of Paris all day long and the minute at which the day begins; None where it changes."""
    if day.year not in YEARS:
        return None
    begins = datetime(day.year, day.month, day.day, tzinfo=PARIS)
    offset = begins.utcoffset()
    if offset is None or offset != (begins + timedelta(days=1)).utcoffset() or offset.seconds % 60:
        return None
    return offset, int((begins - ORIGIN).total_seconds() // 60)


def _plausible(found: Moment) -> Moment | None:
    return found if found.day.year in YEARS else None


def year_month(text: str | None) -> tuple[int, int | None] | None:
    """Return year and month of a date; the month is None when only the year was sent."""
    if not text or not text[:4].isdigit():
        return None
    month = text[5:7]
    return int(text[:4]), int(month) if len(text) >= MONTH_LENGTH and month.isdigit() else None


def before(first: Moment, second: Moment) -> bool:
    """Say whether the first is strictly before the second, by the minute where both have one."""
    if first.minute is not None and second.minute is not None:
        return first.minute < second.minute
    return first.day < second.day


def order(found: Moment | None) -> tuple[int, int]:
    """Return a sort key: the day, then the minute, then what has no time; the unknown comes last."""
    if found is None:
        return (date.max.toordinal(), 0)
    return (found.day.toordinal(), -1 if found.minute is None else found.minute)


def days_between(first: Moment, second: Moment) -> int:
    """Return the difference of the civil dates."""
    return (second.day - first.day).days


def amd(day: date) -> str:
    """Return YYYYMM, the coarse twin of a date."""
    return f"{day.year:04d}{day.month:02d}"
