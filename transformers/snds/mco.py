"""A stay → its rows of `T_MCOaaB`, `C`, `UM`, `D` and `A`: the values column by column.

Pure. Rows stand in the official order of columns; the counts of B are those of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from transformers.contract import Contract
from transformers.contract import Unit as UnitLine
from transformers.snds.beneficiary import INDETERMINATE, Beneficiary
from transformers.snds.births import Birth
from transformers.snds.chaining import chaining_columns
from transformers.snds.claims import GHM_LENGTH, Group
from transformers.snds.medical_units import Unit
from transformers.snds.modes import Mode
from transformers.snds.reference import NO_REFERENCE, Reference
from transformers.snds.schema import packaged, row_of
from transformers.snds.severity import severities
from transformers.snds.stays import Stay
from transformers.snds.view import Row, TablePseudonyms

UNKNOWN_DEPARTMENT, UNKNOWN_PLACE = "99", "99999"
COMMUNE = "commune"
SESSION_GHM = "28XXXX"
GHM_VERSION = "11"
SHORT_STAY_UNITS = frozenset({"07A", "07B"})
PALLIATIVE = frozenset({"08"})
COMPATIBLE = "2"
LONGEST_DELAY = 999


@dataclass(frozen=True, slots=True, repr=False)
class StayRow:
    """A stay with its number, its modes, and what the tables say of its person."""

    stay: Stay
    rsa_num: str
    entry_mode: Mode
    exit_mode: Mode
    birth: Birth
    person: Beneficiary
    contract: Contract
    reference: Reference = NO_REFERENCE

    @property
    def keys(self) -> dict[str, Any]:
        """Return the columns that all tables of a stay share."""
        return {"ETA_NUM": self.contract.finess, "RSA_NUM": self.rsa_num, "RSS_NUM": rsa_format(self.stay.year)}

    def __repr__(self) -> str:
        return f"StayRow({self.stay!r})"


def mco_rows(one: StayRow, pseudonyms: TablePseudonyms) -> dict[str, list[Row]]:
    """Return table → rows of a stay."""
    keys = one.keys
    return {
        "T_MCOaaB": [row_of("T_MCOaaB", keys | _stay_columns(one))],
        "T_MCOaaC": [row_of("T_MCOaaC", keys | _chaining(one, pseudonyms))],
        "T_MCOaaUM": _unit_rows(one, keys),
        "T_MCOaaD": _diagnosis_rows(one, keys),
        "T_MCOaaA": _act_rows(one, keys),
    }


@cache
def rsa_format(year: int) -> str:
    """Return the version of the RSA format of an exit year."""
    for line in packaged("formats.tsv").splitlines()[1:]:
        first, last, version = line.split("\t")
        if int(first) <= year <= int(last):
            return version
    raise ValueError("formats.tsv leaves a year out")


def geographic_finess(unit: Unit, contract: Contract) -> str | None:
    """Return the FINESS of a unit's site: of its structures, else of the unit table, None when neither says."""
    known = unit_authorisation(unit, contract)
    return unit.site.geographic or (known.finess_geo if known else None)


def unit_authorisation(unit: Unit, contract: Contract) -> UnitLine | None:
    """Return the line of the hospital's unit table."""
    return next((contract.units[code] for code in unit.site.units if code in contract.units), None)


def residence_code(one: StayRow) -> tuple[str | None, bool]:
    """Return `BDI_COD` and whether it is the postal code for want of better; None when the commune is switched off.

    The PMSI code as sent; else the operator's table, by INSEE then postal code; else the INSEE code, else the postal.
    """
    if COMMUNE not in one.contract.potential_identifiers:
        return None, False
    residence, table = one.person.residence, one.reference.geographic_codes
    sent = [residence.get(name, "")[:5] for name in ("insee-code", "postal-code")]
    found = residence.get("pmsi-geo-code") or next((table[code] for code in sent if code in table), None) or sent[0]
    if found:
        return found[:5], False
    return sent[1] or UNKNOWN_PLACE, bool(sent[1])


def _stay_columns(one: StayRow) -> dict[str, Any]:
    stay, person = one.stay, one.person
    diagnoses = stay.diagnoses
    left = stay.exit.day
    return {
        "AGE_ANN": stay.age.years,
        "AGE_JOU": stay.age.days,
        "AGE_GES": one.birth.gestation,
        "BDI_COD": residence_code(one)[0],
        "BDI_DEP": person.residence.get("department", UNKNOWN_DEPARTMENT),
        "COD_SEX": person.sex or INDETERMINATE,
        "DEL_REG_ENT": one.birth.delay,
        "DGN_PAL": diagnoses.principal,
        "DGN_REL": diagnoses.related,
        "ENT_MOD": one.entry_mode.mode,
        "ENT_PRV": one.entry_mode.place,
        "NBR_ACT": len(stay.acts.rows),
        "NBR_DGN": sum(map(len, diagnoses.associated)),
        "NBR_RUM": len(stay.units),
        "NBR_SEA": 1 if stay.session else 0,
        "PAS_LIT_DED": _typed(one, PALLIATIVE),
        "POI_NAI": one.birth.weight,
        "SEJ_NBJ": stay.nights,
        "SEJ_TYP": _inter_hospital(one),
        "SEQ_RUM": f"{diagnoses.designated + 1:02d}",
        "SOR_ANN": f"{left.year:04d}",
        "SOR_MOI": f"{left.month:02d}",
        "SOR_MOD": one.exit_mode.mode,
        "SOR_DES": one.exit_mode.place,
        "UHCD_TOP": _typed(one, SHORT_STAY_UNITS) if len(stay.units) == 1 else "0",
    } | _group_columns(stay)


