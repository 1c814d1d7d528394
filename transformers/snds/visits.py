"""A person's Encounters → visits: which Encounters are one contact, its root, its units, its emergency part. Pure.

In: the current Encounters. Out: one `Visit` a contact, in an order that does not depend on arrival. Never: what a
visit is worth (a stay or not), which `person` decides with its diagnoses and Claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from transformers.snds.elements import REMOVED, RESOURCE, STAY, Json, extension_value, identifiers, referred
from transformers.snds.elements import version_order as version
from transformers.snds.instants import Moment, before, moment
from transformers.snds.view import Staged

EMERGENCY = "EMER"
INPATIENT = frozenset({"IMP", "ACUTE", "NONAC", "SS", "OBSENC"})
HOME_CARE = "HH"
BEGUN = frozenset({"arrived", "triaged", "in-progress", "onleave", "unknown", "finished"})
DISCHARGED = "finished"


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """One contact of a person with the hospital.

    `root` speaks for it; `members` are the Encounters that tell of it, `children` those that are part of it (units),
    `emergencies` the emergency Encounters that share its number. `above` is the key of an Encounter that `root` is
    part of and that is none of this person's: the mother's stay, or a parent that has not come.
    """

    key: str
    root: Staged
    members: tuple[Staged, ...]
    children: tuple[Staged, ...]
    emergencies: tuple[Staged, ...] = ()
    under: frozenset[str] = frozenset()
    above: str | None = None

    def __repr__(self) -> str:
        return f"Visit(members={len(self.members)}, children={len(self.children)})"

    @property
    def resource(self) -> Json:
        """Return the root Encounter."""
        return self.root.resource

    @property
    def entry(self) -> Moment | None:
        """Return when it began, None when no day is known."""
        return moment(self.resource.get("period", {}).get("start"))

    @property
    def exit(self) -> Moment | None:
        """Return when it ended, None when no day is known."""
        return moment(self.resource.get("period", {}).get("end"))

    @property
    def finished(self) -> bool:
        """Say whether the root says that it is over."""
        return bool(self.resource.get("status") == DISCHARGED)

    @property
    def kind(self) -> str:
        """Return the code of the root's class."""
        return class_of(self.root)


@dataclass(frozen=True, slots=True, repr=False)
class Visits:
    """The visits of a person; `by_key` and `by_alias` find the visit of an Encounter, `unit_of` the child."""

    visits: tuple[Visit, ...]
    by_key: Mapping[str, Visit]
    by_alias: Mapping[str, Visit]
    unit_by_alias: Mapping[str, str]
    unit_by_key: Mapping[str, str]
    emergencies: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Visits({len(self.visits)})"

    def of(self, reference: Json | None) -> Visit | None:
        """Return the visit that a reference to an Encounter means."""
        alias = referred(reference, STAY)
        if alias is not None:
            return self.by_alias.get(alias)
        key = referred(reference, RESOURCE)
        return self.by_key.get(key) if key else None

    def unit_of(self, reference: Json | None) -> str | None:
        """Return the key of the child Encounter that a reference means, None when it means the visit itself."""
        alias = referred(reference, STAY)
        if alias is not None:
            return self.unit_by_alias.get(alias)
        key = referred(reference, RESOURCE)
        return self.unit_by_key.get(key) if key else None

    def is_emergency(self, reference: Json | None) -> bool:
        """Say whether a reference means an emergency Encounter that shares the number of its visit."""
        alias = referred(reference, STAY)
        return (alias if alias is not None else referred(reference, RESOURCE)) in self.emergencies


def class_of(encounter: Staged) -> str:
    """Return the code of an Encounter's class, "" when there is none."""
    found: str = encounter.resource.get("class", {}).get("code", "")
    return found


def find_visits(resources: Iterable[Staged]) -> Visits:
    """Group the current Encounters of a person into visits."""
    encounters = [one for one in resources if one.type == "Encounter"]
    current = {one.key: one for one in encounters if one.resource.get("status") not in REMOVED}
    removed = {one.key for one in encounters} - current.keys()
    parents = _parents(current)
    gone = {key for key in current if not removed.isdisjoint(_line(key, parents))}
    kept = {key: one for key, one in current.items() if key not in gone}
    parts, joined = _children(kept, parents)
    roots = [one for key, one in kept.items() if key not in parts]
    groups = _components(roots)
    visits = tuple(sorted((_visit(group, parts, joined, kept, parents) for group in groups), key=lambda v: v.key))
    return _index(visits, kept, parts)


def _parents(current: Mapping[str, Staged]) -> dict[str, str]:
    """Return the key of the Encounter that each one is part of, known or not."""
    declared: dict[str, list[str]] = {}
    for key, one in current.items():
        for alias in identifiers(one.resource, STAY):
            declared.setdefault(alias, []).append(key)
    found: dict[str, str] = {}
    for key, one in current.items():
        reference = one.resource.get("partOf")
        if not reference:
            continue
        parent = extension_value(reference, "resource")
        if parent is None or (parent not in current and referred(reference, STAY) in declared):
            others = [other for other in declared.get(referred(reference, STAY) or "", ()) if other != key]
            whole = [other for other in others if "partOf" not in current[other].resource]
            parent = next(iter(sorted(whole or others)), parent)
        if parent is not None and parent != key:
            found[key] = parent
    return found


