"""A stay and its person → the chaining columns of `T_MCOaaC`: pseudonyms, dates, return codes, visit number. Pure.

The potential identifiers of the contract act here: switched off, an exact date is NULL and `SEJ_NUM` is 00000.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from fhir_profiles.french.luhn import luhn_is_right
from transformers.contract import Contract
from transformers.snds.beneficiary import FINE, MISSING, Beneficiary
from transformers.snds.births import Birth
from transformers.snds.instants import amd
from transformers.snds.stays import Stay
from transformers.snds.view import TablePseudonyms

CARE_DATES = "care-dates"
SECOND_LAYOUT = 2019
ORIGIN = date(2000, 1, 1)
HIDDEN_NUMBER = "00000"


def chaining_columns(
    stay: Stay, person: Beneficiary, *, birth: Birth, mode: str, contract: Contract, pseudonyms: TablePseudonyms
) -> dict[str, Any]:
    """Return the columns of `T_MCOaaC` beside the keys. `mode` is the entry mode."""
    entry, left, new = stay.entry.day, stay.exit.day, stay.year >= SECOND_LAYOUT
    exact = CARE_DATES in contract.potential_identifiers
    stable = "unstable-identity" not in stay.visit.root.flags
    return {
        "COH_NAI_RET": FINE,
        "COH_SEX_RET": FINE,
        "DAT_RET": FINE,
        "ENT_ANN": f"{entry.year:04d}" if new else None,
        "ENT_MOI": f"{entry.month:02d}" if new else None,
        "ENT_DAT": _digits(entry) if exact else None,
        "SOR_DAT": _digits(left) if exact else None,
        "SOR_ANN": None if new else f"{left.year:04d}",
        "SOR_MOI": None if new else f"{left.month:02d}",
        "ETA_NUM_RET": _finess_return(contract.finess),
        "EXE_SOI_AMD": amd(entry),
        "EXE_SOI_AMF": amd(left),
        "EXE_SOI_DTD": entry if exact else None,
        "EXE_SOI_DTF": left if exact else None,
        "HOS_NN_MAM": "1" if birth.beside_mother else None,
        "HOS_PLO": "1" if mode == "O" else None,
        "ID_MAM_ENF": pseudonyms.id_mam_enf(birth.link) if new and birth.link else None,
        "IPP_BEN_ANO": pseudonyms.ipp_ben_ano(person.ipp) if new and person.ipp else None,
        "IPP_BEN_ANO_RET": (FINE if person.ipp else MISSING) if new else None,
        "NIR_ANO_17": person.nir_ano_17,
        "RNG_NAI": str(person.twin_rank),
        "SEJ_NUM": visit_number(entry, person, pseudonyms, visit=stay.visit.key) if exact else HIDDEN_NUMBER,
        "SEJ_RET": FINE if stable else MISSING,
        **person.returns,
    }


def _digits(day: date) -> str:
    return f"{day.day:02d}{day.month:02d}{day.year:04d}"


def _finess_return(finess: str) -> str:
    """Return 0, or 1 for a wrong key; Corsican numbers hold a letter and cannot be checked."""
    return MISSING if finess.isdecimal() and not luhn_is_right(finess) else FINE


def visit_number(entry: date, person: Beneficiary, pseudonyms: TablePseudonyms, *, visit: str) -> str:
    """Return five digits whose differences are days between the visits of one person; none for who is not chained."""
    offset = pseudonyms.sej_num_offset(person.psa or visit)
    return f"{((entry - ORIGIN).days + offset) % 100_000:05d}"
