"""Laboratory observations become rows of T_EDSaaBIO."""

from __future__ import annotations

import pytest

from tests.support.clinical_resources import (
    FINESS,
    LOINC,
    NIR,
    STAY,
    THO,
    Pseudonyms,
    concept,
    convert,
    day,
    observation,
    only,
    quantity,
    resource,
    rows,
    to_resource,
)
from transformers.contract import Contract
from transformers.snds.clinical import clinical_rows
from transformers.snds.instants import moment
from transformers.snds.placing import NO_STAY, Place
from transformers.snds.view import PersonView, Staged

SNOMED = "http://snomed.info/sct"
LOCAL = "urn:snds-gateway:local"


def test_a_result_gives_one_row_in_official_column_order() -> None:
    converted = convert(
        observation(
            "14682-9",
            valueQuantity=quantity(85, "umol/L", comparator="<"),
            referenceRange=[{"low": quantity(62, "umol/L"), "high": quantity(106, "umol/L")}],
            interpretation=[concept((THO + "v3-ObservationInterpretation", "N"))],
        )
    )

    assert only(converted, "T_EDS24BIO") == {
        "ETA_NUM": FINESS,
        "RSA_NUM": "0000000042",
        "NIR_ANO_17": NIR,
        "BIO_RES_NUM": "T:key-1",
        "BIO_GRP_NUM": None,
        "PLV_SOI_DTD": day("2024-01-10"),
        "PLV_SOI_AMD": "202401",
        "PLV_DAT_DEL": 0,
        "PLV_MIN_DEL": 120,
        "BIO_LOI_COD": "14682-9",
        "BIO_PRS_IDE": None,
        "BIO_LOC_COD": None,
        "BIO_VAL_NUM": 85,
        "BIO_VAL_OPE": "<",
        "BIO_UNI_COD": "umol/L",
        "BIO_VAL_STD": 85,
        "BIO_UNI_STD": "umol/L",
        "BIO_VAL_COD": None,
        "BIO_VAL_SYS": None,
        "BIO_NOR_INF": 62,
        "BIO_NOR_SUP": 106,
        "BIO_INT_COD": "N",
        "BIO_MIL_COD": None,
        "BIO_STA_COD": "F",
        "BIO_ABS_COD": None,
    }
    assert converted.outside == {}
    assert converted.counts == {}


def test_a_result_dated_after_the_exit_is_kept_and_counted() -> None:
    converted = convert(
        observation("6690-2", effectiveDateTime="2024-10-01T06:00:00Z", valueQuantity=quantity(7, "G/L"))
    )

    row = only(converted, "T_EDS24BIO")
    assert (row["BIO_UNI_COD"], row["BIO_UNI_STD"], row["BIO_VAL_STD"]) == ("G/L", "10*9/L", 7)
    assert (row["PLV_SOI_DTD"], row["PLV_DAT_DEL"]) == (day("2024-10-01"), 265)
    assert converted.outside == {"stay-key": 1}


def test_the_dates_of_an_emergency_visit_that_joined_are_not_outside() -> None:
    place = Place("stay-key", "0000000042", 2024, STAY.entry, STAY.exit, joined=True)
    converted = convert(observation("718-7", effectiveDateTime="2024-01-09T23:00:00+01:00"), place=place)

    assert only(converted, "T_EDS24BIO")["PLV_MIN_DEL"] == -420
    assert converted.outside == {}


def test_an_event_of_no_stay_has_no_rsa_num_and_stands_in_its_own_year() -> None:
    converted = convert(observation("718-7", effectiveDateTime="2022-12-31T23:30:00Z"), place=NO_STAY)

    row = only(converted, "T_EDS23BIO")
    assert (row["RSA_NUM"], row["PLV_DAT_DEL"], row["PLV_MIN_DEL"]) == (None, None, None)
    assert row["PLV_SOI_DTD"] == day("2023-01-01"), "the civil date of Paris"


def test_an_event_waits_for_its_stay() -> None:
    converted = convert(observation("718-7"), place=None)

    assert (converted.tables, converted.counts) == ({}, {"waiting-stay": 1})


def test_without_the_switch_of_care_dates_only_the_month_and_delays_remain() -> None:
    converted = convert(observation("718-7"), contract=Contract(finess=FINESS, potential_identifiers=frozenset()))

    row = only(converted, "T_EDS24BIO")
    assert (row["PLV_SOI_DTD"], row["PLV_SOI_AMD"], row["PLV_MIN_DEL"]) == (None, "202401", 120)


def test_a_month_without_a_day_has_no_delay() -> None:
    row = only(convert(observation("718-7", effectiveDateTime="2024-02")), "T_EDS24BIO")

    assert (row["PLV_SOI_DTD"], row["PLV_SOI_AMD"], row["PLV_DAT_DEL"]) == (None, "202402", None)