def _line(key: str, parents: Mapping[str, str]) -> Iterator[str]:
    """Yield the ancestors of an Encounter; a circle ends where it began."""
    seen = {key}
    while (key := parents.get(key, "")) and key not in seen:
        seen.add(key)
        yield key


def _children(
    current: Mapping[str, Staged], parents: Mapping[str, str]
) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Return part → (unit, root), and the `partOf` edges between an emergency visit and another one."""
    units: dict[str, tuple[str, str]] = {}
    joined: dict[str, str] = {}
    for key in current:
        line = [above for above in _line(key, parents) if above in current]
        if not line or parents[key] != line[0] or _in_circle(key, parents):
            continue
        emergencies = [class_of(current[above]) == EMERGENCY for above in (key, *line)]
        if any(emergencies) and not all(emergencies):
            joined[key] = line[0]
            continue
        units[key] = ((key, *line)[-2], line[-1])
    return units, joined


def _in_circle(key: str, parents: Mapping[str, str]) -> bool:
    """Say whether an Encounter is, through others, part of itself."""
    return any(parents.get(above) == key for above in _line(key, parents))


def _components(roots: list[Staged]) -> Iterator[list[Staged]]:
    """Yield the groups of Encounters that share, directly or not, an alias."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for one in roots:
        own = "key|" + one.key
        leader.setdefault(own, own)
        for alias in identifiers(one.resource, STAY):
            leader.setdefault(alias, alias)
            leader[find(own)] = find(alias)
    groups: dict[str, list[Staged]] = {}
    for one in roots:
        groups.setdefault(find("key|" + one.key), []).append(one)
    yield from groups.values()


def _visit(
    group: list[Staged],
    parts: Mapping[str, tuple[str, str]],
    joined: Mapping[str, str],
    current: Mapping[str, Staged],
    parents: Mapping[str, str],
) -> Visit:
    """Choose the root: finished with an end, latest version; a stub never overrides it."""
    ranked = sorted(group, key=_weight, reverse=True)
    root = next((one for one in ranked if _admitted_after(one, ranked[0])), ranked[0])
    admission = class_of(root) != EMERGENCY
    emergencies = tuple(one for one in ranked if admission and class_of(one) == EMERGENCY)
    keys = {one.key for one in group}
    units = tuple(current[key] for key in sorted(parts) if parts[key][0] == key and parts[key][1] in keys)
    above = parents.get(root.key)
    return Visit(
        key=root.key,
        root=root,
        members=(root, *(one for one in ranked if one is not root and one not in emergencies)),
        children=units,
        emergencies=emergencies,
        under=frozenset(joined[key] for key in keys if key in joined),
        above=above if above is not None and above not in current else None,
    )


def _weight(one: Staged) -> tuple[object, ...]:
    resource = one.resource
    finished = resource.get("status") == DISCHARGED
    ended = finished and moment(resource.get("period", {}).get("end")) is not None
    begun = resource.get("status") in BEGUN
    return (ended, class_of(one) != EMERGENCY, finished, begun, version(one))


def _admitted_after(one: Staged, emergency: Staged) -> bool:
    """Say whether an Encounter is the admission that an emergency visit of the same number led to, still going on.

    A stub says no more than that the visit goes on: an admission begins after the emergency visit did.
    """
    if class_of(emergency) != EMERGENCY or class_of(one) == EMERGENCY or one.resource.get("status") not in BEGUN:
        return False
    came, admitted = (moment(each.resource.get("period", {}).get("start")) for each in (emergency, one))
    return came is not None and admitted is not None and before(came, admitted)


def _index(visits: tuple[Visit, ...], current: Mapping[str, Staged], parts: Mapping[str, tuple[str, str]]) -> Visits:
    by_key: dict[str, Visit] = {}
    by_alias: dict[str, Visit] = {}
    for visit in visits:
        for one in (*visit.members, *visit.emergencies):
            by_key[one.key] = visit
            for alias in identifiers(one.resource, STAY):
                by_alias[alias] = visit
    own = {alias for visit in visits for one in visit.members for alias in (one.key, *identifiers(one.resource, STAY))}
    emergencies = {
        alias
        for visit in visits
        for one in visit.emergencies
        for alias in (one.key, *identifiers(one.resource, STAY))
        if alias not in own
    }
    # what a part declares and its whole too (a shared visit number) means the whole
    unit_by_alias: dict[str, str] = {}
    unit_by_key: dict[str, str] = {}
    for key in sorted(parts):
        unit, root = parts[key]
        by_key[key] = by_key[root]
        unit_by_key[key] = unit
        for alias in identifiers(current[key].resource, STAY):
            if alias not in by_alias or unit_by_alias.get(alias, unit) != unit:
                unit_by_alias.setdefault(alias, unit)
                by_alias[alias] = by_key[root]
    return Visits(visits, by_key, by_alias, unit_by_alias, unit_by_key, frozenset(emergencies))
