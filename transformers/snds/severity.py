"""A stay → the IGS II of each unit (`IGS2_COD`), from the Observations whose codes the contract names. Pure."""

from __future__ import annotations

from collections.abc import Collection

from transformers.snds.elements import version_order
from transformers.snds.instants import moment, order
from transformers.snds.medical_units import unit_at
from transformers.snds.stays import Stay
from transformers.snds.view import Staged

HIGHEST = 163


def severities(stay: Stay, wanted: Collection[str]) -> list[str | None]:
    """Return the score of each unit, three characters: the first one of the unit, in its latest version."""
    found: list[str | None] = [None] * len(stay.units)
    if not wanted:
        return found
    place = {key: number for number, unit in enumerate(stay.units) for key in unit.keys}
    told = [(one, unit) for code, one, unit in stay.content.observations if code in wanted]
    told.sort(key=lambda one: version_order(one[0]), reverse=True)
    told.sort(key=lambda one: order(moment(one[0].resource.get("effectiveDateTime"))))
    for observation, unit in told:
        number = place.get(unit) if unit else unit_at(stay.units, moment(observation.resource.get("effectiveDateTime")))
        score = _score(observation)
        if score is not None and found[number or 0] is None:
            found[number or 0] = f"{score:03d}"
    return found


def _score(observation: Staged) -> int | None:
    value = observation.resource.get("valueInteger", observation.resource.get("valueQuantity", {}).get("value"))
    usable = isinstance(value, int | float) and value == int(value) and 0 <= value <= HIGHEST
    return int(value) if usable else None
