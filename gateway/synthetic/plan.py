"""(seed, number) → stays: who comes to the fictitious hospital, when, for what, and what is special about it. Pure.

Every twentieth stay plants the same special case, so that twenty stays already show them all; exit years turn
from 2022 to 2025. A stay depends on the seed and its own number (and those of the stays that it names) alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from gateway.synthetic.catalogue import Pathway, Unit, catalogue
from gateway.synthetic.dice import Dice, Span
from gateway.synthetic.people import Person, Sex, make_person

FIRST_YEAR = 2022
YEARS = 4
SCHEDULE = (
    "day-surgery", "multi-unit", "dialysis", "mother", "newborn", "emergency", "death", "transfer", "claim",
    "corrected", "seldom", "chemotherapy", "readmission", "posted", "child", "ordinary", "ordinary", "ordinary",
    "ordinary", "ordinary",
)  # fmt: skip
SELDOM = ("open", "cancelled", "visit")
AMBULATORY = ("cataracte ambulatoire", "hernie ambulatoire", "coloscopie ambulatoire")
SESSIONS_OF_ONE_PERSON = 5


@dataclass(frozen=True, slots=True)
class UnitStay:
    """The time in one unit."""

    unit: Unit
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Stay:
    """One stay or visit as it really was.

    `kind` is what it was planted for. `emergency` is the visit to the emergency department before it. `mother` is
    the number of the mother's stay. `wrong_principal` is the diagnosis that a first version gave before its correction.
    """

    number: int
    kind: str
    person: Person
    pathway: Pathway
    start: datetime
    end: datetime | None
    units: tuple[UnitStay, ...]
    associated: tuple[str, ...]
    admitted_from: str
    discharged_to: str
    emergency: tuple[datetime, datetime] | None = None
    mother: int | None = None
    insured: Person | None = None
    wrong_principal: str | None = None
    status: str = "finished"

    @property
    def visit(self) -> str:
        """Return the visit number (NDA)."""
        return f"{self.start:%y}{self.number:07d}"

    @property
    def known_until(self) -> datetime:
        """Return when the hospital last knew something of it."""
        return self.end or self.start + timedelta(days=1)


def plan_stays(seed: int, number: int) -> Iterator[Stay]:
    """Yield `number` stays, the special ones planted among them."""
    for index in range(number):
        yield plan_stay(seed, index)


def plan_stay(seed: int, index: int) -> Stay:
    """Return one stay."""
    kind = SCHEDULE[index % len(SCHEDULE)]
    if kind == "seldom":
        kind = SELDOM[index // len(SCHEDULE) % len(SELDOM)]
    if kind == "newborn":
        return plan_newborn(seed, index, plan_stay(seed, index - 1))
    if kind == "readmission":
        return _readmission(seed, index)
    return plan_kind(seed, index, kind)


def plan_kind(seed: int, index: int, kind: str) -> Stay:
    """Return a stay of a kind that needs no other stay."""
    return _special(_stay(seed, index, kind))


def plan_ordinary(seed: int, index: int) -> Stay:
    """Return an ordinary inpatient stay (the workload of measurements)."""
    return _stay(seed, index, "ordinary")


def _stay(seed: int, index: int, kind: str) -> Stay:
    dice = Dice(seed, "stay", index)
    pathway = _pathway(dice, kind)
    nights = dice.whole(pathway.nights)
    left_on = _exit_day(dice, index, kind)
    came_on = left_on - timedelta(days=nights)
    start = dice.moment(came_on, Span(7, 9) if nights == 0 else Span(7, 19))
    end = dice.moment(left_on, Span(14, 18) if nights == 0 else Span(10, 16))
    sex: Sex = "female" if pathway.sex == "female" or (pathway.sex is None and dice.chance(0.52)) else "male"
    return Stay(
        number=index + 1,
        kind=kind,
        person=_person(seed, index, kind, pathway=pathway, sex=sex, on=came_on),
        pathway=pathway,
        start=start,
        end=end,
        units=_units(dice, pathway, start, end),
        associated=dice.some(pathway.associated, 3),
        admitted_from=pathway.admitted_from,
        discharged_to=pathway.discharged_to if dice.chance(0.7) else "home",
    )


def _pathway(dice: Dice, kind: str) -> Pathway:
    lists = catalogue()
    named = {"dialysis": "dialyse", "chemotherapy": "chimiotherapie", "mother": "accouchement",
             "visit": "passage aux urgences", "child": "bronchiolite et asthme de l'enfant"}  # fmt: skip
    if kind in named:
        return lists.pathway(named[kind])
    if kind == "day-surgery":
        return lists.pathway(dice.one(AMBULATORY))
    usual = tuple(one for one in lists.pathways if one.weight)
    if kind == "multi-unit":
        usual = tuple(one for one in usual if len(one.units) > 1)
    elif kind == "posted":
        usual = tuple(one for one in usual if len(one.units) == 1)
    elif kind == "emergency":
        usual = tuple(one for one in usual if one.admitted_from == "emd")
    elif kind == "death":
        usual = tuple(one for one in usual if one.age.low >= 40)
    return dice.weighted(usual, tuple(one.weight for one in usual))


def _exit_day(dice: Dice, index: int, kind: str) -> date:
    if kind == "open":
        return date(FIRST_YEAR + YEARS - 1, 12, 30)
    year = FIRST_YEAR + (index + index // len(SCHEDULE)) % YEARS
    return date(year, 1, 8) + timedelta(days=dice.below(340))


def _person(seed: int, index: int, kind: str, *, pathway: Pathway, sex: Sex, on: date) -> Person:
    if kind in ("dialysis", "chemotherapy"):
        # the same person comes back for session after session
        rank = index // len(SCHEDULE) // SESSIONS_OF_ONE_PERSON
        return make_person(
            Dice(seed, kind, rank), f"{seed % 1000:03d}{kind[0]}{rank:05d}", sex="female", age=pathway.age,
            on=date(FIRST_YEAR, 1, 1),
        )  # fmt: skip
    return make_person(
        Dice(seed, "person", index), f"{seed % 1000:03d}{index + 1:06d}", sex=sex, age=pathway.age, on=on
    )


def _units(dice: Dice, pathway: Pathway, start: datetime, end: datetime) -> tuple[UnitStay, ...]:
    units = [catalogue().units[code] for code in pathway.units]
    nights = (end.date() - start.date()).days
    if len(units) == 1 or nights < 2:
        return (UnitStay(units[-1], start, end),)
    moved = dice.moment(start.date() + timedelta(days=dice.whole(Span(1, nights - 1))), Span(9, 17))
    return (UnitStay(units[0], start, moved), UnitStay(units[1], moved, end))


def _special(stay: Stay) -> Stay:
    dice = Dice(stay.number, stay.kind)
    assert stay.end is not None
    if stay.kind == "open":
        return replace(stay, end=None, status="in-progress", units=(replace(stay.units[0], end=None),))
    if stay.kind == "cancelled":
        return replace(stay, status="cancelled")
    if stay.kind == "death":
        return replace(stay, discharged_to="exp", person=replace(stay.person, deceased=stay.end))
    if stay.kind == "transfer":
        entering = dice.chance(0.5)
        return replace(
            stay,
            admitted_from="hosp-trans" if entering else stay.admitted_from,
            discharged_to="other-hcf" if not entering else stay.discharged_to,
        )
    if stay.kind == "emergency":
        left = stay.start - timedelta(minutes=20)
        return replace(stay, emergency=(left - timedelta(minutes=dice.whole(Span(90, 420))), left))
    if stay.kind == "corrected":
        return replace(stay, wrong_principal="R074")
    if stay.kind == "child":
        insured = make_person(
            dice, f"{stay.person.number}P", sex="female", age=Span(28, 40), on=stay.start.date()
        )  # fmt: skip
        return replace(stay, insured=insured)
    return stay


def plan_newborn(seed: int, index: int, mother: Stay, *, sex: Sex | None = None) -> Stay:
    """Return the stay of a child born during its mother's."""
    pathway = catalogue().pathway("nouveau-ne")
    dice = Dice(seed, "newborn", index)
    assert mother.end is not None
    born = mother.start + timedelta(hours=dice.whole(Span(3, 12)))
    own: Sex = dice.one(("male", "female")) if sex is None else sex
    child = make_person(dice, f"{seed % 1000:03d}{index + 1:06d}", sex=own, age=Span(0, 0), on=born.date())
    child = replace(
        child, family=mother.person.family, born=born.date(), nir=None, home=mother.person.home,
        street=mother.person.street, phone=mother.person.phone, birth_place=catalogue().places[0],
    )  # fmt: skip
    return Stay(
        number=index + 1,
        kind="newborn",
        person=child,
        pathway=pathway,
        start=born,
        end=mother.end,
        units=(UnitStay(catalogue().units["NEON"], born, mother.end),),
        associated=dice.some(pathway.associated, 1),
        admitted_from="born",
        discharged_to="home",
        mother=mother.number,
        insured=mother.person,
    )


def _readmission(seed: int, index: int) -> Stay:
    """Return another stay of the person who came five numbers before, some weeks later (or before, at the very end)."""
    first = plan_stay(seed, index - 5)
    assert first.end is not None
    gap = timedelta(days=Dice(seed, "gap", index).whole(Span(15, 200)))
    if (first.end + gap).date() > date(FIRST_YEAR + YEARS - 1, 12, 20):
        gap = -gap
    return replace(
        first,
        number=index + 1,
        kind="readmission",
        start=first.start + gap,
        end=first.end + gap,
        units=tuple(replace(one, start=one.start + gap, end=one.end + gap if one.end else None) for one in first.units),
    )
