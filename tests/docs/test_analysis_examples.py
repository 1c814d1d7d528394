"""The example analyses run on a lake, find what was planted, and print no small count."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streaming.lake import DATABASE
from tests.support.analysis_tables import tables
from tests.support.made_events import FINESS
from tests.support.small_lake import publish

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "analysis"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("data"), tables()) / "lake" / DATABASE


def run(script: Path, lake: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(script)], env=os.environ | {"SNDS_LAKE": str(lake)}, capture_output=True, text=True,
        timeout=600, check=False,
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
