"""The quality report finds what is wrong in the tables, and publishes no small count."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from streaming import sqlite
from streaming.quality import Report, measure
from streaming.quality_checks import checks
from streaming.quality_sql import Lake
from tests.support.made_events import FINESS
from tests.support.small_lake import publish, stay, stays
from transformers.snds.quarantine import REASONS
from transformers.snds.schema import TABLES

GOOD = 40


def of(report: Report, code: str) -> Any:
    [line] = [line for line in report.lines if line.check.code == code and line.hospital == FINESS]
    return line.failing


def complete(number: int, **columns: Any) -> dict[str, list[dict[str, Any]]]:
    """Return a whole right stay: its B, C, SEJ, UM, D and A."""
    made = stay(number, NBR_DGN=1, NBR_ACT=1, BDI_DEP="75", **columns)
    keys = {"ETA_NUM": FINESS, "RSA_NUM": f"{number:010d}"}
    return {
        "T_MCO24B": [made["B"]],
        "T_MCO24C": [{name: "0" for name in TABLES["T_MCOaaC"].names if name.endswith("_RET")} | made["C"]],
        "T_EDS24SEJ": [made["SEJ"]],
        "T_MCO24UM": [keys | {"UM_ORD_NUM": 1, "DGN_PAL": "I219", "PAR_DUR_SEJ": 2, "DGN_ASS_NBR": 1}],
        "T_MCO24D": [keys | {"ASS_DGN": "I10", "DGN_ASS_NUM": 1}],
        "T_MCO24A": [keys | {"CDC_ACT": "DEQP003", "ACT_ORD_NUM": 1, "ENT_DAT_DEL": 0}],
        "IR_BEN_R": [{"BEN_NIR_PSA": made["C"]["NIR_ANO_17"], "BEN_RNG_GEM": 1, "BEN_CDI_NIR": "00"}],
    }


def together(*some: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {}
    for one in some:
        for name, rows in one.items():
            tables.setdefault(name, []).extend(rows)
    return tables


def state(data_dir: Path) -> sqlite3.Connection:
    return sqlite.connect(data_dir / "ops.sqlite", "ops")


def test_right_stays_fail_no_conformance_check(tmp_path: Path) -> None:
    publish(tmp_path, together(*(complete(n) for n in range(GOOD))))

    report = measure(tmp_path)

    failing = [
        line.check.code for line in report.lines if line.check.family == "conformance" and line.failing.rate != 0
    ]
    assert failing == []
    assert report.families[FINESS, "plausibility"] == (0, report.families[FINESS, "plausibility"].whole, 0.0)
    assert [(cell.group, cell.stays, cell.persons) for cell in report.stays] == [((FINESS, "2024-03"), GOOD, GOOD)]


FAULTS: list[tuple[str, str, dict[str, Any]]] = [
    ("stay-units", "T_MCO24B", {"NBR_RUM": 2}),
    ("stay-diagnoses", "T_MCO24B", {"NBR_DGN": 3}),
    ("stay-acts", "T_MCO24B", {"NBR_ACT": 0}),
    ("stay-nights", "T_MCO24B", {"SEJ_NBJ": 5}),
    ("stay-unit-of-diagnosis", "T_MCO24UM", {"DGN_PAL": "J189"}),
    ("diagnosis-nomenclature", "T_MCO24B", {"DGN_PAL": "nope"}),
    ("act-nomenclature", "T_MCO24A", {"CDC_ACT": "XX"}),
    ("mode-pair", "T_MCO24B", {"ENT_MOD": "7", "ENT_PRV": None}),
    ("join:T_MCOaaD", "T_MCO24D", {"RSA_NUM": "9999999999"}),
    ("key:T_MCOaaD", "T_MCO24D", {"RSA_NUM": "0000000000"}),
    ("beneficiary-known", "T_MCO24C", {"NIR_ANO_17": "N" * 17}),
    ("chained", "T_MCO24C", {"NIR_ANO_17": "x" * 17}),
    ("age-plausible", "T_MCO24B", {"AGE_ANN": 140}),
    ("diagnosis-and-sex", "T_MCO24B", {"DGN_PAL": "O800", "COD_SEX": "1"}),
    ("residence", "T_MCO24B", {"BDI_DEP": None}),
    ("act-inside", "T_MCO24A", {"ENT_DAT_DEL": 30}),
    ("dates-inside", "T_EDS24SEJ", {"FLG_DAT_HOR": 2}),
    ("insured-number", "T_EDS24SEJ", {"FLG_NIR_PRO": "1"}),
    ("diagnosis-designated", "T_EDS24SEJ", {"FLG_DGN_RUL": "3"}),
    ("unit-diagnosis", "T_EDS24SEJ", {"FLG_UM_DGN": "1"}),
    ("geographic-code", "T_EDS24SEJ", {"FLG_GEO_DEF": "1"}),
    ("type:T_MCOaaB", "T_MCO24B", {"DGN_PAL": "TOO-LONG"}),
]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Forty right stays, and twenty of each fault."""
    made = [complete(n) for n in range(GOOD)]
    for place, (_, table, wrong) in enumerate(FAULTS, start=1):
        bad = [complete(1000 * place + n) for n in range(20)]
        for one in bad:
            one[table][0] |= wrong
        made += bad
    return measure(publish(tmp_path_factory.mktemp("faulty"), together(*made)))


@pytest.mark.parametrize("code", [code for code, _, _ in FAULTS])
def test_a_planted_fault_is_found_by_its_check(faulty: Report, code: str) -> None:
    failing = of(faulty, code)

    # one fault may be found by several checks, and a row without its stay leaves that stay one short
    assert 20 <= failing.part <= 80
    assert failing.part < failing.whole


