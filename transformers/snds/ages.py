"""Age at entry: the exact fact, else year and month of birth above two years, flagged; below, a reason. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from transformers.snds.elements import extension_value, version_order
from transformers.snds.instants import moment
from transformers.snds.view import Staged

OLDEST = 120
EXACT_BELOW_MONTHS = 24
MIDDLE_OF_MONTH = 16
DAYS_OF_YEAR = 366


class Age(NamedTuple):
    """Completed years, or days below one year; both None when no birth date is usable."""

    years: int | None = None
    days: int | None = None
    approximate: bool = False


def age_at(entry: date, facts: Iterable[Staged], birth: tuple[int, int | None] | None) -> Age | str:
    """Return the age at entry, or the reason why it cannot be told."""
    exact = _exact(entry, facts)
    if exact is not None:
        return exact
    if birth is None:
        return Age()
    year, month = birth
    if (year, month or 1) > (entry.year, entry.month):
        return "birth-after-entry"
    if month is None:
        years = entry.year - year
        return _approximate(years) if years * 12 > EXACT_BELOW_MONTHS + 12 else "age-not-exact"
    months = (entry.year - year) * 12 + entry.month - month
    if months <= EXACT_BELOW_MONTHS:
        return "age-not-exact"
    # in the month of the birthday, half of the persons have had it by the middle of the month
    return _approximate((months - (months % 12 == 0 and entry.day < MIDDLE_OF_MONTH)) // 12)


def _approximate(years: int) -> Age:
    return Age(min(years, OLDEST), None, approximate=True)


def _exact(entry: date, facts: Iterable[Staged]) -> Age | None:
    """Return the latest fact that was computed for this very entry day."""
    dated = [one for one in facts if _computed_for(one) == entry]
    for fact in sorted(dated, key=version_order, reverse=True):
        days, years = extension_value(fact.resource, "age-days"), extension_value(fact.resource, "age-years")
        if isinstance(days, int) and 0 <= days <= DAYS_OF_YEAR:
            return Age(days=days)
        if isinstance(years, int) and years >= 0:
            return Age(min(years, OLDEST))
    return None


def _computed_for(fact: Staged) -> date | None:
    found = moment(extension_value(fact.resource, "age-at"))
    return found.day if found else None
