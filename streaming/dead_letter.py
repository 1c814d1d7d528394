"""Events that could not be applied: kept de-identified, with a code and a stage, never an exception text.

Later events are not held up. A flood stops the writer instead: then the fault is ours or the log's. Promise: P10.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import orjson

from fhir_profiles.errors import Poisoned
from streaming.database import Database
from streaming.event import Record

MAX_IN_A_ROW = 50
WINDOW = 500
MAX_SHARE = 0.2

KEEP = """
INSERT INTO dead_letter (partition, "offset", event_id, key, headers, value, code, stage)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (partition, "offset") DO UPDATE SET code = excluded.code, stage = excluded.stage
"""


@dataclass(slots=True)
class FloodGuard:
    """Counts poison among the last events. `observe` raises `Poisoned` (`poison-flood`) when it is too much."""

    in_a_row: int = 0
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def observe(self, poisoned: bool) -> None:  # noqa: FBT001
        """Take note of one more event."""
        self.in_a_row = self.in_a_row + 1 if poisoned else 0
        self.recent.append(poisoned)

    @property
    def flooded(self) -> bool:
        """Say whether the writer has to stop: 50 in a row, or a fifth of the last 500."""
        full = len(self.recent) == WINDOW
        return self.in_a_row >= MAX_IN_A_ROW or (full and sum(self.recent) > MAX_SHARE * WINDOW)

    def check(self) -> None:
        """Raise when flooded."""
        if self.flooded:
            raise Poisoned("poison-flood")


def keep(connection: Database, record: Record, *, code: str, stage: str) -> None:
    """Keep one event that cannot be applied, in the transaction that moves the offset past it."""
    event = record.event
    headers = orjson.dumps(dict(event.headers)).decode()
    connection.execute(KEEP, (record.partition, record.offset, event.id, event.key, headers, event.value, code, stage))
