"""A visit → its medical units in order, with the nights of each. Pure.

Units are child Encounters, else the Claims of units (RUM), else the periods of `Encounter.location`, else the visit
itself. The nights of all units always add up to those of the stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from transformers.snds.claims import LAST_RANK, Summary
from transformers.snds.elements import Json
from transformers.snds.instants import Moment, before, days_between, moment, order
from transformers.snds.structures import NOWHERE, Site, Structures
from transformers.snds.view import Staged
from transformers.snds.visits import Visit

NOT_BEGUN = frozenset({"planned"})
NOT_THERE = frozenset({"planned", "reserved"})


@dataclass(frozen=True, slots=True, repr=False)
class Unit:
    """One medical unit of a stay. `keys` are the child Encounters that it stands for; `nights` is set by `placed`."""

    id: str
    start: Moment
    end: Moment | None
    rank: int
    site: Site
    keys: frozenset[str] = frozenset()
    summary: Summary | None = None
    nights: int = 0

    def __repr__(self) -> str:
        return f"Unit(nights={self.nights})"

    @property
    def identity(self) -> object:
        """Return what tells whether two passages are in the same unit, None when nothing does."""
        return self.site.units[:1] or self.site.owner


def stay_units(
    visit: Visit,
    summaries: Sequence[tuple[Summary, str | None]],
    structures: Structures,
    *,
    own_diagnosis: Collection[str],
) -> list[Unit]:
    """Return the units of a stay with both dates, in order. `own_diagnosis`: child Encounters with their own DP."""
    entry, left = visit.entry, visit.exit
    assert entry is not None
    assert left is not None
    rums = [(summary, unit) for summary, unit in summaries if summary.of_unit]
    found = list(_from_children(visit, structures, entry))
    if found:
        found = _with_summaries(_sorted(found), rums)
        found = _joined(found, own_diagnosis)
    else:
        found = list(_from_summaries(visit, rums, structures, entry))
        found = found or _joined(_sorted(list(_from_locations(visit, structures, entry))), ())
    if not found:
        found = [Unit(visit.key, entry, left, LAST_RANK, _site(visit.root, structures))]
    return placed(_sorted(found), entry, left)


def placed(units: Sequence[Unit], entry: Moment, left: Moment) -> list[Unit]:
    """Give each unit its nights: to the start of the next, the last one to the exit; the first begins at the entry."""
    starts = [entry]
    for unit in units[1:]:
        starts.append(min(max(unit.start, starts[-1], key=order), left, key=order))
    ends = [*starts[1:], left]
    return [
        replace(unit, start=start, end=end, nights=days_between(start, end))
        for unit, start, end in zip(units, starts, ends, strict=True)
    ]


def unit_at(units: Sequence[Unit], when: Moment | None) -> int | None:
    """Return the place of the unit that held the patient at a moment, None when no moment is known."""
    if when is None:
        return None
    found = 0
    for place, unit in enumerate(units):
        if not before(when, unit.start):
            found = place
    return found


def longest(units: Sequence[Unit], among: Collection[int]) -> int:
    """Return the place of the unit with most nights, the first of equals."""
    return max(sorted(among), key=lambda place: units[place].nights)


def _sorted(units: list[Unit]) -> list[Unit]:
    return sorted(units, key=lambda unit: (order(unit.start), unit.rank, order(unit.end), unit.id))


def _from_children(visit: Visit, structures: Structures, entry: Moment) -> Iterator[Unit]:
    for child in visit.children:
        resource = child.resource
        if resource.get("status") in NOT_BEGUN:
            continue
        period = resource.get("period", {})
        yield Unit(
            id=child.key,
            start=moment(period.get("start")) or entry,
            end=moment(period.get("end")),
            rank=LAST_RANK,
            site=_site(child, structures),
            keys=frozenset((child.key,)),
        )


def _from_summaries(
    visit: Visit, rums: Sequence[tuple[Summary, str | None]], structures: Structures, entry: Moment
) -> Iterator[Unit]:
    whole = _site(visit.root, structures)
    places = list(_from_locations(visit, structures, entry))
    for summary, _ in rums:
        start = summary.start or entry
        site = next((place.site for place in reversed(places) if not before(start, place.start)), NOWHERE)
        yield Unit(summary.key, start, summary.end, summary.rank, _filled(site, whole), summary=summary)


def _from_locations(visit: Visit, structures: Structures, entry: Moment) -> Iterator[Unit]:
    """Yield the passages of `Encounter.location` that say since when, or the only one."""
    listed = [one for one in visit.resource.get("location", ()) if one.get("status") not in NOT_THERE]
    if len(listed) > 1:
        listed = [one for one in listed if moment(one.get("period", {}).get("start"))]
    whole = structures.site(visit.resource.get("serviceProvider"))
    for place, one in enumerate(listed):
        period = one.get("period", {})
        site = structures.site(one.get("location"))
        yield Unit(
            id=f"{visit.key}/{place:04d}",
            start=moment(period.get("start")) or entry,
            end=moment(period.get("end")),
            rank=LAST_RANK,
            site=site._replace(geographic=site.geographic or whole.geographic, legal=site.legal or whole.legal),
        )


def _with_summaries(units: list[Unit], rums: Sequence[tuple[Summary, str | None]]) -> list[Unit]:
    """Give each unit its Claim: the one that names it, else the one of its dates, else by rank when all are there."""
    free = [summary for summary, named in rums if named is None]
    named = {name: summary for summary, name in reversed(rums) if name is not None}
    found = [replace(unit, summary=next((named[key] for key in unit.keys if key in named), None)) for unit in units]
    for place, unit in enumerate(found):
        if unit.summary is None:
            match = [summary for summary in free if summary.start and summary.start.day == unit.start.day]
            match = [s for s in match if s.end is None or unit.end is None or s.end.day == unit.end.day]
            if len(match) == 1:
                free.remove(match[0])
                found[place] = replace(unit, summary=match[0], rank=match[0].rank)
    waiting = [place for place, unit in enumerate(found) if unit.summary is None]
    if free and len(free) == len(waiting):
        for place, summary in zip(waiting, sorted(free, key=lambda s: (s.rank, order(s.start), s.key)), strict=True):
            found[place] = replace(found[place], summary=summary, rank=summary.rank)
    return found


def _joined(units: list[Unit], own_diagnosis: Collection[str]) -> list[Unit]:
    """Merge passages that follow each other in the same unit without a gap; two summaries or two DP stay apart."""
    found: list[Unit] = []
    for unit in units:
        last = found[-1] if found else None
        if last is None or not _contiguous(last, unit) or _both_coded(last, unit, own_diagnosis):
            found.append(unit)
            continue
        found[-1] = replace(last, end=unit.end, keys=last.keys | unit.keys, summary=last.summary or unit.summary)
    return found


def _contiguous(first: Unit, second: Unit) -> bool:
    same = first.identity is not None and first.identity == second.identity
    return same and first.end is not None and first.end.day == second.start.day


def _both_coded(first: Unit, second: Unit, own_diagnosis: Collection[str]) -> bool:
    coded = [unit.summary is not None or not unit.keys.isdisjoint(own_diagnosis) for unit in (first, second)]
    return all(coded)


def _site(encounter: Staged, structures: Structures) -> Site:
    """Return the place of an Encounter: its last location, filled from its service provider."""
    resource: Json = encounter.resource
    listed = [one.get("location") for one in resource.get("location", ()) if one.get("status") not in NOT_THERE]
    site = next((found for found in map(structures.site, reversed(listed)) if found != NOWHERE), NOWHERE)
    return _filled(site, structures.site(resource.get("serviceProvider")))


def _filled(site: Site, other: Site) -> Site:
    return Site(
        site.geographic or other.geographic,
        site.legal or other.legal,
        site.units or other.units,
        site.field or other.field,
        site.owner or other.owner,
    )
