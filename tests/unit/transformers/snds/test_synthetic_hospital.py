"""2,000 planned stays of a fictitious hospital and its rare cases → rows: invariants, and the truth planted."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.synthetic.plan import Stay
from tests.support.deidentified import Numbers
from tests.support.synthetic_hospital import HOSPITAL, full_contract, loaded_reference, rare_hospital
from transformers.deidentify.pseudonyms import Key, TableKeys
from transformers.snds.person import person_rows
from transformers.snds.schema import TABLES
from transformers.snds.view import PersonRows

pytestmark = pytest.mark.slow

STAYS, ROUNDS = 2000, 4
FAILURE = "x" * 17
RETURNS = ("NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "FHO_RET", "PMS_RET", "DAT_RET", "COH_NAI_RET", "COH_SEX_RET")
FILTERED = ("GRG_GHM", "GHS_NUM", "GRG_RET", "TYP_GEN_RSA", "NBR_SEA", "NBR_RUM", "NBR_DGN", "NBR_ACT")
NO_STAY = frozenset({"open", "cancelled", "visit"})

Row = dict[str, Any]


class Converted:
    """Everything written: outcomes, and rows by generic table name."""

    def __init__(self) -> None:
        agreed, loaded = full_contract(), loaded_reference()
        usual, self.cases, views = rare_hospital(20, STAYS, rounds=ROUNDS, with_contract=agreed)
        self.planned = [*usual, *(stay for case in self.cases if case.reason is None for stay in case.stays)]
        keys, numbers = TableKeys(Key(b"k" * 32)), Numbers()
        self.results: list[PersonRows] = [
            person_rows(view, contract=agreed, pseudonyms=keys, numbers=numbers, reference=loaded) for view in views
        ]
        self.tables: dict[str, list[Row]] = defaultdict(list)
        for result in self.results:
            for name, rows in result.tables.items():
                table = re.sub(r"^(T_[A-Z]{3})\d\d", r"\1aa", name)
                year = {"AA": 2000 + int(name[5:7])} if table != name else {}
                self.tables[table] += [dict(zip(TABLES[table].names, row, strict=True)) | year for row in rows]

    def by_stay(self, table: str) -> Mapping[tuple[str, int], list[Row]]:
        found: dict[tuple[str, int], list[Row]] = defaultdict(list)
        for row in self.tables[table]:
            found[row["RSA_NUM"], row["AA"]].append(row)
        return found


@pytest.fixture(scope="module")
def converted() -> Converted:
    return Converted()


def stays(planned: list[Stay]) -> Iterator[Stay]:
    yield from (stay for stay in planned if stay.kind not in NO_STAY)


def test_every_stay_is_written_but_the_open_the_cancelled_the_visits_and_other_fields(converted: Converted) -> None:
    kinds = Counter(stay.kind for stay in converted.planned)
    outcomes = Counter((one.status, one.reason) for result in converted.results for one in result.stays)

    assert outcomes["written", None] == len(converted.planned) - sum(kinds[kind] for kind in NO_STAY)
    assert outcomes["open", None] == kinds["open"] > 0
    quarantined = Counter(("quarantined", case.reason) for case in converted.cases if case.reason)
    assert Counter({what: number for what, number in outcomes.items() if what[0] == "quarantined"}) == quarantined
    assert quarantined.total() == 3 * ROUNDS


def test_what_rare_cases_give_is_what_their_truth_counts(converted: Converted) -> None:
    given: Counter[str] = Counter()
    for case in converted.cases:
        given.update(case.gives)
    rows = {name: len(converted.tables[name]) for name in ("ER_PHA_F", "ER_UCD_F", "T_MCOaaMED", "T_MCOaaFCSTC")}
    stays = converted.tables["T_MCOaaB"]

    assert rows == {
        "ER_PHA_F": given["box_lines"], "ER_UCD_F": given["retrocession_lines"],
        "T_MCOaaMED": given["expensive_lines"], "T_MCOaaFCSTC": given["fees"],
    }  # fmt: skip
    assert sum(row["SEJ_TYP"] == "B" for row in stays) == given["services"] == ROUNDS
    assert sum(row["GRG_GHM"] not in ("XXXXXX", "28XXXX") for row in stays) == given["grouped_stays"] == ROUNDS
    assert sum(row["HOS_PLO"] == "1" for row in converted.tables["T_MCOaaC"]) == given["organ_donors"] == ROUNDS


def test_dispenses_have_one_line_each_in_every_table_of_the_star(converted: Converted) -> None:
    keys = ("DCT_ORD_NUM", "FLX_DIS_DTD", "FLX_EMT_NUM", "FLX_EMT_ORD", "FLX_EMT_TYP", "FLX_TRT_DTD", "ORG_CLE_NUM",
            "PRS_ORD_NUM", "REM_TYP_AFF")  # fmt: skip
    told = {
        name: Counter(tuple(row[key] for key in keys) for row in converted.tables[name])
        for name in ("ER_PRS_F", "ER_ETE_F", "ER_PHA_F", "ER_UCD_F")
    }
    persons = {(row["BEN_NIR_PSA"], row["BEN_RNG_GEM"]) for row in converted.tables["IR_BEN_R"]}

    assert told["ER_PRS_F"] == told["ER_ETE_F"] == told["ER_PHA_F"] + told["ER_UCD_F"]
    assert set(told["ER_PRS_F"].values()) == {1}
    assert {(row["BEN_NIR_PSA"], row["BEN_RNG_GEM"]) for row in converted.tables["ER_PRS_F"]} <= persons


def test_lines_of_a_visit_belong_to_its_chaining_row(converted: Converted) -> None:
    visits = {(row["SEQ_NUM"], row["AA"]): row["NIR_ANO_17"] for row in converted.tables["T_MCOaaCSTC"]}

    for table in ("T_MCOaaFMSTC", "T_MCOaaFCSTC"):
        assert converted.tables[table]
        for row in converted.tables[table]:
            assert visits[row["SEQ_NUM"], row["AA"]] == row["NIR_ANO_17"]


def test_an_expensive_drug_is_of_a_stay_and_a_day_of_it(converted: Converted) -> None:
    nights = {(row["RSA_NUM"], row["AA"]): row["SEJ_NBJ"] for row in converted.tables["T_MCOaaB"]}

    for row in converted.tables["T_MCOaaMED"]:
        assert 0 <= row["DELAI"] <= nights[row["RSA_NUM"], row["AA"]]
        assert row["ADM_NBR"] > 0


def test_primary_keys_are_unique(converted: Converted) -> None:
    for table, rows in converted.tables.items():
        key = TABLES[table].primary_key
        if not key:
            continue
        if table in ("T_MCOaaD", "T_MCOaaA", "T_MCOaaUM"):
            order = {"T_MCOaaD": "DGN_ASS_NUM", "T_MCOaaA": "ACT_ORD_NUM", "T_MCOaaUM": "UM_ORD_NUM"}[table]
            key = ("ETA_NUM", "RSA_NUM", order)
        values = [(row.get("AA"), *(row[name] for name in key)) for row in rows]
        assert len(set(values)) == len(values), table


def test_values_have_the_type_and_length_of_their_column(converted: Converted) -> None:
    for table, rows in converted.tables.items():
        for column in TABLES[table].columns:
            for row in rows:
                value = row[column.name]
                if value is None:
                    assert column.nullable, (table, column.name)
                elif column.kind == "CHAR":
                    assert isinstance(value, str), (table, column.name)
                    assert 0 < len(value) <= column.width, (table, column.name)
                elif column.kind == "DATE":
                    assert type(value) is date, (table, column.name)
                else:
                    assert isinstance(value, int | float), (table, column.name)
                    assert abs(value) < 10 ** (column.width - column.scale), (table, column.name)


@pytest.mark.shared
def test_every_table_is_valid_by_its_target_schema(converted: Converted, shared: Path) -> None:
    kinds = {"string": str, "integer": int, "number": (int, float), "date": date}
    checked = 0
    for path in sorted((shared / "snds" / "target").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        rows = converted.tables.get(schema["name"], [])
        for field in schema["fields"] if rows else ():
            name, limits = field["name"], field["constraints"]
            held = [row[name] for row in rows]
            told = [value for value in held if value is not None]
            assert len(told) == len(held) or not limits.get("required"), (schema["name"], name)
            assert all(isinstance(value, kinds[field["type"]]) for value in told), (schema["name"], name)
            assert all(len(value) <= limits.get("maxLength", 999) for value in told if isinstance(value, str)), name
        foreign = [(key["fields"], key["reference"]) for key in schema.get("foreignKeys", ()) if rows]
        for columns, reference in foreign:
            _refer(converted, schema["name"], columns, reference)
        checked += bool(rows)

    assert checked >= 15


def _refer(converted: Converted, table: str, columns: list[str], reference: dict[str, Any]) -> None:
    """Check a foreign key inside a year; the failure value of a pseudonym refers to nobody."""
    known = {
        tuple(row[name] for name in reference["fields"]) for row in converted.tables.get(reference["resource"], [])
    }
    for row in converted.tables[table] if known else ():
        value = tuple(row[name] for name in columns)
        assert value in known or FAILURE in value or None in value, (table, columns)


def test_chaining_and_stay_are_one_to_one(converted: Converted) -> None:
    keys = [Counter((row["ETA_NUM"], row["RSA_NUM"], row["AA"]) for row in converted.tables[name])
            for name in ("T_MCOaaB", "T_MCOaaC", "T_EDSaaSEJ")]  # fmt: skip

    assert keys[0] == keys[1] == keys[2]


def test_counts_of_the_stay_are_those_of_its_rows(converted: Converted) -> None:
    units, diagnoses, acts = (converted.by_stay(name) for name in ("T_MCOaaUM", "T_MCOaaD", "T_MCOaaA"))
    for row in converted.tables["T_MCOaaB"]:
        key = row["RSA_NUM"], row["AA"]
        own = sorted(units[key], key=lambda unit: unit["UM_ORD_NUM"])
        assert row["NBR_RUM"] == len(own)
        assert [unit["UM_ORD_NUM"] for unit in own] == list(range(1, len(own) + 1))
        assert row["NBR_DGN"] == len(diagnoses[key]) == sum(unit["DGN_ASS_NBR"] for unit in own)
        assert row["NBR_ACT"] == len(acts[key]) == sum(unit["ACT_RUM_NBR"] for unit in own)
        assert own[int(row["SEQ_RUM"]) - 1]["DGN_PAL"] == row["DGN_PAL"]
        if row["NBR_SEA"]:
            assert row["SEJ_NBJ"] is None
            assert [unit["PAR_DUR_SEJ"] for unit in own] == [None] * len(own)
        else:
            assert row["SEJ_NBJ"] == sum(unit["PAR_DUR_SEJ"] for unit in own)


def test_dates_of_the_chaining_agree_with_the_stay(converted: Converted) -> None:
    chaining = {(row["RSA_NUM"], row["AA"]): row for row in converted.tables["T_MCOaaC"]}
    for row in converted.tables["T_MCOaaB"]:
        chain = chaining[row["RSA_NUM"], row["AA"]]
        entry, left = chain["EXE_SOI_DTD"], chain["EXE_SOI_DTF"]
        assert (row["SOR_ANN"], row["SOR_MOI"]) == (f"{left:%Y}", f"{left:%m}")
        assert row["AA"] == left.year
        assert (chain["ENT_DAT"], chain["SOR_DAT"]) == (f"{entry:%d%m%Y}", f"{left:%d%m%Y}")
        assert row["SEJ_NBJ"] in (None, (left - entry).days)


def test_exactly_one_age_is_filled_and_no_filter_column_is_null(converted: Converted) -> None:
    for row in converted.tables["T_MCOaaB"]:
        assert (row["AGE_ANN"] is None) is not (row["AGE_JOU"] is None)
        assert row["AGE_ANN"] is None or 0 < row["AGE_ANN"] <= 120
        assert all(row[name] is not None for name in FILTERED)
    for row in converted.tables["T_MCOaaC"]:
        assert {row[name] for name in RETURNS} == {"0"}


def test_every_pseudonym_of_a_stay_is_that_of_a_beneficiary(converted: Converted) -> None:
    known = {row["BEN_NIR_PSA"] for row in converted.tables["IR_BEN_R"]}

    for table, rows in converted.tables.items():
        if "NIR_ANO_17" in TABLES[table].names:
            assert {row["NIR_ANO_17"] for row in rows} <= known | {FAILURE}, table


def test_clinical_rows_point_at_a_stay_of_their_year_and_person(converted: Converted) -> None:
    chaining = {(row["RSA_NUM"], row["AA"]): row["NIR_ANO_17"] for row in converted.tables["T_MCOaaC"]}
    for table in ("T_EDSaaBIO", "T_EDSaaCST", "T_EDSaaADM", "T_EDSaaPRE"):
        linked = [row for row in converted.tables[table] if row["RSA_NUM"] is not None]
        assert linked
        assert all(chaining[row["RSA_NUM"], row["AA"]] == row["NIR_ANO_17"] for row in linked)


@pytest.mark.shared
def test_every_code_is_in_its_nomenclature(converted: Converted, shared: Path) -> None:
    diagnoses = codes(shared, "MS_CIM_V")
    for table, name in (
        ("T_MCOaaB", "DGN_PAL"),
        ("T_MCOaaUM", "DGN_PAL"),
        ("T_MCOaaB", "DGN_REL"),
        ("T_MCOaaD", "ASS_DGN"),
    ):
        assert {row[name] for row in converted.tables[table]} - {None} <= diagnoses
    for name, nomenclature in (("ENT_PRV", "MS_PRV_V"), ("SOR_DES", "MS_DST_V"), ("SOR_MOD", "MS_SOR_V")):
        assert {row[name] for row in converted.tables["T_MCOaaB"]} - {None} <= codes(shared, nomenclature)
    assert {row["CDC_ACT"] for row in converted.tables["T_MCOaaA"]} <= codes(shared, "IR_CCAM_V63")
    assert {str(row["PRS_NAT_REF"]) for row in converted.tables["ER_PRS_F"]} <= codes(shared, "IR_NAT_V")
    assert {row["BEN_RES_DPT"] for row in converted.tables["IR_BEN_R"]} - {None} <= codes(shared, "IR_DPT_V")


@cache
def codes(shared: Path, nomenclature: str) -> frozenset[str]:
    lines = (shared / "snds" / "nomenclatures" / f"{nomenclature}.csv").read_text(encoding="utf-8-sig").splitlines()[1:]
    return frozenset(line.split(";")[0].strip('"') for line in lines)


def truth(planned: Stay) -> tuple[Any, ...]:
    """What the plan says of a stay: exit year, DP, nights, units, session, death, sex."""
    assert planned.end is not None
    nights = (planned.end.date() - planned.start.date()).days
    session = planned.kind in ("dialysis", "chemotherapy")
    dead = planned.person.deceased is not None and planned.person.deceased.date() == planned.end.date()
    return (
        planned.end.year,
        planned.pathway.principal,
        None if session else nights,
        len(planned.units),
        int(session),
        dead,
        "1" if planned.person.sex == "male" else "2",
        date(planned.start.year, planned.start.month, planned.start.day),
    )


def test_the_stays_written_are_those_planned(converted: Converted) -> None:
    chaining = {(row["RSA_NUM"], row["AA"]): row for row in converted.tables["T_MCOaaC"]}
    written = Counter(
        (
            row["AA"], row["DGN_PAL"], row["SEJ_NBJ"], row["NBR_RUM"], row["NBR_SEA"], row["SOR_MOD"] == "9",
            row["COD_SEX"], chaining[row["RSA_NUM"], row["AA"]]["EXE_SOI_DTD"],
        )
        for row in converted.tables["T_MCOaaB"]
    )  # fmt: skip

    assert written == Counter(map(truth, stays(converted.planned)))


def test_associated_diagnoses_and_acts_are_those_planned(converted: Converted) -> None:
    planned = list(stays(converted.planned))
    acts = [code.rstrip("+") for stay in planned for code in stay.pathway.acts for _ in range(1 + code.endswith("+"))]
    told = Counter()
    for row in converted.tables["T_MCOaaA"]:
        told[row["CDC_ACT"]] += row["NBR_EXE_ACT"]

    assert Counter(row["ASS_DGN"] for row in converted.tables["T_MCOaaD"]) == Counter(
        code for stay in planned for code in set(stay.associated) - {stay.pathway.principal}
    )
    assert told == Counter(acts)


def test_emergencies_before_an_admission_are_known_in_every_year(converted: Converted) -> None:
    through = [row["SEJ_PAS_URG"] for row in converted.tables["T_EDSaaSEJ"]]
    planned = [stay for stay in stays(converted.planned) if stay.emergency or stay.admitted_from == "emd"]
    old = [row for row in converted.tables["T_MCOaaB"] if row["ENT_PRV"] == "5"]

    assert through.count("5") == len(planned)
    assert len(old) == sum(stay.end is not None and stay.end.year <= 2022 for stay in planned)
    assert all(row["AA"] <= 2022 for row in old)


def test_newborns_are_linked_to_their_mothers(converted: Converted) -> None:
    born = {row["RSA_NUM"]: row for row in converted.tables["T_MCOaaB"] if row["ENT_MOD"] == "N"}
    chaining = converted.tables["T_MCOaaC"]
    links = Counter(row["ID_MAM_ENF"] for row in chaining if row["ID_MAM_ENF"])
    beside = [row for row in chaining if row["HOS_NN_MAM"] == "1"]
    planned = sum(stay.kind == "newborn" for stay in converted.planned)
    twins = sum(case.kind == "twins" for case in converted.cases)

    assert len(born) == len(beside) == planned
    assert all(row["AGE_JOU"] == 0 and row["POI_NAI"] and row["AGE_GES"] for row in born.values())
    # the mother and her child share a link, or the mother and her twins; a delivery without a child has one alone
    assert Counter(links.values())[2] + 2 * Counter(links.values())[3] == planned
    assert Counter(links.values())[3] == twins == ROUNDS


def test_visits_of_one_person_keep_their_distance_in_days(converted: Converted) -> None:
    by_person: dict[str, list[Row]] = defaultdict(list)
    for row in converted.tables["T_MCOaaC"]:
        by_person[row["NIR_ANO_17"]].append(row)
    several = [sorted(rows, key=lambda row: row["EXE_SOI_DTD"]) for rows in by_person.values() if len(rows) > 1]

    assert len(several) > 50
    for rows in several:
        for first, second in pairwise(rows):
            days = (second["EXE_SOI_DTD"] - first["EXE_SOI_DTD"]).days
            assert (int(second["SEJ_NUM"]) - int(first["SEJ_NUM"])) % 100_000 == days


def test_units_have_their_site_and_authorisation(converted: Converted) -> None:
    rows = converted.tables["T_MCOaaUM"]

    assert {row["ETA_NUM_GEO"] for row in rows} == set(HOSPITAL.sites)
    assert {row["AUT_TYP1_UM"] for row in rows} > {None}
