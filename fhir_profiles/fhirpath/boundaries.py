"""Precision and boundaries of values (FHIRPath 2.1): the least and the greatest that a written value can mean."""

from __future__ import annotations

from calendar import monthrange
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from fhir_profiles.fhirpath.errors import Unevaluable
from fhir_profiles.fhirpath.moments import NANOS, Moment, now
from fhir_profiles.fhirpath.nodes import Collection, integer_of, value_of
from fhir_profiles.fhirpath.quantities import Quantity, comparable

DIGITS_OF_DATE = (4, 6, 8, 10, 12, 14)
MOST_DECIMALS = 28
DEFAULT_DECIMALS = 8


def precision(c: Collection) -> Collection:
    """Return the decimals of a number, the digits of a date."""
    value = value_of(c)
    if isinstance(value, bool):
        return []
    if isinstance(value, int | Decimal):
        exponent = Decimal(value).as_tuple().exponent
        return [-exponent if isinstance(exponent, int) else 0]
    if isinstance(value, Moment):
        return [_digits(value)]
    return []


def _digits(moment: Moment) -> int:
    size = len(moment.parts) + (3 if moment.kind == "time" else 0)
    base = DIGITS_OF_DATE[size - 1] - (8 if moment.kind == "time" else 0)
    return base + moment.digits if size == 6 else base


def low_boundary(c: Collection, digits: Collection | None = None) -> Collection:
    """Return the least value that was meant."""
    return _boundary(c, digits, highest=False)


def high_boundary(c: Collection, digits: Collection | None = None) -> Collection:
    """Return the greatest value that was meant."""
    return _boundary(c, digits, highest=True)


def _boundary(c: Collection, digits: Collection | None, *, highest: bool) -> Collection:
    value = value_of(c)
    wanted = None if digits is None else integer_of(digits)
    if value is None or isinstance(value, bool):
        return []
    if isinstance(value, int | Decimal):
        found = _decimal(Decimal(value), wanted, highest=highest)
        return [] if found is None else [found]
    if isinstance(value, Quantity):
        found = _decimal(value.value, wanted, highest=highest)
        return [] if found is None else [Quantity(found, value.unit, value.calendar)]
    if isinstance(value, Moment):
        return _moment(value, wanted, highest=highest)
    raise Unevaluable("a boundary of something that has none")


def _decimal(value: Decimal, wanted: int | None, *, highest: bool) -> Decimal | None:
    places = DEFAULT_DECIMALS if wanted is None else wanted
    exponent = value.as_tuple().exponent
    if not 0 <= places <= MOST_DECIMALS or not isinstance(exponent, int):
        return None
    half = Decimal(5).scaleb(exponent - 1)
    edge = value + half if highest else value - half
    return edge.quantize(Decimal(1).scaleb(-places), rounding=ROUND_CEILING if highest else ROUND_FLOOR)


def _moment(value: Moment, wanted: int | None, *, highest: bool) -> Collection:
    """Fill what was not written with its least or greatest, then cut to the digits asked for."""
    filled = _filled(value, highest=highest)
    if value.kind == "time":
        return _cut(filled, (9 if wanted is None else wanted) + 8, time=True)
    return _cut(filled, (8 if value.kind == "date" else 17) if wanted is None else wanted, time=False)


def _filled(value: Moment, *, highest: bool) -> Moment:
    parts = list(value.parts) if value.kind != "time" else [1970, 1, 1, *value.parts]
    offset = value.offset
    written_hours = len(parts) > 3
    for index in range(len(parts), 6):
        last = (None, 12, _last_day(parts), 23, 59, 60 * NANOS - 1_000_000)[index]
        if index == 4 and written_hours:
            parts.append(0)  # FHIR has no hour without minutes: T08 is read as 08:00
        else:
            parts.append(int(last or 1) if highest else (1, 1, 1, 0, 0, 0)[index])
    if offset is None and value.kind != "time":
        offset = -12 * 60 if highest else 14 * 60
    shown = tuple(parts[3:] if value.kind == "time" else parts)
    return Moment(value.kind, shown, offset if value.kind != "time" else None, 3)


def _last_day(parts: list[int]) -> int:
    return monthrange(parts[0], parts[1])[1] if len(parts) > 1 else 31


def _cut(value: Moment, digits: int, *, time: bool) -> Collection:
    sizes = {4: 1, 6: 2, 8: 3, 10: 4, 12: 5, 14: 6, 17: 6}
    if digits not in sizes or (time and digits < 10):
        return []
    size = sizes[digits] - (3 if time else 0)
    kind = "time" if time else "date" if size <= 3 else "dateTime"
    offset = value.offset if kind == "dateTime" else None
    return [Moment(kind, value.parts[:size], offset, 3 if digits == 17 else 0)]


def comparable_quantities(c: Collection, other: Collection) -> Collection:
    """Say whether two quantities have units of one kind."""
    mine, theirs = value_of(c), value_of(other)
    if not isinstance(mine, Quantity) or not isinstance(theirs, Quantity):
        return []
    return [comparable(mine, theirs)]


def today() -> Collection:
    """Return the date of evaluation."""
    return [Moment("date", now().parts[:3])]


def right_now() -> Collection:
    """Return the moment of evaluation."""
    return [now()]


def time_of_day() -> Collection:
    """Return the time of evaluation."""
    return [Moment("time", now().parts[3:], None, 3)]
