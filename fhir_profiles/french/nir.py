"""The French social security number (NIR) and the waiting number (NIA): shape, key, parts. Pure.

Takes what a sender wrote (spaces, 13 or 15 characters, Corsica as 2A/2B); gives the parts or None.
Never judges more than the shape: provisional and foreign registrations use odd months and first digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

_SEPARATORS = str.maketrans("", "", " \u00a0\u202f\u2009.-")
_SHAPE = re.compile(r"([1-8])([0-9]{2})([0-9]{2})([0-9]{2}|2[AB])([0-9]{3})([0-9]{3})([0-9]{2})?", re.ASCII)
_CORSICA = MappingProxyType({"2A": "19", "2B": "18"})
_LONGEST = 40


@dataclass(frozen=True, slots=True, repr=False)
class Nir:
    """A number of the right shape. `number` are the 13 characters, `key` the 2 sent ones, or None.

    `sex_digit` is the first character (1, 2; 3, 4, 7, 8 provisional; 5, 6 others), `year` and `month` the four
    that follow, `department` two characters (`99` and overseas prefixes included).
    """

    number: str
    key: str | None = None

    def __repr__(self) -> str:
        return "Nir(…)"

    @property
    def sex_digit(self) -> str:
        """Return the first character."""
        return self.number[0]

    @property
    def year(self) -> str:
        """Return the two digits of the birth year."""
        return self.number[1:3]

    @property
    def month(self) -> str:
        """Return the month of birth, 01–12, or a pseudo-month (20–42, 50–99)."""
        return self.number[3:5]

    @property
    def department(self) -> str:
        """Return the department of birth: `75`, `2A`, `97`, `99`."""
        return self.number[5:7]

    @property
    def expected_key(self) -> str:
        """Return 97 − (number mod 97) on two digits, with 2A read as 19 and 2B as 18."""
        return nir_key(self.number)

    @property
    def key_is_right(self) -> bool | None:
        """Say whether the sent key is the expected one; None when none was sent."""
        return None if self.key is None else self.key == self.expected_key


def nir_key(number: str) -> str:
    """Return the two-digit key of 13 characters of the right shape."""
    department = number[5:7]
    digits = number[:5] + _CORSICA.get(department, department) + number[7:]
    return f"{97 - int(digits) % 97:02d}"


def parse_nir(value: object) -> Nir | None:
    """Read a NIR or NIA as people write it; None when its shape is not that of one."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    compact = value.translate(_SEPARATORS).upper()
    found = _SHAPE.fullmatch(compact)
    if found is None:
        return None
    return Nir(compact[:13], found.group(7))
