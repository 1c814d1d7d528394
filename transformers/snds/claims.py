"""PMSI Claims → what they say of a stay or of one unit (EDSClaimRSS, edsh-claim-rum), and their visit.

Pure. A Claim that is no PMSI summary is ignored; one whose visit cannot be told is counted, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from transformers.snds.acts import Act, claimed_acts
from transformers.snds.codes import Reading, cim10, role
from transformers.snds.elements import (
    RESOURCE,
    Json,
    codes,
    codings,
    extension_value,
    extensions,
    referred,
    version_order,
)
from transformers.snds.instants import Moment, moment
from transformers.snds.view import Staged
from transformers.snds.visits import EMERGENCY, INPATIENT, Visit, Visits

FIELDS = {"PMSIMCO": "mco", "PMSIHAD": "had", "PMSISSR": "ssr", "PMSISMR": "ssr", "PMSIPSY": "psy"}
UNIT_LEVEL = "RUM"
RANK = re.compile(r"/(edsh-item-rank|ItemRank)$")
DRG = re.compile(r"/(edsh-drg|DRG)$")
MODE_SYSTEM = re.compile(r"(mode?|mds|mde)$", re.IGNORECASE)
ENTRY, EXIT = re.compile(r"mde$", re.IGNORECASE), re.compile(r"mds$", re.IGNORECASE)
GHS = re.compile(r"ghs", re.IGNORECASE)
GHM_LENGTH = 6
LAST_RANK = 10**6


class ClaimedDiagnosis(NamedTuple):
    """A diagnosis of a Claim: DP, DR, DA or DAD, its code, its place in the list."""

    role: str
    reading: Reading
    rank: int
    wrong_system: bool


class Group(NamedTuple):
    """What the hospital's grouper said."""

    ghm: str | None = None
    ghs: str | None = None
    returned: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Summary:
    """One PMSI Claim: a stay's (RSS, RSA) or one unit's (RUM). `modes` are the entry and exit codes as sent."""

    staged: Staged
    field: str
    of_unit: bool
    rank: int
    start: Moment | None
    end: Moment | None
    diagnoses: tuple[ClaimedDiagnosis, ...]
    acts: tuple[tuple[Act, ...], ...]
    refused_acts: int
    modes: tuple[str | None, str | None]
    group: Group

    @property
    def key(self) -> str:
        """Return the key of the Claim."""
        return self.staged.key

    def __repr__(self) -> str:
        return f"Summary(of_unit={self.of_unit})"


def summaries(resources: Iterable[Staged]) -> list[Summary]:
    """Return the PMSI summaries among the resources, latest version first."""
    listed = list(resources)
    conditions = {one.key: one.resource for one in listed if one.type == "Condition"}
    found = [summary for one in listed if one.type == "Claim" for summary in _summary(one, conditions)]
    return sorted(found, key=lambda summary: version_order(summary.staged), reverse=True)


def _summary(one: Staged, conditions: Mapping[str, Json]) -> Iterator[Summary]:
    claim = one.resource
    field = next((FIELDS[code] for code in codes(claim.get("type")) if code in FIELDS), None)
    if field is None or claim.get("status") != "active":
        return
    period = claim.get("billablePeriod", {})
    acts, refused = claimed_acts(claim)
    rank = next((e.get("valuePositiveInt") for e in claim.get("extension", ()) if RANK.search(e.get("url", ""))), None)
    yield Summary(
        staged=one,
        field=field,
        of_unit=UNIT_LEVEL in codes(claim.get("subType")) or (rank is not None and "subType" not in claim),
        rank=rank or LAST_RANK,
        start=moment(period.get("start")),
        end=moment(period.get("end")),
        diagnoses=tuple(_diagnoses(claim, conditions)),
        acts=acts,
        refused_acts=refused,
        modes=_modes(claim),
        group=_group(claim),
    )


