"""Cases that come on request alone: valid, converted or refused for the planted reason, and nothing else changes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from fhir_profiles.bundle import parse
from fhir_profiles.limits import Limits
from fhir_profiles.validator import load_validator
from gateway.cli.main import make_app
from gateway.synthetic.plan import Stay, plan_stays
from gateway.synthetic.rare import A_ROUND, FIELD_REASON, FIRST, KINDS, rare_case, rare_cases
from gateway.synthetic.rare_case import RareCase
from gateway.synthetic.truth import Truth
from gateway.synthetic.writing import bundle_count, write_stays
from tests.support.deidentified import Numbers
from tests.support.synthetic_hospital import HOSPITAL, Gathered, full_contract, loaded_reference
from transformers.deidentify.pseudonyms import Key, TableKeys
from transformers.snds.person import person_rows
from transformers.snds.schema import TABLES
from transformers.snds.view import PersonRows

SEEDS = (1, 2, 3)
OTHER_FIELDS = ("home-care", "rehabilitation", "psychiatry")


def written_of(*cases: RareCase) -> Written:
    gathered = Gathered()
    for case in cases:
        for bundle in case.bundles:
            gathered.add(bundle, full_contract())
    return Written(gathered)


class Written:
    """The rows of cases by generic table name, and what became of their stays."""

    def __init__(self, gathered: Gathered) -> None:
        keys, numbers = TableKeys(Key(b"r" * 32)), Numbers()
        agreed, loaded = full_contract(), loaded_reference()
        self.results: list[PersonRows] = [
            person_rows(view, contract=agreed, pseudonyms=keys, numbers=numbers, reference=loaded)
            for view in gathered.views()
        ]
        self.tables: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for name, rows in (item for result in self.results for item in result.tables.items()):
            generic = re.sub(r"^(T_[A-Z]{3})\d\d", r"\1aa", name)
            self.tables[generic] += [dict(zip(TABLES[generic].names, row, strict=True)) for row in rows]

    def outcomes(self) -> Counter[tuple[str, str | None]]:
        return Counter((one.status, one.reason) for result in self.results for one in result.stays)

    def counts(self) -> Counter[str]:
        told: Counter[str] = Counter()
        for result in self.results:
            for one in result.stays:
                told.update(one.counts)
        return told


def days(first: Any, last: Any) -> int:
    return int((last.date() - first.date()).days)


@pytest.mark.parametrize("kind", KINDS)
def test_every_bundle_of_a_case_is_valid(kind: str) -> None:
    for bundle in rare_case(1, HOSPITAL, kind).bundles:
        verdict = load_validator().validate(parse(orjson.dumps(bundle), Limits()), french_profiles="enforce")
        assert [(one.code, one.expression) for one in verdict.issues if one.severity in ("error", "fatal")] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_is_the_same_each_time_marked_and_beside_every_planned_stay(kind: str) -> None:
    case = rare_case(7, HOSPITAL, kind, number=2)

    assert case == rare_case(7, HOSPITAL, kind, number=2)
    assert case != rare_case(8, HOSPITAL, kind, number=2)
    assert len(case.stays) == len(case.bundles)
    assert all(stay.number > FIRST for stay in case.stays)
    for bundle in case.bundles:
        assert {tag["code"] for one in bundle["entry"] for tag in one["resource"]["meta"]["tag"]} == {"HTEST"}


def test_the_stays_of_all_cases_have_numbers_of_their_own() -> None:
    numbers = [stay.number for case in rare_cases(1, HOSPITAL, rounds=3) for stay in case.stays]

    assert len(numbers) == len(set(numbers)) == 3 * (len(KINDS) + 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_twins_share_a_pseudonym_and_differ_by_their_rank(seed: int) -> None:
    case = rare_case(seed, HOSPITAL, "twins")
    written = written_of(case)
    chaining = written.tables["T_MCOaaC"]
    children = [row for row in chaining if row["HOS_NN_MAM"] == "1"]
    born = [row for row in written.tables["IR_BEN_R"] if row["BEN_NIR_PSA"] == children[0]["NIR_ANO_17"]]

    assert written.outcomes() == {("written", None): 3}
    assert len({row["NIR_ANO_17"] for row in children}) == 1
    assert sorted(row["RNG_NAI"] for row in children) == ["1", "2"]
    assert sorted(row["BEN_RNG_GEM"] for row in born) == [1, 2]
    assert len({row["BEN_IDT_ANO"] for row in born}) == 2
    assert len({row["ID_MAM_ENF"] for row in chaining}) == 1
    assert sorted(row["DGN_PAL"] for row in written.tables["T_MCOaaB"]) == ["O840", "Z383", "Z383"]


@pytest.mark.parametrize("kind", OTHER_FIELDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_stay_of_another_field_is_in_quarantine_for_it_and_counted(kind: str, seed: int) -> None:
    case = rare_case(seed, HOSPITAL, kind)
    written = written_of(case)

    assert case.reason == FIELD_REASON
    assert written.outcomes() == {("quarantined", FIELD_REASON): 1}
    assert [written.counts()[name] for name in ("field-had", "field-ssr", "field-psy")].count(1) == 1
    assert written.counts()[case.counter or ""] == 1
    assert not any(written.tables[name] for name in ("T_MCOaaB", "T_MCOaaC", "T_MCOaaUM", "T_MCOaaD", "T_MCOaaA"))


@pytest.mark.parametrize("kind", ["places", "unit-claims"])
@pytest.mark.parametrize("seed", SEEDS)
def test_units_told_without_encounters_have_their_nights(kind: str, seed: int) -> None:
    case = rare_case(seed, HOSPITAL, kind)
    [stay] = case.stays
    written = written_of(case)
    units = written.tables["T_MCOaaUM"]

    assert [one["resource"]["resourceType"] for one in case.bundles[0]["entry"]].count("Encounter") == 1
    assert written.outcomes() == {("written", None): 1}
    assert [unit["PAR_DUR_SEJ"] for unit in units] == [days(one.start, one.end) for one in stay.units]
    assert written.tables["T_MCOaaB"][0]["NBR_RUM"] == 2
    if kind == "places":
        assert [unit["ETA_NUM_GEO"] for unit in units] == [HOSPITAL.site_of(one.unit) for one in stay.units]
        assert [unit["AUT_TYP1_UM"] for unit in units] == [next(iter(one.unit.types), None) for one in stay.units]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_cases_give_is_their_truth(seed: int) -> None:
    cases = list(rare_cases(seed, HOSPITAL, rounds=2))
    written, truth = written_of(*cases), Truth()
    for stay in (stay for case in cases if case.reason is None for stay in case.stays):
        truth.add(stay)
    told = truth.to_json()
    acts: Counter[str] = Counter()
    for row in written.tables["T_MCOaaA"]:
        acts[row["CDC_ACT"]] += row["NBR_EXE_ACT"]

    assert told["stays"] == len(written.tables["T_MCOaaB"])
    assert told["nights"] == sum(row["SEJ_NBJ"] or 0 for row in written.tables["T_MCOaaB"])
    assert told["units"] == len(written.tables["T_MCOaaUM"])
    assert told["births"] == sum(row["ENT_MOD"] == "N" for row in written.tables["T_MCOaaB"]) == 4
    assert told["principal_diagnoses"] == Counter(row["DGN_PAL"] for row in written.tables["T_MCOaaB"])
    assert told["associated_diagnoses"] == Counter(row["ASS_DGN"] for row in written.tables["T_MCOaaD"])
    assert told["acts"] == acts


def test_what_the_cases_give_beside_their_stays_is_counted_with_them() -> None:
    cases = list(rare_cases(1, HOSPITAL))
    tables = written_of(*cases).tables
    given: Counter[str] = Counter()
    for case in cases:
        given.update(case.gives)
    boxes, retroceded, listed = tables["ER_PHA_F"], tables["ER_UCD_F"], tables["T_MCOaaMED"]
    found = {
        "box_lines": len(boxes),
        "boxes": sum(row["PHA_ACT_QSN"] for row in boxes),
        "retrocession_lines": len(retroceded),
        "retroceded_units": sum(row["UCD_DLV_NBR"] for row in retroceded),
        "expensive_lines": len(listed),
        "expensive_units": sum(row["ADM_NBR"] for row in listed),
        "visits": len(tables["T_MCOaaCSTC"]),
        "fees": len(tables["T_MCOaaFCSTC"]),
        "services": sum(row["SEJ_TYP"] == "B" for row in tables["T_MCOaaB"]),
        "organ_donors": sum(row["HOS_PLO"] == "1" for row in tables["T_MCOaaC"]),
        "grouped_stays": sum(row["GRG_GHM"] == "05M093" for row in tables["T_MCOaaB"]),
        "scored_units": sum(row["IGS2_COD"] is not None for row in tables["T_MCOaaUM"]),
        "dated_pregnancies": sum(row["DEL_REG_ENT"] == 275 for row in tables["T_MCOaaB"]),
        "grouped_results": sum(row["BIO_GRP_NUM"] is not None for row in tables["T_EDSaaBIO"]),
    }

    assert found == given
    assert {row["PRS_NAT_REF"] for row in tables["ER_PRS_F"]} == {3313, 3317}
    assert {row["PHA_SEQ_RNV"] for row in boxes} == {3}


def test_every_part_of_a_ccam_code_has_its_column() -> None:
    [act] = written_of(rare_case(1, HOSPITAL, "grouped")).tables["T_MCOaaA"]

    assert {name: act[name] for name in ("CDC_ACT", "EXT_PMSI", "PHA_ACT", "ACV_ACT", "DOC_ACT", "MOD_ACT")} == {
        "CDC_ACT": "DEQP003", "EXT_PMSI": "01", "PHA_ACT": "0", "ACV_ACT": "1", "DOC_ACT": "1", "MOD_ACT": "UK",
    }  # fmt: skip


def test_no_planned_stay_is_of_a_rare_kind() -> None:
    planned: list[Stay] = list(plan_stays(1, 120))

    assert not {stay.kind for stay in planned} & set(KINDS)


def test_the_manifest_says_what_becomes_of_rare_cases_and_nothing_where_none_was_asked_for(tmp_path: Path) -> None:
    usual = write_stays(tmp_path / "usual", seed=4, stays=20, hospital=HOSPITAL)
    manifest = write_stays(tmp_path / "rare", seed=4, stays=20, hospital=HOSPITAL, rare=2)
    added = sorted((tmp_path / "rare").glob("9*.json"))
    gathered = Gathered()
    for path in sorted((tmp_path / "rare").glob("[09]*.json")):
        if "-wrong-" not in path.name:
            gathered.add(orjson.loads(path.read_bytes()), full_contract())
    outcomes = Written(gathered).outcomes()
    expected = manifest["expected"]["stays"]

    assert {path.name: path.read_bytes() for path in (tmp_path / "usual").glob("0*")} == {
        path.name: path.read_bytes() for path in (tmp_path / "rare").glob("0*")
    }
    assert not {"rare", "quarantine", "rare_truth"} & set(usual)
    assert manifest["rare_truth"]["boxes"] == 6
    assert (manifest["bundles"], len(added)) == (bundle_count(20, 2), 2 * A_ROUND)
    assert manifest["rare"] == {kind: 6 if kind == "twins" else 2 for kind in sorted(KINDS)}
    assert manifest["planted"] == usual["planted"]
    assert outcomes[("written", None)] == expected["written"] == manifest["truth"]["stays"]
    assert outcomes[("quarantined", FIELD_REASON)] == expected["quarantined"] == manifest["quarantine"][FIELD_REASON]
    assert sum(manifest["exits"].values()) == expected["written"]


def test_generate_writes_rare_cases_when_asked_to(tmp_path: Path) -> None:
    words = ["generate", "--stays", "1", "--rare", "1", "--to", str(tmp_path)]
    done = CliRunner().invoke(make_app(), words)

    assert done.exit_code == 0
    assert len(list(tmp_path.glob("9*.json"))) == A_ROUND
    assert "psychiatry" in done.stdout
