"""Parsing and validation of posted bundles: µs per bundle and per resource, stage by stage, beside `orjson.loads`."""

from __future__ import annotations

import gc
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from fhir_profiles.bundle import parse
from fhir_profiles.bundle_rules import check_bundle, check_entries
from fhir_profiles.french.rules import french_issues
from fhir_profiles.json_document import read
from fhir_profiles.limits import Limits
from fhir_profiles.references import BundleIndex, check_references
from fhir_profiles.validator import load_validator
from gateway.synthetic.bundles import workload

BUNDLES, ROUNDS, SEED = 200, 5, 20


def measured(work: Callable[[Any], object], inputs: Sequence[Any]) -> float:
    """Return the median over some rounds of the mean µs an input takes."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for one in inputs:
            work(one)
        rounds.append((time.perf_counter() - start) / len(inputs) * 1e6)
    return statistics.median(rounds)


def main() -> int:
    """Measure on the synthetic workload, collector frozen as in the gateway's workers."""
    bodies = list(workload(SEED, BUNDLES))
    limits = Limits()
    start = time.perf_counter()
    validator = load_validator()
    ready_s = time.perf_counter() - start
    parsed = [parse(body, limits) for body in bodies]
    first_s = time.perf_counter()
    verdicts = [validator.validate(one) for one in parsed]
    first_s = time.perf_counter() - first_s
    resources = sum(len(one.entries) for one in parsed) / len(parsed)
    gc.collect()
    gc.freeze()
    gc.disable()
    stages = {
        "orjson.loads": measured(orjson.loads, bodies),
        "read (limits, duplicate keys, canonical bytes)": measured(lambda body: read(body, limits), bodies),
        "parse (read, entries, identities)": measured(lambda body: parse(body, limits), bodies),
        "canonical dump alone": measured(lambda one: orjson.dumps(one.root, option=orjson.OPT_SORT_KEYS), parsed),
        "bundle rules": measured(lambda one: (check_bundle(one), list(check_entries(one))), parsed),
        "references": measured(lambda one: list(check_references(one, BundleIndex(one))), parsed),
        "french rules": measured(
            lambda one: [french_issues(e.type, e.resource, e.path) for e in one.entries if e.resource], parsed
        ),
        "validate (all rules and profiles)": measured(validator.validate, parsed),
    }
    whole = stages["parse (read, entries, identities)"] + stages["validate (all rules and profiles)"]
    checks = stages["read (limits, duplicate keys, canonical bytes)"] - stages["canonical dump alone"]
    print(
        json.dumps(
            {
                "bundles": len(bodies),
                "bytes_per_bundle": round(statistics.mean(map(len, bodies))),
                "resources_per_bundle": round(resources, 1),
                "us_per_bundle": {name: round(value, 1) for name, value in stages.items()},
                "us_per_resource": {name: round(value / resources, 2) for name, value in stages.items()},
                "parse_and_validate_us_per_resource": round(whole / resources, 2),
                "limits_and_duplicates_over_loads": round(checks / stages["orjson.loads"] - 1, 3),
                "accepted_bundles": sum(one.valid is not None for one in verdicts),
                "ready_s": round(ready_s, 2),
                "first_pass_s": round(first_s, 2),
                "rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
