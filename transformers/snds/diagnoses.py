"""What is told of a stay's diagnoses → DP, DR and associated diagnoses of the stay and of its units. Pure.

The DP is designated by the rules of DESIGN §12, in their order, and never guessed: what they do not decide is a reason
for quarantine. Documentary diagnoses (DAD) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from transformers.contract import DpRule
from transformers.snds.claims import Summary
from transformers.snds.codes import Reading, headings
from transformers.snds.medical_units import Unit, longest
from transformers.snds.told_diagnoses import ASSOCIATED_USE, LAST, PRINCIPAL_USES, Named, Sources

MOST, MOST_OF_STAY = 99, 999  # what DGN_ASS_NBR of a unit and NBR_DGN of the stay can say

Reason = Literal[
    "principal-diagnosis-missing", "principal-diagnosis-ambiguous", "principal-diagnosis-not-cim10"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class StayDiagnoses:
    """The diagnoses of a stay. `designated` is the place of the unit that gave the DP, `rule` is `FLG_DGN_RUL`."""

    principal: str
    related: str | None
    rule: str
    designated: int
    unit_principal: tuple[str, ...]
    unit_related: tuple[str | None, ...]
    associated: tuple[tuple[str, ...], ...]
    inherited: bool
    headings: int
    refused: int
    wrong_system: bool
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def all_codes(self) -> Iterator[str]:
        """Yield every code in every position."""
        yield self.principal
        yield from self.unit_principal
        for codes_of_unit in self.associated:
            yield from codes_of_unit


def stay_diagnoses(
    sources: Sources, units: Sequence[Unit], *, dp_rule: DpRule, known: Callable[[str], bool] | None = None
) -> StayDiagnoses | Reason:
    """Return the diagnoses of a stay, or the reason why it has none. `known` checks a loaded nomenclature."""
    gathered = _Gathered(sources, units, known)
    found = gathered.principal(dp_rule)
    if isinstance(found, str):
        return found
    principal, rule = found
    own = gathered.unit_principals()
    designated, inherits = _designated(principal, own, units)
    unit_principal = tuple(principal if place in inherits or code is None else code for place, code in enumerate(own))
    associated = gathered.associated(unit_principal, designated)
    related, dropped = gathered.related(unit_principal, designated)
    associated, over = _limited(associated)
    written = {principal, *unit_principal, *filter(None, related), *(code for one in associated for code in one)}
    counts = {"related-diagnosis-dropped": dropped, "diagnoses-over-limit": over}
    return StayDiagnoses(
        principal=principal,
        related=related[designated],
        rule=rule,
        designated=designated,
        unit_principal=unit_principal,
        unit_related=related,
        associated=associated,
        inherited=len(units) > 1 and (None in own or bool(inherits)),
        headings=len(written & headings()),
        refused=gathered.refused,
        wrong_system=gathered.wrong_system,
        counts={name: number for name, number in counts.items() if number},
    )


def _designated(principal: str, own: Sequence[str | None], units: Sequence[Unit]) -> tuple[int, frozenset[int]]:
    """Return SEQ_RUM as a place, and the places that take the stay's DP: those without, or the longest by default."""
    equal = [place for place, code in enumerate(own) if code == principal]
    without = frozenset(place for place, code in enumerate(own) if code is None)
    if equal:
        return longest(units, equal), without
    if without:
        return longest(units, without), without
    chosen = longest(units, range(len(units)))
    return chosen, frozenset((chosen,))


def _limited(associated: Sequence[tuple[str, ...]]) -> tuple[tuple[tuple[str, ...], ...], int]:
    """Return the codes that the columns can count, those of the first units first, and how many were left out."""
    kept: list[tuple[str, ...]] = []
    room = MOST_OF_STAY
    for one in associated:
        kept.append(one[: min(MOST, room)])
        room -= len(kept[-1])
    return tuple(kept), sum(map(len, associated)) - sum(map(len, kept))


