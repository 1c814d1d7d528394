"""fhirpathpy, another engine, gives the same verdict for the rules of resources that it can evaluate."""

from __future__ import annotations

import contextlib
import io
import random
from pathlib import Path
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.compiler.corrections import corrected
from tests.support.fhirpath_rules import rules
from tests.unit.fhir_profiles.fhirpath.test_rules import changed, resources

# What it says of expressions or data that it cannot evaluate; anything else it raises fails the test.
CANNOT = ("Not implemented: hasValue", "Expected singleton")


def verdict(expression: str, resource: dict[str, Any]) -> bool | None:
    """Return the oracle's verdict, None when it has none."""
    environment = {"resource": resource, "rootResource": resource, "context": resource}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return fhirpathpy.evaluate(resource, expression, environment, models["r4"]) == [True]
    except Exception as error:
        if not str(error).startswith(CANNOT):
            raise
        return None


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
def test_rules_of_resources_get_the_verdict_of_another_engine(shared: Path) -> None:
    rng = random.Random(1)
    compared, silent, disagreements = 0, 0, []
    for resource in resources(shared):
        for version in (resource, changed(resource, rng)):
            x = CheckContext(version, version)
            for rule in rules().get(version["resourceType"], ()):
                theirs = verdict(corrected(rule.expression), version)
                if theirs is None:
                    silent += 1
                    continue
                compared += 1
                if theirs != rule.general(version, x):
                    disagreements.append((rule.key, version["resourceType"]))

    print(f"rules compared with fhirpathpy: {compared}, not evaluated by it: {silent}")
    assert disagreements == []
    assert compared > 3_000
    assert silent < compared / 20
