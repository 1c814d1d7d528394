"""What the current resources of a person say of each visit: Conditions, Procedures, Claims, ages, birth measures. Pure.

One pass over the resources. Never: a decision about a stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from transformers.snds.acts import Act, is_done, performed_act
from transformers.snds.claims import Summary, attach, summaries
from transformers.snds.elements import Json, extension_value, fact_code
from transformers.snds.told_diagnoses import Coded, Named, coded, is_current, names, ranks
from transformers.snds.view import Staged
from transformers.snds.visits import Visit, Visits

GESTATION = frozenset({"11884-4", "11885-1", "18185-9"})
BIRTH_WEIGHT = "8339-4"
WEIGHT = "29463-7"
LAST_PERIOD = "8665-2"
WANTED = GESTATION | {BIRTH_WEIGHT, WEIGHT, LAST_PERIOD}
NOTHING: Json = {}
RESULTS = frozenset({"final", "amended", "corrected"})


@dataclass(slots=True, repr=False)
class Content:
    """Everything told of one visit; `refused` counts acts that are not CCAM."""

    coded: list[Coded] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    summaries: list[tuple[Summary, str | None]] = field(default_factory=list)
    observations: list[tuple[str, Staged, str | None]] = field(default_factory=list)
    ages: list[Staged] = field(default_factory=list)
    root_names: list[Named] = field(default_factory=list)
    unit_names: dict[str, list[Named]] = field(default_factory=dict)
    refused: int = 0

    def __repr__(self) -> str:
        return f"Content({len(self.coded)} Conditions, {len(self.acts)} acts)"

    @property
    def whole(self) -> list[Summary]:
        """Return the Claims of the whole stay, latest first."""
        return [summary for summary, _ in self.summaries if not summary.of_unit]


def gather(
    resources: Iterable[Staged], visits: Visits, *, severity: Collection[str] = ()
) -> tuple[Mapping[str, Content], Mapping[str, int]]:
    """Return visit key → content, and counts of what belongs to no visit. `severity`: codes of the IGS II."""
    wanted = WANTED.union(severity)
    found = {visit.key: Content() for visit in visits.visits}
    listed = list(resources)
    naming = _naming(visits, found)
    coding = 0
    for one in listed:
        if one.type == "Observation":
            _observation(one, visits, found, wanted)
        elif one.type == "Condition":
            coding += not _condition(one, visits, found, naming)
        elif one.type == "Procedure":
            coding += not _procedure(one, visits, found)
        elif one.type == "Basic" and fact_code(one.resource) == "age":
            visit = _visit_of_age(one, visits)
            if visit is not None:
                found[visit.key].ages.append(one)
    attached, claims = attach(summaries(listed), visits)
    for key, linked in attached.items():
        found[key].summaries = linked
    return found, {"claim-unlinked": claims, "coding-unlinked": coding}


def _naming(visits: Visits, found: Mapping[str, Content]) -> dict[str, tuple[Visit, str | None, int | None]]:
    """Read `Encounter.diagnosis` of roots and units; return Condition key → the visit that names it."""
    naming: dict[str, tuple[Visit, str | None, int | None]] = {}
    for visit in visits.visits:
        content = found[visit.key]
        content.root_names = names(visit.root)
        for encounter, unit in _encounters(visit, visits):
            listed = names(encounter)
            if unit is not None and listed:
                content.unit_names.setdefault(unit, []).extend(listed)
            ranked = ranks(listed)
            for one in listed:
                naming.setdefault(one.condition, (visit, unit, ranked.get(one.condition)))
    return naming


def _encounters(visit: Visit, visits: Visits) -> Iterator[tuple[Staged, str | None]]:
    for one in visit.members:
        yield one, None
    for one in visit.children:
        yield one, visits.unit_by_key.get(one.key)


def _condition(
    one: Staged,
    visits: Visits,
    found: Mapping[str, Content],
    naming: Mapping[str, tuple[Visit, str | None, int | None]],
) -> bool:
    """Take one in where it belongs; False when there is no such visit."""
    if not is_current(one):
        return True
    reference = one.resource.get("encounter")
    visit, unit = visits.of(reference), visits.unit_of(reference)
    named = naming.get(one.key)
    if visit is None and reference is None and named is not None:
        visit, unit = named[0], named[1]
    if visit is None:
        return False
    rank = named[2] if named is not None else None
    emergency = visits.is_emergency(reference)
    found[visit.key].coded.append(coded(one, unit=unit, emergency=emergency, rank=rank))
    return True


def _procedure(one: Staged, visits: Visits, found: Mapping[str, Content]) -> bool:
    """Take one in where it belongs; False when there is no such visit."""
    if not is_done(one):
        return True
    reference = one.resource.get("encounter")
    visit = visits.of(reference)
    if visit is None:
        return False
    act = performed_act(one, visits.unit_of(reference))
    if act is None:
        found[visit.key].refused += 1
    else:
        found[visit.key].acts.append(act)
    return True


def _observation(one: Staged, visits: Visits, found: Mapping[str, Content], wanted: Collection[str]) -> None:
    resource = one.resource
    # most observations end here: no generator, no second look
    for coding in (resource.get("code") or NOTHING).get("coding", ()):
        code = coding.get("code")
        if code in wanted:
            break
    else:
        return
    if resource.get("status") not in RESULTS:
        return
    reference = resource.get("encounter")
    visit = visits.of(reference)
    if visit is not None:
        found[visit.key].observations.append((code, one, visits.unit_of(reference)))


def _visit_of_age(fact: Staged, visits: Visits) -> Visit | None:
    reference: Json | None = extension_value(fact.resource, "encounter")
    if not reference:
        return None
    key = extension_value(reference, "resource")
    return visits.by_key.get(str(key)) or visits.of(reference)
