"""De-identification: µs of CPU per resource of `scrub` (rules, pseudonyms, facts, encoding, leak scanner), by stage.

One keyed hash is measured beside it: the unit in which the figures of two machines can be compared. With an argument
(`bench.run scrub=PYTHON`), the Python of an environment that holds cumulus-etl, its scrubber reads the same resources.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from fhir_profiles.bundle import parse
from fhir_profiles.limits import Limits
from fhir_profiles.values import ValidBundle
from gateway.synthetic.bundles import DEFAULT_FINESS, workload
from transformers.contract import Contract
from transformers.deidentify.keys import random_gateway_keys
from transformers.deidentify.leaks import Scanner
from transformers.deidentify.needles import NUMBERED
from transformers.deidentify.pseudonyms import keyed_hash, random_key
from transformers.deidentify.rules import Rules, load_rules
from transformers.deidentify.scene import Scene
from transformers.deidentify.scrub import scrub

BUNDLES, ROUNDS, SEED = 100, 7, 20
CONTRACT = Contract(finess=DEFAULT_FINESS, test=True)
PEER = Path(__file__).with_name("peers") / "cumulus_etl_scrubber.py"
NINE_DIGITS = re.compile(rb'"([0-9]{9})"')


Prepare = Callable[[bytes], Any]


def measured(work: Callable[[Any], object], bodies: Sequence[bytes], prepare: Prepare) -> float:
    """Return µs of CPU a bundle, prepared just before as in the gateway (else caches are cold): the best round of some.

    The other rounds measure the neighbours.
    """
    rounds = []
    for _ in range(ROUNDS):
        spent = 0.0
        for body in bodies:
            ready = prepare(body)
            start = time.process_time()
            work(ready)
            spent += time.process_time() - start
        rounds.append(spent / len(bodies) * 1e6)
    return min(rounds)


def main() -> int:
    """Measure on the synthetic workload, collector frozen as in the gateway's workers."""
    options = argparse.ArgumentParser(prog="bench.scrub")
    options.add_argument(
        "peer", metavar="PYTHON", nargs="?", help="the Python of an environment that holds cumulus-etl"
    )
    peer_python = options.parse_args().peer
    start = time.process_time()
    rules = load_rules()
    load_s = time.process_time() - start
    keys, limits = random_gateway_keys(), Limits()
    bodies = list(workload(SEED, BUNDLES))

    def valid(body: bytes) -> ValidBundle:
        parsed = parse(body, limits)
        return ValidBundle(parsed, tuple(range(len(parsed.entries))))

    def whole(one: ValidBundle) -> Any:
        return scrub(one, contract=CONTRACT, source="main", keys=keys, rules=rules)

    def scrubbed(body: bytes) -> tuple[ValidBundle, Sequence[Any]]:
        one = valid(body)
        return one, whole(one).bundles

    def projected(one: ValidBundle) -> None:
        scene = Scene(
            contract=CONTRACT, source="main", hospital=keys.hospital, codes=rules.codes(()), types=rules.types
        )
        for entry in one.parsed.entries:
            if entry.type in rules.types:
                rules.projections[entry.type](entry.resource, scene)

    gc.collect()
    gc.freeze()
    gc.disable()
    made = [scrubbed(body) for body in bodies]
    resources = sum(len(one.accepted) for one, _ in made) / len(made)
    bytes_out = sum(len(bundle.body) for _, bundles in made for bundle in bundles) / len(made)
    stages = {
        "whole": measured(whole, bodies, valid),
        "projection by the rules": measured(projected, bodies, valid),
        "encoding, sorted keys": measured(
            lambda read: [orjson.dumps(one, option=orjson.OPT_SORT_KEYS) for one in read],
            bodies,
            lambda body: [orjson.loads(bundle.body) for bundle in scrubbed(body)[1]],
        ),
        "leak scanner": measured(scan, bodies, lambda body: ready(*scrubbed(body), rules)),
        "parse and scrub": measured(scrubbed, bodies, lambda body: body),
    }
    stages["whole without the leak scanner"] = stages["whole"] - stages["leak scanner"]
    digest = keyed_hash(random_key().derive("bench")(b""))
    hashes = measured(lambda text: [digest(text) for _ in range(2000)], [b"rest:main:bio-000123-12"], lambda text: text)
    ours = round(resources / stages["parse and scrub"] * 1e6)
    peer = {}
    if peer_python:
        theirs = peer_figures(peer_python, bodies)
        ratio = round(ours / theirs["read_and_scrub_resources_per_s"], 2)
        peer = {"cumulus_etl": theirs, "times_cumulus_etl": ratio}
    print(json.dumps({
        "bundles": BUNDLES,
        "resources_per_bundle": resources,
        "bytes_out_per_resource": round(bytes_out / resources),
        "one_keyed_hash_us": round(hashes / 2000, 3),
        "us_per_resource": {name: round(value / resources, 2) for name, value in stages.items()},
        "parse_and_scrub_resources_per_s": ours,
        "rules_load_s": round(load_s, 3),
    } | peer))  # fmt: skip
    return 0


def peer_figures(python: str, bodies: Sequence[bytes]) -> Any:
    """Return what cumulus-etl's scrubber needs for the same resources, one a line as it reads them."""
    lines = b"\n".join(orjson.dumps(entry["resource"]) for body in bodies for entry in orjson.loads(body)["entry"])
    return json.loads(subprocess.run([python, "-I", str(PEER)], input=lines, capture_output=True, check=True).stdout)


def ready(valid: ValidBundle, bundles: Sequence[Any], rules: Rules) -> tuple[Scanner, list[list[bytes]]]:
    """Return what scrubbing holds when it scans: a scanner without needles yet, and the encoded resources."""
    finess = {one.decode() for bundle in bundles for one in NINE_DIGITS.findall(bundle.body)}
    resources = [one.resource for one in valid.parsed.entries if one.type in NUMBERED and one.resource is not None]
    scanner = Scanner(rules.public, resources, expected=(finess,), harmless=rules.harmless)
    return scanner, [bundle.body.split(b'},{"resource":') for bundle in bundles]


def scan(prepared: tuple[Scanner, list[list[bytes]]]) -> bool:
    """Scan the bodies of one bundle as scrubbing does, needles included."""
    scanner, bodies = prepared
    return all(map(scanner.is_clean, bodies))


if __name__ == "__main__":
    sys.exit(main())
