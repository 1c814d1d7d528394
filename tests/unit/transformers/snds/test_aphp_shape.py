"""The shape that a university hospital posts: Encounter, Conditions with a PMSI category, Patient, facts."""

from __future__ import annotations

from datetime import date

import pytest

from tests.support.deidentified import (
    THO,
    age_fact,
    concept,
    condition,
    converted,
    encounter,
    only,
    outcome,
    patient,
    person_fact,
    procedure,
    table,
    values,
)

WHO = "http://id.who.int/fhir/icd/release/11"


def hospitalization(source: str, disposition: str) -> dict[str, object]:
    return {
        "admitSource": concept(THO + "admit-source", source),
        "dischargeDisposition": concept(THO + "discharge-disposition", disposition),
    }


CASE_1 = (
    patient(),
    person_fact("nir-key"),
    age_fact("stay", "2024-01-10", years=38),
    encounter(hospitalization=hospitalization("emd", "home")),
    condition("I21.9", "DP"),
    condition("E78.0", "DA"),
    procedure("DDAF007", "2024-01-10T13:30:00Z"),
    procedure("DEQP003", "2024-01-10T13:12:00Z"),
)
CASE_4 = (
    patient(gender="male", born="1976-08", deceasedDateTime="2023-11-07"),
    person_fact("nir-key"),
    age_fact("stay", "2023-11-05", years=47),
    encounter("stay", "2023-11-05", "2023-11-07", hospitalization=hospitalization("emd", "exp")),
    condition("R57.0", "DP"),
    condition("J80", "DA", recordedDate="2023-11-05"),
    condition("E11", "DA", recordedDate="2023-11-05"),
    condition("I21", "DA", recordedDate="2023-11-05"),
    condition("BA40.0", "DA", system=WHO),
    condition("XH84Q4", "DA", system=WHO),
    condition("MG4A", "DA", system=WHO),
    procedure("DDQH012", "2023-11-05T20:10:00Z"),
    procedure("GELD004", "2023-11-05T21:15:00Z"),
)


def test_case_1_gives_the_stay_that_its_clinicians_described() -> None:
    rows = converted(*CASE_1)

    stay = only(rows, "T_MCOaaB")
    chained = only(rows, "T_MCOaaC")
    sheet = only(rows, "T_EDSaaSEJ")
    assert outcome(rows).status == "written"
    names = ("SEJ_NBJ", "AGE_ANN", "AGE_JOU", "COD_SEX", "DGN_PAL", "ENT_MOD", "SOR_MOD")
    assert [stay[name] for name in names] == [4, 38, None, "2", "I219", "8", "8"]
    assert (chained["EXE_SOI_DTD"], chained["EXE_SOI_DTF"]) == (date(2024, 1, 10), date(2024, 1, 14))
    assert (chained["ENT_DAT"], chained["SOR_DAT"], chained["EXE_SOI_AMD"]) == ("10012024", "14012024", "202401")
    assert values(table(rows, "T_MCOaaD"), "ASS_DGN") == ["E780"]
    assert values(table(rows, "T_MCOaaA"), "CDC_ACT") == ["DDAF007", "DEQP003"]
    assert (sheet["SEJ_PAS_URG"], sheet["FLG_NIR_CLE"], sheet["FLG_DGN_RUL"]) == ("5", "1", "0")
    assert rows.exits == ((2024, 1),)


def test_the_return_codes_that_analysts_filter_are_all_zero() -> None:
    chained = only(converted(*CASE_1), "T_MCOaaC")

    names = ("NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "FHO_RET", "PMS_RET", "DAT_RET", "COH_NAI_RET", "COH_SEX_RET")
    assert {chained[name] for name in names} == {"0"}


def test_case_4_ends_with_death_and_leaves_three_icd_11_codes_out() -> None:
    rows = converted(*CASE_4)

    stay = only(rows, "T_MCOaaB")
    assert list(rows.tables)[-1] == "IR_BEN_R"
    assert (stay["SOR_MOD"], stay["SOR_DES"], stay["DGN_PAL"], stay["AGE_ANN"]) == ("9", None, "R570", 47)
    assert sorted(values(table(rows, "T_MCOaaD"), "ASS_DGN")) == ["E11", "I21", "J80"]
    assert only(rows, "T_EDSaaSEJ")["FLG_COD_REJ"] == 3
    assert only(rows, "IR_BEN_R")["BEN_DCD_DTE"] == date(2023, 11, 7)


def test_the_beneficiary_is_the_one_of_the_stay() -> None:
    rows = converted(*CASE_1)

    person = only(rows, "IR_BEN_R")
    assert person["BEN_NIR_PSA"] == only(rows, "T_MCOaaC")["NIR_ANO_17"]
    assert (person["BEN_NAI_ANN"], person["BEN_NAI_MOI"], person["BEN_SEX_COD"]) == ("1985", "09", 2)
    assert (person["BEN_DTE_INS"], person["MAX_TRT_DTD"]) == (date(2024, 1, 10), date(2024, 1, 14))
    assert (person["BEN_DCD_DTE"], person["BEN_DCD_AME"]) == (date(1600, 1, 1), "160001")


def test_a_heading_with_subdivisions_is_kept_and_counted() -> None:
    rows = converted(patient(), person_fact(), encounter(), condition("K25", "DP"))

    assert only(rows, "T_MCOaaB")["DGN_PAL"] == "K25"
    assert only(rows, "T_EDSaaSEJ")["FLG_CIM_NOF"] == 1


@pytest.mark.parametrize(
    ("year", "place", "source"), [("2022", "5", "emd"), ("2024", None, "emd"), ("2022", None, "gp")]
)
def test_the_emergency_passage_moves_out_of_the_provenance_after_2022(
    year: str, place: str | None, source: str
) -> None:
    rows = converted(
        patient(),
        person_fact(),
        encounter("stay", f"{year}-03-01", f"{year}-03-03", hospitalization=hospitalization(source, "home")),
        condition("I10", "DP"),
    )

    stay = only(rows, "T_MCOaaB")
    assert (stay["ENT_MOD"], stay["ENT_PRV"]) == ("8", place)
    assert only(rows, "T_EDSaaSEJ")["SEJ_PAS_URG"] == ("5" if source == "emd" else None)
