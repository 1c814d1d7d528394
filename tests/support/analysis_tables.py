"""Rows that the example analyses are asked about: 30 infarctions of Paris, 12 readmitted, five of Corsica.

Each person has a prescription and two results; 14 got a box of B01 outside, three a retrocession.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.support.made_events import FINESS
from tests.support.small_lake import stay

RETURNS = {
    f"{name}_RET": "0" for name in ("NIR", "NAI", "SEX", "SEJ", "FHO", "PMS", "DAT", "COH_NAI", "COH_SEX")
}  # fmt: skip
BOX, UNIT = 3400999000710, "3400899000612"

Rows = dict[str, list[dict[str, Any]]]


def tables() -> Rows:
    """Return rows by physical table."""
    made: Rows = {}
    for n in range(30):
        _stay(made, n, f"P{n:016d}", (date(2024, 3, 1), date(2024, 3, 5)), "75")
    for n in range(12):
        _stay(made, 100 + n, f"P{n:016d}", (date(2024, 3, 25), date(2024, 3, 27)), "75")
    for n in range(5):
        _stay(made, 200 + n, f"C{n:016d}", (date(2024, 3, 1), date(2024, 3, 5)), "2A")
    for n in range(17):
        _dispense(made, n, f"P{n:016d}", retrocession=n >= 14)
    return made


def _stay(made: Rows, number: int, person: str, dates: tuple[date, date], department: str) -> None:
    entry, left = dates
    rows = stay(number, person=person, GRG_GHM="XXXXXX", TYP_GEN_RSA="0", BDI_DEP=department)
    days = {"EXE_SOI_DTD": entry, "EXE_SOI_DTF": left}
    keys = {"ETA_NUM": FINESS, "RSA_NUM": f"{number:010d}"}
    event = keys | {"NIR_ANO_17": person}
    _add(made, "T_MCO24B", dict(rows["B"]) | {"SEJ_NBJ": (left - entry).days})
    _add(made, "T_MCO24C", dict(rows["C"]) | RETURNS | days)
    _add(made, "T_EDS24SEJ", dict(rows["SEJ"]))
    _add(made, "T_MCO24UM", keys | {"UM_ORD_NUM": 1, "DGN_PAL": "I219"})
    _add(made, "T_MCO24D", keys | {"ASS_DGN": "I10", "DGN_ASS_NUM": 1})
    _add(made, "T_MCO24A", keys | {"CDC_ACT": "DEQP003", "ACT_ORD_NUM": 1})
    prescribed = {"PRE_EVT_NUM": f"{number:022d}", "PRE_SOI_AMD": "202403", "PHA_ATC_CLA": "B01AC06"}
    _add(made, "T_EDS24PRE", event | prescribed | {"PRE_STA_COD": "F"})
    for rank, value in enumerate((80.0, 120.0)):
        result = {"BIO_RES_NUM": f"{rank}{number:021d}", "PLV_SOI_AMD": "202403", "PLV_MIN_DEL": 60 + 600 * rank}
        result |= {"BIO_LOI_COD": "14682-9", "BIO_VAL_STD": value, "BIO_STA_COD": "F"}
        _add(made, "T_EDS24BIO", event | result)


def _dispense(made: Rows, number: int, person: str, *, retrocession: bool) -> None:
    care, flow = date(2024, 4, 2), date(2024, 5, 1)
    keys = {"DCT_ORD_NUM": number, "FLX_DIS_DTD": flow, "FLX_EMT_NUM": 1, "FLX_EMT_ORD": 1, "FLX_EMT_TYP": 99}
    keys |= {"FLX_TRT_DTD": date(2024, 4, 30), "ORG_CLE_NUM": "0" * 9, "PRS_ORD_NUM": 1, "REM_TYP_AFF": 0}
    days = {"EXE_SOI_DTD": care, "EXE_SOI_DTF": care}
    _add(made, "ER_PRS_F", keys | days | {"BEN_NIR_PSA": person, "BEN_CDI_NIR": "00", "PSP_SPE_COD": 99})
    _add(made, "ER_ETE_F", dict(keys))
    if retrocession:
        _add(made, "ER_UCD_F", keys | {"UCD_UCD_COD": UNIT, "UCD_DLV_NBR": 2, "UCD_TOP_UCD": 0})
    else:
        _add(made, "ER_PHA_F", keys | {"PHA_PRS_C13": BOX, "PHA_ACT_QSN": 1})


def _add(made: Rows, table: str, row: dict[str, Any]) -> None:
    made.setdefault(table, []).append(row)
