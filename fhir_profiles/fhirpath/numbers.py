"""FHIRPath arithmetic and mathematics (§5.7, §6.6): numbers, quantities, dates plus quantities, strings."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException, localcontext

from fhir_profiles.fhirpath.errors import Unevaluable
from fhir_profiles.fhirpath.moments import Moment, add
from fhir_profiles.fhirpath.nodes import Collection, Item, integer_of, system, text_of, value_of
from fhir_profiles.fhirpath.quantities import UCUM_CALENDAR, Quantity, common
from fhir_profiles.fhirpath.units import product, quotient, size_of

Number = int | Decimal
CONTEXT = Context(prec=40)
MOST_DIGITS = 10_000
SMALLEST, LARGEST = -(2**31), 2**31 - 1


def _pair(one: Collection, other: Collection) -> tuple[Item, Item] | None:
    mine, theirs = value_of(one), value_of(other)
    return None if mine is None or theirs is None else (mine, theirs)


def _is_number(value: Item) -> bool:
    return isinstance(value, Number) and type(value) is not bool


def _number(value: Item) -> Number:
    if isinstance(value, Number) and type(value) is not bool:
        return value
    raise Unevaluable("something else where a number is expected")


def _calculated(function: Callable[[], Number]) -> Collection:
    """Calculate; nothing when it overflows or is not defined (FHIRPath §6.6)."""
    try:
        with localcontext(CONTEXT):
            value = function()
    except (DecimalException, ArithmeticError, ValueError):
        return []
    if isinstance(value, Decimal) and not value.is_finite():
        return []
    if type(value) is int and not SMALLEST <= value <= LARGEST:
        return []
    return [value]


def plus(one: Collection, other: Collection) -> Collection:
    """Add numbers, quantities, a duration to a date; join strings."""
    pair = _pair(one, other)
    if pair is None:
        return []
    mine, theirs = pair
    if isinstance(mine, str) and isinstance(theirs, str):
        return [mine + theirs]
    if isinstance(mine, Moment) and isinstance(theirs, Quantity):
        return [add(mine, theirs.value, _duration(theirs))]
    if isinstance(mine, Quantity) and isinstance(theirs, Quantity):
        return _sum(mine, theirs, 1)
    return _calculated(lambda: _number(mine) + _number(theirs))


def minus(one: Collection, other: Collection) -> Collection:
    """Subtract."""
    pair = _pair(one, other)
    if pair is None:
        return []
    mine, theirs = pair
    if isinstance(mine, Moment) and isinstance(theirs, Quantity):
        return [add(mine, -theirs.value, _duration(theirs))]
    if isinstance(mine, Quantity) and isinstance(theirs, Quantity):
        return _sum(mine, theirs, -1)
    return _calculated(lambda: _number(mine) - _number(theirs))


def _sum(one: Quantity, other: Quantity, sign: int) -> Collection:
    if one.unit == other.unit:
        return [Quantity(one.value + sign * other.value, one.unit, one.calendar)]
    values, factor = common(one, other), common(Quantity(Decimal(1), one.unit, one.calendar), other)
    if values is None or factor is None:
        return []
    return [Quantity((values[0] + sign * values[1]) / factor[0], one.unit, one.calendar)]


def _duration(quantity: Quantity) -> str:
    """Return the calendar word of a duration; UCUM years and months are no calendar ones (FHIRPath §6.6.7)."""
    word = quantity.unit if quantity.calendar else UCUM_CALENDAR.get(quantity.unit)
    if word is None and quantity.unit in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond"):
        word = quantity.unit
    if word is None:
        raise Unevaluable("something else than a calendar duration added to a date")
    return word


def times(one: Collection, other: Collection) -> Collection:
    """Multiply."""
    pair = _pair(one, other)
    if pair is None:
        return []
    mine, theirs = pair
    if isinstance(mine, Quantity) or isinstance(theirs, Quantity):
        return _scaled(mine, theirs, lambda left, right: left * right, product)
    return _calculated(lambda: _number(mine) * _number(theirs))


def divided_by(one: Collection, other: Collection) -> Collection:
    """Divide; nothing by zero."""
    pair = _pair(one, other)
    if pair is None:
        return []
    mine, theirs = pair
    if isinstance(mine, Quantity) or isinstance(theirs, Quantity):
        return _scaled(mine, theirs, lambda left, right: left / right, quotient)
    return _calculated(lambda: Decimal(_number(mine)) / Decimal(_number(theirs)))


def _scaled(
    one: Item, other: Item, function: Callable[[Decimal, Decimal], Decimal], unit_of: Callable[[str, str], str]
) -> Collection:
    """Multiply or divide quantities (a number is one of unit 1); nothing for units that cannot be read."""
    left, right = (
        value if isinstance(value, Quantity) else Quantity(Decimal(_number(value)), "1") for value in (one, other)
    )
    found = [value for value in _calculated(lambda: function(left.value, right.value)) if isinstance(value, Decimal)]
    if right.unit == "1":
        return [Quantity(value, left.unit, left.calendar) for value in found]
    mine, theirs = left.ucum, right.ucum
    unit = unit_of(mine, theirs) if mine is not None and theirs is not None else ""
    size = size_of(unit)
    if size is None:
        return []
    if not size[1]:  # the units cancel each other out
        return [Quantity(value * size[0].numerator / size[0].denominator, "1") for value in found]
    return [Quantity(value, unit) for value in found]


def _integers(one: Collection, other: Collection, function: Callable[[Number, Number], Number]) -> Collection:
    pair = _pair(one, other)
    return [] if pair is None else _calculated(lambda: function(_number(pair[0]), _number(pair[1])))


def div(one: Collection, other: Collection) -> Collection:
    """Divide and cut."""
    return _integers(one, other, lambda mine, theirs: int(Decimal(mine) / Decimal(theirs)))


def mod(one: Collection, other: Collection) -> Collection:
    """Return the rest of a division, with the sign of the first number."""

    def rest(mine: Number, theirs: Number) -> Number:
        found = Decimal(mine) % Decimal(theirs)
        return int(found) if type(mine) is int and type(theirs) is int else found

    return _integers(one, other, rest)


def concatenate(one: Collection, other: Collection) -> Collection:
    """Join two strings, an empty one for nothing."""
    return [(text_of(one) or "") + (text_of(other) or "")]


def negative(c: Collection) -> Collection:
    """Change the sign."""
    value = value_of(c)
    if value is None:
        return []
    if isinstance(value, Quantity):
        return [Quantity(-value.value, value.unit, value.calendar)]
    return [-_number(value)]


def positive(c: Collection) -> Collection:
    """Return the number itself."""
    value = value_of(c)
    if value is None or isinstance(value, Quantity):
        return c
    return [_number(value)]


def _of_one(c: Collection, function: Callable[[Decimal], Number]) -> Collection:
    value = value_of(c)
    return [] if value is None else _calculated(lambda: function(Decimal(_number(value))))


def absolute(c: Collection) -> Collection:
    """Return the value without its sign."""
    value = value_of(c)
    if value is None:
        return []
    if isinstance(value, Quantity):
        return [Quantity(abs(value.value), value.unit, value.calendar)]
    number = _number(value)
    return [-number if number < 0 else number]


def ceiling(c: Collection) -> Collection:
    """Return the first integer not below."""
    return _of_one(c, math.ceil)


def floor(c: Collection) -> Collection:
    """Return the first integer not above."""
    return _of_one(c, math.floor)


def truncate(c: Collection) -> Collection:
    """Cut the fraction."""
    return _of_one(c, int)


def exp(c: Collection) -> Collection:
    """Return e to this power."""
    return _of_one(c, lambda value: value.exp())


def ln(c: Collection) -> Collection:
    """Return the natural logarithm."""
    return _of_one(c, lambda value: value.ln())


def sqrt(c: Collection) -> Collection:
    """Return the square root."""
    return _of_one(c, lambda value: value.sqrt())


def log(c: Collection, base: Collection) -> Collection:
    """Return the logarithm to a base."""
    pair = _pair(c, base)
    if pair is None:
        return []
    value, of = Decimal(_number(pair[0])), Decimal(_number(pair[1]))
    return _calculated(lambda: round(value.ln() / of.ln(), 30).normalize())


def power(c: Collection, exponent: Collection) -> Collection:
    """Raise to a power; nothing where the result is no real number."""
    pair = _pair(c, exponent)
    if pair is None:
        return []
    value, by = _number(pair[0]), _number(pair[1])
    if type(value) is int and type(by) is int and 0 <= by <= MOST_DIGITS:
        return _calculated(lambda: int(Decimal(value) ** by) if abs(value) > 1 else value**by)
    return _calculated(lambda: Decimal(value) ** Decimal(by))


def rounded(c: Collection, places: Collection | None = None) -> Collection:
    """Round to a number of decimals, half away from zero."""
    number = 0 if places is None else integer_of(places) or 0
    if not 0 <= number <= 28:
        raise Unevaluable("a rounding to less than 0 or more than 28 decimals")
    return _of_one(c, lambda value: value.quantize(Decimal(1).scaleb(-number), rounding=ROUND_HALF_UP))


def total(c: Collection) -> Collection:
    """Return the sum of numbers or quantities."""
    found: Collection = []
    for item in c:
        value = system(item)
        if value is not None:
            found = plus(found, [value]) if found else [value]
    return found
