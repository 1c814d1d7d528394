"""Observations → rows of `T_EDSaaBIO` (laboratory) and `T_EDSaaCST` (vital signs, anthropometry, scores). Pure.

One row a result or component, with the value as sent and, where the unit is known, the normalised one.
"""

from __future__ import annotations

from typing import NamedTuple

from transformers.snds.clinical_sheet import Sheet, When, pairs
from transformers.snds.clinical_values import (
    BIO_FORMAT,
    CST_FORMAT,
    Coded,
    Value,
    bounds,
    coded,
    effective,
    first_code,
    value_of,
)
from transformers.snds.elements import RESOURCE, Json, referred
from transformers.snds.placing import Place
from transformers.snds.ucum_reference import references
from transformers.snds.view import Staged

INTERPRETATION_WIDTH, ABSENCE_WIDTH, MEDIUM_WIDTH, MAX_LINES = 4, 20, 18, 99
SNOMED = "http://snomed.info/sct"
BIO, CST = "T_EDSaaBIO", "T_EDSaaCST"
CATEGORIES = {"laboratory": BIO, "vital-signs": CST}
WITHOUT_TABLE = frozenset({"social-history", "imaging", "therapy", "activity"})


class Sample(NamedTuple):
    """What the rows of one laboratory Observation share."""

    place: Place
    when: When
    medium: str | None
    status: str


class Observations:
    """The observations of one person, with the reports that group them and the specimens they were made on."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._reports = _reports(sheet)
        self._specimens: dict[str, tuple[str | None, str | None]] = {}

    def table(self, resource: Json) -> str | None:
        """Return BIO or CST by category, else by the LOINC code; None for what is neither (lifestyle, imaging…)."""
        known = False
        for category in resource.get("category", ()):
            for coding in category.get("coding", ()):
                code = coding.get("code")
                if code in CATEGORIES:
                    return CATEGORIES[code]
                known = known or code in WITHOUT_TABLE
        if known:
            return None
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
        when = sheet.when(collected, place) or sheet.when(effective(resource), place)
        if when is None:
            sheet.count("clinical-without-date")
            return
        report = self._reports.get(staged.key)
        group = sheet.group(report) if report else None
        sample = Sample(place, when, medium, status)
        what = coded(pairs(resource.get("code")))
        value = value_of(resource, what.loinc, sheet, fits=BIO_FORMAT)
        components = resource.get("component", ())
        if not (components or "hasMember" in resource) or value.known or "dataAbsentReason" in resource:
            self._result(resource, what, value, sample, number=sheet.technical(staged.key), group=group)
        for rank, component in enumerate(components, start=1):
            what = coded(pairs(component.get("code")))
            value = value_of(component, what.loinc, sheet, fits=BIO_FORMAT)
            number, own = sheet.technical(f"{staged.key}#{rank}"), group or sheet.group(staged.key)
            self._result(component, what, value, sample, number=number, group=own)

    def _result(
        self, holder: Json, what: Coded, value: Value, sample: Sample, *, number: str, group: str | None
    ) -> None:
        """Write one row, in the order of the columns; `what` and `value` are columns in order themselves."""
        sheet, place, when = self._sheet, sample.place, sample.when
        if what.loinc is None:
            sheet.count("clinical-without-loinc")
        absent, interpretation = holder.get("dataAbsentReason"), holder.get("interpretation")
        row = (
            sheet.finess,
            place.rsa_num,
            sheet.nir,
            number,
            group,
            when.day,
            when.month,
            when.days,
            when.minutes,
            *what,
            *value,
            *bounds(holder, value.unit, sheet),
            first_code(pairs(interpretation[0]), INTERPRETATION_WIDTH) if interpretation else None,
            sample.medium,
            sample.status,
            first_code(pairs(absent), ABSENCE_WIDTH) if absent else None,
        )
        sheet.write(BIO, when, place, row)

    def _measure(self, staged: Staged, place: Place, *, status: str) -> None:
        resource, sheet = staged.resource, self._sheet
        when = sheet.when(effective(resource), place)
        if when is None:
            sheet.count("clinical-without-date")
            return
        number = sheet.technical(staged.key)
        for line, holder in enumerate((resource, *resource.get("component", ())[:MAX_LINES])):
            loinc = coded(pairs(holder.get("code"))).loinc
            value = value_of(holder, loinc, sheet, fits=CST_FORMAT)
            if not value.known:
                continue
            if loinc is None:
                sheet.count("clinical-without-loinc")
                continue
            row = (
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
            )
            sheet.write(CST, when, place, row)

    def _specimen(self, resource: Json) -> tuple[str | None, str | None]:
        """Return when the specimen was collected and its SNOMED CT type."""
        reference = resource.get("specimen")
        if not reference:
            return None, None
        key = referred(reference, RESOURCE)
        if key is None:
            return None, None
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


def _collected(specimen: Json | None) -> tuple[str | None, str | None]:
    if specimen is None:
        return None, None
    collection = specimen.get("collection", {})
    text = collection.get("collectedDateTime") or collection.get("collectedPeriod", {}).get("start")
    medium = next(
        (code for system, code in pairs(specimen.get("type")) if system == SNOMED and len(code) <= MEDIUM_WIDTH), None
    )
    return text, medium
