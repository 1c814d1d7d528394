"""FHIRPath conversions (§5.5): `toX()` gives the value or nothing, `convertsToX()` says whether it would."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from fhir_profiles.fhirpath.moments import Moment, parse_moment
from fhir_profiles.fhirpath.nodes import Collection, Item, Node, TypeInfo, value_of
from fhir_profiles.fhirpath.quantities import Quantity

_TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
_INTEGER = re.compile(r"[+-]?\d{1,10}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d{1,100}(\.\d{1,100})?", re.ASCII)
_QUANTITY = re.compile(
    r"(?P<value>[+-]?\d{1,100}(?:\.\d{1,100})?)\s*"
    r"(?:'(?P<unit>[^']{1,64})'|(?P<word>year|month|week|day|hour|minute|second|millisecond)s?)?",
    re.ASCII,
)


def _boolean(value: Item) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        return True if value == 1 else False if value == 0 else None
    if isinstance(value, str):
        return True if value.lower() in _TRUE else False if value.lower() in _FALSE else None
    return None


def _integer(value: Item) -> int | None:
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return None


def _decimal(value: Item) -> Decimal | None:
    if isinstance(value, bool | int | Decimal):
        return Decimal(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    return None


def _string(value: Item) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if isinstance(value, Node | TypeInfo) else str(value)


def _date(value: Item) -> Moment | None:
    found = _moment(value)
    if found is None or found.kind == "time":
        return None
    return Moment("date", found.parts[:3]) if not isinstance(value, str) or found.kind == "date" else None


def _date_time(value: Item) -> Moment | None:
    found = _moment(value)
    if found is None or found.kind == "time":
        return None
    return Moment("dateTime", found.parts, found.offset, found.digits)


def _moment(value: Item) -> Moment | None:
    return parse_moment(value) if isinstance(value, str) else value if isinstance(value, Moment) else None


def _time(value: Item) -> Moment | None:
    if isinstance(value, str):
        return parse_moment(value, "time")
    return value if isinstance(value, Moment) and value.kind == "time" else None


def _quantity(value: Item) -> Quantity | None:
    if isinstance(value, Quantity):
        return value
    if isinstance(value, bool | int | Decimal):
        return Quantity(Decimal(value), "1")
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    return Quantity(Decimal(match["value"]), match["unit"] or match["word"] or "1", match["word"] is not None)


def _convert(c: Collection, function: Callable[[Item], Item | None]) -> Collection:
    value = value_of(c)
    found = None if value is None else function(value)
    return [] if found is None else [found]


def _converts(c: Collection, function: Callable[[Item], Item | None]) -> Collection:
    value = value_of(c)
    return [] if value is None else [function(value) is not None]


def to_boolean(c: Collection) -> Collection:
    """Convert to a boolean."""
    return _convert(c, _boolean)


def converts_to_boolean(c: Collection) -> Collection:
    """Say whether it converts to a boolean."""
    return _converts(c, _boolean)


def to_integer(c: Collection) -> Collection:
    """Convert to an integer."""
    return _convert(c, _integer)


def converts_to_integer(c: Collection) -> Collection:
    """Say whether it converts to an integer."""
    return _converts(c, _integer)


def to_decimal(c: Collection) -> Collection:
    """Convert to a decimal."""
    return _convert(c, _decimal)


def converts_to_decimal(c: Collection) -> Collection:
    """Say whether it converts to a decimal."""
    return _converts(c, _decimal)


def to_string(c: Collection) -> Collection:
    """Convert to a string."""
    return _convert(c, _string)


def converts_to_string(c: Collection) -> Collection:
    """Say whether it converts to a string."""
    return _converts(c, _string)


def to_date(c: Collection) -> Collection:
    """Convert to a date."""
    return _convert(c, _date)


def converts_to_date(c: Collection) -> Collection:
    """Say whether it converts to a date."""
    return _converts(c, _date)


def to_date_time(c: Collection) -> Collection:
    """Convert to a dateTime."""
    return _convert(c, _date_time)


def converts_to_date_time(c: Collection) -> Collection:
    """Say whether it converts to a dateTime."""
    return _converts(c, _date_time)


def to_time(c: Collection) -> Collection:
    """Convert to a time."""
    return _convert(c, _time)


def converts_to_time(c: Collection) -> Collection:
    """Say whether it converts to a time."""
    return _converts(c, _time)


def to_quantity(c: Collection) -> Collection:
    """Convert to a quantity."""
    return _convert(c, _quantity)


def converts_to_quantity(c: Collection) -> Collection:
    """Say whether it converts to a quantity."""
    return _converts(c, _quantity)
