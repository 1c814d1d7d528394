"""What the larger tests pass over: shapes of codes, rows of a hospital, references by key, reprs, limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.deidentified import (
    CONTRACT,
    EDS,
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
    observation,
    only,
    organization,
    outcome,
    part_of,
    patient,
    person_fact,
    procedure,
    rum,
    staged,
    statuses,
    structure,
    table,
    values,
    view,
)
from tests.support.made_events import Pseudonyms
from transformers.contract import Unit
from transformers.snds.beneficiary import beneficiary
from transformers.snds.codes import CcamCode, ccam, cim10, drug, parse_ccam, role
from transformers.snds.contents import gather
from transformers.snds.mco import rsa_format
from transformers.snds.reference import Reference
from transformers.snds.schema import TABLES, hospital_row, physical_name
from transformers.snds.structures import Structures
from transformers.snds.unfilled import reason_empty
from transformers.snds.view import PersonRows, PersonView, Staged, StayOutcome
from transformers.snds.visits import find_visits

DP = condition("I10", "DP")
CHAMP = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-organization-champ-activite"


def adult(*more: Staged, **options: Any) -> PersonRows:
    return converted(*known_adult(*more), **options)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("DEQP00301", CcamCode("DEQP003", phase="0", activity="1")),
        ("DEQP0031", CcamCode("DEQP003", activity="1")),
        ("DEQP003-4-0", CcamCode("DEQP003", phase="0", activity="4")),
        ("DZQM006-01", CcamCode("DZQM006", extension="01")),
        ("DEQP003      ", CcamCode("DEQP003")),
        ("DEQP003 and more text", None),
        ("I21.9", None),
        ("DEQP003...XX.", CcamCode("DEQP003")),
    ],
)
def test_forms_of_ccam_codes(sent: str, read: CcamCode | None) -> None:
    assert parse_ccam(sent) == read


def test_a_code_of_another_nomenclature_is_never_read_as_ours() -> None:
    snomed = concept("http://snomed.info/sct", "I10")

    assert cim10(snomed).code is None
    assert ccam(concept("http://snomed.info/sct", "DEQP003")) is None
    assert role([concept("http://snomed.info/sct", "DP")]).code is None
    assert role([concept("http://hospital.example/roles", "DP")]) == ("DP", True)


def test_a_drug_of_seven_digits_gets_its_key() -> None:
    found = drug({"coding": [{"system": "http://data.esante.gouv.fr/ansm/medicament/UCD", "code": "9234567"}]})

    assert found.ucd is not None
    assert len(found.ucd) == 13
    assert found.ucd.startswith("340089234567")
    assert drug(concept("http://data.esante.gouv.fr/ansm/medicament/UCD", "12AB")).ucd is None


@pytest.mark.parametrize(("form", "status"), [("public", "STC"), ("espic", "STC"), ("private", "OQN")])
def test_the_row_of_a_hospital_is_a_function_of_its_exits(form: Any, status: str) -> None:
    row = dict(
        zip(
            TABLES["T_MCOaaE"].names,
            hospital_row(replace(CONTRACT, legal_form=form), [(2024, 3), (2024, 11)]),
            strict=True,
        )
    )

    assert (row["ANN_TRT"], row["ETB_EXE_FIN"], row["STA_ETA"], row["SOC_RAI"]) == (
        "2024-11",
        "75071218",
        status,
        "CHU FICTIF",
    )
    assert row["REG_ETA"] == "ÎLE-DE-FRANCE"


def test_a_yearly_table_needs_its_year() -> None:
    assert (physical_name("T_MCOaaB", 2024), physical_name("IR_BEN_R")) == ("T_MCO24B", "IR_BEN_R")
    with pytest.raises(ValueError, match="one physical table a year"):
        physical_name("T_MCOaaB")


@pytest.mark.parametrize(
    ("year", "version"), [(2010, "217"), (2019, "225"), (2021, "226"), (2022, "227"), (2024, "228"), (2026, "229")]
)
def test_each_exit_year_has_its_format(year: int, version: str) -> None:
    assert rsa_format(year) == version


def test_every_column_that_is_never_filled_has_a_reason() -> None:
    never = [(name, column.name) for name, one in TABLES.items() for column in one.columns if column.fill == "N"]

    assert [one for one in never if not reason_empty(*one)] == []


def test_nothing_of_a_person_is_in_a_repr() -> None:
    resources = known_adult(
        encounter("stay", "2024-01-10", "2024-01-14"), DP, procedure("DEQP003", "2024-01-10"),
        rum(1, "2024-01-10", "2024-01-14", diagnosis(1, "DP", "I10")), observation("8339-4", 3.2, "kg"),
    )  # fmt: skip
    person = beneficiary(resources, Pseudonyms())
    visits = find_visits(resources)
    contents, _ = gather(resources, visits)
    rows = converted(*resources)
    content = next(iter(contents.values()))
    held = [person, visits, visits.visits, contents, content.summaries, rows, rows.stays, resources, Reference()]
    shown = repr([*held, view(*resources)])

    assert [word for word in ("psa-1", "ano-1", "1985", "I10", "DEQP003", "2024-01") if word in shown] == []


def test_references_by_key_are_understood_too() -> None:
    by_key = condition("E11", "DA", encounter=structure("stay", "Encounter"))
    of_unit = condition("N17.9", "DA", encounter=structure("u2", "Encounter"))
    units = [
        encounter("u1", "2024-01-10", "2024-01-12", partOf=part_of("stay")),
        encounter("u2", "2024-01-12", "2024-01-14", partOf=part_of("stay")),
    ]

    assert values(table(adult(encounter(), *units, DP, by_key, of_unit), "T_MCOaaUM"), "DGN_ASS_NBR") == [1, 1]


def test_a_part_is_found_by_the_visit_number_of_its_whole() -> None:
    child = encounter("u1", "2024-01-10", "2024-01-12", partOf={"identifier": identified("stay", "nda-1")})
    rows = adult(encounter(visit="nda-1"), child, DP)

    assert statuses(rows) == {"stay": ("written", None)}


def test_a_condition_without_an_encounter_belongs_to_the_one_that_names_it() -> None:
    named = [{"condition": structure("c1", "Condition"), "use": concept(THO + "diagnosis-role", "DD"), "rank": 1}]
    alone = condition("I21.9", None, key="c1")
    del alone.resource["encounter"]

    assert only(adult(encounter(diagnosis=named), alone), "T_MCOaaB")["DGN_PAL"] == "I219"


def test_a_unit_names_its_own_principal_diagnosis() -> None:
    named = [{"condition": structure("c1", "Condition"), "use": concept(THO + "diagnosis-role", "billing"), "rank": 1}]
    units = (
        encounter("u1", "2024-01-10", "2024-01-12", partOf=part_of("stay"), diagnosis=named),
        encounter("u2", "2024-01-12", "2024-01-14", partOf=part_of("stay")),
    )
    rows = adult(encounter(), *units, condition("I21.9", None, key="c1", stay="u1"))

    assert (only(rows, "T_MCOaaB")["DGN_PAL"], only(rows, "T_EDSaaSEJ")["FLG_DGN_RUL"]) == ("I219", "2")


def test_claims_of_units_without_dates_take_the_units_by_rank() -> None:
    units = (
        encounter("u1", "2024-01-10", "2024-01-12", partOf=part_of("stay")),
        encounter("u2", "2024-01-12", "2024-01-14", partOf=part_of("stay")),
    )
    claims = [
        rum(rank, "2024-01-11", "2024-01-13", diagnosis(1, "DP", code)) for rank, code in ((2, "J189"), (1, "I219"))
    ]
    rows = adult(encounter(), *units, *claims, contract=replace(CONTRACT, dp_rule="longest-unit"))

    assert values(table(rows, "T_MCOaaUM"), "DGN_PAL") == ["I219", "J189"]


def test_acts_of_a_unit_beyond_999_are_cut_and_counted() -> None:
    letters = "ABC"
    sent = [(f"DE{letters[m]}P{n:03d}", f"2024-01-1{n % 4}") for n in range(500) for m in range(3 if n == 0 else 2)]
    many = [procedure(code, day) for code, day in sent]
    rows = adult(encounter(), DP, *many)

    assert (only(rows, "T_MCOaaB")["NBR_ACT"], outcome(rows).counts["acts-over-limit"]) == (999, 2)


def test_acts_of_a_stay_beyond_9999_are_cut_and_counted() -> None:
    def line(number: int, day: int) -> dict[str, Any]:
        code = concept("https://interop.aphp.fr/ig/fhir/eds/CodeSystem/CCAM", f"DEAP{number:03d}")
        return {"sequence": number + 1, "date": f"2024-01-{day:02d}", "procedureCodeableConcept": code}

    units = [
        rum(day, f"2024-01-{day:02d}", f"2024-01-{day + 1:02d}", diagnosis(1, "DP", "I10"),
            procedure=[line(number, day) for number in range(950)])
        for day in range(1, 12)
    ]  # fmt: skip
    rows = adult(encounter("stay", "2024-01-01", "2024-01-12"), *units)
    of_units = [unit["ACT_RUM_NBR"] for unit in table(rows, "T_MCOaaUM")]

    assert of_units == [950] * 10 + [499]
    assert only(rows, "T_MCOaaB")["NBR_ACT"] == sum(of_units) == 9999
    assert [row["ACT_ORD_NUM"] for row in table(rows, "T_MCOaaA")] == list(range(1, 10_000))
    assert outcome(rows).counts["acts-over-limit"] == 11 * 950 - 9999


def test_an_act_of_a_claim_that_is_not_ccam_is_counted() -> None:
    sent = claim(procedure=[{"sequence": 1, "procedureCodeableConcept": concept("http://snomed.info/sct", "1")}])

    assert only(adult(encounter(), DP, sent), "T_EDSaaSEJ")["FLG_COD_REJ"] == 1


def test_the_ghs_of_a_claim_is_written() -> None:
    line = {"sequence": 1, "productOrService": concept("https://hospital.example/ghs", "1651")}
    sent = claim(diagnosis=[diagnosis(1, "DP", "I10")], item=[line])
    row = only(adult(encounter(), sent), "T_MCOaaB")

    assert (row["GHS_NUM"], row["ETE_GHS_NUM"]) == ("1651", 1651)


@pytest.mark.parametrize(("code", "stay"), [("PSY", "quarantined"), ("SMR", "quarantined"), ("MCO", "written")])
def test_the_field_of_the_unit_decides_when_nothing_else_does(code: str, stay: str) -> None:
    unit = organization("unit", extension=[{"url": CHAMP, "valueCoding": {"code": code}}])

    assert outcome(adult(encounter(serviceProvider=structure("unit")), unit, DP)).status == stay


def test_an_establishment_of_several_fields_says_nothing() -> None:
    fields = [{"url": CHAMP, "valueCoding": {"code": code}} for code in ("MCO", "PSY")]
    unit = organization("unit", extension=fields)

    assert outcome(adult(encounter(serviceProvider=structure("unit")), unit, DP)).status == "written"


def test_the_category_of_an_establishment_tells_its_field() -> None:
    home = organization(
        "home", finess("FINEG", "920000019"), type=[concept("https://mos.esante.gouv.fr/NOS/TRE_R66", "500")]
    )
    found = Structures({"home": home}, CONTRACT).site(structure("home"))

    assert (found.field, found.geographic, found.known) == ("home", "920000019", True)


def test_structures_in_a_circle_end() -> None:
    first = staged("Location", "a", partOf=structure("b", "Location"))
    second = staged("Location", "b", partOf=structure("a", "Location"))

    assert Structures({"a": first, "b": second}, CONTRACT).site(structure("a", "Location")).owner == "a"


@pytest.mark.parametrize("code", ["85", "8 5"])
def test_an_entry_code_of_a_claim_tells_the_emergency_passage(code: str) -> None:
    info = {"sequence": 1, "code": concept(EDS + "FrClaimMode", "0"), "valueString": code}
    rows = adult(encounter("stay", "2022-01-10", "2022-01-14", hospitalization={}), claim(supportingInfo=[info]), DP)

    assert (only(rows, "T_MCOaaB")["ENT_PRV"], only(rows, "T_EDSaaSEJ")["SEJ_PAS_URG"]) == ("5", "5")


def test_combined_codes_come_before_the_others() -> None:
    both = {"coding": [
        {"system": THO + "admit-source", "code": "gp"},
        {"system": "https://arkhn.com/ig-pmsi/CodeSystem/EntryCS", "code": "85"},
    ]}  # fmt: skip
    rows = adult(encounter("stay", "2022-01-10", "2022-01-14", hospitalization={"admitSource": both}), DP)

    assert (only(rows, "T_MCOaaB")["ENT_PRV"], only(rows, "T_EDSaaSEJ")["SEJ_PAS_URG"]) == ("5", "5")


def test_the_mode_in_the_type_of_an_encounter_is_read() -> None:
    kind = [concept("https://arkhn.com/ig-pmsi/CodeSystem/EncounterType", "7")]

    assert only(adult(encounter(type=kind, hospitalization={}), DP), "T_MCOaaB")["ENT_MOD"] == "7"


def test_a_person_known_by_another_patient_record_only_is_one_person() -> None:
    other = patient("patient-2", gender=None, born=None, deceasedDateTime="2024-01-14")
    rows = adult(encounter(), DP, other)

    assert only(rows, "T_MCOaaB")["SOR_MOD"] == "9"


def test_a_view_and_an_outcome_show_counts_only() -> None:
    seen = PersonView(CONTRACT.finess, frozenset({"alias-of-a-person"}), ())

    assert repr(seen) == "PersonView(resources=0)"
    assert repr(StayOutcome("key-of-a-stay", "open")) == "StayOutcome(status=open, reason=None)"


def test_facts_without_what_they_should_hold_are_passed_over() -> None:
    broken = staged("Basic", "fact-age", code=concept("urn:snds-gateway:fact", "age"))

    assert outcome(converted(patient(), person_fact(), broken, encounter(), DP)).status == "written"


def test_a_private_hospital_is_its_site() -> None:
    untyped = {"system": "https://finess.esante.gouv.fr", "value": CONTRACT.finess}
    site = organization("site", untyped)
    stays = [
        adult(encounter(serviceProvider=structure("site")), site, DP, contract=replace(CONTRACT, legal_form=form))
        for form in ("public", "private")
    ]

    assert [only(rows, "T_MCOaaUM")["ETA_NUM_GEO"] for rows in stays] == [CONTRACT.finess] * 2
    assert ["geographic-finess-default" in outcome(rows).counts for rows in stays] == [True, False]


def test_an_emergency_department_of_a_site_that_is_not_ours_is_another_hospitals() -> None:
    hospitalization = {"admitSource": concept(THO + "admit-source", "emd"), "origin": structure("other")}
    stay = (encounter(hospitalization=hospitalization), organization("other", finess("FINEG", "920000019")), DP)
    known = replace(CONTRACT, units={"CARD": Unit("750000018")})

    assert only(adult(*stay), "T_EDSaaSEJ")["SEJ_PAS_URG"] == "5"
    assert only(adult(*stay, contract=known), "T_EDSaaSEJ")["SEJ_PAS_URG"] == "U"
    earlier = encounter("stay", "2022-01-10", "2022-01-14", hospitalization=hospitalization)
    places = [only(adult(earlier, *stay[1:], contract=one), "T_MCOaaB")["ENT_PRV"] for one in (CONTRACT, known)]
    assert places == ["5", None]
