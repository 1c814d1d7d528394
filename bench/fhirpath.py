"""FHIRPath: µs of common invariants inline, in general translation and in fhirpathpy; what rules cost a validation."""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import fhirpathpy

from fhir_profiles.bundle import parse
from fhir_profiles.compiler import base_code, profile_code
from fhir_profiles.compiler.context import CheckContext
from fhir_profiles.compiler.corrections import corrected
from fhir_profiles.fhirpath.evaluation import compiled
from fhir_profiles.fhirpath.types import PRIMITIVES
from fhir_profiles.limits import Limits
from fhir_profiles.package import closure
from fhir_profiles.validator import Validator, load_validator
from gateway.synthetic.bundles import workload
from tests.support.fhirpath_rules import elements, rules, structures

BUNDLES, ROUNDS, SEED = 40, 7, 20
COMMON = (
    ("Patient", "dom-2"),
    ("Patient", "fr-core-1"),
    ("Observation", "obs-6"),
    ("Observation", "obs-7"),
    ("Observation", "vs-2"),
    ("Period", "per-1"),
    ("Quantity", "qty-3"),
    ("Extension", "ext-1"),
    ("Reference", "ref-1"),
    ("Condition", "con-3"),
    ("Bundle", "bdl-3"),
    ("Bundle", "bdl-7"),
)


def cpu_us(work: Callable[[], object], count: int) -> float:
    """Return the least of some rounds: CPU µs of one of `count` calls that `work` makes."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        rounds.append((time.process_time() - start) / count * 1e6)
    return min(rounds)


def invariants(roots: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Measure the common invariants on the elements of the workload."""
    found = {}
    for focus, key in COMMON:
        rule = next(one for one in rules()[focus] if one.key == key)
        values = [one for root in roots for kind, one in elements(root, "Bundle") if kind == focus][:300]
        x = CheckContext(roots[0], roots[0])
        oracle = [fhirpathpy.compile(corrected(rule.expression))]
        whole = compiled(corrected(rule.expression), focus)

        def run(function: Callable[..., Any], *more: Any, listed: list[Any] = values) -> None:
            for one in listed:
                function(one, *more)

        found[key] = {
            "inline_us": round(cpu_us(lambda: run(rule.check, x), len(values)), 3),  # noqa: B023
            "general_us": round(cpu_us(lambda: run(whole, x), len(values)), 2),  # noqa: B023
            "elements": len(values),
        }
        if key not in ("per-1", "ref-1", "bdl-3", "obs-7"):
            few = values[:30]
            found[key]["fhirpathpy_us"] = round(cpu_us(lambda: run(oracle[0], listed=few), len(few)), 1)  # noqa: B023
    return found


def rules_cost(roots: list[dict[str, Any]]) -> float:
    """Return the CPU µs of all rules of R4 and FR Core for each resource, without the call that carries each here."""
    wanted = {
        one.expression
        for package, structure in structures()
        if package in closure(("fr-core-2.2.0",))
        for element in structure.elements
        for one in element.constraints
    }
    found: dict[str, list[tuple[Any, CheckContext]]] = defaultdict(list)
    resources = [entry["resource"] for root in roots for entry in root["entry"]]
    for resource in resources:
        x = CheckContext(resource, resource)
        for path, element in elements(resource, resource["resourceType"]):
            found[path].append((element, x))
    total = 0.0
    for path, listed in found.items():
        if path in PRIMITIVES:
            continue

        def run(check: Callable[..., object], listed: list[Any] = listed) -> None:
            for element, x in listed:
                check(element, x)

        carried = cpu_us(lambda: run(nothing), 1)
        for rule in rules().get(path, ()):
            if rule.expression in wanted:
                total += cpu_us(lambda: run(rule.check), 1) - carried  # noqa: B023
    return total / len(resources)


def nothing(_element: object, _context: object) -> bool:
    """Be called as a rule is."""
    found = None
    return found is None


def validation(validator: Validator, parsed: list[Any]) -> float:
    """Return the CPU µs of a validation for each resource."""
    for one in parsed:
        validator.validate(one)
    gc.collect()
    return cpu_us(lambda: [validator.validate(one) for one in parsed], sum(len(one.entries) for one in parsed))


def without_rules(parsed: list[Any]) -> Validator:
    """Return a validator whose functions, those that `parsed` needs, were compiled without constraints."""
    kept = base_code.emit_constraints, profile_code.emit_constraints
    base_code.emit_constraints = profile_code.emit_constraints = lambda *_a, **_k: None
    validator = load_validator()
    for one in parsed:
        validator.validate(one)
    base_code.emit_constraints, profile_code.emit_constraints = kept
    return validator


def main() -> int:
    """Print the figures."""
    parsed = [parse(body, Limits()) for body in workload(SEED, BUNDLES)]
    bare = without_rules(parsed)
    whole = load_validator()
    gc.freeze()
    gc.disable()
    with_rules, no_rules = [], []
    for _ in range(3):
        no_rules.append(validation(bare, parsed))
        with_rules.append(validation(whole, parsed))
    figures = {
        "validate_us_per_resource": round(statistics.median(with_rules), 2),
        "without_constraints_us_per_resource": round(statistics.median(no_rules), 2),
        "rules_us_per_resource": round(rules_cost([one.root for one in parsed]), 2),
        "invariants": invariants([one.root for one in parsed]),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
