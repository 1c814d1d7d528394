"""Newborns and deliveries, the mother-child link, what the hospital's grouper said, the operator's reference data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.deidentified import (
    CONTRACT,
    EDSH,
    THO,
    Numbers,
    age_fact,
    claim,
    concept,
    condition,
    converted,
    diagnosis,
    encounter,
    finess,
    known_adult,
    observation,
    only,
    organization,
    ours,
    outcome,
    part_of,
    patient,
    person_fact,
    procedure,
    rum,
    structure,
    table,
    values,
    view,
)
from tests.support.made_events import Pseudonyms
from transformers.snds.person import person_rows
from transformers.snds.reference import Reference
from transformers.snds.view import PersonRows, Staged

BORN = {"admitSource": concept(THO + "admit-source", "born")}
COMMUNE = replace(CONTRACT, potential_identifiers=CONTRACT.potential_identifiers | {"commune"})
DRG = EDSH + "StructureDefinition/edsh-drg"


def newborn(*more: Staged, **stay: Any) -> PersonRows:
    child = (patient(born="2024-01"), person_fact(psa=None, ano=None), age_fact("stay", "2024-01-10", days=0))
    visit = encounter(**({"partOf": part_of("mother"), "hospitalization": BORN} | stay))
    return converted(*child, visit, condition("Z38.0", "DP"), *more)


def test_a_newborn_under_its_mother_is_a_stay_of_its_own_linked_to_hers() -> None:
    child = newborn()
    mother = converted(*known_adult(encounter("mother"), condition("O80.0", "DP", stay="mother")))

    assert outcome(child).status == "written"
    assert only(child, "T_MCOaaC")["ID_MAM_ENF"] == only(mother, "T_MCOaaC")["ID_MAM_ENF"] is not None
    assert [only(one, "T_MCOaaC")["HOS_NN_MAM"] for one in (child, mother)] == ["1", None]
    assert (only(child, "T_MCOaaB")["ENT_MOD"], only(child, "T_MCOaaB")["AGE_JOU"]) == ("N", 0)


def test_only_deliveries_and_newborns_have_a_mother_child_link() -> None:
    assert only(converted(*known_adult(encounter(), condition("I10", "DP"))), "T_MCOaaC")["ID_MAM_ENF"] is None


def test_the_weight_of_a_newborn_is_in_grams_and_its_gestation_in_whole_weeks() -> None:
    rows = newborn(
        observation("8339-4", 3.25, "kg"), observation("29463-7", 3100, "g"), observation("11884-4", 39.6, "wk")
    )

    stay = only(rows, "T_MCOaaB")
    assert (stay["POI_NAI"], stay["AGE_GES"], only(rows, "T_MCOaaUM")["AGE_GES"]) == (3250, 39, 39)


def test_without_a_birth_weight_the_first_weight_of_the_stay_stands() -> None:
    first = observation("29463-7", 3100, "g", when="2024-01-10T09:00:00+01:00")
    later = observation("29463-7", 3.0, "kg", when="2024-01-12T09:00:00+01:00")

    assert only(newborn(later, first), "T_MCOaaB")["POI_NAI"] == 3100


def test_a_weight_of_an_adult_is_no_birth_weight() -> None:
    rows = converted(*known_adult(encounter(), condition("I10", "DP"), observation("29463-7", 3.1, "kg")))

    assert only(rows, "T_MCOaaB")["POI_NAI"] is None


def test_a_delivery_tells_the_days_since_the_last_period() -> None:
    said = observation("8665-2", 0, "", valueDateTime="2023-04-10")
    delivery = converted(*known_adult(encounter(), condition("O80.0", "DP"), said))
    other = converted(*known_adult(encounter(), condition("I10", "DP"), said))

    assert [only(rows, "T_MCOaaB")["DEL_REG_ENT"] for rows in (delivery, other)] == [275, None]


def group(ghm: str | None, **parts: str) -> dict[str, Any]:
    extension = [{"url": "GHM", "valueCodeableConcept": concept(EDSH + "CodeSystem/ghm", ghm)}] if ghm else []
    return {"url": DRG, "extension": extension + [{"url": name, "valueString": value} for name, value in parts.items()]}


def test_the_group_that_the_hospital_sent_is_written() -> None:
    summary = claim(diagnosis=[diagnosis(1, "DP", "I10")], extension=[group("05M093", codeRetour="0", vClassif="11")])
    stay = only(converted(*known_adult(encounter(), summary)), "T_MCOaaB")

    names = ("GRG_GHM", "GRG_RET", "GRG_VER", "GRC_GHM", "GRC_RET", "GHS_NUM")
    assert [stay[name] for name in names] == ["05M093", "000", "11", "05M093", "000", "0000"]


def test_a_group_that_has_not_six_characters_is_counted_and_the_sentinel_stands() -> None:
    rows = converted(*known_adult(encounter(), rum(1, "2024-01-10", "2024-01-14", diagnosis(1, "DP", "I10"))))
    short = rum(1, "2024-01-10", "2024-01-14", diagnosis(1, "DP", "I10"))
    short.resource["extension"].append(group("05M09"))
    counted = converted(*known_adult(encounter(), short))

    assert only(rows, "T_MCOaaB")["GRG_GHM"] == only(counted, "T_MCOaaB")["GRG_GHM"] == "XXXXXX"
    assert "ghm-incomplete" not in outcome(rows).counts
    assert outcome(counted).counts["ghm-incomplete"] == 1


def with_reference(reference: Reference, *resources: Staged, contract: Any = CONTRACT) -> PersonRows:
    return person_rows(
        view(*resources), contract=contract, pseudonyms=Pseudonyms(), numbers=Numbers(), reference=reference
    )


def test_a_loaded_nomenclature_leaves_unknown_codes_out() -> None:
    reference = Reference(nomenclatures={"cim10": frozenset({"I10"}), "ccam": frozenset({"DEQP003"})})
    resources = known_adult(
        encounter(), condition("I10", "DP"), condition("E99.9", "DA"), procedure("DEQP003", "2024-01-10"),
        procedure("ZZZZ999", "2024-01-10"),
    )  # fmt: skip
    checked, unchecked = with_reference(reference, *resources), converted(*resources)

    assert (only(checked, "T_EDSaaSEJ")["FLG_COD_REJ"], only(checked, "T_MCOaaB")["NBR_ACT"]) == (2, 1)
    assert table(checked, "T_MCOaaD") == []
    assert (only(unchecked, "T_EDSaaSEJ")["FLG_COD_REJ"], only(unchecked, "T_MCOaaB")["NBR_DGN"]) == (0, 1)


def test_a_principal_diagnosis_outside_the_loaded_nomenclature_is_in_quarantine() -> None:
    reference = Reference(nomenclatures={"cim10": frozenset({"E11"})})

    rows = with_reference(reference, *known_adult(encounter(), condition("I10", "DP")))
    assert outcome(rows).reason == "principal-diagnosis-not-cim10"


@pytest.mark.parametrize("known", ["50129", "50100"])
def test_the_operators_table_gives_the_pmsi_code_of_a_commune(known: str) -> None:
    address = [
        ours("department", "Code", "50"),
        ours("insee-code", "Code", "50129"),
        ours("postal-code", "Code", "50100"),
    ]
    person = (patient(extension=address), person_fact(), encounter(), condition("I10", "DP"))
    rows = with_reference(Reference(geographic_codes={known: "50C01"}), *person, contract=COMMUNE)

    assert (only(rows, "T_MCOaaB")["BDI_COD"], only(rows, "T_EDSaaSEJ")["FLG_GEO_DEF"]) == ("50C01", "0")


def test_the_operators_table_tells_which_hospital_a_site_is_of() -> None:
    origin = organization("other", finess("FINEG", "750000026"))
    visit = encounter(
        hospitalization={"admitSource": concept(THO + "admit-source", "emd"), "origin": structure("other")}
    )
    resources = known_adult(visit, origin, condition("I10", "DP"))
    elsewhere = with_reference(Reference(legal_entities={"750000026": "690781810"}), *resources)

    assert values(table(elsewhere, "T_EDSaaSEJ"), "SEJ_PAS_URG") == ["U"]
    assert values(table(converted(*resources), "T_EDSaaSEJ"), "SEJ_PAS_URG") == ["5"]


def test_the_igs_ii_comes_from_the_codes_that_the_contract_names() -> None:
    contract = replace(CONTRACT, severity_codes=("IGS2",))
    first = encounter("u1", "2024-01-10", "2024-01-12", partOf=part_of("stay"))
    second = encounter("u2", "2024-01-12", "2024-01-14", partOf=part_of("stay"))
    score = observation("IGS2", 41, "{score}", when="2024-01-12T10:00:00+01:00")
    resources = known_adult(encounter(), first, second, condition("I10", "DP"), score)

    assert values(table(converted(*resources, contract=contract), "T_MCOaaUM"), "IGS2_COD") == [None, "041"]
    assert values(table(converted(*resources), "T_MCOaaUM"), "IGS2_COD") == [None, None]
