"""Visits and their contents → what each one is: a stay with all that its rows need, open, in quarantine, or no stay.

Pure. The order of the checks is that of the reasons in `quarantine`; the first one that fails is the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from transformers.contract import Contract
from transformers.snds.acts import Act, ActRow, StayActs, merged, stay_acts
from transformers.snds.ages import Age, age_at
from transformers.snds.beneficiary import Beneficiary
from transformers.snds.claims import Summary
from transformers.snds.codes import SESSION
from transformers.snds.contents import GESTATION, Content
from transformers.snds.diagnoses import StayDiagnoses, stay_diagnoses
from transformers.snds.elements import codes
from transformers.snds.instants import Moment, before, days_between
from transformers.snds.medical_units import Unit, stay_units, unit_at
from transformers.snds.modes import is_leave, left_unseen
from transformers.snds.reference import NO_REFERENCE, Reference
from transformers.snds.structures import Structures
from transformers.snds.told_diagnoses import Sources, principal_told
from transformers.snds.view import StayStatus
from transformers.snds.visits import BEGUN, EMERGENCY, HOME_CARE, INPATIENT, Visit

LONGEST_NIGHTS = 9999
MOST_UNITS = 99
MOST_ACTS, MOST_ACTS_OF_STAY = 999, 9999  # what ACT_RUM_NBR of a unit and ACT_ORD_NUM of the stay can say
SEX_THREE_SINCE = 2023
NEWBORN_DAYS = 28
BORN = "born"


@dataclass(frozen=True, slots=True, repr=False)
class Stay:
    """A stay that gives rows."""

    visit: Visit
    content: Content
    entry: Moment
    exit: Moment
    age: Age
    units: tuple[Unit, ...]
    diagnoses: StayDiagnoses
    acts: StayActs
    session: bool
    newborn_of: str | None
    emergency: bool
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def year(self) -> int:
        """Return the year of the exit, that of all tables of the stay."""
        return self.exit.day.year

    @property
    def nights(self) -> int | None:
        """Return the nights, None for a session."""
        return None if self.session else days_between(self.entry, self.exit)

    def __repr__(self) -> str:
        return f"Stay(units={len(self.units)})"


@dataclass(frozen=True, slots=True, repr=False)
class Verdict:
    """What a visit is. `stay` stands only with status written."""

    status: StayStatus
    reason: str | None = None
    stay: Stay | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Verdict({self.status}, {self.reason})"


@dataclass(frozen=True, slots=True)
class Judge:
    """Everything that a verdict depends on beside the visit itself."""

    contract: Contract
    structures: Structures
    person: Beneficiary | None
    reference: Reference = NO_REFERENCE

    def verdict(self, visit: Visit, content: Content, *, emergency: tuple[Visit, ...]) -> Verdict:
        """Say what a visit is that gives a stay or will. `emergency` are the emergency visits that led to it."""
        if visit.resource.get("status") not in BEGUN:
            return Verdict("none")
        if not visit.finished or is_leave(visit.resource.get("hospitalization", {}).get("dischargeDisposition")):
            return Verdict("open")
        outside = other_field(visit, content, self.structures)
        if outside:
            return Verdict("quarantined", "field-not-mco", counts={f"field-{outside}": 1})
        # the stay above is another person's when it is known and not among this person's Encounters
        others = self.structures.holds(visit.above, "Encounter")
        newborn_of = visit.above if visit.above is not None and (others or is_newborn(visit, content)) else None
        reason = self._refusal(visit, newborn_of)
        if reason:
            return Verdict("quarantined", reason)
        return self._stay(visit, content, newborn_of, emergency=bool(emergency or visit.emergencies))

    def _refusal(self, visit: Visit, newborn_of: str | None) -> str | None:
        if visit.above is not None and newborn_of is None:
            return "parent-unknown"
        if self.person is None:
            return "patient-missing"
        entry, left = visit.entry, visit.exit
        if entry is None:
            return "start-missing"
        if left is None:
            return "end-missing"
        if before(left, entry):
            return "period-inverted"
        if days_between(entry, left) > LONGEST_NIGHTS:
            return "period-too-long"
        if self.person.sex is None and left.day.year < SEX_THREE_SINCE:
            return "sex-not-codable"
        return None

    def _stay(self, visit: Visit, content: Content, newborn_of: str | None, *, emergency: bool) -> Verdict:
        entry, left = visit.entry, visit.exit
        assert entry is not None
        assert left is not None
        assert self.person is not None
        age = age_at(entry.day, content.ages, self.person.birth)
        if isinstance(age, str):
            return Verdict("quarantined", age)
        own_dp = {one.unit for one in content.coded if one.role == "DP" and one.unit is not None}
        units = stay_units(visit, content.summaries, self.structures, own_diagnosis=own_dp)
        if len(units) > MOST_UNITS:
            return Verdict("quarantined", "too-many-units")
        sources = Sources(content.coded, content.root_names, content.unit_names, content.whole)
        diagnoses = stay_diagnoses(sources, units, dp_rule=self.contract.dp_rule, known=self.reference.check("cim10"))
        if isinstance(diagnoses, str):
            return Verdict("quarantined", diagnoses)
        acts, over = _acts(content, units, diagnoses.designated, self.reference.check("ccam"))
        counts = {
            **diagnoses.counts,
            "acts-over-limit": over,
            "act-without-date": sum(row.day is None for row in acts.rows),
            "act-before-entry": sum(row.day is not None and row.day < entry.day for row in acts.rows),
        }
        session = entry.day == left.day and SESSION.fullmatch(diagnoses.principal) is not None
        stay = Stay(
            visit, content, entry, left, age, tuple(units), diagnoses, acts, session, newborn_of, emergency,
            {name: number for name, number in counts.items() if number},
        )  # fmt: skip
        return Verdict("written", stay=stay)


def is_stay(visit: Visit, content: Content) -> bool:
    """Say whether a visit is a stay, whatever its class: a PMSI Claim, a principal diagnosis, or an inpatient class."""
    if any(summary.field == "mco" for summary, _ in content.summaries):
        return True
    if left_unseen(visit.resource.get("hospitalization", {}).get("dischargeDisposition")):
        return False
    names = [*content.root_names, *(name for listed in content.unit_names.values() for name in listed)]
    return visit.kind in INPATIENT or visit.kind == HOME_CARE or principal_told(content.coded, names)


def other_field(visit: Visit, content: Content, structures: Structures) -> str | None:
    """Return had, ssr or psy for a stay of another PMSI field: its Claim says it, else its class, else its unit."""
    claimed = [summary.field for summary, _ in content.summaries]
    if "mco" in claimed:
        return None
    if claimed:
        return claimed[0]
    if visit.kind == HOME_CARE:
        return "had"
    field_of_unit = structures.site(visit.resource.get("serviceProvider")).field
    return field_of_unit if field_of_unit in ("had", "ssr", "psy") else None


def is_newborn(visit: Visit, content: Content) -> bool:
    """Say whether the visit is of a newborn, whose `partOf` is then the mother's stay and no unit of another."""
    source = visit.resource.get("hospitalization", {}).get("admitSource")
    if BORN in codes(source) or any(summary.modes[0] == "N" for summary, _ in content.summaries):
        return True
    if any(code in GESTATION for code, _, _ in content.observations):
        return True
    ages = [age_at(visit.entry.day, content.ages, None)] if visit.entry else []
    return any(isinstance(age, Age) and age.days is not None and age.days <= NEWBORN_DAYS for age in ages)


