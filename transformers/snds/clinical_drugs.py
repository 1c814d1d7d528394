"""MedicationRequest → `T_EDSaaPRE`, MedicationAdministration → `T_EDSaaADM`. Pure.

The drug is a code of the resource itself, of a Medication it refers to, or of a contained one. No dose is converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from transformers.snds.clinical_sheet import Pairs, Sheet, When, pairs, unit_code
from transformers.snds.codes import Drug
from transformers.snds.codes import drug as read_drug
from transformers.snds.elements import RESOURCE, Json, referred
from transformers.snds.instants import Moment, moment
from transformers.snds.placing import Place
from transformers.snds.ucum_reference import between, ucum_code
from transformers.snds.view import Staged

ADM, PRE = "T_EDSaaADM", "T_EDSaaPRE"
EDQM = (
    "http://standardterms.edqm.eu",
    "https://standardterms.edqm.eu",
    "https://smt.esante.gouv.fr/terminologie-standardterms",
    "urn:oid:0.4.0.127.0.16.1.1.2.1",
)
ROUTE_WIDTH = 12
DOSE_LIMIT, PERIOD_LIMIT, COUNT_LIMIT = 1e8, 1e6, 1e5
MAX_MINUTES = 9_999_999
CONTEXTS = {"inpatient": "H", "discharge": "S", "outpatient": "E", "community": "E"}
NO_DRUG = Drug()
DAILY: Mapping[str, tuple[int, float, str]] = {
    "QD": (1, 1, "d"), "BID": (2, 1, "d"), "TID": (3, 1, "d"), "QID": (4, 1, "d"), "QOD": (1, 2, "d"),
    "AM": (1, 1, "d"), "PM": (1, 1, "d"), "BED": (1, 1, "d"), "WK": (1, 1, "wk"), "MO": (1, 1, "mo"),
    "Q1H": (1, 1, "h"), "Q2H": (1, 2, "h"), "Q3H": (1, 3, "h"), "Q4H": (1, 4, "h"), "Q6H": (1, 6, "h"),
    "Q8H": (1, 8, "h"),
}  # fmt: skip


class Amount(NamedTuple):
    """A quantity and its UCUM unit."""

    value: int | float | None = None
    unit: str | None = None


NO_AMOUNT = Amount()


def administration(staged: Staged, place: Place, sheet: Sheet, *, status: str) -> None:
    """Write the row of one administration."""
    resource = staged.resource
    period = resource.get("effectivePeriod", {})
    start = resource.get("effectiveDateTime") or period.get("start") or period.get("end")
    when = sheet.when(start, place)
    if when is None:
        sheet.count("clinical-without-date")
        return
    request = referred(resource.get("request"), RESOURCE)
    dosage = resource.get("dosage", {})
    drug = drug_of(resource, sheet)
    dose, rate = _amount(dosage.get("dose"), sheet), _rate(dosage, sheet)
    sheet.write(
        ADM,
        when,
        place,
        (
            sheet.finess,
            place.rsa_num,
            sheet.nir,
            sheet.technical(staged.key),
            sheet.group(request) if request else None,
            when.day,
            when.month,
            when.days,
            when.minutes,
            _minutes(period),
            drug.ucd,
            drug.cip,
            drug.cis,
            drug.atc,
            _route(pairs(dosage.get("route"))),
            dose.value,
            dose.unit,
            rate.value,
            rate.unit,
            status,
        ),
    )


def prescription(staged: Staged, place: Place, sheet: Sheet, *, status: str) -> None:
    """Write the row of one prescription: its first dosage instruction, the others are counted."""
    resource = staged.resource
    instructions = resource.get("dosageInstruction", ())
    instruction: Json = instructions[0] if instructions else {}
    if len(instructions) > 1:
        sheet.count("dosage-further")
    timing = instruction.get("timing", {})
    repeat = timing.get("repeat", {})
    when = _prescribed(resource, repeat, place, sheet)
    if when is None:
        sheet.count("clinical-without-date")
        return
    drug = drug_of(resource, sheet)
    row = (
        sheet.finess,
        place.rsa_num,
        sheet.nir,
        sheet.group(staged.key),
        when.day,
        when.month,
        when.days,
        when.minutes,
        drug.ucd,
        drug.cip,
        drug.cis,
        drug.atc,
        *_posology(instruction, timing, repeat, sheet),
        _days(resource, repeat),
        _context(resource),
        status,
    )
    sheet.write(PRE, when, place, row)


def _posology(instruction: Json, timing: Json, repeat: Json, sheet: Sheet) -> tuple[Any, ...]:
    """Return route, dose, its unit, frequency, period and its unit: six columns in order."""
    rates = instruction.get("doseAndRate")
    dose = _amount(rates[0].get("doseQuantity"), sheet) if rates else NO_AMOUNT
    return (_route(pairs(instruction.get("route"))), *dose, *_frequency(timing, repeat, sheet))


def drug_of(resource: Json, sheet: Sheet) -> Drug:
    """Return the codes of the drug, with the ATC class of the operator's table; none known is counted."""
    concept = resource.get("medicationCodeableConcept")
    found = _drug(pairs(concept)) if concept else NO_DRUG
    if found == NO_DRUG:
        medication = sheet.referred(resource.get("medicationReference"))
        if medication is not None:
            found = _drug(pairs(medication.get("code")))
            ingredients = medication.get("ingredient", ())
            if found == NO_DRUG and len(ingredients) == 1:
                found = _drug(pairs(ingredients[0].get("itemCodeableConcept")))
    if found == NO_DRUG:
        sheet.count("clinical-without-drug")
    elif found.atc is None and sheet.atc:
        return found._replace(atc=sheet.atc.get(found.ucd or "") or sheet.atc.get(str(found.cip)))
    return found


