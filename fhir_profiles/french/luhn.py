"""Check digits: Luhn (SIREN, SIRET, FINESS) and EAN-13 (CIP13, UCD13). Pure."""

from __future__ import annotations


def luhn_is_right(digits: str) -> bool:
    """Say whether a string of ASCII digits ends with its Luhn check digit."""
    total = 0
    for rank, character in enumerate(reversed(digits)):
        value = int(character) * (1 + rank % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def ean_is_right(digits: str) -> bool:
    """Say whether a string of 13 ASCII digits ends with its EAN check digit."""
    return sum(int(character) * (1 + 2 * (rank % 2)) for rank, character in enumerate(digits)) % 10 == 0


def is_digits(text: str, length: int) -> bool:
    """Say whether a text is exactly so many ASCII digits."""
    return len(text) == length and text.isascii() and text.isdigit()
