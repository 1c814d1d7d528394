"""A value with its unit and LOINC code → the value in the reference unit of that code. Pure.

Aliases (`G/L`), reference units and molar masses are packaged tables with their sources. A unit that cannot be told
gives no normalised value: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import NamedTuple

from transformers.snds.ucum import Unit, rows, unit

MICRO = str.maketrans({"µ": "u", "μ": "u", " ": None, "\u00a0": None, "\u202f": None})
ENZYME, ARBITRARY = "enzyme", "arbitrary"
ENZYME_UNIT = 1e-6 / 60
INTERNATIONAL = "[IU]"


class Reference(NamedTuple):
    """How a LOINC code is normalised: its table (BIO or CST), unit, and substance for changes of dimension."""

    table: str
    unit: str
    substance: str


class Conversion(NamedTuple):
    """value · factor + offset, in `unit`."""

    factor: float
    offset: float
    unit: str

    def of(self, value: float) -> float:
        """Return the normalised value."""
        return value * self.factor + self.offset


class Substance(NamedTuple):
    """Molar mass in g/mol and charge, where known."""

    molar_mass: float | None
    charge: float | None


@cache
def references() -> Mapping[str, Reference]:
    """Return the reference unit of each known LOINC code."""
    return MappingProxyType(
        {
            loinc: Reference(table, unit_code, substance)
            for loinc, table, unit_code, substance in rows("reference-units.tsv", width=4)
        }
    )


@cache
def substances() -> Mapping[str, Substance]:
    """Return the molar masses and charges."""
    return MappingProxyType(
        {
            name: Substance(float(mass) if mass else None, float(charge) if charge else None)
            for name, mass, charge, _ in rows("molar-masses.tsv", width=4)
        }
    )


@cache
def _aliases() -> Mapping[str, str]:
    return MappingProxyType(dict(rows("unit-aliases.tsv", width=2)))


@lru_cache(maxsize=8192)
def ucum_code(sent: str) -> str:
    """Return the UCUM code that was meant: usual French spellings are aliases, anything else is itself."""
    aliases = _aliases()
    if sent in aliases:
        return aliases[sent]
    plain = sent.translate(MICRO)
    return aliases.get(plain, plain)


@lru_cache(maxsize=8192)
def conversion(loinc: str, sent: str) -> Conversion | None:
    """Return how a value of this LOINC code in this unit is normalised, None when that is not known."""
    reference = references().get(loinc)
    if reference is None:
        return None
    found = between(ucum_code(sent), reference.unit, reference.substance)
    return Conversion(*found, reference.unit) if found else None


def between(sent: str, wanted: str, substance: str = "") -> tuple[float, float] | None:
    """Return (factor, offset) from one UCUM unit to another, with the substance's molar mass or charge if needed."""
    source, target = unit(sent), unit(wanted)
    if source is None or target is None:
        return None
    if source.base == target.base:
        return source.factor / target.factor, (source.offset - target.offset) / target.factor
    bridge = _bridge(source, target, substance)
    return (source.factor * bridge / target.factor, 0.0) if bridge else None


def _bridge(source: Unit, target: Unit, substance: str) -> float | None:
    """Return what one base unit of the source makes of the target's, by the chemistry of the substance."""
    gap = dict(source.base)
    for name, power in target.base:
        gap[name] = gap.get(name, 0) - power
    gap = {name: power for name, power in gap.items() if power}
    known = substances().get(substance)
    mass, charge = known or (None, None)
    if gap == {"g": 1, "mol": -1} and mass:
        return 1 / mass
    if gap == {"g": -1, "mol": 1} and mass:
        return mass
    if gap == {"eq": 1, "mol": -1} and charge:
        return 1 / charge
    if substance == ENZYME and gap == {INTERNATIONAL: 1, "mol": -1, "s": 1}:
        return ENZYME_UNIT
    if substance == ARBITRARY and gap == {INTERNATIONAL: -1, "mol": 1, "s": -1}:
        return 1 / ENZYME_UNIT
    return None
