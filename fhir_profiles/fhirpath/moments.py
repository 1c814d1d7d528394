"""Dates, dateTimes and times with the precision they were written with: parsing, order, arithmetic, boundaries."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from fhir_profiles.fhirpath.errors import Unevaluable

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_CLOCK = re.compile(r"(\d{2})(?::(\d{2})(?::(\d{2})(?:\.(\d+))?)?)?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
NANOS = 10**9
FIRST = (1, 1, 1, 0, 0, 0)
WIDEST_OFFSET = timedelta(hours=14)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_STEPS = {
    "week": timedelta(weeks=1),
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
    "millisecond": timedelta(milliseconds=1),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """`parts` are year, month, day, hour, minute, nanoseconds of the minute, as far as written; a time starts at hour.

    `kind` is date, dateTime or time; `offset` minutes east of UTC, if written; `digits` those of the second's fraction.
    """

    kind: str
    parts: tuple[int, ...]
    offset: int | None = None
    digits: int = 0

    def __str__(self) -> str:
        date, clock = (self.parts[:3], self.parts[3:]) if self.kind != "time" else ((), self.parts)
        text = "-".join(f"{part:04d}" if index == 0 else f"{part:02d}" for index, part in enumerate(date))
        if not clock:
            return text
        shown = [f"{part:02d}" for part in clock[:2]]
        if len(clock) == 3:
            second, nanos = divmod(clock[2], NANOS)
            fraction = f".{nanos:09d}"[: self.digits + 1] if self.digits else ""
            shown.append(f"{second:02d}{fraction}")
        return (f"{text}T" if date else "") + ":".join(shown) + _offset_text(self.offset)


def parse_moment(text: str, kind: str | None = None) -> Moment | None:
    """Read a date, dateTime (`2015T`, `2015-02-04T14:34:28Z`) or time (`T14:30`, `14:30`); None when it is none."""
    if text.startswith("T") or kind == "time" or (len(text) > 2 and text[2] == ":"):
        return _clock(text.removeprefix("T"), (), "time")
    day, mark, clock = text.partition("T")
    match = _DATE.fullmatch(day)
    if match is None:
        return None
    parts = tuple(int(part) for part in match.groups() if part is not None)
    if not _is_day(parts):
        return None
    if clock:
        return _clock(clock, parts, "dateTime") if len(parts) == 3 else None
    return Moment(kind or ("dateTime" if mark else "date"), parts)


def _clock(text: str, date: tuple[int, ...], kind: str) -> Moment | None:
    match = _CLOCK.fullmatch(text)
    if match is None or (kind == "time" and match[5]):
        return None
    parts = [int(part) for part in match.groups()[:2] if part is not None]
    if any(part >= bound for part, bound in zip(parts, (24, 60), strict=False)):
        return None
    digits = match[4] or ""
    if match[3] is not None:
        if int(match[3]) > 60:
            return None
        parts.append(int(match[3]) * NANOS + int((digits + "0" * 9)[:9]))
    return Moment(kind, (*date, *parts), _offset(match[5]), min(len(digits), 9))


def _is_day(parts: tuple[int, ...]) -> bool:
    if parts[0] == 0 or (len(parts) > 1 and not 1 <= parts[1] <= 12):
        return False
    if len(parts) < 3:
        return True
    leap = parts[0] % 4 == 0 and (parts[0] % 100 != 0 or parts[0] % 400 == 0)
    return 1 <= parts[2] <= (28 if parts[1] == 2 and not leap else _DAYS[parts[1] - 1])


def _offset(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "Z":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[4:])
    return -minutes if text[0] == "-" else minutes


def _offset_text(offset: int | None) -> str:
    if offset is None:
        return ""
    if offset == 0:
        return "Z"
    sign = "-" if offset < 0 else "+"
    return f"{sign}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"


def order(one: Moment, other: Moment) -> int | None:
    """Return -1, 0 or 1; None when their precision or a missing offset leaves it open (FHIRPath §6.2)."""
    if (one.kind == "time") != (other.kind == "time"):
        raise Unevaluable("a time compared with a date")
    size = min(len(one.parts), len(other.parts))
    if size > 3 and one.kind != "time":
        if (one.offset is None) != (other.offset is None):
            return _open_order(one, other)
        if one.offset != other.offset:
            one, other = in_utc(one), in_utc(other)
    mine, theirs = one.parts[:size], other.parts[:size]
    if mine != theirs:
        return -1 if mine < theirs else 1
    return 0 if len(one.parts) == len(other.parts) else None


def _open_order(one: Moment, other: Moment) -> int | None:
    """Compare when one of the two does not say its offset: decided only beyond any offset there is."""
    distance = _instant(one) - _instant(other)
    if abs(distance) <= WIDEST_OFFSET:
        return None
    return -1 if distance < timedelta(0) else 1


def in_utc(moment: Moment) -> Moment:
    """Move a moment with an offset to UTC, its precision kept."""
    if moment.offset in (None, 0) or len(moment.parts) < 4:
        return moment
    shifted = _plain(moment) - timedelta(minutes=moment.offset or 0)
    parts = (shifted.year, shifted.month, shifted.day, shifted.hour, shifted.minute, *moment.parts[5:])
    return replace(moment, parts=parts[: max(len(moment.parts), 5)], offset=0)


def _plain(moment: Moment) -> datetime:
    """Return the moment to the minute, without offset."""
    year, month, day, hour, minute = (*moment.parts, *FIRST[len(moment.parts) :])[:5]
    try:
        return datetime(year, month, day, hour, minute)  # noqa: DTZ001 — the offset is kept beside
    except (ValueError, OverflowError):
        raise Unevaluable("a date outside the calendar") from None


def _instant(moment: Moment) -> datetime:
    try:
        return _plain(moment) - timedelta(minutes=moment.offset or 0)
    except OverflowError:
        raise Unevaluable("a date outside the calendar") from None


def key_of(moment: Moment) -> tuple[object, ...]:
    """Return what two equal moments share."""
    same = in_utc(moment)
    return (same.kind == "time", same.parts, same.offset is None)


def add(moment: Moment, value: Decimal, unit: str) -> Moment:
    """Add a number of calendar units (`year` … `millisecond`); a fraction is cut."""
    count = int(value)
    try:
        if unit in ("year", "month"):
            if moment.kind == "time":
                raise Unevaluable("a month added to a time")
            return _add_months(moment, count * 12 if unit == "year" else count)
        return _add_time(moment, count, unit)
    except OverflowError:
        raise Unevaluable("a date outside the calendar") from None


def _add_months(moment: Moment, count: int) -> Moment:
    year, month = moment.parts[0], moment.parts[1] if len(moment.parts) > 1 else 1
    total = year * 12 + month - 1 + count
    year, month = total // 12, total % 12 + 1
    if not 1 <= year <= 9999:
        raise Unevaluable("a date outside the calendar")
    parts = (year, month, *moment.parts[2:])[: len(moment.parts)]
    while len(parts) > 2 and not _is_day(parts[:3]):
        parts = (*parts[:2], parts[2] - 1, *parts[3:])
    return replace(moment, parts=parts)


def _add_time(moment: Moment, count: int, unit: str) -> Moment:
    size = len(moment.parts)
    full = (1970, 1, 1, *moment.parts) if moment.kind == "time" else moment.parts
    year, month, day, hour, minute, nanos = (*full, *FIRST[len(full) :])[:6]
    start = datetime(year, month, day, hour, minute, tzinfo=UTC)
    moved = start + timedelta(microseconds=nanos // 1000) + count * _STEPS[unit]
    micros = (moved.second * 1_000_000 + moved.microsecond) * 1000
    parts = (moved.year, moved.month, moved.day, moved.hour, moved.minute, micros)
    return replace(moment, parts=parts[3:][:size] if moment.kind == "time" else parts[:size])


def now() -> Moment:
    """Return the time of evaluation."""
    at = datetime.now(UTC)
    nanos = at.second * NANOS + at.microsecond // 1000 * 1_000_000
    return Moment("dateTime", (at.year, at.month, at.day, at.hour, at.minute, nanos), 0, 3)