def _diagnoses(claim: Json, conditions: Mapping[str, Json]) -> Iterator[ClaimedDiagnosis]:
    for number, one in enumerate(claim.get("diagnosis", ()), 1):
        said = role(one.get("type"))
        if said.code is None:
            continue
        named = conditions.get(referred(one.get("diagnosisReference"), RESOURCE) or "", {})
        reading = cim10(one.get("diagnosisCodeableConcept") or named.get("code"))
        wrong = said.wrong_system or reading.wrong_system
        yield ClaimedDiagnosis(said.code, reading, one.get("sequence") or number, wrong)


def _modes(claim: Json) -> tuple[str | None, str | None]:
    """Return the entry and exit codes: of supportingInfo (RSS) or of the modifiers of the grouped item (RUM)."""
    found: dict[str, str] = {}
    for info in claim.get("supportingInfo", ()):
        value = info.get("valueString")
        for system, code in codings(info.get("code")):
            if value and code in ("0", "1") and MODE_SYSTEM.search(system):
                found.setdefault(code, value)
    for item in claim.get("item", ()):
        for system, code in codings(item.get("modifier")):
            if ENTRY.search(system):
                found.setdefault("0", code)
            elif EXIT.search(system):
                found.setdefault("1", code)
    return found.get("0"), found.get("1")


def _group(claim: Json) -> Group:
    drg: Json = next((one for one in claim.get("extension", ()) if DRG.search(one.get("url", ""))), {})
    ghm = next((code for e in extensions(drg, "GHM") for _, code in codings(e.get("valueCodeableConcept"))), None)
    ghs = None
    for item in claim.get("item", ()):
        for system, code in codings(item.get("productOrService")):
            if GHS.search(system) and code.isdecimal():
                ghs = ghs or code.zfill(4)[-4:]
            elif system.lower().endswith("/ghm"):
                ghm = ghm or code
    returned, version = extension_value(drg, "codeRetour"), extension_value(drg, "vClassif")
    return Group(ghm.upper() if ghm else None, ghs, returned, version)


def attach(found: Iterable[Summary], visits: Visits) -> tuple[dict[str, list[tuple[Summary, str | None]]], int]:
    """Return visit → its (summary, unit Encounter), and how many summaries belong to no visit that is known."""
    attached: dict[str, list[tuple[Summary, str | None]]] = {}
    unlinked = 0
    for summary in found:
        named = [
            reference for item in summary.staged.resource.get("item", ()) for reference in item.get("encounter", ())
        ]
        visit = next(filter(None, map(visits.of, named)), None)
        unit = next(filter(None, map(visits.unit_of, named)), None)
        if visit is None and not named:
            visit = _by_period(summary, visits)
        if visit is None:
            unlinked += 1
            continue
        attached.setdefault(visit.key, []).append((summary, unit))
    return {key: _one_a_rank(listed) for key, listed in attached.items()}, unlinked


def _one_a_rank(listed: list[tuple[Summary, str | None]]) -> list[tuple[Summary, str | None]]:
    """Keep the latest Claim of each unit: a hospital may send a corrected one under another id."""
    kept: list[tuple[Summary, str | None]] = []
    ranks: set[int] = set()
    for summary, unit in listed:
        if summary.of_unit and summary.rank != LAST_RANK:
            if summary.rank in ranks:
                continue
            ranks.add(summary.rank)
        kept.append((summary, unit))
    return kept


def _by_period(summary: Summary, visits: Visits) -> Visit | None:
    """Return the one visit that a period means: the same days, else the only one that holds it."""
    candidates = [visit for visit in visits.visits if visit.kind != EMERGENCY and visit.entry is not None]
    start, end = summary.start, summary.end
    if start is None:
        stays = [visit for visit in candidates if visit.kind in INPATIENT]
        return stays[0] if len(stays) == 1 else None
    same = [v for v in candidates if _day(v.entry) == start.day and (end is None or _day(v.exit) in (None, end.day))]
    if len(same) != 1:
        inside = [visit for visit in candidates if _holds(visit, start, end)]
        same = same if len(same) > 1 else inside
    return same[0] if len(same) == 1 else None


def _day(found: Moment | None) -> object:
    return found.day if found else None


def _holds(visit: Visit, start: Moment, end: Moment | None) -> bool:
    if visit.entry is None or start.day < visit.entry.day:
        return False
    return visit.exit is None or (end or start).day <= visit.exit.day
