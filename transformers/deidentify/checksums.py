"""Check digits of codes: SNOMED CT (Verhoeff and partition). Pure."""

from __future__ import annotations

SHORTEST, LONGEST = 6, 18
PARTITIONS = frozenset({"00", "01", "02", "10", "11", "12"})
# Verhoeff: multiplication in the dihedral group D5, and the permutation of each place (HL7/SNOMED RF2 guide §5.3).
PRODUCTS = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
PLACES = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)
ZERO = ord("0")
STEPS = tuple(tuple(tuple(row[place[digit]] for digit in range(10)) for row in PRODUCTS) for place in PLACES)


def sct_is_right(code: str) -> bool:
    """Say whether a text is a SNOMED CT identifier of a concept, description or relationship, by its own check."""
    if not (SHORTEST <= len(code) <= LONGEST and code.isascii() and code.isdigit()) or code[-3:-1] not in PARTITIONS:
        return False
    check = 0
    for place, digit in enumerate(code[::-1].encode()):
        check = STEPS[place & 7][check][digit - ZERO]
    return check == 0
