"""Shapes of rules that the packaged definitions hardly have: inline and general translation say the same of them."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_profiles.compiler.constraints import emit_constraints
from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.compiler.engine import _RUNTIME
from fhir_profiles.compiler.writer import Writer
from fhir_profiles.fhirpath import operations
from fhir_profiles.fhirpath.evaluation import compiled
from fhir_profiles.model import Constraint, Element
from tests.support.fhirpath_rules import library

CODED = {"coding": [{"system": "http://loinc.org", "code": "1-8"}, {"code": "x"}], "text": "x"}
QUANTITY = {"value": 3, "unit": "g", "system": "http://unitsofmeasure.org", "code": "g"}
OBSERVATIONS: list[dict[str, Any]] = [
    {},
    {"status": "final", "code": CODED},
    {"status": "amended", "valueQuantity": QUANTITY, "interpretation": [CODED, CODED]},
    {"_status": {"extension": [{"url": "http://example.org/a", "valueCode": "x"}]}, "valueString": "x"},
    {"valueBoolean": True, "effectiveDateTime": "2024-01-10", "issued": "2024-01-10T08:00:00Z"},
    {"valueBoolean": False, "effectiveDateTime": "2024-01-12T08:00:00+01:00", "issued": "2024-01-10T08:00:00Z"},
    {"component": [{"code": CODED, "valueQuantity": QUANTITY}, {"code": {"text": "y"}, "valueInteger": 2}]},
    {"component": [{"code": CODED}], "extension": [{"url": "http://example.org/a", "valueCoding": {"code": "x"}}]},
    {"extension": [{"url": "http://example.org/a", "valueString": "x", "_valueString": {"id": "i"}}]},
    {"extension": [{"url": "http://example.org/a", "extension": [{"url": "b", "valueQuantity": QUANTITY}]}]},
    {"contained": [{"resourceType": "Patient", "id": "p"}], "subject": {"reference": "#p", "display": "A"}},
    {"note": [{"text": "x", "time": "2024"}, {"text": "x"}], "method": {"text": ""}, "identifier": [{"value": "1"}]},
]
RULES = [
    "status = 'final' and code.exists()",
    "'final' = status",
    "status != 'final' or value.exists()",
    "status.exists() xor value.exists()",
    "status.exists() = (status = 'final')",
    "true",
    "true implies status.exists()",
    "(status = 'final').not()",
    "status in ('final' | 'amended')",
    "(status in ('final' | 'amended')).not()",
    "status in 'final'",
    "code.text in code.coding.code",
    "value.ofType(Quantity).code in component.value.ofType(Quantity).code",
    "value.code = 'g'",
    "value.code != 'g'",
    "extension('http://example.org/a').value.code = 'x'",
    "extension('http://example.org/a').value.id = 'i'",
    "extension('http://example.org/a').extension('b').value.where(code = 'g').exists()",
    "extension('http://example.org/a').value.exists(code = 'x')",
    "extension.value.where($this = 'x').exists()",
    "code = 'x'",
    "code.coding = 'x'",
    "code.coding.code = 'x'",
    "code.coding.where(system = %loinc).code = '1-8'",
    "code.coding.where(system = %loinc and code.startsWith('1')).exists()",
    "code.text.endsWith('x')",
    "code.text.contains('x').not()",
    "code.text.matches('^[a-z]$')",
    "code.text.length() > 0",
    "code.text.length() = 1",
    "effective.toString().length() >= 10",
    "issued.toString().length() >= 10",
    "value is Quantity",
    "value.is(Quantity).not()",
    "value is boolean or value is string",
    "value is FHIR.string",
    "value is System.String",
    "status is string",
    "code is CodeableConcept",
    "subject is Element",
    "subject.is(Period)",
    "value = true",
    "value.ofType(boolean)",
    "value.ofType(boolean) = false",
    "value.ofType(boolean).not()",
    "value.ofType(Quantity).value > 2",
    "2 < value.ofType(Quantity).value",
    "value.ofType(Quantity).value = 3",
    "value.ofType(Quantity).value != 3",
    "value.ofType(Quantity).hasValue()",
    "value.ofType(Quantity).value.hasValue()",
    "status.hasValue()",
    "interpretation.count() = 2",
    "interpretation.coding.count() > 1",
    "interpretation.coding.where(code = 'x').count() + note.count() >= 2",
    "(status.count() + code.count()) < 2",
    "code.coding.count() = 2",
    "1 < interpretation.count()",
    "component.all(code.text.exists())",
    "component.all(value is Quantity or value is integer)",
    "component.where(code.text = 'y').value.exists()",
    "component.code.coding.exists(code = 'x')",
    "component.exists(value.exists() and code.coding.exists())",
    "component.select(code.text & 'a').isDistinct()",
    "note.select(text & time).isDistinct()",
    "note.select(text).isDistinct()",
    "note.text.isDistinct()",
    "issued <= issued",
    "issued >= issued",
    "issued < issued",
    "status.trace('a') = 'final'",
    "code.coding.trace('b').exists()",
    "contained.where(id = 'p').exists()",
    "contained.all($this is Patient)",
    "contained.gender.empty()",
    "subject.reference.startsWith('#')",
    "children().count() > id.count()",
    "hasValue()",
    "exists()",
    "Observation.status.exists()",
    "%resource.status = 'final'",
    "%resource.component.count() = component.count()",
    "component.all(code.coding.code contains %resource.code.coding.code.first())",
    "component.where($index = 0).exists()",
    "%context.component.all(%context.status.empty())",
    "Resource.id.empty()",
    "identifier.value.exists() implies identifier.value = '1'",
    "note.exists(time.exists())",
    "nothing.exists()",
    "code.nothing = 'x'",
]


@pytest.mark.parametrize("expression", RULES)
def test_inline_says_what_the_general_translation_says(expression: str) -> None:
    owner = Element("Observation", "Observation", 0, 1, constraints=(Constraint("test-1", "error", expression),))
    writer = Writer()
    with writer.function("check(n, x)"):
        writer("e = None")
        emit_constraints(writer, owner, library().type("Observation"), node="n")
        writer("return e is None")
    namespace: dict[str, Any] = {**_RUNTIME, **writer.constants}
    exec(compile(writer.source(), "<test>", "exec"), namespace)
    whole = compiled(expression, "Observation")

    verdicts = []
    for one in OBSERVATIONS:
        resource = {"resourceType": "Observation", **one}
        x = CheckContext(resource, resource)
        verdicts.append((namespace["check"](resource, x), operations.answer(whole, resource, x) is True))

    assert writer.not_checked == []
    assert [inline for inline, _ in verdicts] == [general for _, general in verdicts]
