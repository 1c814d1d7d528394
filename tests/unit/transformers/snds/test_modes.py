"""Entry and exit modes: the 68 rules, precedence, allowed pairs, layouts of the years, defaults (DESIGN §12)."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.deidentified import (
    EDS,
    THO,
    claim,
    concept,
    condition,
    converted,
    diagnosis,
    encounter,
    finess,
    known_adult,
    only,
    organization,
    outcome,
    patient,
    person_fact,
    rum,
    structure,
)
from transformers.snds.modes import CLAIMED, MODES, MOVED, OF_HOME, OF_MOVED, End, end_mode
from transformers.snds.reference_kinds import KINDS
from transformers.snds.reference_tables import read_table, reference
from transformers.snds.schema import packaged
from transformers.snds.structures import NOWHERE, Site
from transformers.snds.view import PersonRows, Staged

DISPOSITIONS = THO + "discharge-disposition"
SOURCES = THO + "admit-source"
FR_EXITS = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-circonstances-sortie"
CHAMP = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-organization-champ-activite"
ARKHN = "https://arkhn.com/ig-pmsi/CodeSystem/"
RULES = [line.split("\t") for line in packaged("modes.tsv").splitlines()[1:]]
CODED = [rule for rule in RULES if rule[2] not in ("(none)", "-", "leading character")]
SYSTEMS = {"arkhn ig-pmsi EntryCS": ARKHN + "EntryCS", "arkhn ig-pmsi ExitCS": ARKHN + "ExitCS"}


def end(
    direction: str, system: str, code: str, *, year: int = 2022, other: Site = NOWHERE, claimed: str | None = None
) -> End:
    own = Site(geographic="750000018")
    return End(direction, year, claimed, concept(system, code), own, other, frozenset(("750712184",)), ("750000018",))


def stay(
    *more: Staged, source: str | None = "gp", leaving: str | None = "home", year: int = 2022, **hospitalization: Any
) -> PersonRows:
    coded: dict[str, Any] = dict(hospitalization)
    if source:
        coded["admitSource"] = concept(SOURCES, source)
    if leaving:
        coded["dischargeDisposition"] = concept(DISPOSITIONS, leaving)
    visit = encounter("stay", f"{year}-01-10", f"{year}-01-14", hospitalization=coded, serviceProvider=structure("own"))
    own = organization("own", finess("FINEG", "750000018"))
    return converted(*known_adult(visit, own, condition("I10", "DP"), *more))


def modes(rows: PersonRows) -> tuple[str, str | None, str, str | None]:
    row = only(rows, "T_MCOaaB")
    return row["ENT_MOD"], row["ENT_PRV"], row["SOR_MOD"], row["SOR_DES"]


@pytest.mark.shared
def test_the_packaged_rules_are_the_68_of_the_mapping(shared: Path) -> None:
    with (shared / "snds" / "entry_exit_mapping.csv").open(encoding="utf-8") as file:
        mapped = list(csv.DictReader(file))

    assert len(mapped) == 68
    assert [(r["direction"], r["system"], r["code"], r["MODE"], r["PROV_DEST"]) for r in mapped] == [
        (direction, system, code, mode, place) for direction, system, code, mode, place, _, _ in RULES
    ]


@pytest.mark.parametrize("rule", CODED, ids=lambda rule: f"{rule[0]}-{rule[1].rpartition('/')[2]}-{rule[2]}")
def test_each_code_gives_the_mode_and_place_of_its_rule(rule: list[str]) -> None:
    direction, system, code, mode, place, _, condition = rule
    found = end_mode(end(direction, SYSTEMS.get(system, system), code))

    expected = (mode, place or None) if mode else ("8", None)
    assert (found.mode, found.place) == expected
    assert found.default is not bool(mode)
    assert not found.wrong_system
    if "geographic FINESS" in condition:
        same = end_mode(end(direction, system, code, other=Site(geographic="750000018")))
        another = end_mode(end(direction, system, code, other=Site(geographic="920000019")))
        assert (same.mode, another.mode) == ("6", "7")


@pytest.mark.parametrize("direction", ["entry", "exit"])
@pytest.mark.parametrize("year", [2018, 2022, 2024])
def test_no_input_gives_a_forbidden_pair(direction: str, year: int) -> None:
    codes = [(system, code) for way, system, code, *_ in CODED if way == direction]
    claims = [None, *(mode + place for mode in "06789NO" for place in ("", *"1234567"))]
    places = [NOWHERE, *(Site("920000019", None, (), field) for field in ("mco", "ssr", "sld", "psy", "had", "home"))]

    for system, code in codes:
        for claimed in claims:
            for other in places:
                found = end_mode(
                    end(direction, SYSTEMS.get(system, system), code, year=year, other=other, claimed=claimed)
                )
                assert found.mode in MODES[direction]
                if found.mode in MOVED:
                    assert found.place in OF_MOVED
                elif found.mode == "8":
                    assert found.place is None or found.place in OF_HOME - (
                        {"5"} if year > 2022 or direction == "exit" else set()
                    )
                else:
                    assert found.place is None


@pytest.mark.parametrize(
    ("sent", "read"), [("8 Domicile", "8"), ("85", "85"), ("8 5", "85"), ("7-2", "72"), ("N", "N"), ("8 RUE", "8")]
)
def test_the_leading_code_of_a_claim_is_read(sent: str, read: str) -> None:
    found = CLAIMED.match(sent.upper())

    assert found is not None
    assert found[1] + (found[2] or "") == read


def test_the_claim_comes_before_the_encounter() -> None:
    def info(sequence: int, code: str, value: str) -> dict[str, Any]:
        return {"sequence": sequence, "code": concept(EDS + "FrClaimMode", code), "valueString": value}

    summary = claim(supportingInfo=[info(1, "0", "72"), info(2, "1", "8")], diagnosis=[diagnosis(1, "DP", "I10")])

    assert modes(stay(summary, source="gp", leaving="rehab")) == ("7", "2", "8", None)


def test_the_claims_of_units_give_the_entry_of_the_first_and_the_exit_of_the_last() -> None:
    first = rum(1, "2022-01-10", "2022-01-12", diagnosis(1, "DP", "I10"), mde="7", mds="6")
    last = rum(2, "2022-01-12", "2022-01-14", diagnosis(1, "DP", "I10"), mde="6", mds="9")

    rows = stay(first, last, source="psych", leaving="home")
    assert modes(rows) == ("7", "4", "9", None)


def test_nothing_sent_is_home_by_default_and_flagged() -> None:
    silent = stay(source=None, leaving=None)

    assert modes(silent) == ("8", None, "8", None)
    assert only(silent, "T_EDSaaSEJ")["FLG_MOD_DEF"] == "1"
    assert only(stay(), "T_EDSaaSEJ")["FLG_MOD_DEF"] == "0"


def test_a_transfer_without_an_origin_is_a_transfer_from_mco() -> None:
    assert modes(stay(source="hosp-trans"))[:2] == ("7", "1")


def test_the_kind_of_the_other_establishment_gives_the_place() -> None:
    rehab = organization(
        "other", finess("FINEG", "920000019"), extension=[{"url": CHAMP, "valueCoding": {"code": "SMR"}}]
    )

    assert modes(stay(rehab, source="hosp-trans", origin=structure("other")))[:2] == ("7", "2")
    assert modes(stay(rehab, source=None, leaving=None, destination=structure("other")))[2:] == ("7", "2")


def test_another_unit_of_the_same_legal_hospital_is_a_move_that_is_counted() -> None:
    legal = organization("other", finess("FINEJ", "750712184"))
    rows = stay(legal, source="psych", origin=structure("other"))

    assert modes(rows)[:2] == ("6", "4")
    assert outcome(rows).counts["mode-by-legal-finess"] == 1


def test_death_on_the_exit_date_wins_over_everything() -> None:
    visit = encounter("stay", "2022-01-10", "2022-01-14")
    rows = converted(patient(deceasedDateTime="2022-01-14"), person_fact(), visit, condition("I10", "DP"))

    assert modes(rows)[2:] == ("9", None)


def test_a_death_after_the_exit_changes_no_mode() -> None:
    visit = encounter("stay", "2022-01-10", "2022-01-14")
    rows = converted(patient(deceasedDateTime="2022-02-14"), person_fact(), visit, condition("I10", "DP"))

    assert modes(rows)[2:] == ("8", None)


def test_births_have_a_mode_of_their_own_since_2019() -> None:
    assert [modes(stay(source="born", year=year))[:2] for year in (2018, 2019)] == [("8", None), ("N", None)]


def test_a_right_code_under_a_wrong_system_is_taken_and_flagged() -> None:
    rows = stay(source=None, admitSource=concept("http://hospital.example/sources", "psych"))

    assert modes(rows)[:2] == ("7", "4")
    assert only(rows, "T_EDSaaSEJ")["FLG_COD_SYS"] == "1"


def test_an_emergency_department_elsewhere_is_no_provenance_of_ours() -> None:
    other = organization("other", finess("FINEJ", "690781810"))
    rows = stay(other, source="emd", origin=structure("other"), year=2024)

    assert only(rows, "T_EDSaaSEJ")["SEJ_PAS_URG"] == "U"


@pytest.mark.parametrize(("priority", "unplanned"), [("EM", "1"), ("UR", "1"), ("EL", "0"), (None, None)])
def test_an_unplanned_admission_is_told_by_its_priority(priority: str | None, unplanned: str | None) -> None:
    more = {"priority": concept(THO + "v3-ActPriority", priority)} if priority else {}
    rows = converted(*known_adult(encounter(**more), condition("I10", "DP")))

    assert only(rows, "T_EDSaaSEJ")["SEJ_ADM_NPG"] == unplanned


def test_an_inter_hospital_service_is_type_b() -> None:
    admission = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-type-admission"
    visit = encounter(
        type=[concept(admission, "IE")],
        hospitalization={
            "admitSource": concept(ARKHN + "EntryCS", "1"),
            "dischargeDisposition": concept(ARKHN + "ExitCS", "1"),
        },
    )
    row = only(converted(*known_adult(visit, condition("I10", "DP"))), "T_MCOaaB")

    assert (row["SEJ_TYP"], row["ENT_MOD"], row["SOR_MOD"]) == ("B", "0", "0")


def test_the_operator_may_say_how_a_code_is_written_in_a_year() -> None:
    loaded = reference([read_table(KINDS["pmsi-layout"], "what;meaning;first;last;code\nentry-place;2;2023;;3\n")])
    told = [
        end_mode(replace(end("entry", SOURCES, "rehab", year=year), layouts=loaded.layouts)) for year in (2022, 2023)
    ]

    assert [(one.mode, one.place) for one in told] == [("7", "2"), ("7", "3")]
