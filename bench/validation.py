"""Validation side by side: ours, fhirkit-rs and fhir.resources on the same bundles; big bundles, start, memory."""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fhirkit
import orjson
from fhir.resources.R4B.bundle import Bundle

from fhir_profiles.bundle import parse
from fhir_profiles.limits import Limits
from fhir_profiles.validator import Validator, load_validator
from gateway.synthetic.bundles import workload

BUNDLES, SLOW_BUNDLES, ROUNDS, SEED = 100, 5, 5, 20
BIG = Limits(body_bytes=512 * 1024 * 1024, entries=100_000)
REPEATS = 100_000

START = """
import resource, sys, time
from pathlib import Path
start = time.process_time()
from fhir_profiles.validator import load_validator
validator = load_validator(cache_dir=Path(sys.argv[1]))
ready = time.process_time() - start
validator.profiles.prepare()
whole = time.process_time() - start
print(ready, whole, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def cpu_us(work: Callable[[Any], object], inputs: Sequence[Any], resources: int) -> float:
    """Return the least µs of processor time a resource takes over some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for one in inputs:
            work(one)
        rounds.append((time.process_time() - start) / resources * 1e6)
    return round(min(rounds), 2)


def side_by_side(validator: Validator) -> dict[str, Any]:
    """Compare on the French workload; each engine gets what it takes: bytes, or the dict that it needs."""
    limits = Limits()
    bodies = list(workload(SEED, BUNDLES))
    parsed = [parse(body, limits) for body in bodies]
    resources = sum(len(one.entries) for one in parsed)
    accepted = sum(validator.validate(one).valid is not None for one in parsed)
    roots = [one.root for one in parsed[:SLOW_BUNDLES]]
    few = sum(len(one.entries) for one in parsed[:SLOW_BUNDLES])
    del parsed
    gc.collect()
    gc.freeze()
    gc.disable()
    found = {
        "orjson.loads": cpu_us(orjson.loads, bodies, resources),
        "parse (limits, duplicate keys, canonical bytes)": cpu_us(lambda body: parse(body, limits), bodies, resources),
        "ours: parse and validate, all rules and profiles": cpu_us(
            lambda body: validator.validate(parse(body, limits)), bodies, resources
        ),
        "fhirkit-rs: structure": cpu_us(fhirkit.validate, bodies, resources),
        "fhir.resources R4B: structure, from a dict": cpu_us(Bundle.model_validate, roots, few),
    }
    gc.enable()
    return {"bundles": len(bodies), "resources": resources, "accepted": accepted, "us_per_resource": found}


def big_bundles(validator: Validator) -> dict[str, float]:
    """Time bundles of observations that each refer to an entry of their own: linear in the number of entries."""
    times = {}
    for entries in (2_500, 5_000, 10_000):
        content = orjson.dumps(_references(entries))
        start = time.process_time()
        verdict = validator.validate(parse(content, BIG))
        times[f"{entries} entries, {entries} references"] = round(time.process_time() - start, 2)
        if verdict.valid is None:
            raise SystemExit("the big bundle is refused")
    return times


def _references(entries: int) -> dict[str, Any]:
    half = entries // 2
    url = "urn:uuid:00000000-0000-4000-8000-{:012d}".format
    patients = [{"fullUrl": url(n), "resource": {"resourceType": "Patient", "active": True}} for n in range(half)]
    code = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
    observations = [
        {
            "fullUrl": url(half + n),
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "code": code,
                "subject": {"reference": url(n)},
                "hasMember": [{"reference": url(half + (n + 1) % half)}],
            },
        }
        for n in range(half)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": patients + observations}


def starts() -> dict[str, float]:
    """Start a process twice on one cache folder: cold, then warm, with everything that is packaged made ready."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        for name in ("cold", "warm"):
            command = [sys.executable, "-c", START, str(cache)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            ready, whole, rss = map(float, done.stdout.split())
            found[f"{name}: ready_s"] = round(ready, 2)
            found[f"{name}: every profile ready_s"] = round(whole, 2)
            found[f"{name}: rss_mib"] = round(rss)
    return found


def flatness(validator: Validator) -> dict[str, float]:
    """Validate right and wrong resources over and over; say by how much the memory of the process grew."""
    wrong = {"resourceType": "Patient", "gender": "x", "nom": "y", "birthDate": "z", "name": [{"given": [1]}]}
    right = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    for _ in range(1000):
        validator.validate_resource(wrong)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(REPEATS // 2):
        validator.validate_resource(wrong)
        validator.validate_resource(right)
    return {"validations": REPEATS, "growth_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}


def main() -> int:
    """Print one JSON object."""
    validator = load_validator()
    report = {
        "start": starts(),
        "memory": flatness(validator),
        "side_by_side": side_by_side(validator),
        "big_bundles_s": big_bundles(validator),
        "rules_not_checked": len(validator.profiles.not_checked()),
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
