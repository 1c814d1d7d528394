"""Quantities of FHIRPath: a number with a UCUM unit or a calendar word; order between units of one dimension."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from fhir_profiles.fhirpath.units import size_of

CALENDAR = MappingProxyType(
    {"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}
)
UCUM_CALENDAR = MappingProxyType({ucum: word for word, ucum in CALENDAR.items()})


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and its unit: a UCUM code, or with `calendar` a word (`month`)."""

    value: Decimal
    unit: str
    calendar: bool = False

    def __str__(self) -> str:
        return f"{self.value:f} {self.unit}" if self.calendar else f"{self.value:f} '{self.unit}'"

    @property
    def ucum(self) -> str | None:
        """Return the unit as UCUM; None for a calendar year or month, which UCUM has not."""
        return CALENDAR.get(self.unit) if self.calendar else self.unit


def comparable(one: Quantity, other: Quantity) -> bool:
    """Say whether two quantities have units of one kind."""
    return common(one, other) is not None


def common(one: Quantity, other: Quantity) -> tuple[Decimal, Decimal] | None:
    """Return both values in one unit; None when the units have no common one here."""
    if one.unit == other.unit and one.calendar == other.calendar:
        return one.value, other.value
    mine, theirs = one.ucum, other.ucum
    if mine is None or theirs is None:
        return None
    if mine == theirs:
        return one.value, other.value
    left, right = size_of(mine), size_of(theirs)
    if left is None or right is None or left[1] != right[1]:
        return None
    return _in_larger(one.value, other.value, left[0] / right[0])


def _in_larger(one: Decimal, other: Decimal, ratio: Fraction) -> tuple[Decimal, Decimal]:
    """Return both values in the larger of their units; where that would round (km/h in m/s), in a common multiple."""
    small = min(ratio, 1 / ratio)
    scale = Decimal(small.numerator) / Decimal(small.denominator)
    if Fraction(scale) != small:
        return one * ratio.numerator, other * ratio.denominator
    return (one, other * scale) if ratio > 1 else (one * scale, other)
