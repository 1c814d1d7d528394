"""Administrations of drugs of the liste en sus during a stay → `T_MCOaaMED`. Pure.

In: the operator's dated list. Without the list there are no rows, and a quantity that cannot be told in UCD is counted.
"""

from __future__ import annotations

from typing import Any

from transformers.contract import Contract
from transformers.snds.clinical_drugs import drug_of
from transformers.snds.clinical_sheet import Sheet, unit_code
from transformers.snds.dispensing import NOTHING_DISPENSED, Dispensed
from transformers.snds.elements import Json
from transformers.snds.instants import Moment, days_between, moment
from transformers.snds.placing import Place, Placing
from transformers.snds.reference import Listed, Reference
from transformers.snds.schema import physical_name, row_of
from transformers.snds.ucum_reference import between, ucum_code
from transformers.snds.view import PersonView, Row

MED = "T_MCOaaMED"
ON_THE_LIST = "06"
LARGEST = 1e10


def expensive_rows(view: PersonView, *, placing: Placing, contract: Contract, reference: Reference) -> Dispensed:
    """Return one row for each stay, UCD and day, with what was given that day."""
    if not reference.expensive:
        return NOTHING_DISPENSED
    sheet = Sheet(view, contract=contract, technical=str, nir_ano_17="")
    given: dict[tuple[str, str, int], float] = {}
    facts: dict[tuple[str, str, int], tuple[Place, Moment]] = {}
    for staged in view.resources:
        if staged.type != "MedicationAdministration":
            continue
        resource = staged.resource
        place = placing(resource) if resource.get("status") == "completed" else None
        at = _moment(resource)
        if place is None or place.rsa_num is None or place.entry is None or at is None:
            continue
        ucd = drug_of(resource, sheet).ucd
        listed = _listed(reference.expensive.get(ucd or "", ()), at)
        if ucd is None or listed is None:
            continue
        number = _in_ucd(resource.get("dosage", {}).get("dose"), listed)
        if number is None:
            sheet.count("expensive-quantity-unknown")
            continue
        line = (place.rsa_num, ucd, days_between(place.entry, at))
        given[line] = given.get(line, 0.0) + number
        facts.setdefault(line, (place, at))
    tables: dict[str, list[Row]] = {}
    for (rsa_num, ucd, delay), number in sorted(given.items()):
        place, at = facts[rsa_num, ucd, delay]
        if place.exit_year is not None and number < LARGEST:
            values = _values(place, at, contract) | {
                "ADM_NBR": round(number, 3), "RSA_NUM": rsa_num, "UCD_UCD_COD": ucd, "DELAI": delay
            }  # fmt: skip
            tables.setdefault(physical_name(MED, place.exit_year), []).append(row_of(MED, values))
    counts = {code: number for code, number in sheet.counts.items() if code.startswith("expensive")}
    return Dispensed({name: tuple(rows) for name, rows in tables.items()}, counts)


def _moment(resource: Json) -> Moment | None:
    period = resource.get("effectivePeriod", {})
    return moment(resource.get("effectiveDateTime") or period.get("start") or period.get("end"))


def _listed(times: tuple[Listed, ...], at: Moment) -> Listed | None:
    return next((one for one in times if one.since <= at.day and (one.until is None or at.day <= one.until)), None)


def _in_ucd(dose: Json | None, listed: Listed) -> float | None:
    """Return a dose as a number of UCD: pieces as such, an amount by what the list says that one UCD holds."""
    value = dose.get("value") if dose else None
    if dose is None or isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    code = unit_code(dose)
    if code is None:
        return None
    if code == "1" or (code.startswith("{") and code.endswith("}")):
        return float(value)
    if not listed.content or not listed.unit:
        return None
    found = between(ucum_code(code), ucum_code(listed.unit))
    return value * found[0] / listed.content if found else None


def _values(place: Place, at: Moment, contract: Contract) -> dict[str, Any]:
    exit_month = f"{place.exit.day.month:02d}" if place.exit else None
    return {
        "ADM_MOIS": f"{at.day.month:02d}",
        "ANN": f"{place.exit_year:04d}",
        "DAT_ADM_ANN": f"{at.day.year:04d}",
        "ETA_NUM": contract.finess,
        "MOI": exit_month,
        "NBR_SEJ": 1,
        "PRS_TYP": ON_THE_LIST,
    }
