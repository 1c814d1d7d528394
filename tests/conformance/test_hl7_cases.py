"""Our verdicts agree with those of HL7's own validator on its own cases (issue B: 97 %)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from scripts.build_conformance import DOCUMENT, REASONS, document
from tests.support.hl7_cases import Outcome, Run, judge, runs

pytestmark = pytest.mark.shared

AGREEMENT = 0.97


@pytest.fixture(scope="module")
def judged(shared: Path) -> list[tuple[Run, Outcome]]:
    return [(run, judge(run)) for run in runs(shared)]


def test_verdicts_agree_with_the_reference_validator(judged: list[tuple[Run, Outcome]]) -> None:
    differ = [run.name for run, outcome in judged if run.valid != (not outcome.errors)]

    assert len(judged) >= 77
    assert 1 - len(differ) / len(judged) >= AGREEMENT, differ


def test_every_difference_has_its_reason(judged: list[tuple[Run, Outcome]]) -> None:
    differ = {run.name for run, outcome in judged if run.valid != (not outcome.errors)}

    assert differ == set(tomllib.loads(REASONS.read_text(encoding="utf-8")))


def test_the_document_is_what_the_cases_say(shared: Path) -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(shared)
