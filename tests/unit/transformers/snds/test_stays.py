"""What is a stay (DESIGN §12): classes, roots and stubs, emergency visits, quarantine, sessions, removals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.deidentified import (
    CONTRACT,
    FINESS,
    THO,
    Numbers,
    age_fact,
    claim,
    concept,
    condition,
    converted,
    diagnosis,
    encounter,
    known_adult,
    observation,
    only,
    outcome,
    part_of,
    patient,
    person_fact,
    procedure,
    reference,
    statuses,
    structure,
    table,
    values,
)
from transformers.snds.view import PersonRows, Staged

PRINCIPAL = condition("I10", "DP")
EMERGENCY = encounter("ed", "2024-01-10T02:00:00+01:00", "2024-01-10T07:00:00+01:00", kind="EMER")
ADMISSION = encounter("stay", "2024-01-10T08:00:00+01:00", "2024-01-14T10:00:00+01:00")


def adult(*more: Staged) -> PersonRows:
    return converted(*known_adult(*more))


def test_an_open_stay_gives_no_rows_and_its_results_wait() -> None:
    rows = adult(encounter("stay", "2024-01-10", None), observation("718-7", 13.2, "g/dL"))

    assert statuses(rows) == {"stay": ("open", None)}
    assert rows.tables == {}


def test_a_day_surgery_is_a_stay_although_its_class_is_ambulatory() -> None:
    rows = adult(encounter("stay", "2024-01-10", "2024-01-10", kind="AMB"), condition("H25.1", "DP"))

    assert only(rows, "T_MCOaaB")["SEJ_NBJ"] == 0


def test_an_ambulatory_visit_with_a_pmsi_claim_is_a_stay() -> None:
    summary = claim(diagnosis=[diagnosis(1, "DP", "H251")])

    assert outcome(adult(encounter("stay", "2024-01-10", "2024-01-10", kind="AMB"), summary)).status == "written"


@pytest.mark.parametrize("kind", ["AMB", "EMER", "VR"])
def test_a_contact_without_principal_diagnosis_is_no_stay_and_its_results_are_written_at_once(kind: str) -> None:
    rows = adult(encounter("stay", "2024-03-10", "2024-03-10", kind=kind), observation("718-7", 13.2, "g/dL"))

    assert statuses(rows) == {"stay": ("none", None)}
    assert "T_EDS24SEJ" not in rows.tables
    assert "T_MCO24B" not in rows.tables


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error"])
def test_a_cancelled_stay_leaves_nothing(status: str) -> None:
    rows = adult(encounter(status=status), PRINCIPAL, procedure("DEQP003", "2024-01-10"))

    assert rows.stays == ()
    assert rows.tables == {}


def test_the_units_of_a_cancelled_stay_go_with_it() -> None:
    rows = adult(
        encounter(status="cancelled"), encounter("unit", partOf=part_of("stay")), condition("I10", "DP", stay="unit")
    )

    assert rows.stays == ()


def test_a_planned_stay_is_none_yet() -> None:
    assert statuses(adult(encounter("stay", "2024-01-10", None, status="planned"))) == {"stay": ("none", None)}


def test_a_leave_is_no_exit() -> None:
    leave = {
        "dischargeDisposition": concept("https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-circonstances-sortie", "P")
    }

    assert outcome(adult(encounter(hospitalization=leave), PRINCIPAL)).status == "open"


def test_a_stub_of_a_laboratory_never_overrides_the_finished_root() -> None:
    stub = encounter("a-stub", "2024-01-10", None, visit="nda-1", meta={"lastUpdated": "2024-02-01T00:00:00Z"})
    rows = adult(stub, encounter(visit="nda-1"), PRINCIPAL, condition("E11", "DA", stay="a-stub"))

    assert statuses(rows) == {"stay": ("written", None)}
    assert values(table(rows, "T_MCOaaD"), "ASS_DGN") == ["E11"]


def test_among_two_finished_encounters_of_a_stay_the_latest_version_is_the_root() -> None:
    older = encounter("a", "2024-01-10", "2024-01-12", visit="nda-1", meta={"lastUpdated": "2024-01-13T00:00:00Z"})
    newer = encounter("b", "2024-01-10", "2024-01-13", visit="nda-1", meta={"lastUpdated": "2024-01-14T00:00:00Z"})
    rows = adult(older, newer, condition("I10", "DP", stay="a"))

    assert statuses(rows) == {"b": ("written", None)}
    assert only(rows, "T_MCOaaB")["SEJ_NBJ"] == 3


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (None, "2024-01-14", "start-missing"),
        ("2024-01", "2024-01-14", "start-missing"),
        ("2024-01-10", "2024-01", "end-missing"),
        ("2024-01-14", "2024-01-10", "period-inverted"),
        ("1990-01-10", "2024-01-10", "period-too-long"),
    ],
)
def test_a_period_that_cannot_be_right_puts_the_stay_in_quarantine(start: str | None, end: str, reason: str) -> None:
    assert statuses(adult(encounter("stay", start, end), PRINCIPAL)) == {"stay": ("quarantined", reason)}


def test_a_discharge_before_its_patient_waits_in_quarantine() -> None:
    rows = converted(person_fact(), encounter(), PRINCIPAL, observation("718-7", 13.2, "g/dL"))

    assert statuses(rows) == {"stay": ("quarantined", "patient-missing")}
    assert rows.tables == {}
    assert rows.counts == {"waiting-patient": 1}


def test_a_unit_before_its_stay_waits_in_quarantine() -> None:
    rows = adult(encounter("unit", partOf=part_of("elsewhere")), condition("I10", "DP", stay="unit"))

    assert statuses(rows) == {"unit": ("quarantined", "parent-unknown")}


@pytest.mark.parametrize(
    ("more", "counted"),
    [
        ((encounter(kind="HH"),), "field-had"),
        ((encounter(), claim(field="PMSISSR")), "field-ssr"),
        ((encounter(), claim(field="PMSIPSY")), "field-psy"),
    ],
)
def test_stays_of_other_fields_are_in_quarantine(more: tuple[Staged, ...], counted: str) -> None:
    found = outcome(adult(*more, PRINCIPAL))

    assert (found.status, found.reason, found.counts) == ("quarantined", "field-not-mco", {counted: 1})


def test_a_session_has_no_nights_and_counts_one() -> None:
    rows = adult(encounter("stay", "2024-01-10", "2024-01-10", kind="AMB"), condition("Z49.1", "DP"))

    stay, unit = only(rows, "T_MCOaaB"), only(rows, "T_MCOaaUM")
    assert (stay["NBR_SEA"], stay["SEJ_NBJ"], stay["GRG_GHM"]) == (1, None, "28XXXX")
    assert unit["PAR_DUR_SEJ"] is None


def test_a_stay_over_night_with_the_diagnosis_of_sessions_is_no_session() -> None:
    stay = only(adult(encounter(), condition("Z51.1", "DP")), "T_MCOaaB")

    assert (stay["NBR_SEA"], stay["SEJ_NBJ"], stay["GRG_GHM"], stay["GHS_NUM"], stay["GRG_RET"]) == (
        0,
        4,
        "XXXXXX",
        "0000",
        "000",
    )


def test_nights_are_those_of_the_calendar_in_paris() -> None:
    late = encounter("stay", "2024-01-10T22:50:00Z", "2024-01-10T23:10:00Z")

    assert only(adult(late, PRINCIPAL), "T_MCOaaB")["SEJ_NBJ"] == 1


def test_an_emergency_visit_just_before_joins_the_admission() -> None:
    rows = adult(EMERGENCY, ADMISSION, PRINCIPAL, procedure("DEQP003", "2024-01-10T03:00:00+01:00", stay="ed"))

    assert statuses(rows) == {"ed": ("none", None), "stay": ("written", None)}
    assert only(rows, "T_EDSaaSEJ")["SEJ_PAS_URG"] == "5"
    assert values(table(rows, "T_MCOaaA"), "CDC_ACT", "ENT_DAT_DEL") == [("DEQP003", 0)]


def test_results_of_a_joined_emergency_visit_carry_the_number_of_the_stay_and_are_not_outside_it() -> None:
    taken = observation("718-7", 13.2, "g/dL", stay="ed", when="2024-01-09T23:30:00+01:00", category=[
        concept(THO + "observation-category", "laboratory")])  # fmt: skip
    early = encounter("ed", "2024-01-09T22:00:00+01:00", "2024-01-10T07:00:00+01:00", kind="EMER")
    rows = adult(early, ADMISSION, PRINCIPAL, taken)

    assert values(table(rows, "T_EDSaaBIO"), "RSA_NUM") == [outcome(rows).rsa_num]
    assert only(rows, "T_EDSaaSEJ")["FLG_DAT_HOR"] == 0


@pytest.mark.parametrize(
    ("end", "joins"),
    [("2024-01-09T08:00:00+01:00", True), ("2024-01-09T07:59:00+01:00", False), ("2024-01-10T09:00:00+01:00", True)],
)
def test_an_emergency_visit_joins_when_it_ends_at_most_24_hours_before(end: str, joins: bool) -> None:
    visit = encounter("ed", "2024-01-09T02:00:00+01:00", end, kind="EMER")
    rows = adult(visit, ADMISSION, PRINCIPAL)

    assert (only(rows, "T_EDSaaSEJ")["SEJ_PAS_URG"] == "5") is joins


@pytest.mark.parametrize(
    "link",
    [{"account": [structure("account-1", "Account")]}, {"episodeOfCare": [structure("episode-1", "EpisodeOfCare")]}],
)
def test_an_emergency_visit_joins_by_account_or_episode_of_care(link: dict[str, object]) -> None:
    visit = encounter("ed", "2024-01-07T02:00:00+01:00", "2024-01-07T05:00:00+01:00", kind="EMER", **link)
    admission = encounter("stay", "2024-01-10T08:00:00+01:00", "2024-01-14T10:00:00+01:00", **link)

    assert only(adult(visit, admission, PRINCIPAL), "T_EDSaaSEJ")["SEJ_PAS_URG"] == "5"
    assert only(adult(visit, ADMISSION, PRINCIPAL), "T_EDSaaSEJ")["SEJ_PAS_URG"] is None


@pytest.mark.parametrize("below", ["ed", "stay"])
def test_an_emergency_visit_joins_by_part_of_in_either_direction(below: str) -> None:
    above = {"ed": "stay", "stay": "ed"}[below]
    visit = encounter(
        "ed", "2024-01-05", "2024-01-05", kind="EMER", **({"partOf": part_of(above)} if below == "ed" else {})
    )
    admission = encounter(**({"partOf": part_of(above)} if below == "stay" else {}))
    rows = adult(visit, admission, PRINCIPAL)

    assert statuses(rows) == {"ed": ("none", None), "stay": ("written", None)}
    assert only(rows, "T_EDSaaSEJ")["SEJ_PAS_URG"] == "5"


def test_an_emergency_encounter_with_the_number_of_the_stay_is_its_emergency_part() -> None:
    visit = encounter("ed", "2024-01-10T02:00:00+01:00", "2024-01-10T07:00:00+01:00", kind="EMER", visit="nda-1")
    rows = adult(visit, encounter(visit="nda-1"), PRINCIPAL)

    assert statuses(rows) == {"stay": ("written", None)}
    assert only(rows, "T_EDSaaSEJ")["SEJ_PAS_URG"] == "5"


@pytest.mark.parametrize(
    ("start", "status"), [("2024-01-10T06:00:00+01:00", "open"), ("2024-01-10", "none"), (None, "none")]
)
def test_an_admission_going_on_after_an_emergency_visit_is_told_from_a_stub_of_it(
    start: str | None, status: str
) -> None:
    visit = encounter("ed", "2024-01-10T02:00:00+01:00", "2024-01-10T07:00:00+01:00", kind="EMER", visit="nda-1")
    rows = adult(visit, encounter("other", start, None, visit="nda-1"))

    assert [one.status for one in rows.stays] == [status]


def test_until_2022_an_emergency_passage_is_the_provenance() -> None:
    visit = encounter("ed", "2022-01-10T02:00:00+01:00", "2022-01-10T07:00:00+01:00", kind="EMER")
    admission = encounter("stay", "2022-01-10T08:00:00+01:00", "2022-01-14T10:00:00+01:00", hospitalization={})

    stay = only(adult(visit, admission, PRINCIPAL), "T_MCOaaB")
    assert (stay["ENT_MOD"], stay["ENT_PRV"]) == ("8", "5")


def test_exit_and_readmission_the_same_day_are_two_stays_and_flagged() -> None:
    again = encounter("again", "2024-01-14", "2024-01-16")
    rows = adult(encounter(), PRINCIPAL, again, condition("I10", "DP", stay="again"))

    assert len(table(rows, "T_MCOaaB")) == 2
    assert dict(outcome(rows, "again").counts) == {"readmission-same-day": 1, "geographic-finess-default": 1}
    assert "readmission-same-day" not in outcome(rows).counts


def test_a_stay_keeps_its_number_and_changes_table_with_its_exit_year() -> None:
    numbers = Numbers()
    before = converted(*known_adult(encounter("stay", "2023-12-28", "2023-12-31"), PRINCIPAL), numbers=numbers)
    after = converted(*known_adult(encounter("stay", "2023-12-28", "2024-01-02"), PRINCIPAL), numbers=numbers)

    assert ("T_MCO23B" in before.tables, "T_MCO24B" in after.tables, "T_MCO23B" in after.tables) == (True, True, False)


def test_the_legal_finess_is_the_hospital_number() -> None:
    rows = converted(*known_adult(encounter(), PRINCIPAL), contract=replace(CONTRACT, finess=FINESS))

    assert {
        row["ETA_NUM"] for name in ("T_MCOaaB", "T_MCOaaC", "T_MCOaaUM", "T_EDSaaSEJ") for row in table(rows, name)
    } == {FINESS}


def test_a_circle_of_part_of_does_not_hang() -> None:
    rows = adult(
        encounter("a", partOf=part_of("b")), encounter("b", partOf=part_of("a")), condition("I10", "DP", stay="a")
    )

    assert {one.key for one in rows.stays} == {"a", "b"}


def test_a_result_of_an_unknown_stay_waits() -> None:
    lost = observation("718-7", 13.2, "g/dL", stay="never-sent")

    assert adult(lost).tables == {}


def test_a_child_may_share_the_visit_number_of_its_stay() -> None:
    root = encounter(visit="nda-1")
    first = encounter("u1", "2024-01-10", "2024-01-12", visit="nda-1", partOf=part_of("stay"))
    second = encounter("u2", "2024-01-12", "2024-01-14", visit="nda-1", partOf=part_of("stay"))
    result = observation("718-7", 13.2, "g/dL", when="2024-01-11", encounter=reference("Encounter", "stay", "nda-1"))
    rows = adult(root, first, second, PRINCIPAL, result)

    assert statuses(rows) == {"stay": ("written", None)}
    assert len(table(rows, "T_MCOaaUM")) == 2


def test_a_person_without_any_care_is_in_no_table() -> None:
    assert converted(patient(), person_fact()).tables == {}


def test_a_birth_after_the_entry_is_in_quarantine() -> None:
    rows = converted(patient(born="2024-02"), person_fact(), encounter(), PRINCIPAL)

    assert outcome(rows).reason == "birth-after-entry"


def test_below_two_years_the_age_must_be_exact() -> None:
    child = (patient(born="2023-01"), person_fact(), encounter(), condition("J21.9", "DP"))

    assert outcome(converted(*child)).reason == "age-not-exact"
    exact = only(converted(*child, age_fact("stay", "2024-01-10", days=354)), "T_MCOaaB")
    assert (exact["AGE_ANN"], exact["AGE_JOU"]) == (None, 354)
