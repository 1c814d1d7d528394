"""(stay, exit year) → RSA_NUM: given once, kept for ever, unique in a hospital and year.

A stay starts from a keyed number and, where two meet, the one with the smaller key keeps the place and the other
takes the next: the numbers are then a function of the set of stays, not of their order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson

from streaming.database import Database

NUMBERS = 10**10

FIND = "SELECT rsa_num FROM rsa_number WHERE finess = ? AND year = ? AND stay = ?"
FIND_ALL = """
SELECT stay, year, rsa_num FROM rsa_number WHERE finess = ? AND stay IN (SELECT value FROM json_each(?))
"""
OCCUPANT = "SELECT stay FROM rsa_number WHERE finess = ? AND year = ? AND rsa_num = ?"
GIVE = """
INSERT INTO rsa_number (finess, year, rsa_num, stay) VALUES (?, ?, ?, ?)
ON CONFLICT (finess, year, rsa_num) DO NOTHING
"""
TAKE = "DELETE FROM rsa_number WHERE finess = ? AND year = ? AND rsa_num = ?"


class Numbers:
    """The numbers of one hospital; `displaced` collects the stays whose number changed."""

    def __init__(self, connection: Database, finess: str, *, start: Callable[[str], str]) -> None:
        self._connection = connection
        self._finess = finess
        self._start = start
        self._asked: set[str] = set()
        self._known: dict[tuple[str, int], str] = {}
        self.displaced: set[str] = set()

    def expect(self, stays: Iterable[str]) -> None:
        """Look up the numbers of many stays at once: each is asked for next."""
        listed = sorted(set(stays) - self._asked)
        self._asked.update(listed)
        for stay, year, number in self._connection.execute(FIND_ALL, (self._finess, orjson.dumps(listed).decode())):
            self._known[stay, year] = number

    def __call__(self, stay: str, year: int) -> str:
        """Return the number of a stay in its exit year."""
        known = self._known.get((stay, year))
        if known is None and stay not in self._asked:
            row = self._connection.execute(FIND, (self._finess, year, stay)).fetchone()
            known = str(row[0]) if row else None
        return known or self._place(stay, year)

    def _place(self, stay: str, year: int) -> str:
        """Ordered linear probing (Amble and Knuth 1974): the layout does not depend on the order of insertion."""
        given = None
        moving, number = stay, int(self._start(stay))
        while True:
            place = (self._finess, year, f"{number:010d}")
            if self._give(place, moving):
                return given or place[2]
            [occupant] = self._connection.execute(OCCUPANT, place).fetchone()
            if moving < occupant:
                self._connection.execute(TAKE, place)
                self._give(place, moving)
                given = given or place[2]
                moving = occupant
                self.displaced.add(moving)
            number = (number + 1) % NUMBERS

    def _give(self, place: tuple[str, int, str], stay: str) -> bool:
        """Give a number to a stay, or say that it is another one's."""
        if self._connection.execute(GIVE, (*place, stay)).rowcount != 1:
            return False
        self._known[stay, place[1]] = place[2]
        return True
