"""bench/results/*.json → docs/figures.md: the newest figure of each beside what was asked. `--check` compares.

A figure is shown with the interpreter and the day it was measured on; one that misses what was asked says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = PROJECT / "bench" / "results", PROJECT / "docs" / "figures.md"
HEAD = """# Figures · Chiffres

Measured by `make bench` (`python -m bench.run NAME…`) and kept in `bench/results/` with versions; this page is made
from the newest of each by `scripts/build_figures_docs.py`. Two cores, the load generator on the same ones, loopback.
*Asked* is what the project set out to reach; a line that says **missed** is work that is left.

Mesuré sur deux cœurs, générateur de charge compris ; une ligne « missed » n'atteint pas encore ce qui était demandé.

| what | measured | asked | | Python | measured on |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: where it stands in a result, its unit, what was asked (`<=` or `>=` a number), or None."""

    what: str
    path: tuple[str, ...]
    unit: str
    asked: str = ""


VALIDATION = ("validation", "side_by_side", "us_per_resource")
FIGURES = (
    Figure("parse and validate, all rules and profiles",
           (*VALIDATION, "ours: parse and validate, all rules and profiles"), "µs a resource", "<= 40"),
    Figure("fhirkit-rs, structure alone, same run", (*VALIDATION, "fhirkit-rs: structure"), "µs a resource"),
    Figure("fhir.resources R4B, structure alone, same run", (*VALIDATION, "fhir.resources R4B: structure, from a dict"),
           "µs a resource"),
    Figure("10,000 entries with 10,000 references", ("validation", "big_bundles_s", "10000 entries, 10000 references"),
           "s", "<= 10"),
    Figure("engine ready, cold", ("validation", "start", "cold: ready_s"), "s", "<= 20"),
    Figure("engine ready, warm", ("validation", "start", "warm: ready_s"), "s", "<= 1"),
    Figure("memory of a validating process", ("validation", "start", "cold: rss_mib"), "MiB", "<= 150"),
    Figure("growth over 100,000 validations", ("validation", "memory", "growth_mib"), "MiB", "<= 5"),
    Figure("scrub, pseudonyms, encode", ("scrub", "us_per_resource", "whole without the leak scanner"), "µs a resource",
           "<= 15"),
    Figure("leak scanner", ("scrub", "us_per_resource", "leak scanner"), "µs a resource", "<= 3"),
    Figure("parse and scrub", ("scrub", "parse_and_scrub_resources_per_s"), "resources/s", ">= 19000"),
    Figure("cumulus-etl's scrubber, read and scrub, same run",
           ("scrub", "cumulus_etl", "read_and_scrub_resources_per_s"), "resources/s"),
    Figure("parse and scrub against cumulus-etl's, same run", ("scrub", "times_cumulus_etl"), "times", ">= 1"),
    Figure("posted to acknowledged, embedded, 8 connections", ("http", "loaded_8_connections", "bundles_per_s"),
           "bundles/s", ">= 400"),
    Figure("unloaded p50, embedded", ("http", "unloaded", "p50_ms"), "ms", "<= 10"),
    Figure("CPU of a gateway worker a bundle, under load", ("http", "worker_cpu_us_per_bundle"), "µs", "<= 2200"),
    Figure("small durable transactions, 16 connections",
           ("http", "small_durable_transactions_16_connections", "bundles_per_s"), "/s", ">= 500"),
    Figure("posted to acknowledged, real Kafka, 8 connections",
           ("kafka", "gateway", "loaded_8_connections", "bundles_per_s"), "bundles/s", ">= 350"),
    Figure("unloaded p50, real Kafka", ("kafka", "gateway", "unloaded", "p50_ms"), "ms", "<= 8"),
    Figure("refusals p99, 500 connections with 1 MB each for 60 s, seen by a process that only waits",
           ("overload", "same_hospital_from_a_process_that_only_waits", "refused", "p99_ms"), "ms", "<= 200"),
    Figure("the same, seen by the flood itself, which needs a core",
           ("overload", "flooding_hospital", "refused", "p99_ms"), "ms"),
    Figure("refusals p99 under that flood, as the gateway logs them",
           ("overload", "refusals_as_the_gateway_logs_them", "p99_ms"), "ms", "<= 100"),
    Figure("accepted of another hospital under that flood", ("overload", "other_hospital", "success"), "of 1",
           ">= 0.95"),
    Figure("memory of all processes under that flood", ("overload", "most_memory_of_all_processes_mib"), "MiB",
           "<= 572"),
    Figure("soak of 30 minutes, 20 requests/s: growth of a worker's memory", ("soak", "growth_of_rss"), "of 1",
           "<= 0.05"),
    Figure("soak of 30 minutes: growth of the writer's memory", ("soak", "growth_of_writer_rss"), "of 1", "<= 0.05"),
    Figure("history load, embedded chain, for 2,000,000 clinical rows", ("history", "minutes_for_two_million"), "min",
           "<= 3"),
    Figure("history load, memory of all processes", ("history", "memory_mib"), "MiB", "<= 762"),
    Figure("conversion alone, rich stays", ("conversion", "rich stays", "rows/s"), "rows/s"),
    Figure("table writer into DuckDB", ("table_writer", "rows_per_s"), "rows/s", ">= 30000"),
    Figure("table writer, memory", ("table_writer", "rss_mb"), "MB", "<= 500"),
    Figure("table writer into PostgreSQL", ("postgres", "rows_per_s"), "rows/s", ">= 20000"),
)  # fmt: skip


def main() -> int:
    """Write the page, or compare it."""
    made = document()
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != made)
    PAGE.write_text(made, encoding="utf-8")
    return 0


def document() -> str:
    """Return the page."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("2*.json"))]
    return HEAD + "".join(_lines(runs))


def _lines(runs: list[dict[str, Any]]) -> Iterator[str]:
    for one in FIGURES:
        found = [(run["machine"], _at(run, one.path)) for run in runs]
        measured = [(machine, value) for machine, value in found if value is not None]
        if not measured:
            continue
        machine, value = measured[-1]
        asked, verdict = _judged(value, one.asked)
        day, python = machine["date"][:10], machine["python"]
        yield f"| {one.what} | {value:,} {one.unit} | {asked} | {verdict} | {python} | {day} `{machine['commit']}` |\n"


def _at(run: dict[str, Any], path: tuple[str, ...]) -> float | None:
    node: Any = run
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node if isinstance(node, int | float) else None


def _judged(value: float, asked: str) -> tuple[str, str]:
    if not asked:
        return "", ""
    sign, _, limit = asked.partition(" ")
    kept = value <= float(limit) if sign == "<=" else value >= float(limit)
    return f"{'≤' if sign == '<=' else '≥'} {float(limit):,g}", "" if kept else "**missed**"


if __name__ == "__main__":
    sys.exit(main())
