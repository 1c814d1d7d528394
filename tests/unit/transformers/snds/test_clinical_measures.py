"""Vital signs, anthropometry and scores become rows of T_EDSaaCST."""

from __future__ import annotations

import pytest

from tests.support.clinical_resources import (
    FINESS,
    LOINC,
    NIR,
    concept,
    convert,
    day,
    observation,
    only,
    quantity,
    rows,
)


def pressure(**content: object) -> dict[str, object]:
    parts = [("8480-6", 135), ("8462-4", 85)]
    return observation(
        "85354-9",
        category="vital-signs",
        component=[
            {"code": concept((LOINC, code)), "valueQuantity": quantity(value, "mm[Hg]")} for code, value in parts
        ],
        **content,
    )


def test_a_measure_gives_one_row_in_official_column_order() -> None:
    converted = convert(observation("29463-7", category="vital-signs", valueQuantity=quantity(82.5, "kg")))

    assert only(converted, "T_EDS24CST") == {
        "ETA_NUM": FINESS,
        "RSA_NUM": "0000000042",
        "NIR_ANO_17": NIR,
        "CST_MES_NUM": "T:key-1",
        "CST_LIG_NUM": 0,
        "CST_SOI_DTD": day("2024-01-10"),
        "CST_SOI_AMD": "202401",
        "CST_DAT_DEL": 0,
        "CST_MIN_DEL": 120,
        "CST_LOI_COD": "29463-7",
        "CST_VAL_NUM": 82.5,
        "CST_UNI_COD": "kg",
        "CST_VAL_STD": 82.5,
        "CST_UNI_STD": "kg",
        "CST_VAL_COD": None,
        "CST_STA_COD": "F",
    }


def test_a_blood_pressure_gives_two_lines_numbered_as_its_components() -> None:
    found = rows(convert(pressure()), "T_EDS24CST")

    assert [(row["CST_MES_NUM"], row["CST_LIG_NUM"], row["CST_LOI_COD"], row["CST_VAL_NUM"]) for row in found] == [
        ("T:key-1", 1, "8480-6", 135),
        ("T:key-1", 2, "8462-4", 85),
    ]


def test_both_lines_of_a_pressure_dated_outside_are_counted() -> None:
    assert convert(pressure(effectiveDateTime="2024-02-01")).outside == {"stay-key": 2}


@pytest.mark.parametrize(
    ("loinc", "value", "unit", "normal", "wanted"),
    [
        ("8310-5", 98.6, "[degF]", 37.0, "Cel"),
        ("8302-2", 1.75, "m", 175.0, "cm"),
        ("29463-7", 3200, "g", 3.2, "kg"),
        ("8480-6", 12, "kPa", 90.0074, "mm[Hg]"),
        ("8867-4", 72, "{beats}/min", 72, "/min"),
        ("8867-4", 72, "bpm", 72, "/min"),
        ("9269-2", 15, "{score}", 15, "1"),
        ("59408-5", 0.97, "1", 97.0, "%"),
    ],
)
def test_a_measure_is_normalised(loinc: str, value: float, unit: str, normal: float, wanted: str) -> None:
    row = only(convert(observation(loinc, category="vital-signs", valueQuantity=quantity(value, unit))), "T_EDS24CST")

    assert (row["CST_VAL_NUM"], row["CST_UNI_COD"], row["CST_UNI_STD"]) == (value, unit, wanted)
    assert row["CST_VAL_STD"] == pytest.approx(normal)


def test_a_score_sent_as_an_integer_or_under_another_category_is_a_measure() -> None:
    row = only(convert(observation("9269-2", category="survey", valueInteger=14)), "T_EDS24CST")

    assert (row["CST_VAL_NUM"], row["CST_VAL_STD"], row["CST_UNI_STD"]) == (14, 14, "1")


def test_a_measure_without_loinc_has_no_row_and_is_counted() -> None:
    local = concept(("urn:snds-gateway:local", "h" * 22))
    converted = convert(observation(category="vital-signs", code=local, valueQuantity=quantity(1, "1")))

    assert converted.tables == {}
    assert converted.counts["clinical-without-loinc"] == 1


def test_a_measure_without_a_value_has_no_row() -> None:
    assert convert(observation("29463-7", category="vital-signs")).tables == {}


def test_a_root_value_beside_components_is_line_zero() -> None:
    sent = pressure(valueQuantity=quantity(100, "mm[Hg]"))

    assert [row["CST_LIG_NUM"] for row in rows(convert(sent), "T_EDS24CST")] == [0, 1, 2]


def test_a_coded_measure_keeps_its_code() -> None:
    sent = observation(
        "8884-9", category="vital-signs", valueCodeableConcept=concept(("http://snomed.info/sct", "64730000"))
    )

    assert only(convert(sent), "T_EDS24CST")["CST_VAL_COD"] == "64730000"
