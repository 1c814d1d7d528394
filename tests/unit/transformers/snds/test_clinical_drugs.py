"""Prescriptions and administrations become rows of T_EDSaaPRE and T_EDSaaADM."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.clinical_resources import (
    FINESS,
    NIR,
    THO,
    administration,
    concept,
    convert,
    day,
    only,
    quantity,
    request,
    resource,
    to_resource,
)
from transformers.snds.placing import NO_STAY

ATC, UCD = "http://www.whocc.no/atc", "http://data.esante.gouv.fr/ansm/medicament/UCD"
CIS = "urn:oid:1.2.250.1.213.2.3.1"
EDQM = "http://standardterms.edqm.eu"
ASPIRIN = concept(
    (ATC, "B01AC06"), (UCD, "9234567"), ("urn:oid:1.2.250.1.213.2.3.2", "3400930000001"), (CIS, "60234100")
)


def test_a_prescription_gives_one_row_in_official_column_order() -> None:
    sent = request(
        medicationCodeableConcept=ASPIRIN,
        category=[concept((THO + "medicationrequest-category", "inpatient"))],
        dosageInstruction=[
            {
                "route": concept((EDQM, "20053000")),
                "timing": {
                    "repeat": {
                        "frequency": 2,
                        "period": 1,
                        "periodUnit": "d",
                        "boundsPeriod": {"start": "2024-01-10", "end": "2024-02-09"},
                    }
                },
                "doseAndRate": [{"doseQuantity": quantity(75, "mg")}],
            }
        ],
    )

    assert only(convert(sent), "T_EDS24PRE") == {
        "ETA_NUM": FINESS,
        "RSA_NUM": "0000000042",
        "NIR_ANO_17": NIR,
        "PRE_EVT_NUM": "T:key-1",
        "PRE_SOI_DTD": day("2024-01-10"),
        "PRE_SOI_AMD": "202401",
        "PRE_DAT_DEL": 0,
        "PRE_MIN_DEL": 120,
        "UCD_UCD_COD": "3400892345673",
        "PHA_PRS_C13": 3400930000001,
        "PHA_CIS_COD": "60234100",
        "PHA_ATC_CLA": "B01AC06",
        "PRE_VOI_COD": "20053000",
        "PRE_DOS_QTE": 75,
        "PRE_DOS_UNI": "mg",
        "PRE_FRQ_NBR": 2,
        "PRE_PER_QTE": 1,
        "PRE_PER_UNI": "d",
        "PRE_DUR_JOU": 30,
        "PRE_CTX_COD": "H",
        "PRE_STA_COD": "A",
    }


def test_an_administration_gives_one_row_in_official_column_order() -> None:
    sent = administration(
        medicationCodeableConcept=ASPIRIN,
        effectivePeriod={"start": "2024-01-11T08:00:00+01:00", "end": "2024-01-11T09:30:00+01:00"},
        request=to_resource("MedicationRequest", "request-key"),
        dosage={
            "route": concept((EDQM, "20045000")),
            "dose": quantity(500, "mg"),
            "rateRatio": {"numerator": quantity(500, "mg"), "denominator": quantity(1.5, "h")},
        },
    )
    del sent["effectiveDateTime"]

    assert only(convert(sent), "T_EDS24ADM") == {
        "ETA_NUM": FINESS,
        "RSA_NUM": "0000000042",
        "NIR_ANO_17": NIR,
        "ADM_EVT_NUM": "T:key-1",
        "PRE_EVT_NUM": "T:request-key",
        "ADM_SOI_DTD": day("2024-01-11"),
        "ADM_SOI_AMD": "202401",
        "ADM_DAT_DEL": 1,
        "ADM_MIN_DEL": 1560,
        "ADM_DUR_MIN": 90,
        "UCD_UCD_COD": "3400892345673",
        "PHA_PRS_C13": 3400930000001,
        "PHA_CIS_COD": "60234100",
        "PHA_ATC_CLA": "B01AC06",
        "ADM_VOI_COD": "20045000",
        "ADM_DOS_QTE": 500,
        "ADM_DOS_UNI": "mg",
        "ADM_DEB_QTE": 333.3333,
        "ADM_DEB_UNI": "mg/h",
        "ADM_STA_COD": "F",
    }


@pytest.mark.parametrize(
    ("status", "written"),
    [("active", "A"), ("completed", "F"), ("stopped", "S"), ("draft", None), ("on-hold", None), ("cancelled", None)],
)
def test_the_status_of_a_prescription_is_written(status: str, written: str | None) -> None:
    converted = convert(request(status=status, medicationCodeableConcept=ASPIRIN))

    assert [row[-1] for row in converted.tables.get("T_EDS24PRE", ())] == ([written] if written else [])


@pytest.mark.parametrize(
    ("status", "written"),
    [("completed", "F"), ("in-progress", "P"), ("stopped", "S"), ("not-done", None), ("entered-in-error", None)],
)
def test_the_status_of_an_administration_is_written(status: str, written: str | None) -> None:
    converted = convert(administration(status=status, medicationCodeableConcept=ASPIRIN))

    assert [row[-1] for row in converted.tables.get("T_EDS24ADM", ())] == ([written] if written else [])
    assert converted.counts == ({} if written else {"clinical-removed": 1})


def test_a_link_between_administration_and_prescription_joins() -> None:
    converted = convert(
        request(medicationCodeableConcept=ASPIRIN),
        administration(medicationCodeableConcept=ASPIRIN, request=to_resource("MedicationRequest", "key-1")),
    )

    assert only(converted, "T_EDS24ADM")["PRE_EVT_NUM"] == only(converted, "T_EDS24PRE")["PRE_EVT_NUM"]


@pytest.mark.parametrize(
    "medication",
    [
        {"code": ASPIRIN},
        {"ingredient": [{"itemCodeableConcept": ASPIRIN}]},
        {"code": concept(("urn:snds-gateway:local", "h" * 22)), "ingredient": [{"itemCodeableConcept": ASPIRIN}]},
    ],
)
def test_the_drug_of_a_medication_is_read(medication: dict[str, Any]) -> None:
    made = resource("Medication", **medication)
    structures = {"medication-key": made}
    as_structure = convert(
        request(medicationReference=to_resource("Medication", "medication-key")), structures=structures
    )

    assert only(as_structure, "T_EDS24PRE")["PHA_ATC_CLA"] == "B01AC06"
    assert as_structure.counts == {}


def test_a_drug_without_a_known_code_keeps_its_row_and_is_counted() -> None:
    converted = convert(request(medicationReference=to_resource("Medication", "never-sent")))

    assert only(converted, "T_EDS24PRE")["PHA_ATC_CLA"] is None
    assert converted.counts == {"clinical-without-drug": 1}


def test_a_prescription_is_dated_by_its_dosage_else_by_the_entry() -> None:
    bounded = request(
        authoredOn=None,
        medicationCodeableConcept=ASPIRIN,
        dosageInstruction=[{"timing": {"repeat": {"boundsPeriod": {"start": "2024-01-12"}}}}],
    )
    bare = request(authoredOn=None, medicationCodeableConcept=ASPIRIN)

    by_dosage, by_entry = only(convert(bounded), "T_EDS24PRE"), only(convert(bare), "T_EDS24PRE")
    assert (by_dosage["PRE_SOI_DTD"], by_dosage["PRE_DAT_DEL"]) == (day("2024-01-12"), 2)
    assert (by_entry["PRE_SOI_DTD"], by_entry["PRE_DAT_DEL"], by_entry["PRE_MIN_DEL"]) == (day("2024-01-10"), 0, None)
    assert convert(bare, place=NO_STAY).counts["clinical-without-date"] == 1


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"code": concept((THO + "v3-GTSAbbreviation", "TID"))}, (3, 1, "d")),
        ({"code": concept((THO + "v3-GTSAbbreviation", "Q6H"))}, (1, 6, "h")),
        ({"repeat": {"frequency": 1, "period": 8, "periodUnit": "h"}}, (1, 8, "h")),
        ({}, (None, None, None)),
    ],
)
def test_the_frequency_is_read_from_the_repeat_or_the_usual_codes(
    timing: dict[str, Any], expected: tuple[object, ...]
) -> None:
    row = only(
        convert(request(medicationCodeableConcept=ASPIRIN, dosageInstruction=[{"timing": timing}])), "T_EDS24PRE"
    )

    assert (row["PRE_FRQ_NBR"], row["PRE_PER_QTE"], row["PRE_PER_UNI"]) == expected


@pytest.mark.parametrize(
    ("content", "days"),
    [
        ({"dispenseRequest": {"expectedSupplyDuration": quantity(4, "wk")}}, 28),
        ({"dosageInstruction": [{"timing": {"repeat": {"boundsDuration": quantity(48, "h")}}}]}, 2),
        ({"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"start": "2024-01-10"}}}}]}, None),
    ],
)
def test_the_duration_is_counted_in_days(content: dict[str, Any], days: int | None) -> None:
    assert only(convert(request(medicationCodeableConcept=ASPIRIN, **content)), "T_EDS24PRE")["PRE_DUR_JOU"] == days


@pytest.mark.parametrize("content", [{"intent": "proposal"}, {"intent": "plan"}])
def test_a_proposal_is_no_prescription(content: dict[str, Any]) -> None:
    converted = convert(request(medicationCodeableConcept=ASPIRIN, **content))

    assert (converted.tables, converted.counts) == ({}, {"request-not-order": 1})


def test_a_prescription_not_to_give_is_no_row() -> None:
    assert convert(request(medicationCodeableConcept=ASPIRIN, doNotPerform=True)).tables == {}


def test_a_route_of_another_nomenclature_does_not_stand_in_the_edqm_column() -> None:
    route = concept(("http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl", "C38299"))
    row = only(convert(request(medicationCodeableConcept=ASPIRIN, dosageInstruction=[{"route": route}])), "T_EDS24PRE")

    assert row["PRE_VOI_COD"] is None


def test_further_dosages_are_counted() -> None:
    assert convert(request(medicationCodeableConcept=ASPIRIN, dosageInstruction=[{}, {}])).counts == {
        "dosage-further": 1
    }


@pytest.mark.parametrize(
    ("dose", "unit"),
    [
        ({"value": 2, "code": "comprimés"}, "{tbl}"),
        ({"value": 75, "code": "mg"}, "mg"),
        ({"value": 75, "system": "urn:oid:2.16.840.1.113883.6.8", "code": "mg"}, "mg"),
        ({"value": 2, "system": "urn:snds-gateway:local", "code": "h" * 22}, None),
        ({"value": 2}, None),
    ],
)
def test_a_printed_unit_becomes_its_ucum_code(dose: dict[str, Any], unit: str | None) -> None:
    row = only(convert(administration(medicationCodeableConcept=ASPIRIN, dosage={"dose": dose})), "T_EDS24ADM")

    assert (row["ADM_DOS_QTE"], row["ADM_DOS_UNI"]) == (dose["value"], unit)
