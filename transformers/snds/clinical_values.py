"""What an observation is of, and its value as sent and normalised: cached decisions about codes and units. Pure.

A value without a known conversion to the reference unit of its LOINC code is kept as sent, and counted.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from transformers.snds.clinical_sheet import Pairs, Sheet, pairs, unit_code
from transformers.snds.elements import LOCAL, Json
from transformers.snds.ucum_reference import Conversion, conversion

LOINC = frozenset({"http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"})
LOINC_CODE = re.compile(r"[0-9]{1,7}-[0-9]")
NABM_SYSTEM = re.compile(r"nabm|urn:oid:1\.2\.250\.1\.213\.2\.60$", re.IGNORECASE)
NABM_WIDTH, ANSWER_WIDTH, SYSTEM_WIDTH = 5, 20, 80


class Format(NamedTuple):
    """What fits a NUMBER column: |value| below `limit`, `decimals` decimals."""

    limit: float
    decimals: int


BIO_FORMAT = Format(1e12, 6)
CST_FORMAT = Format(1e8, 4)
BIO_LIMIT = BIO_FORMAT.limit


class Coded(NamedTuple):
    """What an observation is of."""

    loinc: str | None = None
    nabm: int | None = None
    local: str | None = None


class Value(NamedTuple):
    """The value columns, as sent and normalised."""

    number: int | float | None = None
    operator: str | None = None
    unit: str | None = None
    normal: int | float | None = None
    normal_unit: str | None = None
    code: str | None = None
    system: str | None = None

    @property
    def known(self) -> bool:
        """Say whether there is a value at all."""
        return self.number is not None or self.code is not None


NO_VALUE = Value()


def value_of(holder: Json, loinc: str | None, sheet: Sheet, *, fits: Format) -> Value:
    """Return the value of an observation or component."""
    quantity = holder.get("valueQuantity")
    if quantity is None:
        return _coded_value(holder, loinc, sheet, fits=fits)
    number = sheet.number(quantity.get("value"), fits.limit)
    if number is None:
        return NO_VALUE
    unit, found = _unit(loinc, quantity.get("code"), quantity.get("system"))
    if found is None:
        sheet.count("clinical-not-normalised")
        return Value(number, quantity.get("comparator"), unit)
    normal = number if found.factor == 1.0 and not found.offset else round(found.of(number), fits.decimals)
    small = -fits.limit < normal < fits.limit
    return Value(number, quantity.get("comparator"), unit, normal if small else None, found.unit if small else None)


@lru_cache(maxsize=16384)
def _unit(loinc: str | None, code: str | None, system: str | None) -> tuple[str | None, Conversion | None]:
    """Return the unit of a quantity and how a value of this LOINC code in it is normalised."""
    unit = unit_code({"code": code, "system": system})
    return unit, conversion(loinc, unit) if loinc and unit else None


def _coded_value(holder: Json, loinc: str | None, sheet: Sheet, *, fits: Format) -> Value:
    concept = holder.get("valueCodeableConcept")
    if concept:
        return _answer(pairs(concept))
    if "valueBoolean" in holder:
        return Value(code="true" if holder["valueBoolean"] else "false")
    number = sheet.number(holder.get("valueInteger"), fits.limit)
    if number is None:
        return NO_VALUE
    found = conversion(loinc, "1") if loinc else None
    return Value(number, normal=number if found else None, normal_unit=found.unit if found else None)


def bounds(holder: Json, unit: str | None, sheet: Sheet) -> tuple[int | float | None, int | float | None]:
    """Return the first range's bounds, when they stand in the unit of the value."""
    ranges = holder.get("referenceRange")
    if not ranges:
        return None, None
    low, high = ranges[0].get("low"), ranges[0].get("high")
    return (
        sheet.number(low.get("value"), BIO_LIMIT) if low and low.get("code", unit) == unit else None,
        sheet.number(high.get("value"), BIO_LIMIT) if high and high.get("code", unit) == unit else None,
    )


def effective(resource: Json) -> str | None:
    """Return when an observation holds: the start of whatever effective[x] was sent."""
    text = resource.get("effectiveDateTime") or resource.get("effectiveInstant")
    if text is None and "effectivePeriod" in resource:
        period = resource["effectivePeriod"]
        text = period.get("start") or period.get("end")
    if text is None and "effectiveTiming" in resource:
        text = next(iter(resource["effectiveTiming"].get("event", ())), None)
    return text


@lru_cache(maxsize=16384)
def coded(found: Pairs) -> Coded:
    """Return LOINC, NABM and local code of an observation's codings."""
    loinc = nabm = local = None
    for system, code in found:
        if system in LOINC:
            loinc = loinc or (code if LOINC_CODE.fullmatch(code) else None)
        elif NABM_SYSTEM.search(system):
            nabm = nabm or (int(code) if code.isdecimal() and len(code) <= NABM_WIDTH else None)
        elif system == LOCAL:
            local = local or code
    return Coded(loinc, nabm, local)


@lru_cache(maxsize=8192)
def _answer(found: Pairs) -> Value:
    """Return a coded result: the first code of a nomenclature that fits, else a local one, cut to its column."""
    for system, code in found:
        if system != LOCAL and len(code) <= ANSWER_WIDTH and len(system) <= SYSTEM_WIDTH:
            return Value(code=code, system=system or None)
    # A local code is a keyed hash of 22 characters: 20 of them tell codes apart as well.
    return next((Value(code=code[:ANSWER_WIDTH], system=system) for system, code in found if system == LOCAL), NO_VALUE)


@lru_cache(maxsize=1024)
def first_code(found: Pairs, width: int) -> str | None:
    """Return the first code that is of a nomenclature and fits."""
    return next((code for system, code in found if system != LOCAL and len(code) <= width), None)
