"""The fault campaign: real processes and servers under load, harmed in an order of a seed; one JSON line a run.

Expected: acknowledged ⊆ log ⊆ rows, nothing missing, nothing doubled: the tables are, digest for digest, those of the
same installation that got each bundle once without a fault. `make faults`; docs/faults.md says what came of it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import harm, watch
from tests.faults.harm import Fault
from tests.faults.judging import broken_promises, missed_bounds
from tests.faults.stage import FORMS, MADE_BY_RUNNING, Stage, stage_of
from tests.faults.traffic import Body, Traffic, bodies_of
from tests.support import kafka_broker, postgres_server
from tests.support.installation import Installation

RECOVERED_WITHIN_S = 120.0
NOTHING_FOR_S = 180.0  # a slow machine is no lost bundle; one without an answer for so long is
SETTLED_WITHIN_S = 240.0
BUNDLES_A_DISK = 500


@dataclass(frozen=True)
class Prepared:
    """What several runs share: an installation that has never run, the bundles, the tables without a fault."""

    template: Path
    bodies: list[Body]
    expected: str


def prepared(folder: Path, *, seed: int, stays: int) -> Prepared:
    """Make an installation and bundles, and post each right one once, in order, to a copy that nothing harms."""
    template = folder / "template"
    Installation(template, "--french-profiles", "declared", "--test-identities")
    bodies = bodies_of(folder / "bundles", seed=seed, stays=stays)
    shutil.copytree(template, folder / "reference", ignore=shutil.ignore_patterns(*MADE_BY_RUNNING))
    reference = Installation.at(folder / "reference")
    with reference.serving(), reference.client() as client:
        for body in bodies:
            if not body.wrong:
                answer = client.post("/fhir", content=body.content)
                assert answer.status_code == 200, answer.text
        reference.wait_idle()
    return Prepared(template, bodies, watch.tables_of(reference.data_dir))


def run(
    form: str, ready: Prepared, folder: Path, *, seed: int, seconds: float, per_s: float, names: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Run one campaign and return its line: each fault of the form (or those named) once, then any until time is up."""
    began = time.monotonic()
    faults, skipped = harm.chosen(form, names)
    parts = {fault.part for fault in faults.values()}
    size = 1 + len(ready.bodies) // BUNDLES_A_DISK
    with stage_of(form, folder, template=ready.template, seed=seed, parts=parts, size=size) as stage:
        traffic, readiness = Traffic(stage.installation, ready.bodies, per_s=per_s), watch.Readiness(stage.installation)
        try:
            traffic.start()
            happened = [
                injected(stage, name, faults[name], traffic=traffic, readiness=readiness)
                for name in order(stage, faults, until=time.monotonic() + seconds)
            ]
            traffic.wait_answered(patience_s=NOTHING_FOR_S)
        finally:
            traffic.end()
            readiness.end()
        over = time.monotonic()
        accounts = watch.settled(stage, within_s=SETTLED_WITHIN_S)
        lag_s = time.monotonic() - over
        tables, tally = watch.tables_of(stage), traffic.tally
        lost = watch.receipts_not_in_log(stage, tally.receipts)
    here, there = set(tables.splitlines()), set(ready.expected.splitlines())
    return {
        "form": form, "seed": seed, "seconds": round(time.monotonic() - began), "bundles": len(ready.bodies),
        "wrong": sum(body.wrong for body in ready.bodies), "requests": sum(tally.statuses.values()),
        "statuses": dict(sorted(tally.statuses.items())), "slowest_s": round(tally.slowest_s, 2),
        "without_retry_after": tally.without_retry_after, "misjudged": tally.misjudged, "left": tally.left,
        "receipts": len(tally.receipts), "receipts_not_in_log": lost, "settled_s": round(lag_s, 2),
        "accounts": dict(accounts), "same_tables": tables == ready.expected,
        "differing": sorted(one.split()[0] for one in here ^ there), "faults": happened, "skipped": skipped,
    }  # fmt: skip


def order(stage: Stage, faults: dict[str, Fault], *, until: float) -> Iterator[str]:
    """Yield every fault once, in an order of the dice, then any until the time is over."""
    names = sorted(faults)
    yield from stage.dice.sample(names, len(names))
    while time.monotonic() < until:
        yield stage.dice.choice(names)


def injected(stage: Stage, name: str, fault: Fault, *, traffic: Traffic, readiness: watch.Readiness) -> dict[str, Any]:
    """Let one fault happen under load and wait until all is well again; return what was seen."""
    time.sleep(stage.dice.uniform(0.5, 2))
    stops = len(stage.ended)
    began = time.monotonic()
    fault.begin(stage)
    if fault.hold[1]:
        time.sleep(stage.dice.uniform(*fault.hold))
    held = time.monotonic()
    fault.end(stage)
    over = time.monotonic()
    caught_up = watch.caught_up_after(stage, over, within_s=RECOVERED_WITHIN_S)
    success = traffic.tally.first_success_after(over, within_s=RECOVERED_WITHIN_S)
    ended = stage.ended[stops:]
    return {
        "fault": name,
        "outage_s": round(over - began, 2),
        "ready_until_s": rounded(readiness.last_ready(began, held)) if fault.silences else None,
        "ready_again_s": rounded(readiness.ready_again(over, within_s=RECOVERED_WITHIN_S)),
        "first_success_s": rounded(success),
        "caught_up_s": rounded(caught_up),
        "stops": {"codes": sorted({one.code for one in ended}), "slowest_s": rounded(max(one.seconds for one in ended))}
        if ended
        else None,
    }


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2) if seconds < 1e6 else 999.0


def main() -> int:
    """Run every form with every seed; print a line each; 1 when a promise was broken (or, if judged, a bound)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--form", choices=FORMS, action="append")
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--stays", type=int, default=120)
    parser.add_argument("--per-s", type=float, default=40, help="bundles a second, all clients together")
    parser.add_argument("--fault", action="append", default=[], help="only these")
    parser.add_argument("--judge-times", action="store_true", help="a missed bound is a failure too")
    given = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="snds-faults-") as name:
        base = Path(name)
        ready = prepared(base, seed=(given.seed or [1])[0], stays=given.stays)
        for number, (form, seed) in enumerate(itertools.product(given.form or FORMS, given.seed or (1,))):
            reason = None if form == "embedded" else kafka_broker.missing() or postgres_server.missing()
            if reason:
                print(json.dumps({"form": form, "seed": seed, "not_run": reason}), flush=True)
                continue
            line = run(
                form, ready, base / f"run-{number}", seed=seed, seconds=given.seconds, per_s=given.per_s,
                names=tuple(given.fault),
            )  # fmt: skip
            line["machine"] = f"{os.cpu_count()} cores, load {os.getloadavg()[1]:.0f}"
            line |= {"broken": broken_promises(line), "missed": missed_bounds(line)}
            failed = failed or bool(line["broken"]) or (given.judge_times and bool(line["missed"]))
            print(json.dumps(line), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
