"""Check digits: Luhn (SIREN, SIRET, FINESS) and EAN-13 (CIP13, UCD13). Pure."""

from __future__ import annotations

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # twice a digit, the digits of the answer added


def luhn_is_right(digits: str) -> bool:
    """Say whether a string of digits ends with its Luhn check digit."""
    doubled = sum(map(_DOUBLED.__getitem__, map(int, digits[-2::-2])))
    return (sum(map(int, digits[::-2])) + doubled) % 10 == 0


def ean_is_right(digits: str) -> bool:
    """Say whether a string of 13 ASCII digits ends with its EAN check digit."""
    return (sum(map(int, digits[::2])) + 3 * sum(map(int, digits[1::2]))) % 10 == 0


def is_digits(text: str, length: int) -> bool:
    """Say whether a text is exactly so many ASCII digits."""
    return len(text) == length and text.isascii() and text.isdigit()
