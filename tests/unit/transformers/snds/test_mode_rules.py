"""The 68 lines of the mapping of entry and exit modes, each read from the CSV and found in the rows, year by year."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.deidentified import (
    EDS,
    claim,
    concept,
    condition,
    converted,
    diagnosis,
    encounter,
    known_adult,
    only,
    outcome,
    patient,
    person_fact,
    table,
)
from transformers.snds.view import PersonRows

pytestmark = pytest.mark.shared

YEARS = (2018, 2019, 2022, 2023, 2025)
FIRST_WITH_BIRTHS, LAST_WITH_EMERGENCIES = 2019, 2022
SYSTEMS = {name: f"https://arkhn.com/ig-pmsi/CodeSystem/{name}" for name in ("EntryCS", "ExitCS")}
COLUMNS = {"entry": ("ENT_MOD", "ENT_PRV"), "exit": ("SOR_MOD", "SOR_DES")}
ELEMENTS = {"entry": "admitSource", "exit": "dischargeDisposition"}
LEAVES, UNSEEN = {"A", "P"}, {"PSA"}
OTHERS = {"(none)", "-", "leading character"}
# the allowed pairs of the facts page (entry and exit modes): a move has a place, a home may have one, others have none
PLACES = {"0": "12346", "6": "12346", "7": "12346", "8": "567"}


class Rule(NamedTuple):
    """One line of the mapping."""

    direction: str
    system: str
    code: str
    meaning: str
    mode: str
    place: str
    condition: str
    confidence: str

    def in_year(self, year: int) -> tuple[str, str | None]:
        """The codes as the layout of an exit year writes them."""
        mode = "8" if self.mode == "N" and year < FIRST_WITH_BIRTHS else self.mode or "8"
        return mode, None if self.place == "5" and year > LAST_WITH_EMERGENCIES else self.place or None


@pytest.fixture(scope="module")
def rules(shared: Path) -> list[Rule]:
    with (shared / "snds" / "entry_exit_mapping.csv").open(encoding="utf-8") as file:
        return [Rule(*line) for line in list(csv.reader(file))[1:]]


def stay(
    year: int, *, direction: str = "entry", code: Any = None, claimed: str | None = None, died: bool = False
) -> PersonRows:
    more: dict[str, Any] = {"hospitalization": {ELEMENTS[direction]: code} if code else {}}
    made = [encounter("stay", f"{year}-01-10", f"{year}-01-14", **more), condition("I10", "DP")]
    if claimed is not None:
        mode = concept(EDS + "FrClaimMode", "0" if direction == "entry" else "1")
        told = [{"sequence": 1, "code": mode, "valueString": claimed}]
        made.append(claim(supportingInfo=told, diagnosis=[diagnosis(1, "DP", "I10")]))
    if died:
        return converted(patient(deceasedDateTime=f"{year}-01-14T09:00:00+01:00"), person_fact(), *made)
    return converted(*known_adult(*made))


def pair(rows: PersonRows, direction: str) -> tuple[str, str | None]:
    mode, place = COLUMNS[direction]
    row = only(rows, "T_MCOaaB")
    return row[mode], row[place]


def test_every_code_of_the_mapping_is_written_as_the_layout_of_its_year_says(rules: list[Rule]) -> None:
    coded = [rule for rule in rules if rule.code not in LEAVES | UNSEEN | OTHERS]
    assert (len(rules), len(coded)) == (68, 60)

    for rule, year in product(coded, YEARS):
        system = SYSTEMS.get(rule.system.rpartition(" ")[2], rule.system)
        rows = stay(year, direction=rule.direction, code=concept(system, rule.code))
        assert pair(rows, rule.direction) == rule.in_year(year), (rule.direction, rule.code, year)
        if rule.place == "5":
            assert only(rows, "T_EDSaaSEJ")["SEJ_PAS_URG"] == "5"


def test_a_leave_leaves_the_stay_open_and_who_left_unseen_had_no_stay(rules: list[Rule]) -> None:
    for rule in rules:
        if rule.code in LEAVES | UNSEEN:
            rows = stay(2024, direction="exit", code=concept(rule.system, rule.code))
            assert table(rows, "T_MCOaaB") == []
            assert [one.status for one in rows.stays] == ["open" if rule.code in LEAVES else "none"], rule.code


def test_nothing_sent_is_home_and_flagged_and_a_death_on_the_exit_date_wins(rules: list[Rule]) -> None:
    assert sum(rule.code in ("(none)", "-") for rule in rules) == 3
    for year in YEARS:
        silent = stay(year)
        assert pair(silent, "entry") == pair(silent, "exit") == ("8", None)
        assert only(silent, "T_EDSaaSEJ")["FLG_MOD_DEF"] == "1"
        for rule in rules:
            if rule.direction == "exit" and rule.code not in LEAVES | UNSEEN | OTHERS:
                dead = stay(year, direction="exit", code=concept(rule.system, rule.code), died=True)
                assert pair(dead, "exit") == ("9", None)


@pytest.mark.parametrize(("direction", "nomenclature", "more"), [("entry", "MS_ENT_V", "NO"), ("exit", "MS_SOR_V", "")])
def test_the_characters_of_a_claim_are_taken_when_the_nomenclature_knows_them(
    shared: Path, direction: str, nomenclature: str, more: str
) -> None:
    known = {*official(shared, nomenclature), *more}
    for mode, place, year in product("0123456789NOX", ("", *"1234567"), YEARS):
        rows = stay(year, direction=direction, claimed=f"{mode}{place} en clair")
        assert pair(rows, direction) == allowed(direction, mode if mode in known else "", place, year)


def official(shared: Path, nomenclature: str) -> Iterator[str]:
    """The codes of a nomenclature but the two technical values that say that nothing is known."""
    with (shared / "snds" / "nomenclatures" / f"{nomenclature}.csv").open(encoding="utf-8-sig") as file:
        for code, _, technical in list(csv.reader(file, delimiter=";"))[1:]:
            if technical == "0":
                yield code


def allowed(direction: str, mode: str, place: str, year: int) -> tuple[str, str | None]:
    """What a claimed pair may become: a forbidden place falls, a move without one is from or to MCO."""
    written = {"": "8", "N": "N" if year >= FIRST_WITH_BIRTHS else "8"}.get(mode, mode)
    if mode in ("0", "6", "7"):
        return written, place if place and place in PLACES[mode] else "1"
    fits = bool(place) and place in PLACES.get(mode, "")
    if place == "5" and (direction == "exit" or year > LAST_WITH_EMERGENCIES):
        fits = False
    return written, place if fits else None


def test_the_forbidden_pairs_are_those_of_the_facts_page(rules: list[Rule]) -> None:
    for rule in rules:
        if rule.mode and not rule.mode.startswith("="):
            assert (rule.place or None) in {*PLACES.get(rule.mode, ""), *([] if rule.mode in "067" else [None])}


def test_a_stay_of_a_rule_is_written_whole(rules: list[Rule]) -> None:
    assert {outcome(stay(year)).status for year in YEARS} == {"written"}
