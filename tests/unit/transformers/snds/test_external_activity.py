"""Ambulatory and emergency visits without admission: the ACE tables of public hospitals (issue E, wave 3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tests.support.deidentified import (
    CONTRACT,
    claim,
    concept,
    condition,
    converted,
    encounter,
    finess,
    known_adult,
    only,
    organization,
    procedure,
    structure,
)
from transformers.contract import Contract
from transformers.snds.external import sequence
from transformers.snds.schema import TABLES
from transformers.snds.view import PersonRows, Staged

VISIT = encounter("stay", "2024-03-01T09:00:00+01:00", "2024-03-01T10:00:00+01:00", kind="AMB")
CCAM = "https://smt.esante.gouv.fr/terminologie-ccam"
ENCOUNTER = {"identifier": {"system": "urn:snds-gateway:stay", "value": "stay-id"}}
NGAP = "https://smt.esante.gouv.fr/terminologie-ngap"


def external(*more: Staged, contract: Contract = CONTRACT) -> PersonRows:
    return converted(*known_adult(*more), contract=contract)


def rows_of(rows: PersonRows, table: str, year: str = "24") -> list[dict[str, Any]]:
    names = TABLES[table].names
    return [dict(zip(names, row, strict=True)) for row in rows.tables.get(table.replace("aa", year, 1), ())]


@pytest.mark.parametrize("kind", ["AMB", "EMER", "VR"])
def test_a_visit_without_admission_says_who_and_when(kind: str) -> None:
    rows = external(encounter("stay", "2024-03-01", "2024-03-01", kind=kind))

    [chain] = rows_of(rows, "T_MCOaaCSTC")
    assert (chain["EXE_SOI_DTD"], chain["ENT_DAT"], chain["EXE_SOI_AMD"]) == (date(2024, 3, 1), "01032024", "202403")
    assert {chain[name] for name in ("NIR_RET", "NAI_RET", "SEX_RET", "ENT_DAT_RET", "IAS_RET")} == {"0"}
    assert chain["NIR_ANO_17"] == only(rows, "IR_BEN_R")["BEN_NIR_PSA"]
    assert len(chain["SEQ_NUM"]) == 8
    assert "T_MCO24B" not in rows.tables


def test_its_acts_are_lines_of_their_own() -> None:
    site = organization("site", finess("FINEG", "750000018"))
    visit = encounter("stay", "2024-03-01", "2024-03-01", kind="AMB", serviceProvider=structure("site"))
    twice = [procedure("DEQP003", "2024-03-01T09:10:00+01:00"), procedure("DEQP003", "2024-03-01T09:40:00+01:00")]
    rows = external(visit, site, *twice, procedure("YYYY033", "2024-03-01"))

    acts = rows_of(rows, "T_MCOaaFMSTC")
    assert [act["CCAM_COD"] for act in acts] == ["DEQP003", "DEQP003", "YYYY033"]
    assert {(act["DEL_DAT_ENT"], act["TYP_ART"], act["ETA_NUM_GEO"], act["SOR_MOI"]) for act in acts} == {
        (0, "M", "750000018", "03")
    }
    assert {act["SEQ_NUM"] for act in acts} == {rows_of(rows, "T_MCOaaCSTC")[0]["SEQ_NUM"]}


def test_fees_come_from_a_claim_of_external_activity_without_amounts() -> None:
    line = {
        "sequence": 1,
        "productOrService": concept(NGAP, "CS"),
        "quantity": {"value": 2},
        "servicedDate": "2024-03-01",
    }
    sent = claim(
        field="ACTEXT",
        item=[line | {"encounter": [ENCOUNTER]}],
    )
    rows = external(VISIT, sent)

    [fee] = rows_of(rows, "T_MCOaaFCSTC")
    assert (fee["ACT_COD"], fee["ACT_NBR"], fee["DEL_DAT_ENT"], fee["TYP_ART"]) == ("CS", 2, 0, "C")
    assert (fee["HON_MNT"], fee["REM_TAU"], fee["PRI_UNI"]) == (None, None, None)
    assert rows_of(external(VISIT), "T_MCOaaFCSTC") == []


def test_the_claim_of_a_visit_completes_its_acts_and_tells_others() -> None:
    acts = {"category": concept("category", "0"), "encounter": [ENCOUNTER], "servicedDate": "2024-03-01"}
    modifiers = [concept("modifiers", letter) for letter in "FKSU"]
    sent = claim(
        field="ACTEXT",
        item=[
            acts | {"sequence": 1, "productOrService": concept(CCAM, "DEQP003···011"), "modifier": modifiers},
            acts | {"sequence": 2, "productOrService": concept(CCAM, "ZCQK004")},
        ],
    )
    rows = rows_of(external(VISIT, procedure("DEQP003", "2024-03-01T09:10:00+01:00"), sent), "T_MCOaaFMSTC")

    assert [(row["CCAM_COD"], row["DOC_ACT"], row["MOD_ACT1"], row["MOD_ACT4"]) for row in rows] == [
        ("DEQP003", "1", "F", "U"),
        ("ZCQK004", None, None, None),
    ]


def test_a_private_hospital_has_no_external_activity() -> None:
    rows = external(VISIT, contract=replace(CONTRACT, legal_form="private"))

    assert rows.tables == {}


@pytest.mark.parametrize(
    "more",
    [
        (encounter("stay", "2024-03-01", None, kind="AMB"),),
        (encounter("stay", None, "2024-03-01", kind="AMB"),),
        (VISIT, condition("I10", "DP")),
        (
            encounter("ed", "2024-03-01T02:00:00+01:00", "2024-03-01T05:00:00+01:00", kind="EMER"),
            encounter("stay", "2024-03-01T06:00:00+01:00", "2024-03-03T05:00:00+01:00"),
            condition("I10", "DP"),
        ),
    ],
    ids=["open", "without a day", "a stay", "before an admission"],
)
def test_other_contacts_are_no_external_activity(more: tuple[Staged, ...]) -> None:
    assert rows_of(external(*more), "T_MCOaaCSTC") == []


def test_the_number_of_a_visit_keeps_its_ten_digits_in_eight_characters() -> None:
    numbers = ["0000000000", "0000000001", "9999999999"]

    assert [int(sequence(number), 36) for number in numbers] == [int(number) for number in numbers]
    assert all(len(sequence(number)) == 8 for number in numbers)
