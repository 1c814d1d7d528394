"""Our verdicts agree with those of HL7's own validator on its own cases (issue B: 97 %)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from scripts.build_conformance import DOCUMENT, REASONS, agrees, counts_alike, document, without_times
from tests.support.hl7_cases import Outcome, Run, judge, runs

pytestmark = pytest.mark.shared

AGREEMENT = 0.97


@pytest.fixture(scope="module")
def judged(shared: Path) -> list[tuple[Run, Outcome]]:
    return [(run, judge(run)) for run in runs(shared)]


def test_verdicts_agree_with_the_reference_validator(judged: list[tuple[Run, Outcome]]) -> None:
    for listed in (judged, [one for one in judged if one[0].profile is None]):
        differ = [run.name for run, outcome in listed if not agrees(run, outcome)]
        assert len(listed) >= 65
        assert 1 - len(differ) / len(listed) >= AGREEMENT, differ
    assert len(judged) >= 77


def test_every_difference_has_its_reason(judged: list[tuple[Run, Outcome]]) -> None:
    differ = {run.name for run, outcome in judged if not agrees(run, outcome) or not counts_alike(run, outcome)}

    assert differ == set(tomllib.loads(REASONS.read_text(encoding="utf-8")))


def test_the_document_is_what_the_cases_say(shared: Path) -> None:
    written = DOCUMENT.read_text(encoding="utf-8")

    assert without_times(written) == without_times(document(shared))
    assert written != without_times(written)
