"""Medical units, and how DP, DR and associated diagnoses are designated (DESIGN §12)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.deidentified import (
    CONTRACT,
    THO,
    claim,
    concept,
    condition,
    converted,
    diagnosis,
    encounter,
    finess,
    identified,
    known_adult,
    only,
    organization,
    outcome,
    part_of,
    procedure,
    rum,
    staged,
    structure,
    table,
    values,
)
from transformers.contract import Contract, Unit
from transformers.snds.view import PersonRows, Staged

ROOT = encounter("stay", "2024-01-10", "2024-01-20")
FIRST = encounter("u1", "2024-01-10", "2024-01-12", partOf=part_of("stay"))
SECOND = encounter("u2", "2024-01-12", "2024-01-20", partOf=part_of("stay"))
UNITS = (ROOT, FIRST, SECOND)
LONGEST = replace(CONTRACT, dp_rule="longest-unit")


def adult(*more: Staged, contract: Contract = CONTRACT) -> PersonRows:
    return converted(*known_adult(*more), contract=contract)


def named(key: str, use: str, rank: int | None = 1) -> dict[str, Any]:
    entry = {"condition": structure(key, "Condition"), "use": concept(THO + "diagnosis-role", use)}
    return entry | ({"rank": rank} if rank else {})


def principal(*more: Staged, contract: Contract = CONTRACT) -> tuple[str, str, str]:
    rows = adult(*more, contract=contract)
    stay = only(rows, "T_MCOaaB")
    return stay["DGN_PAL"], stay["SEQ_RUM"], only(rows, "T_EDSaaSEJ")["FLG_DGN_RUL"]


def test_the_nights_of_units_add_up_to_those_of_the_stay() -> None:
    units = table(adult(*UNITS, condition("I10", "DP")), "T_MCOaaUM")

    assert values(units, "UM_ORD_NUM", "PAR_DUR_SEJ") == [(1, 2), (2, 8)]


def test_a_gap_between_units_belongs_to_the_one_before() -> None:
    first = encounter("u1", "2024-01-11", "2024-01-12", partOf=part_of("stay"))
    second = encounter("u2", "2024-01-15", "2024-01-18", partOf=part_of("stay"))

    assert values(table(adult(ROOT, first, second, condition("I10", "DP")), "T_MCOaaUM"), "PAR_DUR_SEJ") == [5, 5]


def test_movements_inside_a_unit_are_no_units_and_theirs_is_the_units() -> None:
    bed = encounter("bed", "2024-01-12", "2024-01-13", partOf=part_of("u2"))
    rows = adult(*UNITS, bed, condition("I10", "DP"), condition("E11", "DA", stay="bed"))

    assert values(table(rows, "T_MCOaaUM"), "DGN_ASS_NBR") == [0, 1]


def ward(key: str, start: str, end: str, *, unit: str) -> Staged:
    return encounter(key, start, end, partOf=part_of("stay"), serviceProvider=structure(unit))


def test_passages_that_follow_each_other_in_one_unit_are_one() -> None:
    wards = [
        ward("a", "2024-01-10", "2024-01-12", unit="org-1"),
        ward("b", "2024-01-12", "2024-01-14", unit="org-1"),
        ward("c", "2024-01-14", "2024-01-16", unit="org-2"),
        ward("d", "2024-01-16", "2024-01-20", unit="org-1"),
    ]
    organizations = [organization("org-1"), organization("org-2")]
    rows = adult(ROOT, *wards, *organizations, condition("I10", "DP"), condition("E11", "DA", stay="b"))

    assert values(table(rows, "T_MCOaaUM"), "PAR_DUR_SEJ", "DGN_ASS_NBR") == [(4, 1), (2, 0), (4, 0)]


def test_passages_in_one_unit_with_a_gap_stay_apart() -> None:
    wards = [ward("a", "2024-01-10", "2024-01-12", unit="org-1"), ward("b", "2024-01-15", "2024-01-20", unit="org-1")]

    assert len(table(adult(ROOT, *wards, organization("org-1"), condition("I10", "DP")), "T_MCOaaUM")) == 2


def test_units_come_from_the_periods_of_locations_when_there_are_no_children() -> None:
    places = [
        {"location": structure("icu", "Location"), "period": {"start": "2024-01-10", "end": "2024-01-13"}},
        {"location": structure("ward", "Location"), "period": {"start": "2024-01-13", "end": "2024-01-20"}},
    ]
    locations = [staged("Location", "icu", identifier=[identified("unit", "ICU1")]), staged("Location", "ward")]
    contract = replace(CONTRACT, units={"ICU1": Unit("750100042", "01A")})
    rows = adult(
        encounter("stay", "2024-01-10", "2024-01-20", location=places), *locations, condition("I10", "DP"),
        contract=contract,
    )  # fmt: skip

    assert values(table(rows, "T_MCOaaUM"), "PAR_DUR_SEJ", "AUT_TYP1_UM", "ETA_NUM_GEO") == [
        (3, "01A", "750100042"), (7, None, CONTRACT.finess)
    ]  # fmt: skip


def test_the_site_of_a_unit_comes_from_its_structures_before_the_unit_table() -> None:
    site = organization("site", finess("FINEG", "750000018"), partOf=structure("legal"))
    unit = organization("unit", identified("unit", "CARD"), partOf=structure("site"))
    contract = replace(CONTRACT, units={"CARD": Unit("750100042")})
    stay = encounter(serviceProvider=structure("unit"))
    rows = adult(
        stay, unit, site, organization("legal", finess("FINEJ", "750712184")), condition("I10", "DP"), contract=contract
    )

    assert only(rows, "T_MCOaaUM")["ETA_NUM_GEO"] == "750000018"
    assert "geographic-finess-default" not in outcome(rows).counts


def test_a_single_unit_for_short_stays_is_flagged() -> None:
    contract = replace(CONTRACT, units={"UHCD": Unit("750100042", "07A"), "PALL": Unit("750100042", None, "08")})
    short = organization("short", identified("unit", "UHCD"))
    palliative = organization("palliative", identified("unit", "PALL"))
    rows = []
    for name in ("short", "palliative", "unknown"):
        stay = encounter(serviceProvider=structure(name))
        rows.append(only(adult(stay, short, palliative, condition("I10", "DP"), contract=contract), "T_MCOaaB"))

    assert values(rows, "UHCD_TOP", "PAS_LIT_DED") == [("1", "0"), ("0", "1"), (None, None)]


def test_more_than_99_units_are_in_quarantine() -> None:
    units = [encounter(f"u{n:03d}", "2024-01-10", "2024-01-11", partOf=part_of("stay")) for n in range(100)]

    assert outcome(adult(ROOT, *units, condition("I10", "DP"))).reason == "too-many-units"


def test_the_claim_of_the_stay_designates_the_principal_diagnosis_first() -> None:
    summary = claim(diagnosis=[diagnosis(1, "DP", "I219"), diagnosis(2, "DA", "E780")])

    assert principal(ROOT, summary, condition("I10", "DP")) == ("I219", "01", "0")


@pytest.mark.parametrize("use", ["DD", "billing"])
def test_the_diagnosis_that_the_encounter_names_comes_second(use: str) -> None:
    stay = encounter("stay", "2024-01-10", "2024-01-20", diagnosis=[named("c2", use)])

    assert principal(stay, condition("I10", "DP", key="c1"), condition("I21.9", None, key="c2")) == ("I219", "01", "1")


def test_a_rank_that_is_not_the_first_designates_nothing() -> None:
    stay = encounter("stay", "2024-01-10", "2024-01-20", diagnosis=[named("c1", "DD", 2), named("c2", "DD", 3)])

    assert principal(stay, condition("I10", "DP", key="c0"), condition("E11", None, key="c1"))[0] == "I10"


def test_the_category_dp_on_the_root_comes_third() -> None:
    assert principal(*UNITS, condition("I10", "DP"), condition("I21.9", "DP", stay="u1")) == ("I10", "02", "0")


def test_the_only_principal_diagnosis_of_the_units_comes_fourth() -> None:
    rows = adult(*UNITS, condition("I21.9", "DP", stay="u1"))

    assert (only(rows, "T_MCOaaB")["DGN_PAL"], only(rows, "T_MCOaaB")["SEQ_RUM"]) == ("I219", "01")
    assert values(table(rows, "T_MCOaaUM"), "DGN_PAL") == ["I219", "I219"]
    assert (only(rows, "T_EDSaaSEJ")["FLG_DGN_RUL"], only(rows, "T_EDSaaSEJ")["FLG_UM_DGN"]) == ("2", "1")


def test_several_unit_diagnoses_are_never_guessed_among_unless_the_contract_says_how() -> None:
    both = (*UNITS, condition("I21.9", "DP", stay="u1"), condition("J18.9", "DP", stay="u2"))

    assert outcome(adult(*both)).reason == "principal-diagnosis-ambiguous"
    assert principal(*both, contract=LONGEST) == ("J189", "02", "3")


def test_two_principal_diagnoses_on_the_root_are_ambiguous() -> None:
    assert (
        outcome(adult(ROOT, condition("I10", "DP"), condition("E11", "DP"))).reason == "principal-diagnosis-ambiguous"
    )


def test_without_any_principal_diagnosis_the_stay_waits() -> None:
    assert outcome(adult(ROOT, condition("I10", "DA"))).reason == "principal-diagnosis-missing"


def test_a_principal_diagnosis_of_another_nomenclature_is_in_quarantine() -> None:
    foreign = condition("BA41.Z", "DP", system="http://id.who.int/fhir/icd/release/11")

    assert outcome(adult(ROOT, foreign)).reason == "principal-diagnosis-not-cim10"


def test_the_unit_that_gave_the_diagnosis_is_the_one_whose_own_is_equal() -> None:
    rows = adult(
        *UNITS, condition("I21.9", "DP"), condition("I21.9", "DP", stay="u1"), condition("J18.9", "DP", stay="u2")
    )

    assert only(rows, "T_MCOaaB")["SEQ_RUM"] == "01"
    assert values(table(rows, "T_MCOaaUM"), "DGN_PAL") == ["I219", "J189"]
    assert only(rows, "T_EDSaaSEJ")["FLG_UM_DGN"] == "0"


def test_when_no_unit_has_the_diagnosis_of_the_stay_the_longest_takes_it() -> None:
    rows = adult(
        *UNITS, condition("I10", "DP"), condition("I21.9", "DP", stay="u1"), condition("J18.9", "DP", stay="u2")
    )

    stay, units = only(rows, "T_MCOaaB"), table(rows, "T_MCOaaUM")
    assert stay["SEQ_RUM"] == "02"
    assert units[1]["DGN_PAL"] == stay["DGN_PAL"] == "I10"
    assert only(rows, "T_EDSaaSEJ")["FLG_UM_DGN"] == "1"


@pytest.mark.parametrize("role", ["DA", "DAS", "das"])
def test_associated_diagnoses_are_read_by_code(role: str) -> None:
    assert values(table(adult(ROOT, condition("I10", "DP"), condition("E11", role)), "T_MCOaaD"), "ASS_DGN") == ["E11"]


def test_documentary_diagnoses_stay_out() -> None:
    rows = adult(ROOT, condition("I10", "DP"), condition("E11", "DAD"))

    assert (table(rows, "T_MCOaaD"), only(rows, "T_MCOaaB")["NBR_DGN"]) == ([], 0)


def test_an_associated_diagnosis_is_once_in_a_unit_and_may_be_in_two() -> None:
    rows = adult(
        *UNITS,
        condition("I10", "DP"),
        condition("E11", "DA", stay="u1", key="c1"),
        condition("E11", "DA", stay="u1", key="c2"),
        condition("E11", "DA", stay="u2", key="c3"),
    )

    assert values(table(rows, "T_MCOaaD"), "DGN_ASS_NUM", "ASS_DGN") == [(1, "E11"), (2, "E11")]
    assert values(table(rows, "T_MCOaaUM"), "DGN_ASS_NBR") == [1, 1]
    assert only(rows, "T_MCOaaB")["NBR_DGN"] == 2


def test_what_the_stay_says_and_a_unit_too_is_said_once() -> None:
    rows = adult(*UNITS, condition("I10", "DP"), condition("E11", "DA"), condition("E11", "DA", stay="u1", key="c1"))

    assert values(table(rows, "T_MCOaaUM"), "DGN_ASS_NBR") == [1, 0]


def test_associated_diagnoses_are_in_the_order_of_units_then_ranks() -> None:
    stay = encounter(
        "stay", "2024-01-10", "2024-01-20",
        diagnosis=[named("c1", "DD"), named("c3", "CM", 2), named("c2", "CM", 3)],
    )  # fmt: skip
    rows = adult(
        stay, condition("I10", "DP", key="c1"), condition("A41.9", "DA", key="c2"), condition("N17.9", "DA", key="c3")
    )

    assert values(table(rows, "T_MCOaaD"), "ASS_DGN") == ["N179", "A419"]


def test_a_related_diagnosis_goes_with_a_z_code_only() -> None:
    chemotherapy = adult(encounter(), condition("Z51.1", "DP"), condition("C50.9", "DR"))
    infarction = adult(encounter(), condition("I21.9", "DP"), condition("C50.9", "DR"))

    assert (only(chemotherapy, "T_MCOaaB")["DGN_REL"], only(chemotherapy, "T_MCOaaUM")["DGN_REL"]) == ("C509", "C509")
    assert only(infarction, "T_MCOaaB")["DGN_REL"] is None
    assert outcome(infarction).counts["related-diagnosis-dropped"] == 1


@pytest.mark.parametrize("status", ["entered-in-error", "refuted"])
def test_a_refuted_condition_counts_for_nothing(status: str) -> None:
    refuted = condition("E11", "DA", verificationStatus=concept(THO + "condition-ver-status", status))

    assert table(adult(ROOT, condition("I10", "DP"), refuted), "T_MCOaaD") == []


def test_more_than_99_associated_diagnoses_of_a_unit_are_cut_and_counted() -> None:
    many = [condition(f"A{n // 10:02d}{n % 10}", "DA") for n in range(101)]
    rows = adult(ROOT, condition("I10", "DP"), *many)

    assert (only(rows, "T_MCOaaB")["NBR_DGN"], outcome(rows).counts["diagnoses-over-limit"]) == (99, 2)


def test_more_than_999_associated_diagnoses_of_a_stay_are_cut_and_counted() -> None:
    listed = [diagnosis(2 + n, "DA", f"A{n:02d}") for n in range(99)]
    units = [
        rum(day, f"2024-01-{day:02d}", f"2024-01-{day + 1:02d}", diagnosis(1, "DP", "I10"), *listed)
        for day in range(1, 13)
    ]
    rows = adult(encounter("stay", "2024-01-01", "2024-01-13"), *units)
    of_units = [unit["DGN_ASS_NBR"] for unit in table(rows, "T_MCOaaUM")]

    assert of_units == [99] * 10 + [9, 0]
    assert only(rows, "T_MCOaaB")["NBR_DGN"] == sum(of_units) == 999
    assert [row["DGN_ASS_NUM"] for row in table(rows, "T_MCOaaD")] == list(range(1, 1000))
    assert outcome(rows).counts["diagnoses-over-limit"] == 12 * 99 - 999


def test_a_right_code_under_a_wrong_system_is_taken_and_flagged() -> None:
    rows = adult(ROOT, condition("I10", "DP", system="http://hospital.example/diagnoses"))

    assert (only(rows, "T_MCOaaB")["DGN_PAL"], only(rows, "T_EDSaaSEJ")["FLG_COD_SYS"]) == ("I10", "1")


def test_claims_of_units_give_the_units_and_their_diagnoses_only() -> None:
    one = rum(2, "2024-01-12", "2024-01-20", diagnosis(1, "DP", "J189"), diagnosis(2, "DA", "E780"), mde="6", mds="8")
    two = rum(1, "2024-01-10", "2024-01-12", diagnosis(1, "DP", "I219"), diagnosis(2, "DA", "E780"), mde="8", mds="6")
    rows = adult(ROOT, one, two, condition("I21.9", "DP"))

    assert values(table(rows, "T_MCOaaUM"), "DGN_PAL", "PAR_DUR_SEJ", "DGN_ASS_NBR") == [("I219", 2, 1), ("J189", 8, 1)]
    assert values(table(rows, "T_MCOaaD"), "ASS_DGN") == ["E780", "E780"]
    assert only(rows, "T_MCOaaB")["SEQ_RUM"] == "01"
    assert outcome(adult(ROOT, one, two)).reason == "principal-diagnosis-ambiguous"


def test_claims_of_units_find_the_child_encounters_of_their_dates() -> None:
    one = rum(1, "2024-01-10", "2024-01-12", diagnosis(1, "DP", "I219"))
    two = rum(2, "2024-01-12", "2024-01-20", diagnosis(1, "DP", "J189"))

    rows = adult(*UNITS, one, two, contract=LONGEST)
    assert values(table(rows, "T_MCOaaUM"), "DGN_PAL") == ["I219", "J189"]


def test_a_corrected_claim_of_a_unit_replaces_the_one_of_the_same_rank() -> None:
    older = rum(1, "2024-01-10", "2024-01-20", diagnosis(1, "DP", "I219"), meta={"lastUpdated": "2024-01-21T00:00:00Z"})
    newer = rum(1, "2024-01-10", "2024-01-20", diagnosis(1, "DP", "J189"), meta={"lastUpdated": "2024-01-22T00:00:00Z"})
    rows = adult(ROOT, older, replace(newer, key="rum-1b"))

    assert values(table(rows, "T_MCOaaUM"), "DGN_PAL", "PAR_DUR_SEJ") == [("J189", 10)]


def test_a_diagnosis_of_a_claim_may_be_a_condition() -> None:
    entry = {"sequence": 1, "diagnosisReference": structure("c1", "Condition"), "type": diagnosis(1, "DP", "x")["type"]}

    assert principal(ROOT, claim(diagnosis=[entry]), condition("I21.9", None, key="c1"))[0] == "I219"


def test_a_claim_that_no_stay_fits_is_counted() -> None:
    lost = claim(stay=None, billablePeriod={"start": "2020-01-01", "end": "2020-01-03"})

    assert adult(ROOT, condition("I10", "DP"), lost).counts["claim-unlinked"] == 1


def test_a_claim_finds_its_stay_by_the_dates() -> None:
    other = encounter("other", "2024-03-01", "2024-03-04")
    summary = claim(
        stay=None, billablePeriod={"start": "2024-03-01", "end": "2024-03-04"}, diagnosis=[diagnosis(1, "DP", "I219")]
    )
    rows = adult(ROOT, other, condition("I10", "DP"), summary)

    assert sorted(values(table(rows, "T_MCOaaB"), "DGN_PAL")) == ["I10", "I219"]


def test_acts_of_the_stay_fall_to_the_unit_of_their_time() -> None:
    rows = adult(
        *UNITS, condition("I10", "DP"), procedure("DEQP003", "2024-01-11"), procedure("DDAF007", "2024-01-15"),
        procedure("NZFA010", "2024-01-15", stay="u1"),
    )  # fmt: skip

    assert values(table(rows, "T_MCOaaUM"), "ACT_RUM_NBR") == [2, 1]
    assert values(table(rows, "T_MCOaaA"), "CDC_ACT", "ENT_DAT_DEL") == [("DEQP003", 1), ("NZFA010", 5), ("DDAF007", 5)]
