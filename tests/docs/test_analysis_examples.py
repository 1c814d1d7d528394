"""The example analyses run on a lake, find what was planted, and print no small count."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from streaming.lake import DATABASE
from tests.support.made_events import FINESS
from tests.support.small_lake import publish, stay

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "analysis"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
RETURNS = {
    f"{name}_RET": "0" for name in ("NIR", "NAI", "SEX", "SEJ", "FHO", "PMS", "DAT", "COH_NAI", "COH_SEX")
}  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty infarctions of Paris, 12 of them readmitted after 20 days, and five of Corsica."""
    tables: dict[str, list[dict[str, Any]]] = {}

    def add(number: int, person: str, entry: date, exit_: date, **columns: Any) -> None:
        made = stay(number, person=person, GRG_GHM="XXXXXX", TYP_GEN_RSA="0", **columns)
        chain = dict(made["C"]) | RETURNS | {"EXE_SOI_DTD": entry, "EXE_SOI_DTF": exit_}
        for name, row in (("T_MCO24B", made["B"]), ("T_MCO24C", chain), ("T_EDS24SEJ", made["SEJ"])):
            tables.setdefault(name, []).append(dict(row))
        keys = {"ETA_NUM": FINESS, "RSA_NUM": f"{number:010d}"}
        tables.setdefault("T_MCO24UM", []).append(keys | {"UM_ORD_NUM": 1, "DGN_PAL": "I219"})
        tables.setdefault("T_MCO24A", []).append(keys | {"CDC_ACT": "DEQP003", "ACT_ORD_NUM": 1})
        tables.setdefault("T_EDS24PRE", []).append(
            keys | {"NIR_ANO_17": person, "PRE_EVT_NUM": f"{number:022d}", "PRE_SOI_AMD": "202403",
                    "PHA_ATC_CLA": "B01AC06", "PRE_STA_COD": "F"}
        )  # fmt: skip
        for rank, value in enumerate((80.0, 120.0)):
            tables.setdefault("T_EDS24BIO", []).append(
                keys | {"NIR_ANO_17": person, "BIO_RES_NUM": f"{rank}{number:021d}", "PLV_SOI_AMD": "202403",
                        "PLV_MIN_DEL": 60 + 600 * rank, "BIO_LOI_COD": "14682-9", "BIO_VAL_STD": value,
                        "BIO_STA_COD": "F"}
            )  # fmt: skip

    for n in range(30):
        add(n, f"P{n:016d}", date(2024, 3, 1), date(2024, 3, 5), BDI_DEP="75")
    for n in range(12):
        add(100 + n, f"P{n:016d}", date(2024, 3, 25), date(2024, 3, 27), BDI_DEP="75")
    for n in range(5):
        add(200 + n, f"C{n:016d}", date(2024, 3, 1), date(2024, 3, 5), BDI_DEP="2A")
    return publish(tmp_path_factory.mktemp("data"), tables) / "lake" / DATABASE


def run(script: Path, lake: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(script)], env=os.environ | {"SNDS_LAKE": str(lake)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_lists_every_script() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    assert len(SCRIPTS) >= 4
    assert [path.name for path in EXAMPLES.iterdir() if path.name != "README.md" and f"`{path.name}`" not in text] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_an_example_runs_and_prints_no_small_count(script: Path, lake: Path) -> None:
    told = run(script, lake)

    assert told
    counts = re.findall(r"(?<![\w.<] )(?<![\w.])(\d+)(?= (?:stays|persons|lines|boxes|of)\b)", told)
    assert [one for one in counts if 0 < int(one) < 11] == []


def test_the_answers_are_those_that_were_planted(lake: Path) -> None:
    incidence = run(EXAMPLES / "01_incidence.py", lake).splitlines()
    positions = run(EXAMPLES / "02_any_position.py", lake)
    drugs = run(EXAMPLES / "03_drugs.py", lake)
    laboratory = run(EXAMPLES / "04_laboratory.py", lake)

    assert [line.split() for line in incidence[1:]] == [["I21", "75", "42", "30"]]
    assert "I21 in any position: 47 stays of 35 persons" in positions
    assert f"DEQP003 in {FINESS}: 47" in positions
    assert "readmission within 30 days: 12 of 47 stays" in positions
    assert "B01 prescribed: 47 lines, 35 persons" in drugs
    assert "B01 given: 0 lines" in drugs
    assert "median 80 umol/L on admission, peak 120; risen: 100%" in laboratory
