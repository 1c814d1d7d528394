"""Entry and exit modes, provenance and destination: what was sent → the codes of the exit year. Pure.

The rules are data (`modes.tsv`, the layout of a year in `layout.tsv`). Precedence: Claim, combined PMSI codes, HL7
codes, the kind of the other establishment, home by default and flagged. Forbidden pairs never come out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import NamedTuple

from transformers.snds.elements import Codings, Json, codes, codings
from transformers.snds.reference import Layouts
from transformers.snds.schema import packaged
from transformers.snds.structures import NOWHERE, Site

HOME, DEATH, BIRTH = "8", "9", "N"
MOVED = frozenset("067")
MODES = {"entry": frozenset("0678NO"), "exit": frozenset("06789")}
SAME_HOSPITAL, OTHER_HOSPITAL = "6", "7"
EMERGENCY_PLACE = "5"
PLACES = {"mco": "1", "ssr": "2", "sld": "3", "psy": "4", "had": "6", "home": "7"}
OF_MOVED, OF_HOME = frozenset("12346"), frozenset("567")
MCO = "1"
CLAIMED = re.compile(r"([0-9NO])[ ,;/-]?([0-9RUV])?(?![0-9A-Z])")
BY_FINESS = "geographic FINESS"
BY_TYPE = frozenset({"hosp-trans", "other-hcf", "hosp"})
HL7 = "http://terminology.hl7.org/CodeSystem/"
PMSI = re.compile(r"arkhn|pmsi", re.IGNORECASE)
FR_CORE = re.compile(r"circonstances-sortie", re.IGNORECASE)
LEAVES = frozenset("AP")
LEFT_UNSEEN = "PSA"
EMERGENCY_SOURCE = "emd"


class Rule(NamedTuple):
    """One line of `modes.tsv`: mode and place as written until 2022, and how the other hospital's FINESS counts."""

    mode: str
    place: str
    condition: str


class Told(NamedTuple):
    """What one source says: the mode, the place of origin or destination, a right code under a wrong system."""

    mode: str
    place: str | None = None
    wrong_system: bool = False
    by_finess: bool = False
    by_type: bool = False


@dataclass(frozen=True, slots=True)
class Mode:
    """The two codes of one end of a stay, and what is flagged or counted."""

    mode: str
    place: str | None
    default: bool = False
    wrong_system: bool = False
    counts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """One end of a stay as sent: `direction` entry or exit, `claimed` the code of a Claim, `other` the site there."""

    direction: str
    year: int
    claimed: str | None
    concept: Json | None
    own: Site
    other: Site = NOWHERE
    hospital: frozenset[str] = field(default_factory=frozenset)
    sites: Collection[str] = ()
    layouts: Layouts = field(default_factory=dict)


def end_mode(end: End) -> Mode:
    """Return mode and place of one end of a stay."""
    told = _claimed(end) or _coded(end.direction, end.concept) or _by_establishment(end)
    if told is None:
        return Mode(HOME, None, default=True)
    counts: list[str] = []
    mode = told.mode
    if told.by_finess:
        mode = _moved(end, counts)
    # a birth has no place, nor has the home that stands for it in the years without its code
    place = told.place if mode != BIRTH else None
    if told.by_type or (place is None and mode in MOVED):
        place = PLACES.get(end.other.field or "", place)
        mode = HOME if told.by_type and place == PLACES["home"] else mode
    mode = layout(f"{end.direction}-mode", mode, end.year, layouts=end.layouts) or HOME
    place = _allowed(end.direction, mode, place, counts)
    if place is not None:
        place = layout(f"{end.direction}-place", place, end.year, layouts=end.layouts) or None
    return Mode(mode, place, wrong_system=told.wrong_system, counts=tuple(counts))


def by_emergency(mode: Mode, year: int, *, layouts: Layouts) -> Mode:
    """Return the entry mode of a stay that an emergency visit of the same hospital led to."""
    place = layout("entry-place", EMERGENCY_PLACE, year, layouts=layouts) or None
    if place is not None:
        return Mode(HOME, place, wrong_system=mode.wrong_system)
    return replace(mode, default=False)


def through_emergency(claimed: str | None, concept: Json | None, *, abroad: bool) -> str | None:
    """Return `SEJ_PAS_URG` as the entry codes tell it: 5 own emergency unit, U another hospital's, V both.

    `abroad` says that the person came from another hospital: its emergency unit is then meant.
    """
    read = CLAIMED.match((claimed or "").upper())
    if read and read[2] in ("5", "U", "V"):
        return read[2]
    if EMERGENCY_SOURCE in codes(concept):
        return "U" if abroad else EMERGENCY_PLACE
    coded = _coded("entry", concept)
    return EMERGENCY_PLACE if coded is not None and coded.place == EMERGENCY_PLACE else None


