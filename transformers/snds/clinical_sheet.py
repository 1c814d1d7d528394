"""What the clinical tables of one person are written on: who, where, when, and what is counted.

A sheet lives for one conversion. Clinical tables get rows in official column order; nothing is looked up twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from transformers.contract import Contract
from transformers.snds.elements import RESOURCE, Json, referred
from transformers.snds.instants import Moment, amd, before, moment, year_month
from transformers.snds.placing import NO_STAY, Place, Placing
from transformers.snds.reference import NO_REFERENCE
from transformers.snds.schema import physical_name
from transformers.snds.ucum import SYSTEMS as UCUM
from transformers.snds.ucum_reference import ucum_code
from transformers.snds.view import PersonView, Row

MAX_DAYS, MAX_MINUTES, MONTHS = 9_999, 9_999_999, 12
UNIT_WIDTH = 20
CARE_DATES = "care-dates"
NUMBERS = frozenset({int, float})
NO_IDENTIFIER: Json = {}

Pairs = tuple[tuple[str, str], ...]


class When(NamedTuple):
    """The date columns of one event: the year of its table, `SOI_DTD`, `SOI_AMD`, `DAT_DEL`, `MIN_DEL`."""

    year: int
    day: date | None
    month: str
    days: int | None
    minutes: int | None
    outside: bool = False


class Sheet:
    """Rows and counts of one person, and what each row needs to know of the person."""

    def __init__(
        self,
        view: PersonView,
        *,
        contract: Contract,
        technical: Callable[[str], str],
        nir_ano_17: str,
        placing: Placing = lambda _: NO_STAY,
        atc: Mapping[str, str] = NO_REFERENCE.atc,
    ) -> None:
        self.view = view
        self.finess = contract.finess
        self.nir = nir_ano_17
        self.technical = technical
        self.atc = atc
        self.tables: dict[tuple[str, int], list[Row]] = {}
        self.outside: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self._placing = placing
        self._places: dict[str | None, Place | None] = {}
        self._care_dates = CARE_DATES in contract.potential_identifiers
        self._found: Mapping[str, Json] | None = None
        self._groups: dict[str, str] = {}
        self._dated: dict[int, tuple[Place, dict[str, When | None]]] = {}

    def write(self, table: str, when: When, place: Place, row: Row) -> None:
        """Add a row to its table and year; count it when it is dated outside its stay."""
        rows = self.tables.get((table, when.year))
        if rows is None:
            rows = self.tables[table, when.year] = []
        rows.append(row)
        if when.outside and place.stay is not None:
            self.outside[place.stay] = self.outside.get(place.stay, 0) + 1

    def count(self, code: str) -> None:
        """Count something that has no column of its own."""
        self.counts[code] = self.counts.get(code, 0) + 1

    def place_of(self, resource: Json) -> Place | None:
        """Return where an event belongs; asked once for each Encounter that events refer to."""
        reference = resource.get("encounter") or resource.get("context")
        alias = reference.get("identifier", NO_IDENTIFIER).get("value", "") if reference else None
        try:  # found but once an alias
            return self._places[alias]
        except KeyError:
            place = self._places[alias] = self._placing(resource)
            return place

    def when(self, text: str | None, place: Place) -> When | None:
        """Return the date columns of an event; a month without a day has no delay, anything shorter is no date.

        Results of one sampling share an instant: each is computed once a place.
        """
        if text is None:
            return None
        of_place = self._dated.get(id(place))
        if of_place is None:
            of_place = self._dated[id(place)] = (place, {})  # holds the place, so that its id stays its own
        known = of_place[1]
        if text in known:
            return known[text]
        when = known[text] = self._when(text, place)
        return when

    def _when(self, text: str, place: Place) -> When | None:
        at = moment(text)
        if at is not None:
            return self.at(at, place)
        known = year_month(text)
        if known is None or known[1] is None or not 1 <= known[1] <= MONTHS:
            return None
        year, month = known
        return When(_year(place, year), None, f"{year:04d}{month:02d}", None, None)

    def at(self, at: Moment, place: Place) -> When:
        """Return the date columns of an event whose day is known."""
        day, minute = at
        year, month = _year(place, day.year), _month(day)
        shown = day if self._care_dates else None
        entry, exit_ = place.entry, place.exit
        if entry is None:
            return When(year, shown, month, None, None)
        days = (day - entry.day).days
        minutes = None if minute is None or entry.minute is None else minute - entry.minute
        early = days < 0 if minutes is None else minutes < 0
        outside = not place.joined and (early or (exit_ is not None and before(exit_, at)))
        if not -MAX_DAYS <= days <= MAX_DAYS:
            self.count("value-too-large")
            return When(year, shown, month, None, None, outside)
        if minutes is not None and not -MAX_MINUTES <= minutes <= MAX_MINUTES:
            minutes = None
        return When(year, shown, month, days, minutes, outside)

    def number(self, value: object, limit: float) -> int | float | None:
        """Return a number that fits its column, else None, counted."""
        if type(value) not in NUMBERS:  # a bool is none
            return None
        if -limit < value < limit:  # type: ignore[operator]  # an int or a float
            return value  # type: ignore[return-value]
        self.count("value-too-large")
        return None

    def group(self, key: str) -> str:
        """Return the technical number of a report, computed once."""
        found = self._groups.get(key)
        if found is None:
            found = self._groups[key] = self.technical(key)
        return found

    def referred(self, reference: Json | None) -> Json | None:
        """Return the resource that a reference names: a structure (contained ones are too), or one of the person's."""
        key = referred(reference, RESOURCE)
        if key is None:
            return None
        if self._found is None:
            self._found = {one.key: one.resource for one in self.view.resources}
        structure = self.view.structures.get(key)
        return structure.resource if structure is not None else self._found.get(key)


def pairs(concept: Json | None) -> Pairs:
    """Return the (system, code) pairs of a concept: what decisions about codes are cached by."""
    codings = concept.get("coding") if concept else None
    if not codings:
        return ()
    if len(codings) == 1:
        [only] = codings
        return ((only.get("system", ""), only["code"]),) if "code" in only else ()
    return tuple([(one.get("system", ""), one["code"]) for one in codings if "code" in one])


def unit_code(quantity: Json) -> str | None:
    """Return the unit of a quantity: as sent under UCUM, the UCUM code of a printed one (no system), else None."""
    code = quantity.get("code")
    if not code:
        return None
    system = quantity.get("system")
    if system is None:
        code = ucum_code(code)
    elif system not in UCUM:
        return None
    return code if len(code) <= UNIT_WIDTH else None


@lru_cache(maxsize=1024)
def table_name(table: str, year: int) -> str:
    """Return the physical name (`T_EDSaaBIO`, 2024 → `T_EDS24BIO`)."""
    return physical_name(table, year)


def _year(place: Place, own: int) -> int:
    return own if place.exit_year is None else place.exit_year


@lru_cache(maxsize=4096)
def _month(day: date) -> str:
    return amd(day)