@lru_cache(maxsize=16384)
def _drug(found: Pairs) -> Drug:
    return read_drug({"coding": [{"system": system, "code": code} for system, code in found]})


@lru_cache(maxsize=1024)
def _route(found: Pairs) -> str | None:
    return next((code for system, code in found if system in EDQM and len(code) <= ROUTE_WIDTH), None)


def _amount(quantity: Json | None, sheet: Sheet) -> Amount:
    if not quantity:
        return NO_AMOUNT
    return Amount(sheet.number(quantity.get("value"), DOSE_LIMIT), unit_code(quantity))


def _rate(dosage: Json, sheet: Sheet) -> Amount:
    ratio = dosage.get("rateRatio")
    if not ratio:
        return _amount(dosage.get("rateQuantity"), sheet)
    above, below = _amount(ratio.get("numerator"), sheet), _amount(ratio.get("denominator"), sheet)
    if above.value is None or not below.value:
        return NO_AMOUNT
    value = sheet.number(round(above.value / below.value, 4), DOSE_LIMIT)
    unit = f"{above.unit}/{below.unit}" if above.unit and below.unit else None
    return Amount(value, unit if unit and len(unit) <= 20 else None)


def _minutes(period: Json) -> int | None:
    start, end = moment(period.get("start")), moment(period.get("end"))
    if start is None or end is None or start.minute is None or end.minute is None:
        return None
    lasting = end.minute - start.minute
    return lasting if 0 <= lasting <= MAX_MINUTES else None


def _prescribed(resource: Json, repeat: Json, place: Place, sheet: Sheet) -> When | None:
    """Return when it was prescribed: `authoredOn`, else the start of the dosage, else the day of entry."""
    found = sheet.when(resource.get("authoredOn"), place)
    if found is None:
        found = sheet.when(repeat.get("boundsPeriod", {}).get("start"), place)
    if found is None and place.entry is not None:
        found = sheet.at(Moment(place.entry.day), place)
    return found


def _frequency(timing: Json, repeat: Json, sheet: Sheet) -> tuple[int | None, int | float | None, str | None]:
    if "frequency" in repeat or "period" in repeat:
        times = sheet.number(repeat.get("frequency"), COUNT_LIMIT)
        return (
            None if times is None else int(times),
            sheet.number(repeat.get("period"), PERIOD_LIMIT),
            repeat.get("periodUnit"),
        )
    for _, code in pairs(timing.get("code")):
        if code in DAILY:
            return DAILY[code]
    return None, None, None


def _days(resource: Json, repeat: Json) -> int | None:
    """Return how long it is prescribed for: the supply's duration, else the bounds of the dosage."""
    supply = resource.get("dispenseRequest", {}).get("expectedSupplyDuration")
    for duration in (supply, repeat.get("boundsDuration")):
        if duration and isinstance(duration.get("value"), int | float):
            found = _to_days(duration.get("code") or "")
            if found:
                return _fitting(round(duration["value"] * found))
    bounds = repeat.get("boundsPeriod", {})
    start, end = moment(bounds.get("start")), moment(bounds.get("end"))
    return _fitting(_between(start.day, end.day)) if start and end else None


def _between(start: date, end: date) -> int:
    return (end - start).days


def _fitting(days: int) -> int | None:
    return days if 0 <= days < COUNT_LIMIT else None


@lru_cache(maxsize=256)
def _to_days(code: str) -> float | None:
    found = between(ucum_code(code), "d")
    return found[0] if found else None


def _context(resource: Json) -> str | None:
    for category in resource.get("category", ()):
        for _, code in pairs(category):
            if code in CONTEXTS:
                return CONTEXTS[code]
    return None