def test_a_small_number_of_faults_is_masked(tmp_path: Path) -> None:
    bad = [complete(n, AGE_ANN=140) for n in range(3)]
    publish(tmp_path, together(*bad, *(complete(n) for n in range(100, 100 + GOOD))))

    report = measure(tmp_path)

    assert of(report, "age-plausible") == (None, GOOD + 3, None)
    [repair] = [one for one in report.repairs if one.code == "age-plausible"]
    assert repair.number is None


def test_results_are_measured_by_month_against_units_and_bounds(tmp_path: Path) -> None:
    def result(number: int, **columns: Any) -> dict[str, Any]:
        return {
            "ETA_NUM": FINESS, "NIR_ANO_17": "P" * 17, "BIO_RES_NUM": f"{number:022d}", "PLV_SOI_AMD": "202402",
            "BIO_LOI_COD": "2823-3", "BIO_VAL_NUM": 4.0, "BIO_VAL_STD": 4.0, "BIO_STA_COD": "F", "RSA_NUM": None,
        } | columns  # fmt: skip

    rows = [result(n) for n in range(30)]
    rows += [result(100 + n, BIO_VAL_STD=400.0, PLV_SOI_AMD="202403") for n in range(15)]
    rows += [result(200 + n, BIO_VAL_STD=None, PLV_SOI_AMD="202403") for n in range(15)]
    publish(tmp_path, {"T_EDS24BIO": rows} | stays(stay(1)))

    report = measure(tmp_path)
    trend = {line.check.code: line.trend for line in report.lines}

    assert of(report, "result-plausible").part == 15
    assert of(report, "result-unit") == (15, 60, 0.25)
    assert trend["result-unit"] == (("2024-02", 0.0), ("2024-03", 0.5))
    assert of(report, "result-loinc").part == 0


def test_quarantine_and_counters_come_from_the_state_with_their_repair(tmp_path: Path) -> None:
    publish(tmp_path, stays(stay(1)))
    connection = state(tmp_path)
    with sqlite.transaction(connection):
        connection.execute("INSERT INTO owner (id, finess) VALUES (1, ?)", [FINESS])
        for n in range(25):
            reason = "patient-missing" if n < 20 else "sex-not-codable"
            connection.execute(
                "INSERT INTO stay (owner, key, finess, status, reason) VALUES (1, ?, ?, 'quarantined', ?)",
                [f"k{n}", FINESS, reason],
            )
        connection.execute("INSERT INTO quality (owner, code, n) VALUES (1, 'clinical-without-drug', 42)")
    connection.close()

    report = measure(tmp_path)

    # five are masked, and the twenty with them: the total of the quarantine is published too
    assert [(cell.group[1], cell.stays) for cell in report.quarantine] == [
        ("patient-missing", None), ("sex-not-codable", None),
    ]  # fmt: skip
    assert [(cell.group[1], cell.stays) for cell in report.counters] == [("clinical-without-drug", 42)]
    assert report.repairs[0].code == "patient-missing"
    assert report.repairs[0].how == REASONS["patient-missing"]
    assert len(report.repairs) <= 10


def test_a_report_of_one_hospital_says_nothing_of_another(tmp_path: Path) -> None:
    other = [stay(n, ETA_NUM="690781810") for n in range(20)]
    for one in other:
        for row in one.values():
            row["ETA_NUM"] = "690781810"  # type: ignore[index]
    publish(tmp_path, stays(*(stay(100 + n) for n in range(20)), *other))

    report = measure(tmp_path, hospital=FINESS)

    assert {line.hospital for line in report.lines} <= {FINESS, ""}
    assert {cell.group[0] for cell in report.stays} == {FINESS}


def test_every_check_runs_on_every_published_table(tmp_path: Path) -> None:
    publish(tmp_path, together(*(complete(n) for n in range(2))))

    with Lake(tmp_path) as lake:
        asked = {one.code for one in lake.checks()}

    held = {"T_MCOaaB", "T_MCOaaC", "T_MCOaaUM", "T_MCOaaD", "T_MCOaaA", "T_EDSaaSEJ", "IR_BEN_R"}
    assert asked == {one.code for one in checks() if one.table in held}
    assert len({one.code for one in checks()}) == len(checks())


def test_no_month_of_a_trend_can_be_told_from_the_total(tmp_path: Path) -> None:
    march = [complete(n, AGE_ANN=140 if n < 15 else 40) for n in range(40)]
    april = [complete(100 + n, SOR_MOI="04", AGE_ANN=140 if n < 5 else 40) for n in range(40)]
    may = [complete(200 + n, SOR_MOI="05", AGE_ANN=140 if n < 20 else 40) for n in range(40)]
    publish(tmp_path, together(*march, *april, *may))

    [line] = [one for one in measure(tmp_path).lines if one.check.code == "age-plausible"]

    # five of April are small; with the total of 40 and both other months they would be told, so March is hidden too
    assert line.failing.part == 40
    assert line.trend == (("2024-03", None), ("2024-04", None), ("2024-05", 0.5))


def test_the_sum_of_a_family_does_not_tell_a_masked_check(tmp_path: Path) -> None:
    bad = [complete(n, AGE_ANN=140) for n in range(3)]
    publish(tmp_path, together(*bad, *(complete(n) for n in range(100, 500))))

    family = measure(tmp_path).families[FINESS, "plausibility"]

    assert family.part is None
    assert family.whole is not None
    assert family.whole % 100 == 0
    assert family.rate == 0.0
