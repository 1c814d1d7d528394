"""What a stay says of a birth: weeks of gestation, weight at birth, last period, the mother-child link. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from transformers.snds.codes import DELIVERY
from transformers.snds.contents import BIRTH_WEIGHT, GESTATION, LAST_PERIOD, WEIGHT
from transformers.snds.elements import version_order
from transformers.snds.instants import days_between, moment, order
from transformers.snds.stays import NEWBORN_DAYS, Stay
from transformers.snds.view import Staged

GRAMS = {"kg": 1000, "g": 1, "[lb_av]": 453.59237}
WEEKS = {"wk": 1, "d": 1 / 7, "": 1}
HEAVIEST, LONGEST_GESTATION, LONGEST_DELAY = 9999, 45, 999


class Birth(NamedTuple):
    """Values of the columns; `link` is the key that the mother's and the child's `ID_MAM_ENF` are made of."""

    gestation: int | None = None
    weight: int | None = None
    delay: int | None = None
    link: str | None = None
    beside_mother: bool = False


def birth(stay: Stay) -> Birth:
    """Return what a stay says of a birth; nothing for a stay that is neither a delivery nor a newborn's."""
    newborn = stay.age.days is not None and stay.age.days <= NEWBORN_DAYS
    delivery = not newborn and any(DELIVERY.fullmatch(code) for code in stay.diagnoses.all_codes)
    if not newborn and not delivery:
        return Birth()
    return Birth(
        gestation=_gestation(stay),
        weight=_weight(stay) if newborn else None,
        delay=_delay(stay) if delivery else None,
        link=stay.newborn_of if newborn else stay.visit.key,
        beside_mother=newborn and stay.newborn_of is not None,
    )


def _gestation(stay: Stay) -> int | None:
    for one in _observed(stay, GESTATION):
        value, unit = _quantity(one)
        if value is not None and unit in WEEKS and 0 < value * WEEKS[unit] <= LONGEST_GESTATION:
            return int(value * WEEKS[unit])
    return None


def _weight(stay: Stay) -> int | None:
    """Return grams: the birth weight, else the first body weight of the stay."""
    for one in [*_observed(stay, (BIRTH_WEIGHT,)), *_observed(stay, (WEIGHT,))]:
        value, unit = _quantity(one)
        if value is not None and unit in GRAMS and 0 < round(value * GRAMS[unit]) <= HEAVIEST:
            return round(value * GRAMS[unit])
    return None


def _delay(stay: Stay) -> int | None:
    for one in _observed(stay, (LAST_PERIOD,)):
        said = moment(one.get("valueDateTime"))
        days = days_between(said, stay.entry) if said else -1
        if 0 <= days <= LONGEST_DELAY:
            return days
    return None


def _observed(stay: Stay, wanted: Collection[str]) -> list[Any]:
    """Return the observations of these codes, earliest first, the latest version of equals first."""
    found: list[Staged] = [one for code, one, _ in stay.content.observations if code in wanted]
    found.sort(key=version_order, reverse=True)
    found.sort(key=lambda one: order(moment(one.resource.get("effectiveDateTime"))))
    return [one.resource for one in found]


def _quantity(resource: Any) -> tuple[float | None, str]:  # noqa: ANN401 — a FHIR resource
    quantity = resource.get("valueQuantity", {})
    value = quantity.get("value")
    return (float(value) if isinstance(value, int | float) else None), quantity.get("code", "")
