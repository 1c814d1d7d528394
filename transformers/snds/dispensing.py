"""MedicationDispense outside a stay → `ER_PRS_F` with `ER_PHA_F` (CIP) or `ER_UCD_F` (UCD) and `ER_ETE_F`. Pure.

In: completed dispenses of a chained person. Never: an amount, a rate, an insurer that was not sent. Every key is a
function of the dispense, so that a replay gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from transformers.contract import Contract
from transformers.snds.clinical_drugs import drug_of
from transformers.snds.clinical_sheet import Sheet, pairs
from transformers.snds.codes import Drug
from transformers.snds.elements import Json
from transformers.snds.instants import amd, moment
from transformers.snds.placing import Placing
from transformers.snds.reference import NO_REFERENCE, Reference
from transformers.snds.schema import TABLES, row_of
from transformers.snds.ucum_reference import between
from transformers.snds.view import PersonView, Row, Staged, TablePseudonyms

DISPENSE = "MedicationDispense"
COMMUNITY, RETROCESSION = 3313, 3318
UNKNOWN_EMITTER = 99
UNKNOWN_INSURER = "000000000"
UNKNOWN_SPECIALTY = 99
FLOWS = 9_999
MAX_BOXES, MAX_UNITS = 9_999, 99_999
REMOVED = frozenset({"entered-in-error", "cancelled", "declined", "stopped"})
OF_THE_PERSON = (
    "BEN_NIR_PSA", "BEN_RNG_GEM", "BEN_CDI_NIR", "BEN_DCD_AME", "BEN_DCD_DTE", "BEN_NAI_ANN", "BEN_RES_COM",
    "BEN_RES_DPT", "BEN_SEX_COD", "ORG_AFF_BEN",
)  # fmt: skip
BENEFICIARY = TABLES["IR_BEN_R"].names


@dataclass(frozen=True, slots=True, repr=False)
class Dispensed:
    """Rows by table and quality counters."""

    tables: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Dispensed({sum(map(len, self.tables.values()))} rows)"


NOTHING_DISPENSED = Dispensed()


@dataclass(frozen=True, slots=True)
class _Dispense:
    """One dispense that counts: its resource, its day, and the drug as codes."""

    staged: Staged
    day: date
    drug: Drug
    retrocession: bool


def dispense_days(view: PersonView, *, placing: Placing) -> tuple[date, ...]:
    """Return the days of the dispenses that give rows: dates of care of `IR_BEN_R`."""
    if not _any(view):
        return ()
    sheet = _sheet(view, Contract(finess=view.finess))
    return tuple(one.day for one in _dispenses(view, sheet, placing=placing))


def dispensing_rows(
    view: PersonView,
    beneficiary: Row | None,
    *,
    placing: Placing,
    contract: Contract,
    pseudonyms: TablePseudonyms,
    birth: tuple[int, int | None] | None,
    reference: Reference = NO_REFERENCE,
) -> Dispensed:
    """Return the DCIR rows of a person. `beneficiary` is the row of `IR_BEN_R`; without one there are none."""
    if not _any(view):
        return NOTHING_DISPENSED
    sheet = _sheet(view, contract)
    found = list(_dispenses(view, sheet, placing=placing))
    if beneficiary is None:
        if found:
            sheet.counts["dispense-without-person"] = len(found)
        return Dispensed(counts=sheet.counts)
    person = dict(zip(BENEFICIARY, beneficiary, strict=True))
    tables: dict[str, list[Row]] = {}
    for one in found:
        keys = _keys(one, finess=contract.finess, pseudonyms=pseudonyms)
        quantity = _quantity(one, sheet)
        prescribed = _prescribed(one, sheet) if "care-dates" in contract.potential_identifiers else None
        line = {name: person[name] for name in OF_THE_PERSON} | _care(one, contract) | keys
        line |= {
            "BEN_AMA_COD": age_code(birth, one.day),
            "PRE_PRE_AMD": amd(day) if (day := _prescribed(one, sheet)) else None,
            "PRE_PRE_DTD": prescribed,
            "PRS_ACT_NBR": abs(quantity),
            "PRS_ACT_QTE": max(1, abs(quantity)),
            **_nature(one, reference, sheet),
        }
        drug = _units(one, quantity) if one.retrocession else _boxes(one, quantity, sheet)
        tables.setdefault("ER_PRS_F", []).append(row_of("ER_PRS_F", line))
        tables.setdefault("ER_UCD_F" if one.retrocession else "ER_PHA_F", []).append(
            row_of("ER_UCD_F" if one.retrocession else "ER_PHA_F", drug | keys)
        )
        tables.setdefault("ER_ETE_F", []).append(row_of("ER_ETE_F", _executor(contract) | keys))
    return Dispensed({name: tuple(rows) for name, rows in tables.items()}, sheet.counts)


def age_code(birth: tuple[int, int | None] | None, day: date) -> int:
    """Return `BEN_AMA_COD`: years from two years on, else 1000 + months, 9999 unknown."""
    if birth is None or birth[0] > day.year:
        return 9999
    year, month = birth
    if month is None:
        years = day.year - year
        return years if years > 2 else 9999
    months = (day.year - year) * 12 + day.month - month
    if months < 0:
        return 9999
    return months // 12 if months >= 24 else 1000 + months


def _any(view: PersonView) -> bool:
    return any(one.type == DISPENSE for one in view.resources)


def _sheet(view: PersonView, contract: Contract) -> Sheet:
    return Sheet(view, contract=contract, technical=str, nir_ano_17="")


def _dispenses(view: PersonView, sheet: Sheet, *, placing: Placing) -> Iterator[_Dispense]:
    for staged in view.resources:
        if staged.type != DISPENSE:
            continue
        resource = staged.resource
        status = resource.get("status")
        if status != "completed":
            sheet.count("clinical-removed" if status in REMOVED else "clinical-preliminary")
            continue
        kind = {code for _, code in pairs(resource.get("category"))}
        place = placing(resource) if "context" in resource else None
        if "context" in resource and place is None:
            sheet.count("waiting-stay")
            continue
        if "inpatient" in kind or (place is not None and place.stay is not None):
            sheet.count("dispense-inpatient")
            continue
        at = moment(resource.get("whenHandedOver") or resource.get("whenPrepared"))
        if at is None:
            sheet.count("clinical-without-date")
            continue
        drug = drug_of(resource, sheet)
        if drug.ucd is None and drug.cip is None:
            sheet.count("dispense-without-presentation")
            continue
        retrocession = drug.cip is None or (drug.ucd is not None and "community" not in kind)
        yield _Dispense(staged, at.day, drug, retrocession)


def _keys(one: _Dispense, *, finess: str, pseudonyms: TablePseudonyms) -> dict[str, Any]:
    """Return the nine keys: the month of care, the hospital, and 13 digits of a keyed hash of the dispense."""
    following = (one.day.replace(day=1) + timedelta(days=32)).replace(day=1)
    flow = pseudonyms.rsa_num(f"{one.staged.key}#flow")
    return {
        "DCT_ORD_NUM": account_number(one.staged.key, pseudonyms),
        "FLX_DIS_DTD": following,
        "FLX_EMT_NUM": emitter(finess),
        "FLX_EMT_ORD": 1 + int(flow) % FLOWS,
        "FLX_EMT_TYP": UNKNOWN_EMITTER,
        "FLX_TRT_DTD": following - timedelta(days=1),
        "ORG_CLE_NUM": UNKNOWN_INSURER,
        "PRS_ORD_NUM": 1,
        "REM_TYP_AFF": 0,
    }


def account_number(key: str, pseudonyms: TablePseudonyms) -> int:
    """Return `DCT_ORD_NUM` of a dispense: nine digits of a keyed hash."""
    return int(pseudonyms.rsa_num(f"{key}#account")[-9:])


def emitter(finess: str) -> int:
    """Return a number of 1 to 9999 for a hospital; the FINESS of two hospitals may share it, the hash does not."""
    return 1 + int(finess, 36) % FLOWS


def _care(one: _Dispense, contract: Contract) -> dict[str, Any]:
    day = one.day if "care-dates" in contract.potential_identifiers else one.day.replace(day=1)
    return {
        "EXE_SOI_AMD": amd(day),
        "EXE_SOI_AMF": amd(day),
        "EXE_SOI_DTD": day,
        "EXE_SOI_DTF": day,
        "ETB_PRE_FIN": contract.finess[:8] if "authorizingPrescription" in one.staged.resource else None,
        "BSE_REM_SGN": 0,
        "EXE_LIE_COD": 2,
        "PRS_ACT_CFT": 1,
        "PRS_ACT_COG": 1,
        "PRS_PPU_SEC": _sector(contract),
        "PSE_SPE_COD": UNKNOWN_SPECIALTY,
        "PSP_SPE_COD": UNKNOWN_SPECIALTY,
    }


def _executor(contract: Contract) -> dict[str, Any]:
    return {"ETB_EXE_FIN": contract.finess[:8], "PRS_PPU_SEC": _sector(contract)}


def _sector(contract: Contract) -> int:
    return 2 if contract.legal_form == "private" else 1


def _nature(one: _Dispense, reference: Reference, sheet: Sheet) -> dict[str, int]:
    """Return the nature of the product by the operator's table, else the usual one, counted."""
    code = one.drug.ucd if one.retrocession else str(one.drug.cip)
    found = reference.natures.get(code or "")
    if found is None:
        sheet.count("dispense-nature-default")
        found = RETROCESSION if one.retrocession else COMMUNITY
    return {"PRS_NAT_REF": found, "BSE_PRS_NAT": found}


