"""Recorded events of each released version, and the rows that the product makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from streaming.broker import Counts
from streaming.digest import digest
from streaming.event import Event
from streaming.memory_log import MemoryLog
from streaming.table_writer import TableWriter
from tests.support.made_events import FINESS, Pseudonyms, rules
from transformers.snds.person import person_rows

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "events" / "v1"
LINES = [orjson.loads(line) for line in (GOLDEN / "events.jsonl").read_bytes().splitlines()]


def recorded() -> Iterator[Event]:
    """Yield the events as they were published."""
    for line in LINES:
        body = orjson.dumps(line["value"], option=orjson.OPT_SORT_KEYS)
        yield Event(line["headers"]["ce_id"], line["key"], line["headers"], body)


def rows_of_recorded_events(folder: Path) -> str:
    """Return the digest of the tables that they give in a fresh folder."""
    log = MemoryLog()
    log.append(list(recorded()), Counts(FINESS))
    writer = TableWriter(folder, consumer=log, rules=rules(convert=person_rows, pseudonyms=Pseudonyms()))
    try:
        writer.drain()
        return digest(writer.sink)
    finally:
        writer.close()