def is_emergency(visit: Visit) -> bool:
    """Say whether a visit is one to an emergency department."""
    return visit.kind == EMERGENCY


def _acts(
    content: Content, units: list[Unit], designated: int, known: Callable[[str], bool] | None
) -> tuple[StayActs, int]:
    """Return the acts by unit: that of its Encounter or Claim, else the one at its time, else the DP's unit."""
    place = {key: number for number, unit in enumerate(units) for key in unit.keys}
    of_claim = {unit.summary.key: number for number, unit in enumerate(units) if unit.summary is not None}
    told: list[Act] = list(content.acts)
    refused = content.refused
    claimed: list[tuple[Summary, int]] = [(summary, -1) for summary in content.whole[:1]] + [
        (unit.summary, of_claim[unit.summary.key]) for unit in units if unit.summary is not None
    ]
    extra: list[list[Act]] = [[], []]
    for summary, number in claimed:
        refused += summary.refused_acts
        for source, listed in zip(extra, summary.acts, strict=True):
            source += [act._replace(unit=f"#{number}") if number >= 0 else act for act in listed]

    def unit_of(act: Act) -> int:
        if act.unit is not None:
            return int(act.unit[1:]) if act.unit.startswith("#") else place.get(act.unit, designated)
        found = unit_at(units, act.when)
        return designated if found is None else found

    everything = merged([told, *extra])
    if known is not None:
        refused += sum(not known(act.code.code) for act in everything)
        everything = [act for act in everything if known(act.code.code)]
    acts = stay_acts(everything, refused=refused, unit_of=unit_of)
    if len(acts.rows) <= MOST_ACTS:
        return acts, 0
    kept = Counter[int]()
    rows: list[ActRow] = []
    for row in acts.rows:
        kept[row.unit] += 1
        if kept[row.unit] <= MOST_ACTS and len(rows) < MOST_ACTS_OF_STAY:
            rows.append(row)
    return StayActs(tuple(rows), acts.refused, acts.wrong_system), len(acts.rows) - len(rows)