@pytest.mark.parametrize("effective", [None, "2024", "2024-13"])
def test_a_result_without_a_date_is_counted(effective: str | None) -> None:
    converted = convert(observation("718-7", effectiveDateTime=effective))

    assert (converted.tables, converted.counts) == ({}, {"clinical-without-date": 1})


@pytest.mark.parametrize(
    ("effective", "minutes"),
    [
        ({"effectivePeriod": {"start": "2024-01-10T07:00:00+01:00", "end": "2024-01-10T09:00:00+01:00"}}, 60),
        ({"effectivePeriod": {"end": "2024-01-10T09:00:00+01:00"}}, 180),
        ({"effectiveInstant": "2024-01-10T07:30:00+01:00"}, 90),
        ({"effectiveTiming": {"event": ["2024-01-10T06:10:00+01:00"]}}, 10),
    ],
)
def test_every_form_of_effective_time_is_read(effective: dict[str, object], minutes: int) -> None:
    made = observation("718-7", **effective)
    del made["effectiveDateTime"]

    assert only(convert(made), "T_EDS24BIO")["PLV_MIN_DEL"] == minutes


@pytest.mark.parametrize(("status", "written"), [("final", "F"), ("amended", "C"), ("corrected", "C")])
def test_the_status_of_a_result_is_written(status: str, written: str) -> None:
    assert only(convert(observation("718-7", status=status)), "T_EDS24BIO")["BIO_STA_COD"] == written


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        ("preliminary", "clinical-preliminary"),
        ("registered", "clinical-preliminary"),
        ("unknown", "clinical-preliminary"),
        ("entered-in-error", "clinical-removed"),
        ("cancelled", "clinical-removed"),
    ],
)
def test_a_result_that_waits_or_was_taken_back_gives_no_row(status: str, counted: str) -> None:
    converted = convert(observation("718-7", status=status))

    assert (converted.tables, converted.counts) == ({}, {counted: 1})


def test_mass_becomes_amount_with_the_molar_mass() -> None:
    row = only(convert(observation("2160-0", valueQuantity=quantity(1.2, "mg/dL"))), "T_EDS24BIO")

    assert row["BIO_VAL_STD"] == pytest.approx(106.08, rel=1e-3)
    assert (row["BIO_VAL_NUM"], row["BIO_UNI_COD"], row["BIO_UNI_STD"]) == (1.2, "mg/dL", "umol/L")


@pytest.mark.parametrize("unit", ["furlong/L", None])
def test_a_unit_that_cannot_be_told_gives_no_normalised_value(unit: str | None) -> None:
    converted = convert(observation("14682-9", valueQuantity=quantity(85, unit)))

    row = only(converted, "T_EDS24BIO")
    assert (row["BIO_VAL_NUM"], row["BIO_UNI_COD"]) == (85, unit)
    assert (row["BIO_VAL_STD"], row["BIO_UNI_STD"]) == (None, None)
    assert converted.counts == {"clinical-not-normalised": 1}


def test_a_unit_of_another_system_is_no_ucum_unit() -> None:
    value = {"value": 3, "system": LOCAL, "code": "x" * 22}

    assert only(convert(observation("14682-9", valueQuantity=value)), "T_EDS24BIO")["BIO_UNI_COD"] is None


def test_local_and_nabm_codes_stand_in_their_columns_and_a_missing_loinc_is_counted() -> None:
    code = concept((LOCAL, "h" * 22), ("https://smt.esante.gouv.fr/terminologie-nabm", "1104"))
    converted = convert(observation(code=code))

    row = only(converted, "T_EDS24BIO")
    assert (row["BIO_LOI_COD"], row["BIO_PRS_IDE"], row["BIO_LOC_COD"]) == (None, 1104, "h" * 22)
    assert converted.counts == {"clinical-without-loinc": 1}


@pytest.mark.parametrize(
    ("value", "code", "system"),
    [
        ({"valueCodeableConcept": concept((SNOMED, "10828004"))}, "10828004", SNOMED),
        ({"valueCodeableConcept": concept((LOCAL, "z" * 22), (LOINC, "LA6576-8"))}, "LA6576-8", LOINC),
        ({"valueCodeableConcept": concept((LOCAL, "z" * 22))}, "z" * 20, LOCAL),
        ({"valueBoolean": True}, "true", None),
        ({"valueBoolean": False}, "false", None),
        ({}, None, None),
    ],
)
def test_a_coded_result_keeps_code_and_system(value: dict[str, object], code: str | None, system: str | None) -> None:
    row = only(convert(observation("718-7", **value)), "T_EDS24BIO")

    assert (row["BIO_VAL_COD"], row["BIO_VAL_SYS"]) == (code, system)


def test_the_reason_of_an_absent_value_is_kept() -> None:
    row = only(
        convert(observation("718-7", dataAbsentReason=concept((THO + "data-absent-reason", "not-performed")))),
        "T_EDS24BIO",
    )

    assert (row["BIO_VAL_NUM"], row["BIO_ABS_COD"]) == (None, "not-performed")


