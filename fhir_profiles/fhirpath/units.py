"""UCUM units → factor and dimensions: enough algebra to compare, multiply and divide what hospitals measure.

Linear: no pattern, bounded length. Units on another scale (`Cel`, `[degF]`) or without a size (`[IU]`, `{score}` alone)
are dimensions of their own: equal to themselves alone. Promise: a unit that cannot be read has no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

Dimensions = tuple[tuple[str, int], ...]
Size = tuple[Fraction, Dimensions]

LONGEST = 64
MOST = 12  # exponents and powers of ten beyond it are no measurement
_PREFIXES = {
    "T": 12,
    "G": 9,
    "M": 6,
    "k": 3,
    "h": 2,
    "da": 1,
    "d": -1,
    "c": -2,
    "m": -3,
    "u": -6,
    "n": -9,
    "p": -12,
    "f": -15,
}
# Unit → its size in base units and their exponents; those of the first table take prefixes.
_METRIC: Mapping[str, tuple[str, Mapping[str, int]]] = MappingProxyType(
    {
        "g": ("1", {"g": 1}),
        "m": ("1", {"m": 1}),
        "s": ("1", {"s": 1}),
        "mol": ("1", {"mol": 1}),
        "K": ("1", {"K": 1}),
        "L": ("0.001", {"m": 3}),
        "l": ("0.001", {"m": 3}),
        "Hz": ("1", {"s": -1}),
        "N": ("1000", {"g": 1, "m": 1, "s": -2}),
        "Pa": ("1000", {"g": 1, "m": -1, "s": -2}),
        "bar": ("1e8", {"g": 1, "m": -1, "s": -2}),
        "J": ("1000", {"g": 1, "m": 2, "s": -2}),
        "W": ("1000", {"g": 1, "m": 2, "s": -3}),
        "cal": ("4184", {"g": 1, "m": 2, "s": -2}),
        "m[Hg]": ("133322000", {"g": 1, "m": -1, "s": -2}),
        "m[H2O]": ("9806650", {"g": 1, "m": -1, "s": -2}),
        "kat": ("1", {"mol": 1, "s": -1}),
        "osm": ("1", {"osm": 1}),
        "eq": ("1", {"eq": 1}),
        "U": ("1", {"U": 1}),
        "[IU]": ("1", {"[IU]": 1}),
        "Cel": ("1", {"Cel": 1}),
    }
)
_PLAIN: Mapping[str, tuple[str, Mapping[str, int]]] = MappingProxyType(
    {
        "%": ("0.01", {}),
        "min": ("60", {"s": 1}),
        "h": ("3600", {"s": 1}),
        "d": ("86400", {"s": 1}),
        "wk": ("604800", {"s": 1}),
        "[lb_av]": ("453.59237", {"g": 1}),
        "[oz_av]": ("28.349523125", {"g": 1}),
        "[in_i]": ("0.0254", {"m": 1}),
        "[ft_i]": ("0.3048", {"m": 1}),
        "[degF]": ("1", {"[degF]": 1}),
    }
)


@lru_cache(maxsize=512)
def size_of(unit: str) -> Size | None:
    """Return a unit in base units: its factor and their exponents, sorted; None when it is not read here."""
    if not 0 < len(unit) <= LONGEST or not unit.isascii():
        return None
    reading = _Reading(unit)
    try:
        found = reading.term()
    except _NoUnitError:
        return None
    return found if reading.at == len(unit) else None


def product(one: str, other: str) -> str:
    """Return the unit of a product."""
    return f"{_grouped(one)}.{_grouped(other)}"


def quotient(one: str, other: str) -> str:
    """Return the unit of a quotient."""
    return f"{one}/{_grouped(other)}"


def _grouped(unit: str) -> str:
    return f"({unit})" if "/" in unit or "." in unit else unit


class _NoUnitError(Exception):
    """Text that is no unit of the tables."""


class _Reading:
    """A unit while it is read: `at` is the place of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def term(self) -> Size:
        """Read factors joined by `.` and `/`; a leading `/` is one divided by what follows."""
        found: Size = (Fraction(1), ())
        sign = -1 if self._next("/") else 1
        while True:
            found = _times(found, self._factor(), sign)
            if self._next("."):
                sign = 1
            elif self._next("/"):
                sign = -1
            else:
                return found

    def _factor(self) -> Size:
        if self._next("("):
            self.depth += 1
            if self.depth > MOST:
                raise _NoUnitError
            inner = self.term()
            if not self._next(")"):
                raise _NoUnitError
            return inner
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in "./(){":
            self.at += 1
        word = self.text[start : self.at]
        noted = self._annotation()
        if not word:
            if noted:
                return Fraction(1), ()
            raise _NoUnitError
        return _word(word)

    def _annotation(self) -> bool:
        if not self._next("{"):
            return False
        end = self.text.find("}", self.at)
        if end < 0:
            raise _NoUnitError
        self.at = end + 1
        return True

    def _next(self, character: str) -> bool:
        if self.text.startswith(character, self.at):
            self.at += 1
            return True
        return False


def _word(word: str) -> Size:
    """Read one factor: a number, a power of ten (`10*9`), or a unit with its exponent (`m2`, `s-1`)."""
    if word.isdigit():
        return Fraction(word), ()
    if word[:3] in ("10*", "10^"):
        return Fraction(10) ** _exponent(word[3:] or "1"), ()
    letters = word.rstrip("0123456789")
    exponent = word[len(letters) :]
    if exponent and letters[-1:] in ("-", "+"):
        letters, exponent = letters[:-1], letters[-1] + exponent
    return _power(_atom(letters), _exponent(exponent or "1"))


def _exponent(text: str) -> int:
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not digits.isdigit() or len(digits) > 2 or int(digits) > MOST:
        raise _NoUnitError
    return int(text)


def _atom(name: str) -> Size:
    found = _METRIC.get(name) or _PLAIN.get(name)
    scale = 0
    if found is None:
        for prefix, power in _PREFIXES.items():
            if name.startswith(prefix) and name[len(prefix) :] in _METRIC:
                found, scale = _METRIC[name[len(prefix) :]], power
    if found is None:
        raise _NoUnitError
    return Fraction(found[0]) * Fraction(10) ** scale, tuple(sorted(found[1].items()))


def _power(size: Size, exponent: int) -> Size:
    return size[0] ** exponent, tuple((base, power * exponent) for base, power in size[1])


def _times(one: Size, other: Size, sign: int) -> Size:
    if sign < 0 and not other[0]:
        raise _NoUnitError
    factor = one[0] * other[0] if sign > 0 else one[0] / other[0]
    powers = dict(one[1])
    for base, power in other[1]:
        powers[base] = powers.get(base, 0) + sign * power
    return factor, tuple(sorted((base, power) for base, power in powers.items() if power))
