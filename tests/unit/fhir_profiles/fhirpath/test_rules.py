"""Every constraint of every packaged definition is translated, and means the same inline as in general translation."""

from __future__ import annotations

import dis
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_profiles.compiler.constraints import emit_constraints
from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.compiler.corrections import CORRECTIONS, SKIPPED
from fhir_profiles.compiler.writer import Writer
from fhir_profiles.fhirpath.types import PRIMITIVES, of_library, r4_types
from fhir_profiles.package import packaged
from tests.support.fhirpath_rules import elements, library, rules, structures

FOLDERS = ("fhir-fr/examples", "fhir-fr-2.1.0", "fhir-eds", "hl7-cases/validator/files", "hl7-cases/fhirpath/input")
LARGEST = 60_000
WORDS = ("a", "#", "official", "VALI", "final", "http://loinc.org", "entered-in-error")


def test_no_constraint_is_left_untranslated() -> None:
    counted, untranslated = 0, []
    for package, structure in structures():
        writer = Writer()
        with writer.function("f(n, x)"):
            for element in structure.elements:
                emit_constraints(writer, element, structure, node="n")
                counted += len(element.constraints)
        compile(writer.source(), structure.url, "exec")
        untranslated += [(package, structure.url, *one) for one in writer.not_checked]

    print(f"constraints of the packaged definitions: {counted}, untranslated: {len(untranslated)}")
    assert untranslated == []
    assert counted > 25_000


def test_every_correction_and_every_skipped_rule_is_still_published() -> None:
    published = {
        rule.expression for _, structure in structures() for one in structure.elements for rule in one.constraints
    }
    published |= {rule for one in packaged("r4").resources for rule in one.get("contextInvariant", ())}

    assert set(CORRECTIONS) - published == set()
    assert set(SKIPPED) - published == set()


def test_no_rule_is_broken_whatever_is_sent() -> None:
    """A rule that no element can keep was published wrong: it is corrected, or skipped with a reason."""
    x = CheckContext({"resourceType": "Basic"}, {"resourceType": "Basic"})
    blind = [
        (rule.key, rule.focus)
        for listed in rules().values()
        for rule in listed
        if all(one.argval != "n" for one in dis.get_instructions(rule.check)) and not rule.check({}, x)
    ]

    assert blind == []


@pytest.mark.shared
def test_inline_and_general_translation_agree_on_published_and_on_changed_resources(shared: Path) -> None:
    rng = random.Random(4)
    disagreements, evaluated = [], 0
    for resource in resources(shared):
        for version in (resource, *(changed(resource, rng) for _ in range(3))):
            x = CheckContext(version, version)
            for path, element in elements(version, version["resourceType"]):
                for rule in rules().get(path, ()) if is_sound(element, path) else ():
                    evaluated += 1
                    if rule.check(element, x) != rule.general(element, x):
                        disagreements.append((rule.key, path))

    assert disagreements == []
    assert evaluated > 30_000


def test_a_broken_rule_is_found_by_both_translations() -> None:
    period = {"start": "2024-02-01", "end": "2024-01-31"}
    x = CheckContext({"resourceType": "Basic"}, {"resourceType": "Basic"})

    [per_1] = [rule for rule in rules()["Period"] if rule.key == "per-1"]

    assert (per_1.check(period, x), per_1.general(period, x)) == (False, False)


def test_the_packaged_type_table_says_what_the_definitions_say() -> None:
    read = of_library(library())
    for _package, structure in structures():
        if not structure.is_profile and structure.kind in ("resource", "complex-type"):
            assert r4_types().children(structure.type) == read.children(structure.type), structure.type


def is_sound(element: Any, path: str) -> bool:
    """Say whether an element is sound: otherwise that is reported, and no rule evaluated."""
    options = [one for child in r4_types().children(path).values() for one in child.options]
    beside = {f"_{key}" for key, kind in options if kind in PRIMITIVES}
    if not isinstance(element, dict):
        return True
    return [] not in element.values() and set(element) <= {key for key, _ in options} | beside | {"resourceType"}


def resources(shared: Path) -> Iterator[dict[str, Any]]:
    """Yield the examples and cases beside the project, and the resources inside them."""
    for folder in FOLDERS:
        for path in sorted((shared / folder).rglob("*.json")):
            text = path.read_bytes()
            if len(text) < LARGEST and not path.name.startswith(("StructureDefinition", "ValueSet", "CodeSystem")):
                try:
                    yield from inside(json.loads(text))
                except ValueError:
                    continue  # some of HL7's cases are broken JSON on purpose


def inside(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the resources in a JSON value."""
    if isinstance(value, dict):
        if isinstance(value.get("resourceType"), str) and r4_types().is_resource(value["resourceType"]):
            yield value
        for one in value.values():
            yield from inside(one)
    elif isinstance(value, list):
        for one in value:
            yield from inside(one)


def changed(resource: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return a copy with something removed, repeated or exchanged, of the right JSON type."""
    copy: dict[str, Any] = json.loads(json.dumps(resource))
    for _ in range(rng.randint(1, 4)):
        found = [(path, one) for path, one in elements(copy, "") if isinstance(one, dict) and len(one) > 1]
        if not found:
            break
        path, node = rng.choice(found)
        _name, child = rng.choice(sorted(r4_types().children(path).items()) or [("", None)])
        keys = [(key, kind) for key, kind in child.options if key in node] if child else []
        if not keys:
            continue
        key, kind = keys[0]
        if rng.random() < 0.5:
            del node[key]
        elif isinstance(node[key], list):
            node[key] = node[key] * 2
        elif kind in ("string", "code", "uri"):
            node[key] = rng.choice(WORDS)
        elif kind in PRIMITIVES and rng.random() < 0.5:
            node["_" + key] = {"extension": [{"url": "http://example.org/x", "valueBoolean": True}]}
            del node[key]
    return copy
