"""Observations → rows of `T_EDSaaBIO` (laboratory) and `T_EDSaaCST` (vital signs, anthropometry, scores). Pure.

One row a result or component, with the value as sent and, where the unit is known, the normalised one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from transformers.snds.clinical_sheet import Pairs, Sheet, When, pairs, unit_code
from transformers.snds.elements import LOCAL, RESOURCE, Json, referred
from transformers.snds.placing import Place
from transformers.snds.ucum_reference import conversion, references
from transformers.snds.view import Staged

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
BIO, CST = "T_EDSaaBIO", "T_EDSaaCST"
CATEGORIES = {"laboratory": BIO, "vital-signs": CST}
LOINC_CODE = re.compile(r"[0-9]{1,7}-[0-9]")
NABM_SYSTEM = re.compile(r"nabm|IR_BIO_R|urn:oid:1\.2\.250\.1\.213\.2\.35$", re.IGNORECASE)
BIO_LIMIT, CST_LIMIT = 1e12, 1e8
BIO_DECIMALS, CST_DECIMALS = 6, 4


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


class Observations:
    """The observations of one person, with the reports that group them and the specimens they were made on."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._reports = _reports(sheet)
        self._specimens: dict[str, tuple[str | None, str | None]] = {}

    def table(self, resource: Json) -> str | None:
        """Return BIO or CST by category, else by the LOINC code; None for what is neither (lifestyle, imaging…)."""
        category = resource.get("category")
        found = _categorised(tuple([pairs(one) for one in category])) if category else None
        if found is not None:
            return found or None
        reference = references().get(coded(pairs(resource.get("code"))).loinc or "")
        return f"T_EDSaa{reference.table}" if reference else None

    def write(self, staged: Staged, place: Place, *, table: str, status: str) -> None:
        """Write the rows of one observation."""
        if table == BIO:
            self._laboratory(staged, place, status=status)
        else:
            self._measure(staged, place, status=status)

    def _laboratory(self, staged: Staged, place: Place, *, status: str) -> None:
        resource, sheet = staged.resource, self._sheet
        collected, medium = self._specimen(resource)
        when = sheet.when(collected, place) or sheet.when(_effective(resource), place)
        if when is None:
            sheet.count("clinical-without-date")
            return
        report = self._reports.get(staged.key)
        group = sheet.group(report) if report else None
        what = coded(pairs(resource.get("code")))
        value = self._value(resource, what.loinc, limit=BIO_LIMIT, decimals=BIO_DECIMALS)
        components = resource.get("component", ())
        if not (components or "hasMember" in resource) or value.known or "dataAbsentReason" in resource:
            number = sheet.technical(staged.key)
            self._result(resource, place, when, what, value, number=number, group=group, medium=medium, status=status)
        for rank, component in enumerate(components, start=1):
            what = coded(pairs(component.get("code")))
            value = self._value(component, what.loinc, limit=BIO_LIMIT, decimals=BIO_DECIMALS)
            number = sheet.technical(f"{staged.key}#{rank}")
            own = group or sheet.group(staged.key)
            self._result(component, place, when, what, value, number=number, group=own, medium=medium, status=status)

    def _result(
        self,
        holder: Json,
        place: Place,
        when: When,
        what: Coded,
        value: Value,
        *,
        number: str,
        group: str | None,
        medium: str | None,
        status: str,
    ) -> None:
        sheet = self._sheet
        if what.loinc is None:
            sheet.count("clinical-without-loinc")
        low, high = self._bounds(holder, value.unit)
        absent, interpretation = holder.get("dataAbsentReason"), holder.get("interpretation")
        sheet.write(
            BIO,
            when,
            place,
            (
                sheet.finess,
                place.rsa_num,
                sheet.nir,
                number,
                group,
                when.day,
                when.month,
                when.days,
                when.minutes,
                what.loinc,
                what.nabm,
                what.local,
                value.number,
                value.operator,
                value.unit,
                value.normal,
                value.normal_unit,
                value.code,
                value.system,
                low,
                high,
                _code(pairs(interpretation[0]), 4) if interpretation else None,
                medium,
                status,
                _code(pairs(absent), 20) if absent else None,
            ),
        )

    def _measure(self, staged: Staged, place: Place, *, status: str) -> None:
        resource, sheet = staged.resource, self._sheet
        when = sheet.when(_effective(resource), place)
        if when is None:
            sheet.count("clinical-without-date")
            return
        number = sheet.technical(staged.key)
        for line, holder in enumerate((resource, *resource.get("component", ()))):
            loinc = coded(pairs(holder.get("code"))).loinc
            value = self._value(holder, loinc, limit=CST_LIMIT, decimals=CST_DECIMALS)
            if not value.known:
                continue
            if loinc is None:
                sheet.count("clinical-without-loinc")
                continue
            sheet.write(
                CST,
                when,
                place,
                (
                    sheet.finess,
                    place.rsa_num,
                    sheet.nir,
                    number,
                    line,
                    when.day,
                    when.month,
                    when.days,
                    when.minutes,
                    loinc,
                    value.number,
                    value.unit,
                    value.normal,
                    value.normal_unit,
                    value.code,
                    status,
                ),
            )

    def _value(self, holder: Json, loinc: str | None, *, limit: float, decimals: int) -> Value:
        quantity = holder.get("valueQuantity")
        if quantity is None:
            return self._coded_value(holder, loinc, limit=limit)
        number = self._sheet.number(quantity.get("value"), limit)
        if number is None:
            return NO_VALUE
        unit = unit_code(quantity)
        found = conversion(loinc, unit) if loinc and unit else None
        if found is None:
            self._sheet.count("clinical-not-normalised")
            return Value(number, quantity.get("comparator"), unit)
        normal = number if found.factor == 1.0 and not found.offset else round(found.of(number), decimals)
        fits = -limit < normal < limit
        return Value(number, quantity.get("comparator"), unit, normal if fits else None, found.unit if fits else None)

    def _coded_value(self, holder: Json, loinc: str | None, *, limit: float) -> Value:
        concept = holder.get("valueCodeableConcept")
        if concept:
            return _answer(pairs(concept))
        if "valueBoolean" in holder:
            return Value(code="true" if holder["valueBoolean"] else "false")
        number = self._sheet.number(holder.get("valueInteger"), limit)
        if number is None:
            return NO_VALUE
        found = conversion(loinc, "1") if loinc else None
        return Value(number, normal=number if found else None, normal_unit=found.unit if found else None)

    def _bounds(self, holder: Json, unit: str | None) -> tuple[int | float | None, int | float | None]:
        """Return the first range's bounds, when they stand in the unit of the value."""
        ranges = holder.get("referenceRange")
        if not ranges:
            return None, None
        low, high = ranges[0].get("low"), ranges[0].get("high")
        return self._bound(low, unit), self._bound(high, unit)

    def _bound(self, quantity: Json | None, unit: str | None) -> int | float | None:
        if not quantity or quantity.get("code", unit) != unit:
            return None
        return self._sheet.number(quantity.get("value"), BIO_LIMIT)

    def _specimen(self, resource: Json) -> tuple[str | None, str | None]:
        """Return when the specimen was collected and its SNOMED CT type."""
        reference = resource.get("specimen")
        if not reference:
            return None, None
        key = referred(reference, RESOURCE)
        if key is None:
            return _collected(self._sheet.referred(reference, resource))
        if key not in self._specimens:
            self._specimens[key] = _collected(self._sheet.referred(reference))
        return self._specimens[key]


