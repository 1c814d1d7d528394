"""(seed, number of stays) → a folder of bundles, a unit table, the operator's tables, a manifest of what was planted.

Writes only below the given folder. The same seed, number and hospital give the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from gateway.synthetic.bundles import correction_bundle, stay_bundle
from gateway.synthetic.elements import Json
from gateway.synthetic.faults import FAULTS, Fault, plant
from gateway.synthetic.operator_files import operator_files
from gateway.synthetic.plan import SCHEDULE, Stay, plan_ordinary, plan_stays
from gateway.synthetic.rare import A_ROUND, rare_cases
from gateway.synthetic.rare_case import RareCase
from gateway.synthetic.scene import Hospital, unit_table
from gateway.synthetic.truth import NO_STAY, Truth

MANIFEST = "manifest.json"
UNITS = "units.csv"
REFERENCE = "reference"
WRONG_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Written:
    """One bundle to write, what it belongs to, and the mistake planted in it or the rare case that it is of."""

    name: str
    bundle: Json
    stay: Stay
    fault: Fault | None = None
    rare: RareCase | None = None


def write_stays(
    folder: Path,
    *,
    seed: int,
    stays: int,
    hospital: Hospital,
    rare: int = 0,
    wrote: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Write everything and return the manifest; `rare` times each rare case besides.

    `wrote` hears the number of bundles written so far.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = _Manifest(seed, stays, hospital)
    for count, one in enumerate(_all(seed, stays, hospital, rare), 1):
        (folder / one.name).write_bytes(orjson.dumps(one.bundle, option=orjson.OPT_INDENT_2) + b"\n")
        manifest.add(one)
        wrote(count)
    (folder / UNITS).write_text(unit_table(hospital), encoding="utf-8")
    (folder / REFERENCE).mkdir(exist_ok=True)
    for name, text in operator_files(hospital).items():
        (folder / REFERENCE / f"{name}.csv").write_text(text, encoding="utf-8")
    content = manifest.to_json()
    (folder / MANIFEST).write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
    return content


def wrong_bundles(stays: int) -> int:
    """Return how many wrong bundles go with so many stays: 3 %, each kind of mistake once they are enough."""
    return max(round(stays * WRONG_SHARE), 1) if stays else 0


def bundle_count(stays: int, rare: int = 0) -> int:
    """Return how many bundles `write_stays` writes."""
    corrected = sum(1 for index in range(stays) if SCHEDULE[index % len(SCHEDULE)] == "corrected")
    return stays + corrected + wrong_bundles(stays) + rare * A_ROUND


def _all(seed: int, stays: int, hospital: Hospital, rare: int) -> Iterator[Written]:
    for stay in plan_stays(seed, stays):
        yield Written(f"{stay.number:06d}-{stay.kind}.json", stay_bundle(seed, hospital, stay), stay)
        if stay.kind == "corrected":
            yield Written(f"{stay.number:06d}-correction.json", correction_bundle(seed, hospital, stay), stay)
    for turn in range(wrong_bundles(stays)):
        stay = replace(plan_ordinary(seed, stays + turn), kind="wrong")
        bundle, fault = plant(stay_bundle(seed, hospital, stay), turn)
        yield Written(f"{stay.number:06d}-wrong-{fault.name}.json", bundle, stay, fault)
    for case in rare_cases(seed, hospital, rounds=rare):
        for stay, bundle in zip(case.stays, case.bundles, strict=True):
            yield Written(f"{stay.number:06d}-{case.kind}.json", bundle, stay, rare=case)


class _Manifest:
    """Counts what is written."""

    def __init__(self, seed: int, stays: int, hospital: Hospital) -> None:
        self._head = {"synthetic": True, "seed": seed, "stays": stays, "finess": hospital.finess}
        self._kinds: Counter[str] = Counter()
        self._years: Counter[str] = Counter()
        self._truth = Truth()
        self._faults: list[dict[str, str]] = []
        self._quarantine: Counter[str] = Counter()
        self._rare: Counter[str] = Counter()
        self._given: Counter[str] = Counter()
        self._bundles = self._resources = self._refused = 0

    def add(self, one: Written) -> None:
        """Count one bundle."""
        entries = len(one.bundle["entry"])
        self._bundles += 1
        self._resources += entries
        if one.fault is not None:
            self._refused += entries
            fault = one.fault
            self._faults.append(
                {"file": one.name, "fault": fault.name, "text": fault.text, "expression": fault.expression}
            )
        elif one.name.endswith("-correction.json"):
            self._kinds["correction"] += 1
        elif one.rare is not None:
            self._add_rare(one.rare, one.stay)
        else:
            self._kinds[one.stay.kind] += 1
            self._truth.add(one.stay)
            if len(one.stay.units) > 1:
                self._kinds["with several units"] += 1
            if one.stay.kind not in NO_STAY and one.stay.end is not None:
                self._years[str(one.stay.end.year)] += 1

    def _add_rare(self, case: RareCase, stay: Stay) -> None:
        self._rare[case.kind] += 1
        if case.reason is not None:
            self._quarantine[case.reason] += 1
            return
        if stay is case.stays[0]:
            self._given.update(case.gives)
        if stay.kind not in NO_STAY and stay.end is not None:
            self._truth.add(stay)
            self._years[str(stay.end.year)] += 1

    def to_json(self) -> dict[str, Any]:
        """Return the manifest; what it says of rare cases is left out where none was asked for."""
        gives_no_stay = self._kinds["cancelled"] + self._kinds["visit"] + self._kinds["open"]
        quarantined = self._quarantine.total()
        counted = {"rare": self._rare, "quarantine": self._quarantine, "rare_truth": self._given}
        rare = {name: dict(sorted(number.items())) for name, number in counted.items()} if self._rare else {}
        written = int(str(self._head["stays"])) - gives_no_stay + self._rare.total() - quarantined
        return {
            **self._head,
            **rare,
            "bundles": self._bundles,
            "resources": self._resources,
            "planted": dict(sorted(self._kinds.items())),
            "exits": dict(sorted(self._years.items())),
            "expected": {
                "received": self._resources,
                "refused": self._refused,
                "refused_bundles": len(self._faults),
                "stays": {
                    "open": self._kinds["open"],
                    "written": written - self._given["visits"],
                    "quarantined": quarantined,
                },
            },
            "truth": self._truth.to_json(),
            "faults": self._faults,
            "kinds_of_fault": list(FAULTS),
        }
