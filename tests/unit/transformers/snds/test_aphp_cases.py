"""The five public cases of a university hospital, scrubbed for real, converted: golden rows (issue A's table)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.support import aphp
from tests.support.deidentified import Numbers, table, values
from tests.support.synthetic_hospital import Gathered
from transformers.contract import Contract
from transformers.deidentify.pseudonyms import Key, TableKeys
from transformers.snds.person import person_rows
from transformers.snds.view import PersonRows

pytestmark = pytest.mark.shared

CONTRACT = Contract(finess="750712184", name="AP-HP", french_profiles="declared")
CASES: Mapping[str, tuple[Any, ...]] = {
    # year, entry, exit, nights, age, sex, DP, associated, acts, exit mode, emergency passage, codes left out, headings
    "cas1": (24, "2024-01-10", "2024-01-14", 4, 38, "2", "I219", ["E780"], ["DDAF007", "DEQP003"], "8", "5", 0, 1),
    "cas2": (24, "2024-01-08", "2024-01-10", 2, 53, "1", "K25", ["Z872"], ["HEQE002"], "8", "5", 0, 1),
    "cas4": (23, "2023-11-05", "2023-11-07", 2, 47, "1", "R570", ["E11", "I21", "J80"], ["DDQH012", "GELD004"],
             "9", "5", 3, 2),
    "cas6": (24, "2024-01-05", "2024-01-07", 2, 58, "1", "I251", ["I10"], ["DDQH009", "DEQP003"], "8", None, 0, 0),
    "cas8": (24, "2024-01-11", "2024-01-14", 3, 31, "1", "S721", [], ["NBCA008"], "8", "5", 0, 1),
}  # fmt: skip


def converted(shared: Path, case: str) -> PersonRows:
    gathered = Gathered()
    gathered.add(aphp.batch([one for one in aphp.resources(shared, case) if is_r4(one)]), CONTRACT)
    [view] = gathered.views()
    return person_rows(view, contract=CONTRACT, pseudonyms=TableKeys(Key(b"k" * 32)), numbers=Numbers())


def is_r4(resource: dict[str, Any]) -> bool:
    """What validation lets through: no `encounter` of R5, no `text` in a Coding."""
    codings = resource.get("medicationCodeableConcept", {}).get("coding", ())
    return resource["resourceType"] != "MedicationAdministration" and not any("text" in one for one in codings)


@pytest.mark.parametrize("case", CASES)
def test_a_case_gives_the_rows_that_its_clinicians_described(shared: Path, case: str) -> None:
    year, entry, left, nights, age, sex, principal, associated, acts, mode, passage, refused, headings = CASES[case]
    rows = converted(shared, case)

    [stay], [chain], [sheet], [unit] = (
        table(rows, name) for name in ("T_MCOaaB", "T_MCOaaC", "T_EDSaaSEJ", "T_MCOaaUM")
    )
    assert rows.exits == ((2000 + year, int(left[5:7])),)
    assert values([stay], "SEJ_NBJ", "AGE_ANN", "COD_SEX", "DGN_PAL", "ENT_MOD", "SOR_MOD", "NBR_RUM") == [
        (nights, age, sex, principal, "8", mode, 1)
    ]
    assert (chain["EXE_SOI_DTD"], chain["EXE_SOI_DTF"]) == (date.fromisoformat(entry), date.fromisoformat(left))
    assert sorted(values(table(rows, "T_MCOaaD"), "ASS_DGN")) == associated
    assert sorted(values(table(rows, "T_MCOaaA"), "CDC_ACT")) == acts
    assert (sheet["SEJ_PAS_URG"], sheet["FLG_COD_REJ"], sheet["FLG_CIM_NOF"]) == (passage, refused, headings)
    assert (sheet["FLG_NIR_CLE"], sheet["FLG_AGE_APX"], chain["NIR_RET"], chain["SEJ_RET"]) == ("1", "0", "0", "0")
    assert (unit["PAR_DUR_SEJ"], unit["DGN_PAL"]) == (nights, principal)


@pytest.mark.parametrize("case", CASES)
def test_the_counts_and_references_of_a_case_agree(shared: Path, case: str) -> None:
    rows = converted(shared, case)
    [stay], [chain] = table(rows, "T_MCOaaB"), table(rows, "T_MCOaaC")
    units, diagnoses, acts = (table(rows, name) for name in ("T_MCOaaUM", "T_MCOaaD", "T_MCOaaA"))
    keys = {(row["ETA_NUM"], row["RSA_NUM"]) for row in (stay, chain, *units, *diagnoses, *acts)}

    assert len(keys) == 1
    assert (stay["NBR_RUM"], stay["NBR_DGN"], stay["NBR_ACT"]) == (len(units), len(diagnoses), len(acts))
    assert sum(values(units, "DGN_ASS_NBR")) == stay["NBR_DGN"]
    assert sum(values(units, "ACT_RUM_NBR")) == stay["NBR_ACT"]
    assert sum(values(units, "PAR_DUR_SEJ")) == stay["SEJ_NBJ"]
    assert units[int(stay["SEQ_RUM"]) - 1]["DGN_PAL"] == stay["DGN_PAL"]
    assert (stay["AGE_ANN"] is None) is not (stay["AGE_JOU"] is None)
    assert [one["BEN_NIR_PSA"] for one in table(rows, "IR_BEN_R")] == [chain["NIR_ANO_17"]]
    assert None not in [stay[name] for name in ("GRG_GHM", "GHS_NUM", "GRG_RET", "TYP_GEN_RSA", "NBR_SEA")]


def test_clinical_rows_of_the_cases_are_complete(shared: Path) -> None:
    counted = dict.fromkeys(("BIO", "CST", "PRE"), 0)
    outside = 0
    persons = set()
    for case in CASES:
        rows = converted(shared, case)
        for name in counted:
            counted[name] += len(table(rows, f"T_EDSaa{name}"))
        outside += table(rows, "T_EDSaaSEJ")[0]["FLG_DAT_HOR"]
        persons |= set(values(table(rows, "IR_BEN_R"), "BEN_NIR_PSA"))

    assert counted == {"BIO": 9, "CST": 10, "PRE": 14}
    assert outside == 1
    assert len(persons) == 5