def test_bounds_in_another_unit_than_the_value_are_left_out() -> None:
    ranges = [{"low": quantity(0.7, "mg/dL"), "high": {"value": 106}}]
    row = only(
        convert(observation("14682-9", valueQuantity=quantity(85, "umol/L"), referenceRange=ranges)), "T_EDS24BIO"
    )

    assert (row["BIO_NOR_INF"], row["BIO_NOR_SUP"]) == (None, 106)


def test_the_specimen_gives_the_time_of_sampling_and_the_medium() -> None:
    specimen = resource(
        "Specimen",
        type=concept((SNOMED, "119297000")),
        collection={"collectedDateTime": "2024-01-10T06:30:00+01:00"},
    )
    sent = observation("718-7", specimen=to_resource("Specimen", "specimen-key"))

    as_structure = only(convert(sent, structures={"specimen-key": specimen}), "T_EDS24BIO")
    of_the_person = only(convert(sent | {"specimen": to_resource("Specimen", "key-2")}, specimen), "T_EDS24BIO")

    for row in (as_structure, of_the_person):
        assert (row["PLV_MIN_DEL"], row["BIO_MIL_COD"]) == (30, "119297000")


def test_a_report_groups_its_results_and_wins_over_a_panel() -> None:
    report = resource("DiagnosticReport", status="final", result=[to_resource("Observation", "key-1")])
    panel = observation("58410-2", hasMember=[to_resource("Observation", key) for key in ("key-1", "key-2")])
    withdrawn = report | {"status": "entered-in-error", "result": [to_resource("Observation", "key-2")]}
    found = rows(convert(observation("718-7"), observation("777-3"), report, panel, withdrawn), "T_EDS24BIO")

    assert [(row["BIO_RES_NUM"], row["BIO_GRP_NUM"]) for row in found] == [
        ("T:key-1", "T:key-3"),
        ("T:key-2", "T:key-4"),
    ]


def test_the_components_of_a_panel_are_rows_of_their_own() -> None:
    converted = convert(
        observation(
            "45066-8",
            component=[
                {"code": concept((LOINC, "14682-9")), "valueQuantity": quantity(85, "umol/L")},
                {"code": concept((LOINC, "62238-1")), "valueQuantity": quantity(74, "mL/min/{1.73_m2}")},
            ],
        )
    )

    found = rows(converted, "T_EDS24BIO")
    assert [(row["BIO_LOI_COD"], row["BIO_VAL_NUM"], row["BIO_GRP_NUM"]) for row in found] == [
        ("14682-9", 85, "T:key-1"),
        ("62238-1", 74, "T:key-1"),
    ]
    assert len({row["BIO_RES_NUM"] for row in found}) == 2


def test_a_value_too_large_for_its_column_is_left_out_and_counted() -> None:
    converted = convert(observation("14682-9", valueQuantity=quantity(1e15, "umol/L")))

    assert only(converted, "T_EDS24BIO")["BIO_VAL_NUM"] is None
    assert converted.counts == {"value-too-large": 1}


def test_a_known_laboratory_code_needs_no_category() -> None:
    assert only(convert(observation("718-7", category=None)), "T_EDS24BIO")["BIO_LOI_COD"] == "718-7"


@pytest.mark.parametrize("sent", [observation("72166-2", category="social-history"), observation(category=None)])
def test_what_is_neither_a_result_nor_a_measure_is_counted(sent: dict[str, object]) -> None:
    converted = convert(sent)

    assert (converted.tables, converted.counts) == ({}, {"observation-not-kept": 1})


def test_entry_without_a_time_gives_days_but_no_minutes() -> None:
    place = Place("stay-key", "0000000042", 2024, moment("2024-01-10"), moment("2024-01-14"))
    converted = convert(observation("718-7", effectiveDateTime="2024-01-14T23:59:00+01:00"), place=place)

    row = only(converted, "T_EDS24BIO")
    assert (row["PLV_DAT_DEL"], row["PLV_MIN_DEL"]) == (4, None)
    assert converted.outside == {}


def test_an_event_without_encounter_does_not_wait_with_one_whose_encounter_cannot_be_told() -> None:
    lost, free = observation("718-7", encounter={"type": "Encounter"}), observation("777-3")
    del free["encounter"]
    view = PersonView(
        FINESS, frozenset(), tuple(Staged(f"k{n}", "Observation", one) for n, one in enumerate((lost, free)))
    )

    converted = clinical_rows(
        view, placing=lambda one: None if one.get("encounter") else NO_STAY, contract=Contract(finess=FINESS),
        pseudonyms=Pseudonyms(), nir_ano_17=NIR,
    )  # fmt: skip

    assert [row["BIO_LOI_COD"] for row in rows(converted, "T_EDS24BIO")] == ["777-3"]
    assert converted.counts == {"waiting-stay": 1}
