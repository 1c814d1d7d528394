"""Quantities of FHIRPath: a number with a UCUM unit or a calendar word; order between units of one small table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

CALENDAR = MappingProxyType(
    {"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}
)
UCUM_CALENDAR = MappingProxyType({ucum: word for word, ucum in CALENDAR.items()})
_PREFIXES = {"k": "1e3", "h": "1e2", "da": "1e1", "d": "1e-1", "c": "1e-2", "m": "1e-3", "u": "1e-6", "n": "1e-9"}
_METRIC = ("g", "m", "L", "l", "mol", "Pa", "J", "Hz")
_OTHER = {
    "[lb_av]": ("g", "453.59237"),
    "[oz_av]": ("g", "28.349523125"),
    "[in_i]": ("m", "0.0254"),
    "[ft_i]": ("m", "0.3048"),
    "s": ("s", "1"),
    "ms": ("s", "0.001"),
    "min": ("s", "60"),
    "h": ("s", "3600"),
    "d": ("s", "86400"),
    "wk": ("s", "604800"),
    "1": ("1", "1"),
    "%": ("1", "0.01"),
}


def _table() -> Mapping[str, tuple[str, Decimal]]:
    found = {unit: (kind, Decimal(factor)) for unit, (kind, factor) in _OTHER.items()}
    for unit in _METRIC:
        base = "L" if unit == "l" else unit
        found[unit] = (base, Decimal(1))
        for prefix, factor in _PREFIXES.items():
            found.setdefault(prefix + unit, (base, Decimal(factor)))
    return MappingProxyType(found)


UNITS = _table()


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
    left, right = UNITS.get(mine), UNITS.get(theirs)
    if left is None or right is None or left[0] != right[0]:
        return None
    return one.value * left[1], other.value * right[1]
