"""A stay → its row of `T_EDSaaSEJ`: emergency passage, unplanned admission, and every flag an analyst needs. Pure."""

from __future__ import annotations

from transformers.snds.claims import GHM_LENGTH
from transformers.snds.elements import Json, codes
from transformers.snds.mco import StayRow, grouped, residence_code
from transformers.snds.schema import row_of
from transformers.snds.view import Row

UNPLANNED = frozenset({"EM", "UR", "S", "A"})
PLANNED = frozenset({"EL", "R", "P", "T"})
MOST, MOST_DATES = 999, 9999


def stay_sheet(one: StayRow, *, passage: str | None, outside: int) -> Row:
    """Return the row. `passage` is the emergency passage, `outside` the clinical rows dated outside the stay."""
    stay, person, diagnoses = one.stay, one.person, one.stay.diagnoses
    wrong = (
        diagnoses.wrong_system
        or stay.acts.wrong_system
        or one.entry_mode.wrong_system
        or one.exit_mode.wrong_system
        or "code-system" in stay.visit.root.flags
    )
    values = {
        "ETA_NUM": one.contract.finess,
        "RSA_NUM": one.rsa_num,
        "SEJ_PAS_URG": passage,
        "SEJ_ADM_NPG": unplanned(stay.visit.resource, passage),
        "FLG_NIR_PRO": _flag(person.psa is not None and person.own_number),
        "FLG_NIR_CLE": _flag(person.key_doubtful),
        "FLG_AGE_APX": _flag(stay.age.approximate),
        "FLG_MOD_DEF": _flag(one.entry_mode.default or one.exit_mode.default),
        "FLG_COD_SYS": _flag(wrong),
        "FLG_DGN_RUL": diagnoses.rule,
        "FLG_UM_DGN": _flag(diagnoses.inherited),
        "FLG_CIM_NOF": min(diagnoses.headings, MOST),
        "FLG_COD_REJ": min(diagnoses.refused + stay.acts.refused, MOST),
        "FLG_DAT_HOR": min(outside, MOST_DATES),
        "FLG_GEO_DEF": _flag(residence_code(one)[1]),
    }
    return row_of("T_EDSaaSEJ", values)


def unplanned(encounter: Json, passage: str | None) -> str | None:
    """Return `SEJ_ADM_NPG`: by the priority, else unplanned after an emergency passage, else unknown."""
    priority = codes(encounter.get("priority"))
    if not priority.isdisjoint(UNPLANNED):
        return "1"
    if not priority.isdisjoint(PLANNED):
        return "0"
    return "1" if passage else None


def group_incomplete(one: StayRow) -> bool:
    """Say whether the hospital sent a GHM that has not six characters."""
    ghm = grouped(one.stay).ghm
    return ghm is not None and len(ghm) != GHM_LENGTH


def _flag(said: bool) -> str:  # noqa: FBT001 — a flag is what this writes
    return "1" if said else "0"
