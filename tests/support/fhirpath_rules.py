"""Every constraint of the packaged definitions, compiled both ways: inline on plain JSON, and generally."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from fhir_profiles.compiler.constraints import emit_constraints, focus_of
from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.compiler.corrections import SKIPPED, corrected
from fhir_profiles.compiler.findings import Finding
from fhir_profiles.compiler.library import Library
from fhir_profiles.compiler.writer import Writer
from fhir_profiles.fhirpath import operations
from fhir_profiles.fhirpath.errors import Unknown
from fhir_profiles.fhirpath.evaluation import compiled
from fhir_profiles.fhirpath.types import PRIMITIVES, r4_types
from fhir_profiles.model import Element, Structure
from fhir_profiles.package import manifest, packaged


@cache
def library() -> Library:
    """All packaged definitions."""
    return Library([packaged(one) for one in manifest()])


def structures() -> Iterator[tuple[str, Structure]]:
    """Yield the package and the rules of every packaged definition."""
    for one in library().definitions():
        yield one.package, library().read(one)


@dataclass(frozen=True, slots=True)
class Rule:
    """A constraint on a type: what generated code says, and what the whole expression says."""

    key: str
    expression: str
    focus: str
    check: Callable[[Any, CheckContext], bool]
    general: Callable[[Any, CheckContext], bool]


def rule(owner: Element, structure: Structure, index: int) -> Rule:
    """Compile one constraint of an element both ways."""
    constraint = owner.constraints[index]
    focus = focus_of(owner, structure)
    writer = Writer()
    with writer.function("check(n, x)"):
        writer("e = None")
        emit_constraints(writer, replace(owner, constraints=(constraint,)), structure, node="n")
        writer("return e is None")
    namespace: dict[str, Any] = {"fp": operations, "invariant": _broken, **writer.constants}
    exec(compile(writer.source(), f"<{constraint.key}>", "exec"), namespace)
    whole = compiled(corrected(constraint.expression), focus)

    def general(json: Any, x: CheckContext) -> bool:
        try:
            return operations.answer(whole, json, x) is True
        except Unknown:
            return True

    return Rule(constraint.key, constraint.expression, focus, namespace["check"], general)


def _broken(_found: object, key: str, _severity: str, _expression: str) -> list[Finding]:
    return [Finding("invariant", rule=key)]


@cache
def rules() -> dict[str, list[Rule]]:
    """Every different constraint by the type path that it is about."""
    found: dict[str, list[Rule]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    for _package, structure in structures():
        for element in structure.elements:
            focus = focus_of(element, structure)
            for index, constraint in enumerate(element.constraints):
                if constraint.expression not in SKIPPED and (constraint.expression, focus) not in seen:
                    if focus in PRIMITIVES and constraint.key == "ele-1":
                        continue
                    seen.add((constraint.expression, focus))
                    found[focus].append(rule(element, structure, index))
    return dict(found)


def elements(json: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the type path and JSON of an element and of all beneath it."""
    if isinstance(json, dict):
        kind = json.get("resourceType")
        if isinstance(kind, str) and r4_types().is_resource(kind):
            path = kind
    yield path, json
    if not isinstance(json, dict):
        return
    for child in r4_types().children(path).values():
        for key, kind in child.options:
            value = json.get(key)
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    yield from elements(one, kind)
