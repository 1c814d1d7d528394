"""D/audit → how long each hospital waited for its answers, over the last lines of each worker's trail.

Reads the tail of the newest files only and never changes them; a line that is not whole is passed over (`audit verify`
is what tells of it).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.audit import FOLDER, SUFFIX

FILES = 8
TAIL_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the headers to the audited answer: half of the answers took at most `median`, 95 % `p95`."""

    finess: str
    answers: int
    median: float
    p95: float


def latencies(data_dir: Path, *, action: str = "POST /fhir") -> tuple[Latency, ...]:
    """Return the latency of each hospital for one route, by FINESS; nothing where nobody asked yet."""
    waited: dict[str, list[float]] = defaultdict(list)
    for line in _lines(data_dir / FOLDER):
        if line.get("action") == action and "ms" in line:
            waited[line["hospital"]].append(line["ms"])
    return tuple(_latency(finess, sorted(times)) for finess, times in sorted(waited.items()))


def _latency(finess: str, times: list[float]) -> Latency:
    last = len(times) - 1
    return Latency(finess, len(times), times[last // 2], times[round(last * 0.95)])


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    newest = sorted(folder.glob(f"*{SUFFIX}"), reverse=True)[:FILES]  # names begin with the moment they were opened
    for file in newest:
        with file.open("rb") as content:
            content.seek(max(0, file.stat().st_size - TAIL_BYTES))
            for line in content.read().splitlines():
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError:  # the cut first line of a tail, or one that is being written
                    continue
