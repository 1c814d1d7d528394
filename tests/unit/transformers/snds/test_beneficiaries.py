"""Persons: chaining and failure value, return codes, insured, sex, age, death, residence, switches (DESIGN §12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tests.support.deidentified import (
    CONTRACT,
    age_fact,
    condition,
    converted,
    encounter,
    fact,
    identified,
    insured_fact,
    known_adult,
    only,
    ours,
    outcome,
    patient,
    person_fact,
    table,
)
from transformers.contract import POTENTIAL_IDENTIFIERS
from transformers.snds.view import PersonRows, Staged

STAY = (encounter(), condition("I10", "DP"))
FAILURE = "x" * 17
EVERYTHING = replace(CONTRACT, potential_identifiers=frozenset(POTENTIAL_IDENTIFIERS))
NOTHING = replace(CONTRACT, potential_identifiers=frozenset())


def of(*persons: Staged, year: int = 2024, **more: Any) -> PersonRows:
    stay = encounter("stay", f"{year}-01-10", f"{year}-01-14")
    return converted(*persons, stay, condition("I10", "DP"), **more)


def chained(rows: PersonRows) -> dict[str, Any]:
    return only(rows, "T_MCOaaC")


def test_the_insured_chains_the_stay_and_the_own_number_says_who_it_is() -> None:
    own, insured = of(patient(), person_fact()), of(patient(), person_fact(), insured_fact("psa-parent"))

    assert chained(own)["NIR_ANO_17"] != chained(insured)["NIR_ANO_17"]
    assert only(own, "IR_BEN_R")["BEN_NIR_ANO"] == only(insured, "IR_BEN_R")["BEN_NIR_ANO"]
    assert only(insured, "IR_BEN_R")["BEN_NIR_PSA"] == chained(insured)["NIR_ANO_17"]
    assert [only(one, "T_EDSaaSEJ")["FLG_NIR_PRO"] for one in (own, insured)] == ["1", "0"]
    assert [only(one, "IR_BEN_R")["ASS_NIR_ANO"] is None for one in (own, insured)] == [False, True]


def test_a_person_with_the_insured_number_only_is_known_by_it() -> None:
    person = only(of(patient(), person_fact(psa=None, ano=None), insured_fact("psa-parent")), "IR_BEN_R")

    assert (person["BEN_NIR_ANO"], person["BEN_IDT_TOP"]) == (None, 0)
    assert person["BEN_IDT_ANO"] == person["BEN_NIR_PSA"] + "1"


def test_an_unusable_number_gives_the_failure_value_and_no_beneficiary() -> None:
    rows = of(patient(), person_fact(psa=None, ano=None))

    assert outcome(rows).status == "written"
    assert (chained(rows)["NIR_ANO_17"], chained(rows)["NIR_RET"]) == (FAILURE, "2")
    assert "IR_BEN_R" not in rows.tables


def test_a_missing_birth_date_gives_the_failure_value_and_its_return_code() -> None:
    unusable = fact(
        "person",
        "f",
        identifier=[identified("ano", "ano-1")],
        extension=[ours("nai-ret", "Code", "2"), ours("nir-ret", "Code", "0")],
    )
    rows = of(patient(born=None), unusable)

    assert (chained(rows)["NIR_ANO_17"], chained(rows)["NAI_RET"], chained(rows)["NIR_RET"]) == (FAILURE, "2", "0")
    assert (only(rows, "T_MCOaaB")["AGE_ANN"], only(rows, "T_MCOaaB")["AGE_JOU"]) == (None, None)


@pytest.mark.parametrize("gender", ["other", "unknown", None])
def test_another_sex_waits_before_2023_and_is_three_since(gender: str | None) -> None:
    before, since = (of(patient(gender=gender), person_fact(), year=year) for year in (2022, 2023))

    assert outcome(before).reason == "sex-not-codable"
    assert (only(since, "T_MCOaaB")["COD_SEX"], chained(since)["SEX_RET"], chained(since)["NIR_ANO_17"]) == (
        "3",
        "1",
        FAILURE,
    )
    assert "IR_BEN_R" not in since.tables


def test_an_exact_age_is_taken_for_the_day_that_it_was_computed_for() -> None:
    exact = of(patient(), person_fact(), age_fact("stay", "2024-01-10", years=38))
    stale = of(patient(), person_fact(), age_fact("stay", "2023-01-10", years=37))

    assert (only(exact, "T_MCOaaB")["AGE_ANN"], only(exact, "T_EDSaaSEJ")["FLG_AGE_APX"]) == (38, "0")
    assert (only(stale, "T_MCOaaB")["AGE_ANN"], only(stale, "T_EDSaaSEJ")["FLG_AGE_APX"]) == (38, "1")


@pytest.mark.parametrize(
    ("born", "age"),
    [("1960-01", 63), ("1960-02", 63), ("1959-12", 64), ("2021-12", 2), ("1880-01", 120), ("1960", 64)],
)
def test_above_24_months_the_age_comes_from_year_and_month_flagged(born: str, age: int) -> None:
    rows = of(patient(born=born), person_fact())

    assert (only(rows, "T_MCOaaB")["AGE_ANN"], only(rows, "T_EDSaaSEJ")["FLG_AGE_APX"]) == (age, "1")


@pytest.mark.parametrize("born", ["2022-01", "2023-12", "2024-01", "2022"])
def test_up_to_24_months_an_approximate_age_is_refused(born: str) -> None:
    assert outcome(of(patient(born=born), person_fact())).reason == "age-not-exact"


def test_a_death_is_that_of_the_patient_or_the_exit_of_a_stay_that_ended_so() -> None:
    later = only(of(patient(deceasedDateTime="2025-03-02"), person_fact()), "IR_BEN_R")
    deceased = encounter(hospitalization={"dischargeDisposition": {"coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "exp"}]}})  # fmt: skip
    there = only(converted(*known_adult(deceased, condition("I10", "DP"))), "IR_BEN_R")
    month = only(of(patient(deceasedDateTime="2025-03"), person_fact()), "IR_BEN_R")

    assert (later["BEN_DCD_DTE"], later["BEN_DCD_AME"]) == (date(2025, 3, 2), "202503")
    assert (there["BEN_DCD_DTE"], there["BEN_DCD_AME"]) == (date(2024, 1, 14), "202401")
    assert (month["BEN_DCD_DTE"], month["BEN_DCD_AME"]) == (None, "202503")


@pytest.mark.parametrize(
    ("sent", "department"),
    [
        ("75", "075"),
        ("2A", "209"),
        ("2B", "209"),
        ("9A", "971"),
        ("9D", "974"),
        ("9F", "976"),
        ("99", "099"),
        ("01", "001"),
    ],
)
def test_departments_are_written_as_each_table_writes_them(sent: str, department: str) -> None:
    rows = of(patient(extension=[ours("department", "Code", sent)]), person_fact())

    assert (only(rows, "T_MCOaaB")["BDI_DEP"], only(rows, "IR_BEN_R")["BEN_RES_DPT"]) == (sent, department)


@pytest.mark.parametrize(
    ("codes", "place", "flag"),
    [
        ({"pmsi-geo-code": "50C01", "insee-code": "50129", "postal-code": "50100"}, "50C01", "0"),
        ({"insee-code": "50129", "postal-code": "50100"}, "50129", "0"),
        ({"postal-code": "50100"}, "50100", "1"),
        ({}, "99999", "0"),
    ],
)
def test_the_commune_is_the_pmsi_code_else_insee_else_the_postal_code(
    codes: dict[str, str], place: str, flag: str
) -> None:
    address = [ours("department", "Code", "50"), *(ours(name, "Code", code) for name, code in codes.items())]
    rows = of(patient(extension=address), person_fact(), contract=EVERYTHING)

    assert (only(rows, "T_MCOaaB")["BDI_COD"], only(rows, "T_EDSaaSEJ")["FLG_GEO_DEF"]) == (place, flag)
    assert only(rows, "IR_BEN_R")["BEN_RES_COM"] == ("129" if "insee-code" in codes else None)


def test_switched_off_potential_identifiers_are_null() -> None:
    address = [ours("department", "Code", "75"), ours("insee-code", "Code", "75056")]
    persons = (patient(extension=address, deceasedDateTime="2024-01-14"), person_fact())
    rows = of(*persons, contract=NOTHING)

    stay, chain, person = only(rows, "T_MCOaaB"), chained(rows), only(rows, "IR_BEN_R")
    assert [stay["BDI_COD"], *(chain[name] for name in ("EXE_SOI_DTD", "EXE_SOI_DTF", "ENT_DAT", "SOR_DAT"))] == [
        None
    ] * 5
    assert [person[name] for name in ("BEN_NAI_MOI", "BEN_DCD_DTE", "BEN_RES_COM")] == [None] * 3
    assert (chain["SEJ_NUM"], chain["EXE_SOI_AMD"], chain["EXE_SOI_AMF"], person["BEN_DCD_AME"]) == (
        "00000", "202401", "202401", "202401"
    )  # fmt: skip
    assert (person["BEN_DTE_INS"], person["MAX_TRT_DTD"]) == (date(2024, 1, 1), date(2024, 1, 1))
    assert (stay["BDI_DEP"], person["BEN_NAI_ANN"]) == ("75", "1985")


def test_differences_of_visit_numbers_are_days_between_stays() -> None:
    second = encounter("second", "2024-02-09", "2024-02-10")
    rows = converted(*known_adult(*STAY, second, condition("I10", "DP", stay="second")))

    first, last = sorted(int(row["SEJ_NUM"]) for row in table(rows, "T_MCOaaC"))
    assert last - first == 30


def test_an_unstable_identity_of_the_stay_is_a_return_code() -> None:
    rows = converted(
        *known_adult(encounter("stay", "2024-01-10", "2024-01-14", "unstable-identity"), condition("I10", "DP"))
    )

    assert chained(rows)["SEJ_RET"] == "1"


def test_the_ipp_is_the_pseudonym_of_the_hospital() -> None:
    known = patient(identifier=[identified("person", "p1"), identified("ipp", "ipp-1")])

    assert (chained(of(known, person_fact()))["IPP_BEN_ANO"], chained(of(known, person_fact()))["IPP_BEN_ANO_RET"]) == (
        "ipp-1",
        "0",
    )
    assert chained(of(patient(), person_fact()))["IPP_BEN_ANO_RET"] == "1"


def test_a_replaced_patient_says_less_than_the_one_that_replaces_it() -> None:
    old = patient("old", born="1950-01", meta={"lastUpdated": "2025-01-01T00:00:00Z"}, link=[{"type": "replaced-by"}])
    new = patient("new", born="1985-09", meta={"lastUpdated": "2024-01-01T00:00:00Z"})

    assert only(of(old, new, person_fact()), "IR_BEN_R")["BEN_NAI_ANN"] == "1985"


def test_the_columns_of_the_year_follow_the_layout_of_2019() -> None:
    old, new = (chained(of(patient(), person_fact(), year=year)) for year in (2018, 2019))

    assert (old["SOR_ANN"], old["ENT_ANN"], old["IPP_BEN_ANO_RET"]) == ("2018", None, None)
    assert (new["SOR_ANN"], new["ENT_ANN"], new["ENT_MOI"]) == (None, "2019", "01")


def test_twins_of_one_sex_share_a_pseudonym_and_differ_by_rank() -> None:
    def twin(rank: int) -> Staged:
        return fact(
            "person", "f", identifier=[identified("psa", "psa-1")], extension=[ours("twin-rank", "PositiveInt", rank)]
        )

    first, second, beyond = (only(of(patient(), twin(rank)), "IR_BEN_R") for rank in (1, 2, 12))

    assert first["BEN_NIR_PSA"] == second["BEN_NIR_PSA"]
    assert [one["BEN_RNG_GEM"] for one in (first, second, beyond)] == [1, 2, 9]
    assert first["BEN_IDT_ANO"] != second["BEN_IDT_ANO"]
