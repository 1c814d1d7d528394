"""Dice → Person: a fictitious French person whose INS has the right shape and key, under the test OID. Pure.

Family and given names are made of syllables, so that no real person is meant; communes are real, numbers are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from fhir_profiles.french.nir import nir_key
from gateway.synthetic.catalogue import Place, catalogue
from gateway.synthetic.dice import Dice, Span

Sex = Literal["male", "female"]

_STARTS = ("Bel", "Cor", "Dar", "Fal", "Gar", "Lor", "Mar", "Nor", "Per", "Quil", "Ral", "Sal", "Tar", "Val", "Ver")
_MIDDLES = ("ba", "do", "ga", "lé", "li", "ma", "mo", "ni", "no", "ra", "ri", "sa", "ti", "va", "vi")
_ENDS = ("bois", "bert", "cour", "dan", "gnon", "lac", "lier", "mont", "nard", "rel", "rieux", "teau", "vel", "zan")
_GIVEN_STARTS = ("Al", "Bé", "Cla", "Dé", "El", "Fé", "Lu", "Ma", "Na", "O", "Ro", "Sé", "Ti", "Vi")
_GIVEN_MIDDLES = ("bri", "ca", "da", "lo", "mi", "na", "ri", "ro", "va")
_GIVEN_ENDS: dict[Sex, tuple[str, ...]] = {
    "male": ("bin", "dan", "lin", "mir", "rel", "rin", "sien", "tan"),
    "female": ("belle", "dine", "lia", "line", "mée", "rielle", "sane", "vie"),
}
_STREETS = ("rue des Alizés", "allée du Verger", "avenue de la Fontaine", "rue du Moulin", "impasse des Tilleuls",
            "boulevard des Acacias", "place du Marché", "chemin de la Garenne")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """One person. `nir` has 15 characters, or is None while no INS is known (a newborn)."""

    number: str
    family: str
    given: tuple[str, ...]
    sex: Sex
    born: date
    birth_place: Place
    home: Place
    street: str
    phone: str
    nir: str | None
    married: bool
    deceased: datetime | None = None

    @property
    def ipp(self) -> str:
        """Return the hospital's permanent number of the person."""
        return f"IPP{self.number}"


def make_person(dice: Dice, number: str, *, sex: Sex, age: Span, on: date) -> Person:
    """Return a person of that age, in completed years, on that day."""
    places = catalogue().places
    years = dice.whole(age)
    born = on.replace(year=on.year - years, day=min(on.day, 28)) - timedelta(days=dice.below(360) if years else 0)
    home, birth_place = dice.one(places), dice.one(places)
    return Person(
        number=number,
        family=family_name(dice),
        given=tuple(given_name(dice, sex) for _ in range(dice.whole(Span(1, 3)))),
        sex=sex,
        born=born,
        birth_place=birth_place,
        home=home,
        street=f"{dice.whole(Span(1, 180))} {dice.one(_STREETS)}",
        phone=f"0{dice.whole(Span(1, 7))} 99 {dice.below(90) + 10} {dice.below(90) + 10} {dice.below(90) + 10}",
        nir=nir_of(dice, sex, born, birth_place),
        married=dice.chance(0.5) and years >= 20,
    )


def family_name(dice: Dice) -> str:
    """Return a pronounceable name that nobody need bear."""
    middle = dice.one(_MIDDLES) if dice.chance(0.6) else ""
    return (dice.one(_STARTS) + middle + dice.one(_ENDS)).upper()


def given_name(dice: Dice, sex: Sex) -> str:
    """Return a pronounceable given name."""
    middle = dice.one(_GIVEN_MIDDLES) if dice.chance(0.4) else ""
    return (dice.one(_GIVEN_STARTS) + middle + dice.one(_GIVEN_ENDS[sex])).upper()


def nir_of(dice: Dice, sex: Sex, born: date, place: Place) -> str:
    """Return 15 characters of the right shape and key."""
    number = f"{'1' if sex == 'male' else '2'}{born:%y%m}{place.insee}{dice.whole(Span(1, 999)):03d}"
    return number + nir_key(number)
