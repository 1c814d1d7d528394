"""Rights of persons: from an act in the register to nothing left of the person in any file, embedded form.

Asked: 60 seconds (issue C). One act, a hundred together, and the new stay of somebody who is kept out already.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench.table_writer import FINESS, Pseudonyms, events, key, publish
from streaming.conversion import Rules
from streaming.embedded_log import EmbeddedConsumer, erase
from streaming.erasure import effect
from streaming.naming import Key
from streaming.opposition import Act
from streaming.register import EmbeddedRegister
from streaming.table_writer import TableWriter
from transformers.contract import Contract

STAYS, TOGETHER, OBSERVATIONS = 2_000, 100, 28
BEGUN = "2026-01-01T00:00:00+00:00"


def act(number: int) -> Act:
    """Return the opposition of one person."""
    keys: frozenset[Key] = frozenset({("ano", "", f"{number:043d}")})
    return Act(f"act-{number}", "opposition", FINESS, "request", BEGUN, None, keys)


def timed(work: Callable[[], object]) -> float:
    """Return how long something took, in seconds."""
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 2)


def measure(folder: Path, stays: int) -> dict[str, Any]:
    """Fill an installation, then carry acts out one after the other as a running writer does."""
    log = folder / "events.sqlite"
    publish(folder, events(stays, observations=OBSERVATIONS))
    consumer, register = EmbeddedConsumer(log), EmbeddedRegister(log)
    contract = Contract(finess=FINESS, name="CHU FICTIF")
    rules = Rules(contracts=lambda _: contract, pseudonyms=Pseudonyms())
    writer = TableWriter(folder, consumer=consumer, rules=rules, register=register, erase_log=partial(erase, log))
    writer.drain()
    register.keep(act(1))
    one = timed(writer.drain)
    for number in range(2, 2 + TOGETHER):
        register.keep(act(number))
    together = timed(writer.drain)
    register.learn("act-1", {("stay", FINESS, key("S", stays + 1))})
    learnt = timed(writer.drain)
    state = writer._store.state.connection  # noqa: SLF001 - to say that it was done
    done = [effect(state, f"act-{number}") for number in range(1, 2 + TOGETHER)]
    assert all(found is not None and found.rows > 0 and found.done_at is not None for found in done)
    writer.close()
    register.close()
    consumer.close()
    return {
        "stays": stays,
        "log_mib": log.stat().st_size >> 20,
        "tables_mib": (folder / "tables.duckdb").stat().st_size >> 20,
        "one_opposition_s": one,
        f"{TOGETHER}_oppositions_together_s": together,
        "new_stay_of_who_is_out_s": learnt,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(measure(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else STAYS)))
