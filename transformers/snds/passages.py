"""A stay → its entry and exit modes and its emergency passage, from the Encounter, the Claims and the person. Pure."""

from __future__ import annotations

from dataclasses import replace

from transformers.contract import Contract
from transformers.snds.beneficiary import Beneficiary
from transformers.snds.elements import Json, codings
from transformers.snds.mco import geographic_finess
from transformers.snds.modes import (
    DEATH,
    EMERGENCY_PLACE,
    MODES,
    PMSI,
    End,
    Mode,
    by_emergency,
    end_mode,
    through_emergency,
)
from transformers.snds.reference import Layouts
from transformers.snds.stays import Stay
from transformers.snds.structures import Site, Structures

OWN_AND_OTHER = "V"


def stay_modes(
    stay: Stay, *, person: Beneficiary, contract: Contract, structures: Structures, layouts: Layouts
) -> tuple[Mode, Mode]:
    """Return the modes of both ends of a stay."""
    hospitalization: Json = stay.visit.resource.get("hospitalization", {})
    entry = end_mode(
        End(
            "entry", stay.year, claimed(stay, "entry"), hospitalization.get("admitSource"),
            own=_own(stay, 0, contract), other=structures.site(hospitalization.get("origin")),
            hospital=frozenset((contract.finess,)), sites=_sites(contract), layouts=layouts,
        )
    )  # fmt: skip
    if entry.place == EMERGENCY_PLACE and _abroad(structures.site(hospitalization.get("origin")), contract):
        entry = replace(entry, place=None)  # provenance 5 is the hospital's own emergency department
    if stay.emergency:
        entry = by_emergency(entry, stay.year, layouts=layouts)
    if person.death is not None and stay.entry.day <= person.death <= stay.exit.day:
        return entry, Mode(DEATH, None)
    left = end_mode(
        End(
            "exit", stay.year, claimed(stay, "exit"), hospitalization.get("dischargeDisposition"),
            own=_own(stay, -1, contract), other=structures.site(hospitalization.get("destination")),
            hospital=frozenset((contract.finess,)), sites=_sites(contract), layouts=layouts,
        )
    )  # fmt: skip
    return entry, left


def passage(stay: Stay, contract: Contract, structures: Structures) -> str | None:
    """Return `SEJ_PAS_URG`: 5 through the own emergency department, U through another's, V both."""
    hospitalization: Json = stay.visit.resource.get("hospitalization", {})
    origin = structures.site(hospitalization.get("origin"))
    told = through_emergency(
        claimed(stay, "entry"), hospitalization.get("admitSource"), abroad=_abroad(origin, contract)
    )
    if not stay.emergency:
        return told
    return OWN_AND_OTHER if told in ("U", OWN_AND_OTHER) else "5"


def claimed(stay: Stay, direction: str) -> str | None:
    """Return the mode that a Claim gives: of the stay's, else of its first or last unit's; else of `Encounter.type`."""
    side = 0 if direction == "entry" else 1
    for summary in stay.content.whole[:1]:
        if summary.modes[side]:
            return summary.modes[side]
    unit = stay.units[0 if direction == "entry" else -1]
    if unit.summary is not None and unit.summary.modes[side]:
        return unit.summary.modes[side]
    if direction == "entry" and "admitSource" not in stay.visit.resource.get("hospitalization", {}):
        for system, code in codings(stay.visit.resource.get("type")):
            if PMSI.search(system) and code in MODES["entry"]:
                return code
    return None


def _abroad(origin: Site, contract: Contract) -> bool:
    """Say whether a place is known to be another hospital's: by its legal FINESS, else by the unit table."""
    if origin.legal is not None:
        return origin.legal != contract.finess
    return origin.geographic is not None and bool(contract.units) and origin.geographic not in _sites(contract)


def _own(stay: Stay, place: int, contract: Contract) -> Site:
    return stay.units[place].site._replace(geographic=geographic_finess(stay.units[place], contract))


def _sites(contract: Contract) -> frozenset[str]:
    return frozenset({contract.finess, *(unit.finess_geo for unit in contract.units.values())})
