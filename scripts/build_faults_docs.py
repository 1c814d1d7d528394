"""bench/results/faults-*.jsonl → tables of docs/faults.md and figures of docs/promises.md. `--check` only compares.

The newest file counts: lines of the campaign (one a form and seed), of killed writers, of permutations.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Line = dict[str, Any]

PROJECT = Path(__file__).resolve().parents[1]
FAULTS, PROMISES = PROJECT / "docs" / "faults.md", PROJECT / "docs" / "promises.md"
RESULTS = PROJECT / "bench" / "results"
BEGIN, END = "<!-- runs: made by scripts/build_faults_docs.py -->\n", "<!-- end of runs -->\n"
BEGIN_FIGURES, END_FIGURES = "<!-- figures: made by scripts/build_faults_docs.py -->\n", "<!-- end of figures -->\n"
FIGURES = ("ready_until_s", "ready_again_s", "first_success_s", "caught_up_s")


def newest() -> Path:
    """Return the file of the last runs."""
    return max(RESULTS.glob("faults-*.jsonl"))


def read(path: Path) -> tuple[list[Line], list[Line], list[Line]]:
    """Return the lines of the campaign, of killed writers, of permutations."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    runs = [line for line in lines if "faults" in line]
    kills = [line for line in lines if line.get("campaign") == "writer-kills" and "died" in line]
    return runs, kills, [line for line in lines if line.get("campaign") == "permutations"]


def tables(path: Path) -> str:
    """Return what docs/faults.md shows of one file."""
    runs, kills, orders = read(path)
    parts = [f"Lines: `bench/results/{path.name}`.\n", "### Runs\n", *_runs(runs), "\n### Each fault, at its worst\n"]
    parts += [*_faults(runs), "\n### Killed writers and orders of events\n", *_kills(kills), *_orders(orders)]
    return "\n" + "\n".join(parts) + "\n\n"


def figures(path: Path) -> str:
    """Return what docs/promises.md shows of one file."""
    runs, kills, orders = read(path)
    faults = [fault for run in runs for fault in run["faults"]]
    requests, receipts = (sum(run[name] for run in runs) for name in ("requests", "receipts"))
    lost = sum(run["receipts_not_in_log"] for run in runs)
    other = sum(not run["same_tables"] for run in runs)
    stops = [fault["stops"] for fault in faults if fault["stops"]]
    died, wrong = (sum(sum(one[name].values()) for one in kills) for name in ("died", "wrong"))
    late = [fault for fault in faults if fault["caught_up_s"] > max(fault["outage_s"], 10)]
    unready = _worst(fault["ready_until_s"] for fault in faults)
    back = _worst(fault["ready_again_s"] for fault in faults)
    said = {
        "P1": f"{lost} of {receipts:,} receipts without their events in the log, {len(faults)} faults",
        "P2": f"slowest of {requests:,} answers {max(run['slowest_s'] for run in runs)} s; "
        f"{sum(run['statuses'].get('500', 0) for run in runs)} × 500",
        "P3, P6": f"{other} of {len(runs)} runs with other tables than the run without a fault; "
        f"{wrong} of {died} killed writers",
        "P5": "; ".join(f"{one['wrong']} of {one['examples']} permutations with other tables" for one in orders),
        "P7": f"{sum(run['misjudged'] for run in runs)} wrong bundles accepted or right ones refused",
        "P9": f"first 2xx {_worst(fault['first_success_s'] for fault in faults)} after a fault at the worst, rows "
        f"caught up after {_worst(fault['caught_up_s'] for fault in faults)}; later than the outage had lasted: "
        f"{len(late)} of {len(faults)} times",
        "P11": f"{len(stops)} stops, slowest {_worst(one['slowest_s'] for one in stops)}, "
        f"{sum(one['codes'] != [0] for one in stops)} not with 0",
        "P12": f"ready was said {unready} into an outage at the worst, again {back} after it",
    }
    return (
        "\n| promise | figure |\n|---|---|\n"
        + "".join(f"| {name} | {text} |\n" for name, text in said.items() if text)
        + "\n"
    )


def _runs(runs: Iterable[Line]) -> Iterator[str]:
    yield "| form | seed | machine | bundles (wrong) | faults | requests | answers | slowest | broken | missed bounds |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for one in runs:
        answers = ", ".join(f"{count:,} × {status}" for status, count in one["statuses"].items())
        missed = "; ".join(one.get("missed", [])) or "none"
        verdict = "; ".join(one["broken"]) or "none"
        yield (
            f"| {one['form']} | {one['seed']} | {one.get('machine', '')} | {one['bundles']:,} ({one['wrong']:,}) "
            f"| {len(one['faults'])} in {one['seconds']} s | {one['requests']:,} | {answers} | {one['slowest_s']} s "
            f"| {verdict} | {missed} |"
        )


def _faults(runs: Iterable[Line]) -> Iterator[str]:
    yield "| form | fault | times | longest outage | said ready until | ready again | first 2xx | caught up | SIGTERM |"
    yield "|---|---|---|---|---|---|---|---|---|"
    found: dict[tuple[str, str], list[Line]] = {}
    for run in runs:
        for fault in run["faults"]:
            found.setdefault((run["form"], fault["fault"]), []).append(fault)
    for (form, name), seen in sorted(found.items()):
        figures = " | ".join(_worst(one[figure] for one in seen) for figure in FIGURES)
        stops = _worst(one["stops"]["slowest_s"] for one in seen if one["stops"])
        outage = max(one["outage_s"] for one in seen)
        yield f"| {form} | {name} | {len(seen)} | {outage:.1f} s | {figures} | {stops} |"


def _kills(kills: Iterable[Line]) -> Iterator[str]:
    for one in kills:
        died, wrong = sum(one["died"].values()), sum(one["wrong"].values())
        points = ", ".join(f"{point} {count}" for point, count in one["died"].items())
        yield f"* {one['store']}: {died} kills ({points}), tables wrong afterwards: {wrong}."


def _orders(orders: Iterable[Line]) -> Iterator[str]:
    for one in orders:
        yield f"* {one['examples']} permutations with repeats (Hypothesis): {one['wrong']} with other tables."


def _worst(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{max(known):.1f} s" if known else "–"


def documents() -> dict[Path, str]:
    """Return the pages with their tables made anew."""
    path = newest()
    return {
        FAULTS: _between(FAULTS, BEGIN, tables(path), END),
        PROMISES: _between(PROMISES, BEGIN_FIGURES, figures(path), END_FIGURES),
    }


def _between(page: Path, begin: str, made: str, end: str) -> str:
    before, rest = page.read_text(encoding="utf-8").split(begin)
    return before + begin + made + end + rest.split(end)[1]


def main() -> int:
    """Write the pages, or compare them."""
    pages = documents()
    if "--check" in sys.argv:
        return int(any(page.read_text(encoding="utf-8") != text for page, text in pages.items()))
    for page, text in pages.items():
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
