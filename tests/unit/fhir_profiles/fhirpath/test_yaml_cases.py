"""Our own FHIRPath cases, `tests/cases/fhirpath`: primitives with `_` siblings, choices, references, contained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.fhirpath.evaluation import evaluate
from tests.support.fhirpath_cases import REFUSED, shown

FOLDER = Path(__file__).parents[4] / "tests" / "cases" / "fhirpath"
FILES = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yaml"))}
CASES = [(name, case) for name, content in FILES.items() for case in content["cases"]]
REFUSALS = [(name, case) for name, content in FILES.items() for case in content["refused"]]


def answer(name: str, case: dict[str, Any], resource: str) -> list[str]:
    content = FILES[name]
    subject = content["resources"][resource]
    context = CheckContext(subject, subject, content["others"].get)
    return [shown(one) for one in evaluate(case["expression"], subject, context=context)]


@pytest.mark.parametrize(("name", "case"), CASES, ids=lambda one: one["expression"] if isinstance(one, dict) else one)
def test_the_expression_gives_what_the_case_says(name: str, case: dict[str, Any]) -> None:
    found = answer(name, case, case["of"])

    assert (sorted(found) if case.get("any_order") else found) == (
        sorted(case["gives"]) if case.get("any_order") else case["gives"]
    )


@pytest.mark.parametrize(("name", "case"), REFUSALS, ids=lambda one: one["why"] if isinstance(one, dict) else one)
def test_what_has_no_answer_is_refused(name: str, case: dict[str, Any]) -> None:
    with pytest.raises(REFUSED):
        answer(name, case, "patient")