def is_leave(concept: Json | None) -> bool:
    """Say whether a discharge disposition is a leave (less than 12 or 72 hours): the stay goes on."""
    return any(code in LEAVES and FR_CORE.search(system) for system, code in codings(concept))


def left_unseen(concept: Json | None) -> bool:
    """Say whether the person left the emergency department without being seen."""
    return any(code == LEFT_UNSEEN and FR_CORE.search(system) for system, code in codings(concept))


def layout(what: str, meaning: str, year: int, *, layouts: Layouts) -> str:
    """Return how a mode or place is written in an exit year, the operator's layouts first; "" when it has no code."""
    for held in (layouts, _layouts()):
        for first, last, code in held.get((what, meaning), ()):
            if first <= year <= last:
                return code
    return meaning


def _claimed(end: End) -> Told | None:
    read = CLAIMED.match((end.claimed or "").strip().upper())
    if read is None or read[1] not in MODES[end.direction]:
        return None
    told = Told(read[1], read[2] if read[2] and read[2].isdecimal() else None)
    if told.place is None:
        # a bare mode of the Claim takes its place from the code of the Encounter when that names the same mode
        coded = _coded(end.direction, end.concept)
        if coded is not None and (coded.mode == told.mode or {coded.mode, told.mode} <= {"6", "7"}):
            return Told(told.mode, coded.place, coded.wrong_system)
    return told


def _coded(direction: str, concept: Json | None) -> Told | None:
    """Return what the codings say: combined PMSI codes before HL7 and FR Core ones, unknown systems last."""
    return _read(direction, codings(concept))


@lru_cache(maxsize=1024)
def _read(direction: str, found: Codings) -> Told | None:
    ranked: list[tuple[int, Told]] = []
    for system, code in found:
        family = _family(direction, system)
        for rank, name in enumerate(("pmsi", "hl7", "fr-core")):
            rule = _rules().get((direction, name, code))
            if rule is None or family not in (name, None):
                continue
            if family is None and len(code) == 1 and code not in ("8", "9"):
                continue
            ranked.append((rank + (0 if family else 10), _told(rule, code, wrong=family is None)))
            break
    ranked = [one for one in ranked if one[1].mode]
    return min(ranked, key=lambda one: one[0])[1] if ranked else None


def _family(direction: str, system: str) -> str | None:
    if system == HL7 + ("admit-source" if direction == "entry" else "discharge-disposition"):
        return "hl7"
    if FR_CORE.search(system):
        return "fr-core"
    return "pmsi" if PMSI.search(system) else None


def _told(rule: Rule, code: str, *, wrong: bool) -> Told:
    return Told(rule.mode, rule.place or None, wrong, BY_FINESS in rule.condition, code in BY_TYPE)


def _by_establishment(end: End) -> Told | None:
    """Return what the other establishment alone says: a residence is a home, anything else a move."""
    if end.other == NOWHERE:
        return None
    if end.other.field == "home":
        return Told(HOME, PLACES["home"])
    return Told(OTHER_HOSPITAL, None, by_finess=True)


def _moved(end: End, counts: list[str]) -> str:
    """Return 6 when both ends have the same geographic FINESS, else 7; the legal one decides, counted, when need be."""
    there, here = end.other, end.own.geographic
    if there.geographic is not None and here is not None:
        return SAME_HOSPITAL if there.geographic == here else OTHER_HOSPITAL
    same = there.geographic in end.sites if there.geographic else there.legal in end.hospital
    if same:
        counts.append("mode-by-legal-finess")
        return SAME_HOSPITAL
    return OTHER_HOSPITAL


def _allowed(direction: str, mode: str, place: str | None, counts: list[str]) -> str | None:
    if mode in MOVED:
        if place in OF_MOVED:
            return place
        counts.append("place-default")
        return MCO
    if mode != HOME or place not in OF_HOME:
        return None
    return None if direction == "exit" and place == EMERGENCY_PLACE else place


@cache
def _rules() -> Mapping[tuple[str, str, str], Rule]:
    """Return (direction, family, code) → rule."""
    found: dict[tuple[str, str, str], Rule] = {}
    for line in packaged("modes.tsv").splitlines()[1:]:
        direction, system, code, mode, place, _, condition = line.split("\t")
        family = _family(direction, system)
        if family is not None:
            found[direction, family, code] = Rule(mode, place, condition)
    return found


@cache
def _layouts() -> Layouts:
    found: dict[tuple[str, str], tuple[tuple[int, int, str], ...]] = {}
    for line in packaged("layout.tsv").splitlines()[1:]:
        what, meaning, first, last, code = line.split("\t")
        found[what, meaning] = (*found.get((what, meaning), ()), (int(first), int(last), code))
    return found
