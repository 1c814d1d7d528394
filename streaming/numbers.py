"""(stay, exit year) → RSA_NUM: given once, kept for ever, unique in a hospital and year.

A stay starts from a keyed number and, where two meet, the one with the smaller key keeps the place and the other
takes the next: the numbers are then a function of the set of stays, not of their order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable

from streaming.database import Database

NUMBERS = 10**10

FIND = "SELECT rsa_num FROM rsa_number WHERE finess = ? AND year = ? AND stay = ?"
OCCUPANT = "SELECT stay FROM rsa_number WHERE finess = ? AND year = ? AND rsa_num = ?"
GIVE = "INSERT INTO rsa_number (finess, year, rsa_num, stay) VALUES (?, ?, ?, ?)"
TAKE = "DELETE FROM rsa_number WHERE finess = ? AND year = ? AND rsa_num = ?"


class Numbers:
    """The numbers of one hospital; `displaced` collects the stays whose number changed."""

    def __init__(self, connection: Database, finess: str, *, start: Callable[[str], str]) -> None:
        self._connection = connection
        self._finess = finess
        self._start = start
        self.displaced: set[str] = set()

    def __call__(self, stay: str, year: int) -> str:
        """Return the number of a stay in its exit year."""
        row = self._connection.execute(FIND, (self._finess, year, stay)).fetchone()
        return str(row[0]) if row else self._place(stay, year)

    def _place(self, stay: str, year: int) -> str:
        """Ordered linear probing (Amble and Knuth 1974): the layout does not depend on the order of insertion."""
        given = None
        moving, number = stay, int(self._start(stay))
        while True:
            place = (self._finess, year, f"{number:010d}")
            row = self._connection.execute(OCCUPANT, place).fetchone()
            if row is None:
                self._connection.execute(GIVE, (*place, moving))
                return given or place[2]
            if moving < row[0]:
                self._connection.execute(TAKE, place)
                self._connection.execute(GIVE, (*place, moving))
                given = given or place[2]
                moving = row[0]
                self.displaced.add(moving)
            number = (number + 1) % NUMBERS
