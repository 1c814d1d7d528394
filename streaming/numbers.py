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
OCCUPANTS = """
SELECT year, rsa_num, stay FROM rsa_number
WHERE finess = ? AND rsa_num IN (SELECT value FROM json_each(?))
"""
GIVE = "INSERT INTO rsa_number (finess, year, rsa_num, stay) VALUES (?, ?, ?, ?)"
TAKE = "DELETE FROM rsa_number WHERE finess = ? AND year = ? AND rsa_num = ?"

Place = tuple[int, str]
"""(exit year, RSA_NUM)"""


class Numbers:
    """The numbers of one hospital; `displaced` collects the stays whose number changed.

    What is given is kept by `save`, all at once, in the transaction in which the numbers were looked up.
    """

    def __init__(self, connection: Database, finess: str, *, start: Callable[[str], str]) -> None:
        self._connection = connection
        self._finess = finess
        self._start = start
        self._asked: set[str] = set()
        self._known: dict[tuple[str, int], str] = {}
        self._seen: set[str] = set()
        self._occupants: dict[Place, str] = {}
        self._given: dict[Place, str] = {}
        self._taken: set[Place] = set()
        self.displaced: set[str] = set()

    def expect(self, stays: Iterable[str]) -> None:
        """Look up the numbers of many stays at once: each is asked for next."""
        listed = sorted(set(stays) - self._asked)
        self._asked.update(listed)
        for stay, year, number in self._connection.execute(FIND_ALL, (self._finess, _json(listed))):
            self._known.setdefault((stay, year), number)
        known = {stay for stay, _ in self._known}
        self._look({self._start(stay) for stay in listed if stay not in known})

    def __call__(self, stay: str, year: int) -> str:
        """Return the number of a stay in its exit year."""
        known = self._known.get((stay, year))
        if known is None and stay not in self._asked:
            row = self._connection.execute(FIND, (self._finess, year, stay)).fetchone()
            known = str(row[0]) if row else None
        return known or self._place(stay, year)

    def save(self) -> None:
        """Keep the numbers that were given."""
        taken = [(self._finess, *place) for place in sorted(self._taken)]
        self._connection.executemany(TAKE, taken)
        self._connection.executemany(
            GIVE, [(self._finess, *place, stay) for place, stay in sorted(self._given.items())]
        )
        self._taken.clear()
        self._given.clear()

    def _place(self, stay: str, year: int) -> str:
        """Ordered linear probing (Amble and Knuth 1974): the layout does not depend on the order of insertion."""
        given = None
        moving, number = stay, int(self._start(stay))
        while True:
            place = (year, f"{number:010d}")
            self._look({place[1]})
            occupant = self._occupants.get(place)
            if occupant is None or moving < occupant:
                given = given or place[1]
                self._give(place, moving)
                if occupant is None:
                    return given
                moving = occupant
                self.displaced.add(moving)
            number = (number + 1) % NUMBERS

    def _give(self, place: Place, stay: str) -> None:
        if place in self._occupants and place not in self._given:
            self._taken.add(place)
        self._occupants[place] = self._given[place] = stay
        self._known[stay, place[0]] = place[1]

    def _look(self, numbers: set[str]) -> None:
        """Read who has these numbers, in any year, unless that is known."""
        unseen = sorted(numbers - self._seen)
        if not unseen:
            return
        self._seen.update(unseen)
        for year, number, stay in self._connection.execute(OCCUPANTS, (self._finess, _json(unseen))):
            self._occupants[year, number] = stay


def _json(values: list[str]) -> str:
    return orjson.dumps(values).decode()
