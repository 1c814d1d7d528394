"""Dispenses outside a stay become lines of DCIR; drugs of the liste en sus given in a stay become T_MCOaaMED."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.support.clinical_resources import (
    CONTRACT,
    FINESS,
    STAY,
    THO,
    Pseudonyms,
    administration,
    concept,
    quantity,
    request,
    resource,
    to_resource,
    to_stay,
)
from transformers.contract import Contract
from transformers.deidentify.pseudonyms import TableKeys, random_key
from transformers.snds.dispensing import Dispensed, age_code, dispense_days, dispensing_rows
from transformers.snds.expensive_drugs import expensive_rows
from transformers.snds.person import person_rows
from transformers.snds.placing import NO_STAY, Place
from transformers.snds.reference import NO_REFERENCE, Listed, Reference
from transformers.snds.schema import TABLES
from transformers.snds.view import PersonView, Row, Staged

UCD, CIP = "http://data.esante.gouv.fr/ansm/medicament/UCD", "urn:oid:1.2.250.1.213.2.3.2"
RETROCEDED = concept((UCD, "3400892345673"))
BOXED = concept((CIP, "3400930000120"))
KEYS = (
    "DCT_ORD_NUM", "FLX_DIS_DTD", "FLX_EMT_NUM", "FLX_EMT_ORD", "FLX_EMT_TYP", "FLX_TRT_DTD", "ORG_CLE_NUM",
    "PRS_ORD_NUM", "REM_TYP_AFF",
)  # fmt: skip


def beneficiary() -> Row:
    values = dict(TABLES["IR_BEN_R"].defaults) | {
        "BEN_NIR_PSA": "P" * 17, "BEN_RNG_GEM": 1, "BEN_CDI_NIR": "00", "BEN_NAI_ANN": "1960", "BEN_SEX_COD": 2,
        "BEN_RES_DPT": "075", "BEN_DCD_AME": "160001", "BEN_DCD_DTE": date(1600, 1, 1),
    }  # fmt: skip
    return tuple(values[name] for name in TABLES["IR_BEN_R"].names)


def dispense(**content: Any) -> dict[str, Any]:
    made = {"status": "completed", "whenHandedOver": "2024-03-15T10:00:00+01:00", "medicationCodeableConcept": BOXED}
    return resource("MedicationDispense", **(made | content))


def view(*resources: dict[str, Any]) -> PersonView:
    staged = (Staged(f"key-{n}", one["resourceType"], one) for n, one in enumerate(resources, start=1))
    return PersonView(FINESS, frozenset(), tuple(staged))


def convert(
    *resources: dict[str, Any],
    place: Place | None = NO_STAY,
    contract: Contract = CONTRACT,
    person: Row | None = None,
    reference: Reference = NO_REFERENCE,
) -> Dispensed:
    return dispensing_rows(
        view(*resources),
        person or beneficiary(),
        placing=lambda _: place,
        contract=contract,
        pseudonyms=Pseudonyms(),
        birth=(1960, 2),
        reference=reference,
    )


def rows(converted: Dispensed, table: str) -> list[dict[str, Any]]:
    return [dict(zip(TABLES[table].names, row, strict=True)) for row in converted.tables.get(table, ())]


def test_a_box_gives_three_rows_that_join_on_the_nine_keys() -> None:
    converted = convert(dispense(quantity=quantity(2, "{box}")))

    assert sorted(converted.tables) == ["ER_ETE_F", "ER_PHA_F", "ER_PRS_F"]
    [line], [box], [executor] = (rows(converted, name) for name in ("ER_PRS_F", "ER_PHA_F", "ER_ETE_F"))
    keys = {name: line[name] for name in KEYS}
    assert {name: box[name] for name in KEYS} == {name: executor[name] for name in KEYS} == keys
    assert keys["FLX_DIS_DTD"] == date(2024, 4, 1)
    assert keys["FLX_TRT_DTD"] == date(2024, 3, 31)
    assert (keys["PRS_ORD_NUM"], keys["REM_TYP_AFF"]) == (1, 0)
    assert (box["PHA_PRS_C13"], box["PHA_PRS_IDE"], box["PHA_ACT_QSN"]) == (3400930000120, 3000012, 2)
    assert (executor["ETB_EXE_FIN"], executor["ETE_IND_TAA"], executor["ETE_GHS_NUM"]) == (FINESS[:8], 0, 0)


def test_the_line_stands_in_the_filters_of_analysts_and_invents_no_amount() -> None:
    [line] = rows(convert(dispense(quantity=quantity(2, "{box}"))), "ER_PRS_F")

    zeros = ("DPN_QLF", "PRS_DPN_QLP", "CPL_MAJ_TOP", "CPL_AFF_COD", "CPL_PRS_NAT")
    assert [line[name] for name in zeros] == [0] * 5
    assert (line["PRS_ACT_QTE"], line["PRS_NAT_REF"], line["BSE_PRS_NAT"]) == (2, 3313, 3313)
    assert (line["BEN_NIR_PSA"], line["BEN_CDI_NIR"], line["BEN_AMA_COD"]) == ("P" * 17, "00", 64)
    assert (line["EXE_SOI_DTD"], line["EXE_SOI_AMD"]) == (date(2024, 3, 15), "202403")
    amounts = [name for name in line if name.endswith(("_MNT", "_TAU", "_PRU", "REM_BSE"))]
    assert len(amounts) > 10
    assert {line[name] for name in amounts} == {None}


def test_every_column_that_may_not_be_null_has_a_value() -> None:
    converted = convert(dispense(), dispense(medicationCodeableConcept=RETROCEDED))

    for table in converted.tables:
        required = [column.name for column in TABLES[table].columns if not column.nullable]
        assert [(name, row[name]) for row in rows(converted, table) for name in required if row[name] is None] == []


def test_a_ucd_is_a_retrocession() -> None:
    converted = convert(dispense(medicationCodeableConcept=RETROCEDED, quantity=quantity(30, "{tbl}")))

    [unit], [line] = rows(converted, "ER_UCD_F"), rows(converted, "ER_PRS_F")
    assert (unit["UCD_UCD_COD"], unit["UCD_DLV_NBR"], unit["UCD_TOP_UCD"]) == ("3400892345673", 30, 0)
    assert line["PRS_NAT_REF"] == 3318
    assert "ER_PHA_F" not in converted.tables


def test_a_dispense_with_both_codes_is_a_box_in_the_community_and_a_unit_in_the_hospital() -> None:
    both = {"coding": RETROCEDED["coding"] + BOXED["coding"]}
    community = concept((THO + "medicationdispense-category", "community"))

    assert "ER_UCD_F" in convert(dispense(medicationCodeableConcept=both)).tables
    assert "ER_PHA_F" in convert(dispense(medicationCodeableConcept=both, category=community)).tables


@pytest.mark.parametrize(
    ("content", "place", "counted"),
    [
        ({"context": to_stay()}, STAY, "dispense-inpatient"),
        ({"context": to_stay()}, None, "waiting-stay"),
        ({"category": concept((THO + "medicationdispense-category", "inpatient"))}, NO_STAY, "dispense-inpatient"),
        ({"status": "in-progress"}, NO_STAY, "clinical-preliminary"),
        ({"status": "entered-in-error"}, NO_STAY, "clinical-removed"),
        ({"whenHandedOver": None}, NO_STAY, "clinical-without-date"),
        ({"medicationCodeableConcept": concept(("urn:x", "1"))}, NO_STAY, "dispense-without-presentation"),
    ],
)
def test_what_is_no_outpatient_dispense_gives_no_row(
    content: dict[str, Any], place: Place | None, counted: str
) -> None:
    converted = convert(dispense(**content), place=place)

    assert converted.tables == {}
    assert converted.counts[counted] == 1


def test_a_dispense_in_an_ambulatory_contact_counts() -> None:
    assert "ER_PRS_F" in convert(dispense(context=to_stay()), place=NO_STAY).tables


def test_a_person_who_is_not_chained_has_no_line() -> None:
    converted = dispensing_rows(
        view(dispense()), None, placing=lambda _: NO_STAY, contract=Contract(finess=FINESS), pseudonyms=Pseudonyms(),
        birth=None,
    )  # fmt: skip

    assert converted.tables == {}
    assert converted.counts["dispense-without-person"] == 1


@pytest.mark.parametrize(
    ("sent", "boxes", "counted"),
    [
        (quantity(3, "{box}"), 3, None),
        ({"value": 2}, 2, "dispense-quantity-unitless"),
        (quantity(30, "{tbl}"), 1, "dispense-quantity-default"),
        (quantity(1.5, "{box}"), 1, "dispense-quantity-default"),
        (quantity(10_000, "{box}"), 1, "dispense-quantity-default"),
    ],
)
def test_boxes_are_counted_only_when_boxes_were_sent(sent: dict[str, Any], boxes: int, counted: str | None) -> None:
    converted = convert(dispense(quantity=sent))

    assert rows(converted, "ER_PHA_F")[0]["PHA_ACT_QSN"] == boxes
    assert {code for code in converted.counts if "quantity" in code} == ({counted} if counted else set())


def test_the_operators_table_gives_the_nature() -> None:
    converted = convert(dispense(), reference=Reference(natures={"3400930000120": 3311}))

    assert rows(converted, "ER_PRS_F")[0]["PRS_NAT_REF"] == 3311
    assert "dispense-nature-default" not in converted.counts


def test_without_the_switch_of_care_dates_the_month_remains() -> None:
    sent = (dispense(authorizingPrescription=[to_resource("MedicationRequest", "key-2")]), request())
    contract = Contract(finess=FINESS, potential_identifiers=frozenset())

    [line] = rows(convert(*sent, contract=contract), "ER_PRS_F")
    assert (line["EXE_SOI_DTD"], line["PRE_PRE_DTD"], line["PRE_PRE_AMD"]) == (date(2024, 3, 1), None, "202401")
    assert line["ETB_PRE_FIN"] == FINESS[:8]
    [line] = rows(convert(*sent), "ER_PRS_F")
    assert (line["EXE_SOI_DTD"], line["PRE_PRE_DTD"]) == (date(2024, 3, 15), date(2024, 1, 10))


def test_the_keys_of_ten_thousand_dispenses_of_a_month_are_all_different() -> None:
    converted = dispensing_rows(
        view(*(dispense() for _ in range(10_000))), beneficiary(), placing=lambda _: NO_STAY, contract=CONTRACT,
        pseudonyms=TableKeys(random_key()), birth=(1960, 2),
    )  # fmt: skip

    keys = {tuple(row[name] for name in KEYS) for row in rows(converted, "ER_PRS_F")}
    assert len(keys) == 10_000


def test_dates_of_care_are_those_of_the_dispenses_that_count() -> None:
    days = dispense_days(view(dispense(), dispense(status="declined")), placing=lambda _: NO_STAY)

    assert days == (date(2024, 3, 15),)


@pytest.mark.parametrize(
    ("birth", "code"),
    [
        ((1960, 2), 64),
        ((1960, 4), 63),
        ((2022, 3), 2),
        ((2022, 4), 1023),
        ((2024, 3), 1000),
        ((1960, None), 64),
        ((2023, None), 9999),
        ((2025, 1), 9999),
        (None, 9999),
    ],
)
def test_the_age_is_in_years_from_two_years_on_else_in_months(birth: tuple[int, int | None] | None, code: int) -> None:
    assert age_code(birth, date(2024, 3, 15)) == code


LIST = Reference(expensive={"3400892345673": (Listed(date(2023, 1, 1), date(2024, 6, 30), 100.0, "mg"),)})


def given(dose: dict[str, Any], **content: Any) -> dict[str, Any]:
    return administration(medicationCodeableConcept=RETROCEDED, dosage={"dose": dose}, **content)


def expensive(*resources: dict[str, Any], reference: Reference = LIST, place: Place | None = STAY) -> Dispensed:
    return expensive_rows(
        view(*resources), placing=lambda _: place, contract=Contract(finess=FINESS), reference=reference
    )


def test_doses_of_one_day_are_summed_in_units_of_dispensing() -> None:
    converted = expensive(given(quantity(150, "mg")), given(quantity(1, "{UCD}")), given(quantity(0.05, "g")))

    names = TABLES["T_MCOaaMED"].names
    [row] = [dict(zip(names, row, strict=True)) for row in converted.tables["T_MCO24MED"]]
    assert (row["ADM_NBR"], row["DELAI"], row["UCD_UCD_COD"]) == (3.0, 1, "3400892345673")
    assert (row["RSA_NUM"], row["ANN"], row["MOI"], row["ADM_MOIS"], row["DAT_ADM_ANN"]) == (
        "0000000042", "2024", "01", "01", "2024",
    )  # fmt: skip


def test_without_the_list_or_outside_its_dates_there_is_no_row() -> None:
    sent = given(quantity(100, "mg"))

    assert expensive(sent, reference=NO_REFERENCE).tables == {}
    assert expensive(sent, place=NO_STAY).tables == {}
    old = Reference(expensive={"3400892345673": (Listed(date(2020, 1, 1), date(2021, 1, 1), 100.0, "mg"),)})
    assert expensive(sent, reference=old).tables == {}


@pytest.mark.parametrize("dose", [{"value": 100}, quantity(100, "mL"), quantity(0, "mg")])
def test_a_dose_that_cannot_be_told_in_units_is_counted(dose: dict[str, Any]) -> None:
    converted = expensive(given(dose))

    assert (converted.tables, converted.counts) == ({}, {"expensive-quantity-unknown": 1})


def test_a_dispense_is_care_of_its_person_and_joins_the_beneficiary() -> None:
    person = {"system": "urn:snds-gateway:person", "value": "person-alias"}
    known = {"resourceType": "Patient", "identifier": [person], "gender": "female", "birthDate": "1960-02"}
    fact = {
        "resourceType": "Basic",
        "code": concept(("urn:snds-gateway:fact", "person")),
        "identifier": [
            {"system": f"urn:snds-gateway:{name}", "value": f"{name}-level-one-0000"} for name in ("psa", "ano")
        ],
    }
    found = person_rows(
        view(known, fact, dispense()), contract=CONTRACT, pseudonyms=Pseudonyms(), numbers=lambda *_: "0" * 10
    )

    assert sorted(found.tables) == ["ER_ETE_F", "ER_PHA_F", "ER_PRS_F", "IR_BEN_R"]
    [held] = [dict(zip(TABLES["IR_BEN_R"].names, row, strict=True)) for row in found.tables["IR_BEN_R"]]
    [line] = [dict(zip(TABLES["ER_PRS_F"].names, row, strict=True)) for row in found.tables["ER_PRS_F"]]
    assert (held["BEN_NIR_PSA"], held["BEN_RNG_GEM"]) == (line["BEN_NIR_PSA"], line["BEN_RNG_GEM"])
    assert held["MAX_TRT_DTD"] == date(2024, 3, 15)
    assert line["BEN_SEX_COD"] == 2