def _group_columns(stay: Stay) -> dict[str, Any]:
    """Return what the hospital's grouper said; sentinels stand where it said nothing."""
    group = grouped(stay)
    found: dict[str, Any] = {}
    if group.ghm is not None and len(group.ghm) == GHM_LENGTH:
        version = group.version if group.version and len(group.version) <= 2 else GHM_VERSION
        found |= {"GRG_GHM": group.ghm, "GRG_VER": version, "GRC_GHM": group.ghm, "GRC_VER": version}
        if group.returned and group.returned.isdecimal():
            found |= dict.fromkeys(("GRG_RET", "GRC_RET"), group.returned.zfill(3)[-3:])
    elif stay.session:
        found["GRG_GHM"] = SESSION_GHM
    if group.ghs is not None:
        found |= {"GHS_NUM": group.ghs, "ETE_GHS_NUM": int(group.ghs)}
    return found


def grouped(stay: Stay) -> Group:
    """Return the grouping of a stay: of its own Claim, else of its units' Claims."""
    claims = [*stay.content.whole, *(unit.summary for unit in stay.units if unit.summary is not None)]
    return next((claim.group for claim in claims if claim.group.ghm or claim.group.ghs), Group())


def _typed(one: StayRow, types: frozenset[str]) -> str | None:
    """Say "1" when a unit has one of these authorisations, None when no unit is in the unit table."""
    known = [unit_authorisation(unit, one.contract) for unit in one.stay.units]
    lines = [line for line in known if line is not None]
    if not lines:
        return None
    return "1" if any(kind in types for line in lines for kind in (line.type1, line.type2)) else "0"


def _inter_hospital(one: StayRow) -> str | None:
    kinds = {c.get("code") for concept in one.stay.visit.resource.get("type", ()) for c in concept.get("coding", ())}
    return "B" if "IE" in kinds and one.entry_mode.mode == one.exit_mode.mode == "0" else None


def _chaining(one: StayRow, pseudonyms: TablePseudonyms) -> dict[str, Any]:
    return chaining_columns(
        one.stay, one.person, birth=one.birth, mode=one.entry_mode.mode, contract=one.contract, pseudonyms=pseudonyms
    )


def _unit_rows(one: StayRow, keys: dict[str, Any]) -> list[Row]:
    stay = one.stay
    acts = [0] * len(stay.units)
    for act in stay.acts.rows:
        acts[act.unit] += 1
    scores = severities(stay, one.contract.severity_codes)
    rows = []
    for place, unit in enumerate(stay.units):
        line = unit_authorisation(unit, one.contract)
        values = {
            "UM_ORD_NUM": place + 1,
            "DGN_PAL": stay.diagnoses.unit_principal[place],
            "DGN_REL": stay.diagnoses.unit_related[place],
            "PAR_DUR_SEJ": None if stay.session else unit.nights,
            "DGN_ASS_NBR": len(stay.diagnoses.associated[place]),
            "ACT_RUM_NBR": acts[place],
            "AUT_TYP1_UM": line.type1 if line else None,
            "AUT_TYP2_UM": line.type2 if line else None,
            "ETA_NUM_GEO": geographic_finess(unit, one.contract) or one.contract.finess,
            "AGE_GES": one.birth.gestation,
            "IGS2_COD": scores[place],
        }
        rows.append(row_of("T_MCOaaUM", keys | values))
    return rows


def _diagnosis_rows(one: StayRow, keys: dict[str, Any]) -> list[Row]:
    listed = [code for unit in one.stay.diagnoses.associated for code in unit]
    return [
        row_of("T_MCOaaD", keys | {"ASS_DGN": code, "DGN_ASS_NUM": number}) for number, code in enumerate(listed, 1)
    ]


def _act_rows(one: StayRow, keys: dict[str, Any]) -> list[Row]:
    rows = []
    for number, act in enumerate(one.stay.acts.rows, 1):
        delay = (act.day - one.stay.entry.day).days if act.day else -1
        values = {
            "ACT_ORD_NUM": number,
            "ACV_ACT": act.code.activity,
            "CDC_ACT": act.code.code,
            "CMP_DAT": COMPATIBLE,
            "DOC_ACT": act.code.documentary,
            "ENT_DAT_DEL": delay if 0 <= delay <= LONGEST_DELAY else None,
            "EXT_PMSI": act.code.extension,
            "MOD_ACT": act.modifiers,
            "NBR_EXE_ACT": act.times,
            "PHA_ACT": act.code.phase,
        }
        rows.append(row_of("T_MCOaaA", keys | values))
    return rows
