"""Chance that depends on names alone: the same seed and path give the same numbers, in any order of calls."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Span:
    """A lowest and a highest whole number."""

    low: int
    high: int


class Dice:
    """A named source of chance. Not for secrets: whoever knows the seed knows every number."""

    def __init__(self, seed: int, *path: object) -> None:
        self._random = random.Random("/".join(str(part) for part in (seed, *path)))  # noqa: S311

    def whole(self, span: Span) -> int:
        """Return a whole number of the span, both ends included."""
        return self._random.randint(span.low, span.high)

    def below(self, limit: int) -> int:
        """Return a whole number from 0 to `limit` - 1."""
        return self._random.randrange(limit)

    def chance(self, share: float) -> bool:
        """Say yes in this share of cases."""
        return self._random.random() < share

    def real(self, low: float, high: float) -> float:
        """Return a number between two."""
        return self._random.uniform(low, high)

    def one(self, items: tuple[Item, ...]) -> Item:
        """Return one of the items."""
        return self._random.choice(items)

    def weighted(self, items: tuple[Item, ...], weights: tuple[int, ...]) -> Item:
        """Return one of the items, the heavier the oftener."""
        return self._random.choices(items, weights)[0]

    def some(self, items: tuple[Item, ...], most: int) -> tuple[Item, ...]:
        """Return up to `most` different items, in their order."""
        count = self._random.randint(0, min(most, len(items)))
        kept = set(self._random.sample(range(len(items)), count))
        return tuple(item for index, item in enumerate(items) if index in kept)

    def moment(self, day: date, hours: Span) -> datetime:
        """Return a moment of a day in Paris, between two hours."""
        minute = self._random.randrange((hours.high - hours.low) * 60)
        return datetime.combine(day, time(hours.low), PARIS) + timedelta(minutes=minute)
