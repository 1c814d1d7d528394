"""Procedures and Claims → the acts of a stay: CCAM read, placed in a unit, the same act the same day counted. Pure.

The same act told by a Procedure and by a Claim is one act: what a later source tells adds only what is more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from transformers.snds.codes import CcamCode, ccam
from transformers.snds.elements import Json, codes, codings
from transformers.snds.instants import Moment, moment
from transformers.snds.view import Staged

DONE = "completed"
ACT_ITEM = "0"
MOST_EXECUTIONS = 99
MODIFIERS = 4
CCAM_MODIFIER = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


class Act(NamedTuple):
    """One act as told: its code, when, under which Encounter of the visit (None: the visit itself), how often."""

    code: CcamCode
    when: Moment | None
    unit: str | None = None
    modifiers: str | None = None
    times: int = 1

    @property
    def same(self) -> tuple[str, str, str]:
        """Return what makes two tellings the same act."""
        return self.code.code, self.code.phase, self.code.activity


class ActRow(NamedTuple):
    """One row of `T_MCOaaA`, not yet numbered: the unit's place in the stay, the day, the act, how often."""

    unit: int
    day: date | None
    code: CcamCode
    modifiers: str | None
    times: int


@dataclass(frozen=True, slots=True)
class StayActs:
    """The acts of a stay in the order of its units, and what was left out."""

    rows: tuple[ActRow, ...]
    refused: int
    wrong_system: bool


def performed_act(procedure: Staged, unit: str | None) -> Act | None:
    """Return the act of a Procedure, None when its code is not CCAM."""
    resource = procedure.resource
    code = ccam(resource.get("code"))
    if code is None:
        return None
    if "code-system" in procedure.flags:
        code = code._replace(wrong_system=True)
    period = resource.get("performedPeriod", {})
    when = moment(resource.get("performedDateTime") or period.get("start") or period.get("end"))
    return Act(code, when, unit)


def is_done(procedure: Staged) -> bool:
    """Say whether a Procedure was carried out to its end."""
    return bool(procedure.resource.get("status") == DONE)


def claimed_acts(claim: Json) -> tuple[tuple[tuple[Act, ...], ...], int]:
    """Return the acts of a Claim, once as `procedure` and once as `item` tell them, and how many are not CCAM."""
    told: list[tuple[Act, ...]] = []
    refused = 0
    for listed in (_procedures(claim), _items(claim)):
        read = list(listed)
        told.append(tuple(act for act in read if act is not None))
        refused = max(refused, sum(act is None for act in read))
    return tuple(told), refused


def _procedures(claim: Json) -> Iterator[Act | None]:
    for one in claim.get("procedure", ()):
        concept = one.get("procedureCodeableConcept")
        if concept:
            code = ccam(concept)
            yield Act(code, moment(one.get("date"))) if code else None


def _items(claim: Json) -> Iterator[Act | None]:
    for item in claim.get("item", ()):
        if ACT_ITEM not in codes(item.get("category")):
            continue
        code = ccam(item.get("productOrService"))
        if code is None:
            yield None
            continue
        served = item.get("servicedDate") or item.get("servicedPeriod", {}).get("start")
        letters = [one for _, one in codings(item.get("modifier")) if len(one) == 1 and one in CCAM_MODIFIER]
        times = int(item.get("quantity", {}).get("value") or 1)
        yield Act(code, moment(served), None, "".join(letters)[:MODIFIERS] or None, max(times, 1))


def merged(sources: Sequence[Iterable[Act]]) -> list[Act]:
    """Return the acts of all sources: those of the first, then what each next one tells more than those before."""
    kept: list[Act] = []
    for told in map(list, sources):
        if not kept or not told:  # nothing to compare: most stays have one source
            kept += told
            continue
        for one in told:
            if one.modifiers or one.code.extension or one.code.documentary:
                _complete(kept, one)
        known: Counter[tuple[str, str, str]] = Counter()
        for one in kept:
            known[one.same] += one.times
        dates = {(one.same, one.when.day if one.when else None) for one in kept}
        told.sort(key=lambda act: (act.same, act.when.day if act.when else None) in dates)
        total: Counter[tuple[str, str, str]] = Counter()
        for one in told:
            total[one.same] += one.times
        missing = total - known
        for one in told:
            more = min(missing[one.same], one.times)
            if more > 0:
                kept.append(one._replace(times=more))
                missing[one.same] -= more
    return kept


def _complete(kept: list[Act], told: Act) -> None:
    """Give the same act of the same day the parts that an earlier source left out: modifiers, extension, documentary.

    A Procedure rarely carries them, the Claim of the stay does.
    """
    day = told.when.day if told.when else None
    for place, one in enumerate(kept):
        if one.same == told.same and (one.when.day if one.when else None) == day:
            extension, documentary = one.code.extension, one.code.documentary
            if extension in (None, told.code.extension) and documentary in (None, told.code.documentary):
                code = one.code._replace(
                    extension=extension or told.code.extension, documentary=documentary or told.code.documentary
                )
                kept[place] = one._replace(code=code, modifiers=one.modifiers or told.modifiers)
                return


def stay_acts(acts: Iterable[Act], *, refused: int, unit_of: Callable[[Act], int]) -> StayActs:
    """Return the rows of a stay's acts: the same act of the same day in a unit is one row with its number."""
    counted: dict[tuple[int, date | None, CcamCode, str | None], int] = {}
    wrong = False
    for act in acts:
        code = act.code
        if code.wrong_system:
            wrong, code = True, code._replace(wrong_system=False)
        key = (unit_of(act), act.when.day if act.when else None, code, act.modifiers)
        counted[key] = counted.get(key, 0) + act.times
    rows = (ActRow(*key, times=min(times, MOST_EXECUTIONS)) for key, times in counted.items())
    return StayActs(tuple(sorted(rows, key=_order)), refused, wrong)


def _order(row: ActRow) -> tuple[object, ...]:
    code = row.code
    rest = (code.code, code.phase, code.activity, code.extension or "", code.documentary or "", row.modifiers or "")
    return (row.unit, row.day or date.max, *rest)