def _reports(sheet: Sheet) -> dict[str, str]:
    """Return the report of each result: the DiagnosticReport that lists it, else the panel that has it as member."""
    listed: dict[str, str] = {}
    panels: dict[str, str] = {}
    for one in sheet.view.resources:
        if one.type == "DiagnosticReport" and one.resource.get("status") not in ("entered-in-error", "cancelled"):
            members, into = one.resource.get("result", ()), listed
        elif one.type == "Observation" and "hasMember" in one.resource:
            members, into = one.resource["hasMember"], panels
        else:
            continue
        for member in members:
            key = referred(member, RESOURCE)
            if key:
                into.setdefault(key, one.key)
    return panels | listed if panels else listed


def _effective(resource: Json) -> str | None:
    text = resource.get("effectiveDateTime") or resource.get("effectiveInstant")
    if text is None and "effectivePeriod" in resource:
        period = resource["effectivePeriod"]
        text = period.get("start") or period.get("end")
    if text is None and "effectiveTiming" in resource:
        text = next(iter(resource["effectiveTiming"].get("event", ())), None)
    return text


def _collected(specimen: Json | None) -> tuple[str | None, str | None]:
    if specimen is None:
        return None, None
    collection = specimen.get("collection", {})
    text = collection.get("collectedDateTime") or collection.get("collectedPeriod", {}).get("start")
    medium = next((code for system, code in pairs(specimen.get("type")) if system == SNOMED and len(code) <= 18), None)
    return text, medium


@lru_cache(maxsize=16384)
def coded(found: Pairs) -> Coded:
    """Return LOINC, NABM and local code of an observation's codings."""
    loinc = nabm = local = None
    for system, code in found:
        if system == LOINC:
            loinc = loinc or (code if LOINC_CODE.fullmatch(code) else None)
        elif NABM_SYSTEM.search(system):
            nabm = nabm or (int(code) if code.isdecimal() and len(code) <= 5 else None)
        elif system == LOCAL:
            local = local or code
    return Coded(loinc, nabm, local)


@lru_cache(maxsize=1024)
def _categorised(categories: tuple[Pairs, ...]) -> str | None:
    """Return the table of a category, "" for one that has no table, None when the LOINC code must tell."""
    codes = [code for category in categories for _, code in category]
    for code in codes:
        if code in CATEGORIES:
            return CATEGORIES[code]
    return "" if any(code in ("social-history", "imaging", "therapy", "activity") for code in codes) else None


@lru_cache(maxsize=8192)
def _answer(found: Pairs) -> Value:
    """Return a coded result: the first code of a nomenclature that fits, else a local one, cut to its column."""
    for system, code in found:
        if system != LOCAL and len(code) <= 20 and len(system) <= 80:
            return Value(code=code, system=system or None)
    # A local code is a keyed hash of 22 characters: 20 of them tell codes apart as well.
    return next((Value(code=code[:20], system=system) for system, code in found if system == LOCAL), NO_VALUE)


@lru_cache(maxsize=1024)
def _code(found: Pairs, width: int) -> str | None:
    return next((code for system, code in found if system != LOCAL and len(code) <= width), None)