def _prescribed(one: _Dispense, sheet: Sheet) -> date | None:
    for reference in one.staged.resource.get("authorizingPrescription", ()):
        request = sheet.referred(reference)
        at = moment(request.get("authoredOn")) if request else None
        if at is not None:
            return at.day
    return None


def _quantity(one: _Dispense, sheet: Sheet) -> int:
    """Return how many UCD or boxes were given: a whole count in pieces, else 1, counted."""
    quantity = one.staged.resource.get("quantity", {})
    value, limit = quantity.get("value"), MAX_UNITS if one.retrocession else MAX_BOXES
    whole = isinstance(value, int | float) and value == int(value) and 0 < abs(value) <= limit
    if whole and _counts_pieces(quantity.get("code"), boxes=not one.retrocession):
        if "code" not in quantity:
            sheet.count("dispense-quantity-unitless")
        return int(value)
    sheet.count("dispense-quantity-default")
    return 1


def _counts_pieces(unit: str | None, *, boxes: bool) -> bool:
    """Say whether a unit counts what is dispensed: no unit, `1`, or an annotation; tablets are not boxes."""
    if unit is None or unit == "1":
        return True
    if boxes:
        return unit.strip("{}").casefold() in {"box", "boite", "boîte", "bte", "package", "pack", "bt"}
    return unit.startswith("{") and between(unit, "1") is not None


def _boxes(one: _Dispense, quantity: int, sheet: Sheet) -> dict[str, Any]:
    cip = one.drug.cip or 0
    request = next((sheet.referred(to) for to in one.staged.resource.get("authorizingPrescription", ())), None)
    return {
        "PHA_ACT_QSN": quantity,
        "PHA_DEC_PRU": 0,
        "PHA_DEC_QSU": 0,
        "PHA_ORD_NUM": 1,
        "PHA_PRS_C13": cip,
        "PHA_PRS_IDE": int(str(cip)[5:12]) if cip else 9999999,
        "PHA_SEQ_RNV": _repeats(request),
    }


def _repeats(request: Json | None) -> int | None:
    allowed = request.get("dispenseRequest", {}).get("numberOfRepeatsAllowed") if request else None
    return allowed if isinstance(allowed, int) and 0 <= allowed <= 99 else None


def _units(one: _Dispense, quantity: int) -> dict[str, Any]:
    return {
        "UCD_DLV_NBR": quantity,
        "UCD_FRC_COE": 1,
        "UCD_LGN_NUM": 1,
        "UCD_ORD_NUM": 1,
        "UCD_TOP_UCD": 0,
        "UCD_UCD_COD": one.drug.ucd,
    }
