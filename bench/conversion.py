"""The pure conversion alone: a person's current resources → rows, rows per second of one core (CPU time).

Two mixes: stays with about 100 clinical events (what a hospital sends) and the 45-resource bundles of `workload`.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from dataclasses import replace

import orjson

from fhir_profiles.bundle import parse
from fhir_profiles.limits import Limits
from fhir_profiles.values import ValidBundle
from gateway.synthetic.bundles import WORKLOAD, stay_bundle
from gateway.synthetic.dice import Span
from gateway.synthetic.plan import plan_ordinary
from gateway.synthetic.scene import Hospital
from transformers.contract import Contract
from transformers.deidentify.keys import random_gateway_keys, random_table_keys
from transformers.deidentify.rules import load_rules
from transformers.deidentify.scrub import scrub
from transformers.snds.person import person_rows
from transformers.snds.view import PersonView, Staged

FINESS = "750712184"
STAYS = 300
ROUNDS = 3
RICH = Span(118, 122)
CONTRACT = Contract(finess=FINESS, test=True)
STRUCTURES = frozenset({"Organization", "Location", "Medication", "Specimen"})


def main() -> int:
    """Measure both mixes and print one JSON object."""
    print(json.dumps({"rich stays": measure(RICH), "45 resources": measure(WORKLOAD)}))
    return 0


def measure(resources: Span) -> dict[str, float]:
    """Return rows, stays and microseconds: of the conversion alone, and with the reading of the JSON of events."""
    bodies = events(resources)
    pseudonyms = random_table_keys()
    best = reading = float("inf")
    rows = 0
    for _ in range(ROUNDS):
        gc.collect()
        gc.disable()  # as the table writer does for a micro-batch
        start = time.process_time()
        views = [view(body) for body in bodies]
        read = time.process_time()
        converted = [
            person_rows(one, contract=CONTRACT, pseudonyms=pseudonyms, numbers=lambda stay, _: pseudonyms.rsa_num(stay))
            for one in views
        ]
        done = time.process_time()
        gc.enable()
        best, reading = min(best, done - read), min(reading, read - start)
        rows = sum(len(table) for one in converted for table in one.tables.values())
        if any(stay.status != "written" for one in converted for stay in one.stays):
            raise RuntimeError("a stay of the workload was not written")
    return {
        "stays": len(bodies),
        "rows": rows,
        "rows a stay": round(rows / len(bodies), 1),
        "rows/s": round(rows / best),
        "rows/s with JSON": round(rows / (best + reading)),
        "us a stay": round(best / len(bodies) * 1e6),
    }


def events(resources: Span) -> list[bytes]:
    """Return one event body a stay, each of another person."""
    hospital, keys, rules = Hospital(FINESS), random_gateway_keys(), load_rules()
    bodies: list[bytes] = []
    for index in range(STAYS):
        stay = replace(plan_ordinary(7, index), kind="ordinary")
        parsed = parse(orjson.dumps(stay_bundle(7, hospital, stay, resources=resources)), Limits())
        valid = ValidBundle(parsed, tuple(range(len(parsed.entries))))
        found = scrub(valid, contract=CONTRACT, source="main", keys=keys, rules=rules).bundles
        bodies += [one.body for one in found if one.key.startswith("person|")]
    return bodies


def view(body: bytes) -> PersonView:
    """Return the view that the table writer makes of one event."""
    listed = []
    for entry in orjson.loads(body)["entry"]:
        resource = entry["resource"]
        tags = resource.get("meta", {}).get("tag", ())
        flags = frozenset(tag["code"] for tag in tags if tag.get("system") == "urn:snds-gateway:flag")
        listed.append(Staged(resource["identifier"][0]["value"], resource["resourceType"], resource, flags))
    listed.sort(key=lambda one: one.key)
    return PersonView(
        finess=FINESS,
        aliases=frozenset(),
        resources=tuple(one for one in listed if one.type not in STRUCTURES),
        structures={one.key: one for one in listed if one.type in STRUCTURES},
    )


if __name__ == "__main__":
    sys.exit(main())
