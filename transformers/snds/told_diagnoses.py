"""Conditions and `Encounter.diagnosis` → what is told of the diagnoses of a visit, before any is chosen. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from transformers.snds.claims import Summary
from transformers.snds.codes import Reading, cim10, role
from transformers.snds.elements import RESOURCE, codes, referred
from transformers.snds.view import Staged

REFUTED = frozenset({"refuted", "entered-in-error"})
PRINCIPAL_USES = ("DD", "billing")
ASSOCIATED_USE = "CM"
LAST = 10**6


class Coded(NamedTuple):
    """One diagnosis as told: its role, its code, where it stands, the key of the child Encounter (None: the stay)."""

    role: str
    reading: Reading
    order: tuple[int, str, str]
    unit: str | None = None
    emergency: bool = False
    wrong_system: bool = False
    key: str = ""


class Named(NamedTuple):
    """An entry of `Encounter.diagnosis`: the Condition that it names, its use and its rank."""

    condition: str
    use: str
    rank: int | None


@dataclass(frozen=True, slots=True, repr=False)
class Sources:
    """Everything that says something of a stay's diagnoses. `whole` are the stay's Claims, latest first."""

    coded: Sequence[Coded]
    root_names: Sequence[Named]
    unit_names: Mapping[str, Sequence[Named]]
    whole: Sequence[Summary]

    def __repr__(self) -> str:
        return f"Sources({len(self.coded)} Conditions)"


def is_current(condition: Staged) -> bool:
    """Say whether a Condition stands: neither refuted nor entered in error."""
    return codes(condition.resource.get("verificationStatus")).isdisjoint(REFUTED)


def names(encounter: Staged) -> list[Named]:
    """Return what `Encounter.diagnosis` names."""
    found = []
    for one in encounter.resource.get("diagnosis", ()):
        key = referred(one.get("condition"), RESOURCE)
        if key is not None:
            uses = codes(one.get("use"))
            use = next((use for use in (*PRINCIPAL_USES, ASSOCIATED_USE) if use in uses), "")
            found.append(Named(key, use, one.get("rank")))
    return found


def coded(condition: Staged, *, unit: str | None, emergency: bool, rank: int | None) -> Coded:
    """Return what a Condition says; its role is "" when it has no PMSI category."""
    resource = condition.resource
    said = role(resource.get("category"))
    reading = cim10(resource.get("code"))
    wrong = said.wrong_system or reading.wrong_system or "code-system" in condition.flags
    order = (rank or LAST, str(resource.get("recordedDate", "")), reading.code or "")
    return Coded(said.code or "", reading, order, unit, emergency, wrong, condition.key)


def principal_told(listed: Iterable[Coded], named: Iterable[Named]) -> bool:
    """Say whether a visit has a principal diagnosis at all, whatever becomes of it."""
    coded_ones = list(listed)
    if any(one.role == "DP" and not one.emergency for one in coded_ones):
        return True
    readable = {one.key for one in coded_ones if one.reading.code is not None}
    return any(name.use in PRINCIPAL_USES and name.rank in (1, None) and name.condition in readable for name in named)


def ranks(listed: Iterable[Named]) -> dict[str, int]:
    """Return the rank of each named Condition."""
    return {one.condition: one.rank for one in listed if one.rank is not None}