class _Gathered:
    """The diagnoses by role and place, with what was refused; built once a stay."""

    def __init__(self, sources: Sources, units: Sequence[Unit], known: Callable[[str], bool] | None) -> None:
        self._sources = sources
        self._units = units
        self._known = known
        self._place = {key: place for place, unit in enumerate(units) for key in unit.keys}
        self._by_key = {one.key: one for one in sources.coded}
        self.refused = 0
        self.wrong_system = False
        self._told: dict[tuple[str, int | None], list[tuple[tuple[int, str, str], str | None]]] = {}
        for one in sources.coded:
            if one.role and not (one.emergency and one.role in ("DP", "DR")):
                self._tell(one.role, self._where(one.unit), one.order, one.reading, wrong=one.wrong_system)
        for summary, place in self._summaries():
            for diagnosis in summary.diagnoses:
                order = (diagnosis.rank, "", diagnosis.reading.code or "")
                self._tell(diagnosis.role, place, order, diagnosis.reading, wrong=diagnosis.wrong_system)
        for told in self._told.values():
            told.sort(key=lambda one: (one[0], one[1] or ""))

    def principal(self, dp_rule: DpRule) -> tuple[str, str] | Reason:
        """Return the DP of the stay and `FLG_DGN_RUL`, or a reason."""
        unreadable = False
        for rule, candidates in (
            ("0", self._claimed()),
            ("1", self._named(self._sources.root_names)),
            ("0", self._codes("DP", None)),
        ):
            readable = {code for code in candidates if code is not None}
            unreadable = unreadable or (bool(candidates) and not readable)
            if len(readable) == 1:
                return readable.pop(), rule
            if readable:
                return "principal-diagnosis-ambiguous"
        if unreadable:
            return "principal-diagnosis-not-cim10"
        own = self.unit_principals()
        among = [place for place, code in enumerate(own) if code is not None]
        if not among:
            bad = any(self._codes("DP", place) for place in range(len(self._units)))
            return "principal-diagnosis-not-cim10" if bad else "principal-diagnosis-missing"
        if len({own[place] for place in among}) == 1:
            return str(own[among[0]]), "2"
        if dp_rule == "longest-unit":
            return str(own[longest(self._units, among)]), "3"
        return "principal-diagnosis-ambiguous"

    def unit_principals(self) -> list[str | None]:
        """Return the DP that each unit was given: of its Claim or Condition, else named by its Encounter."""
        found: list[str | None] = []
        for place, unit in enumerate(self._units):
            own = [code for code in self._codes("DP", place) if code is not None]
            named = [name for key in sorted(unit.keys) for name in self._sources.unit_names.get(key, ())]
            own += [code for code in self._named(named) if code is not None] if not own else []
            found.append(own[0] if own else None)
        return found

    def associated(self, unit_principal: Sequence[str], designated: int) -> tuple[tuple[str, ...], ...]:
        """Return the associated diagnoses of each unit, without repetition; the stay's go to its DP's unit."""
        found = [list(dict.fromkeys(filter(None, self._codes("DA", place)))) for place in range(len(self._units))]
        held = {code for one in found for code in one}
        for code in dict.fromkeys(filter(None, self._codes("DA", None))):
            if code not in held:
                found[designated].append(code)
        return tuple(
            tuple(code for code in listed if code != unit_principal[place]) for place, listed in enumerate(found)
        )

    def related(self, unit_principal: Sequence[str], designated: int) -> tuple[tuple[str | None, ...], int]:
        """Return the related diagnosis of each unit, and how many were dropped because the DP is no Z code."""
        found: list[str | None] = []
        dropped = 0
        for place, principal in enumerate(unit_principal):
            told = list(filter(None, self._codes("DR", place)))
            if place == designated:
                told = [*filter(None, self._codes("DR", None)), *told]
            if principal.startswith("Z"):
                found.append(told[0] if told else None)
            else:
                dropped += len(set(told))
                found.append(None)
        return tuple(found), dropped

    def _where(self, unit: str | None) -> int | None:
        return self._place.get(unit) if unit is not None else None

    def _summaries(self) -> Iterator[tuple[Summary, int | None]]:
        yield from ((summary, None) for summary in self._sources.whole[:1])
        yield from ((unit.summary, place) for place, unit in enumerate(self._units) if unit.summary is not None)

    def _tell(
        self, told_role: str, place: int | None, order: tuple[int, str, str], reading: Reading, *, wrong: bool
    ) -> None:
        if told_role == "DAD":
            return
        code = self._checked(reading)
        self.wrong_system = self.wrong_system or (wrong and code is not None)
        self.refused += code is None
        self._told.setdefault((told_role, place), []).append((order, code))

    def _checked(self, reading: Reading) -> str | None:
        code = reading.code
        return code if code is None or self._known is None or self._known(code) else None

    def _codes(self, told_role: str, place: int | None) -> list[str | None]:
        listed = [code for _, code in self._told.get((told_role, place), ())]
        if told_role == "DA" and place is None:
            listed += self._named_associated(self._sources.root_names)
        return listed

    def _claimed(self) -> list[str | None]:
        """Return the DP of the stay's latest Claim."""
        for summary in self._sources.whole[:1]:
            return [self._checked(one.reading) for one in summary.diagnoses if one.role == "DP"]
        return []

    def _named(self, listed: Iterable[Named]) -> list[str | None]:
        """Return the codes that a first rank names, by use DD, else billing; one entry alone needs no rank."""
        listed = list(listed)
        for use in PRINCIPAL_USES:
            ones = [one for one in listed if one.use == use]
            first = [one for one in ones if one.rank == 1] or ([ones[0]] if len(ones) == 1 else [])
            found = [self._by_key[one.condition] for one in first if one.condition in self._by_key]
            if found:
                return [self._checked(one.reading) for one in found]
        return []

    def _named_associated(self, listed: Sequence[Named]) -> list[str | None]:
        """Return comorbidities, and principal uses of a later rank, of Conditions without a PMSI category."""
        found: list[str | None] = []
        for one in sorted(listed, key=lambda name: name.rank or LAST):
            later = one.use in PRINCIPAL_USES and (one.rank or 0) > 1
            condition = self._by_key.get(one.condition)
            if condition is not None and not condition.role and (later or one.use == ASSOCIATED_USE):
                found.append(self._checked(condition.reading))
        return found
