"""Emergency visits → the admissions that they led to (DESIGN §12), whatever came first. Pure.

By `partOf`, by Account, by EpisodeOfCare, else by time: it began before the entry and ended at most 24 h before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from transformers.snds.elements import RESOURCE, referred
from transformers.snds.instants import Moment, order
from transformers.snds.visits import Visit, Visits

DAY_IN_MINUTES = 24 * 60
LINKS = ("account", "episodeOfCare")


def joined_admissions(emergencies: Sequence[Visit], admissions: Sequence[Visit], visits: Visits) -> Mapping[str, Visit]:
    """Return key of an emergency visit → the admission that it belongs to."""
    ordered = sorted(admissions, key=lambda visit: (order(visit.entry), visit.key))
    found: dict[str, Visit] = {}
    for visit in emergencies:
        admission = next(_candidates(visit, ordered, visits), None)
        if admission is not None:
            found[visit.key] = admission
    return found


def _candidates(visit: Visit, admissions: Sequence[Visit], visits: Visits) -> Iterator[Visit]:
    """Yield the admissions in order of preference."""
    above = {visits.by_key[key].key for key in visit.under if key in visits.by_key}
    yield from (one for one in admissions if one.key in above)
    own = {one.key for one in visit.members}
    yield from (one for one in admissions if not own.isdisjoint(one.under))
    later = [one for one in admissions if order(one.entry) >= _start(visit)]
    for name in LINKS:
        shared = _linked(visit, name)
        if shared:
            yield from (one for one in later if not shared.isdisjoint(_linked(one, name)))
    yield from (one for one in admissions if _follows(visit, one))


def _start(visit: Visit) -> tuple[int, int]:
    """Return the order of the visit's beginning, of its day alone where only days are known."""
    entry = visit.entry
    return (entry.day.toordinal(), -1) if entry else (0, 0)


def _linked(visit: Visit, name: str) -> frozenset[str]:
    keys = (referred(one, RESOURCE) for one in visit.resource.get(name, ()))
    return frozenset(key for key in keys if key)


def _follows(visit: Visit, admission: Visit) -> bool:
    """Say whether an admission begins within 24 h of the end of an emergency visit, or before it is closed."""
    start, end, entry = visit.entry, visit.exit, admission.entry
    if end is None or entry is None or not visit.finished:
        return False
    if _minutes(end, entry) < 0:
        return start is not None and _minutes(start, entry) >= 0 and not _after_exit(end, admission)
    return _minutes(end, entry) <= DAY_IN_MINUTES


def _after_exit(end: Moment, admission: Visit) -> bool:
    return admission.exit is not None and end.day > admission.exit.day


def _minutes(first: Moment, second: Moment) -> int:
    """Return the minutes from one moment to another, by whole days where one of them is only a day."""
    if first.minute is not None and second.minute is not None:
        return second.minute - first.minute
    return (second.day - first.day).days * DAY_IN_MINUTES
