"""The official FHIRPath cases for R4 (`hl7-cases/fhirpath`): read, run, shown."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.fhirpath.errors import Unevaluable, Unknown, Untranslatable
from fhir_profiles.fhirpath.evaluation import evaluate
from fhir_profiles.fhirpath.moments import Moment
from fhir_profiles.fhirpath.nodes import Item, Node
from fhir_profiles.fhirpath.quantities import Quantity

REFUSED = (Untranslatable, Unevaluable, Unknown)
MOMENTS = ("date", "dateTime", "time", "instant")


@dataclass(frozen=True, slots=True)
class Case:
    """One official case. `outputs` are (type, text); `invalid` is "", or the stage that must refuse it."""

    group: str
    name: str
    expression: str
    input: str
    outputs: tuple[tuple[str, str], ...]
    invalid: str = ""
    predicate: bool = False
    ordered: bool = True
    mode: str = ""


def cases(folder: Path) -> Iterator[Case]:
    """Read the cases."""
    for group in ET.parse(folder / "tests-fhir-r4.xml").getroot().iter("group"):
        for test in group.iter("test"):
            expression = test.find("expression")
            assert expression is not None
            yield Case(
                group.attrib["name"],
                test.attrib["name"],
                expression.text or "",
                test.attrib.get("inputfile", ""),
                tuple((one.attrib.get("type", ""), one.text or "") for one in test.findall("output")),
                expression.attrib.get("invalid", ""),
                test.attrib.get("predicate") == "true",
                test.attrib.get("ordered") != "false",
                test.attrib.get("mode", "") or expression.attrib.get("mode", ""),
            )


def resource_of(case: Case, folder: Path) -> dict[str, Any] | None:
    """Return the resource a case is about; None when it is not among the inputs."""
    if not case.input:
        return {"resourceType": "Basic", "code": {"text": "any"}}
    path = folder / "input" / (case.input.rpartition(".")[0] + ".json")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def verdict(case: Case, resource: dict[str, Any], context: CheckContext | None = None) -> str:
    """Run a case: "" when it answers as it should, else what it answered."""
    try:
        found = evaluate(case.expression, resource, context=context)
    except REFUSED as error:
        return "" if case.invalid else f"refused: {error.reason}"
    if case.invalid:
        return f"answered {[shown(one) for one in found]}, should be refused ({case.invalid})"
    if case.predicate:
        return "" if [("boolean", str(bool(found)).lower())] == list(case.outputs) else "another truth"
    texts, wanted = [shown(one) for one in found], [text for _kind, text in case.outputs]
    if not case.ordered:
        texts, wanted = sorted(texts), sorted(wanted)
    if len(texts) != len(wanted) or not all(map(_alike, texts, wanted)):
        return f"answered {texts}, expected {wanted}"
    kinds = [kind_of(one) for one in found]
    if case.ordered and not all(_is_kind(kind, want) for kind, (want, _) in zip(kinds, case.outputs, strict=True)):
        return f"answered types {kinds}, expected {[kind for kind, _ in case.outputs]}"
    return ""


def shown(item: Item) -> str:
    """Write an item as the cases do."""
    if isinstance(item, Node):
        value = item.json
        if item.type in MOMENTS and isinstance(value, str):
            return f"@{'T' if item.type == 'time' else ''}{value}"
        return str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, Decimal):
        return f"{item:f}"
    if isinstance(item, Moment):
        return f"@{'T' if item.kind == 'time' else ''}{item}"
    return str(item)


def kind_of(item: Item) -> str:
    """Return the type of an item as the cases name it."""
    if isinstance(item, Node):
        return item.type
    if isinstance(item, Moment):
        return item.kind
    if isinstance(item, Quantity):
        return "Quantity"
    return {"bool": "boolean", "str": "string", "int": "integer", "Decimal": "decimal"}[type(item).__name__]


def _is_kind(kind: str, wanted: str) -> bool:
    return not wanted or kind == wanted or {kind, wanted} <= {"integer", "decimal"}


def _alike(text: str, wanted: str) -> bool:
    try:
        return Decimal(text) == Decimal(wanted)
    except ArithmeticError:
        return text == wanted
