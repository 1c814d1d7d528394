"""Events that could not be applied: kept de-identified, with a code and a stage, never an exception text.

Later events are not held up. A flood stops the writer instead: then the fault is ours or the log's. Promise: P10.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from fhir_profiles.errors import Poisoned
from streaming.database import Database
from streaming.event import Record, record_of

FLOOD = "poison-flood"
MAX_IN_A_ROW = 50
WINDOW = 500
MAX_SHARE = 0.2

KEEP = """
INSERT INTO dead_letter (partition, "offset", event_id, key, headers, value, code, stage)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (partition, "offset") DO UPDATE SET code = excluded.code, stage = excluded.stage
"""
LIST = """
SELECT partition, "offset", key, headers, value, code, stage FROM dead_letter
WHERE code = coalesce(:code, code) AND key = coalesce(:key, key)
    AND (partition > :partition OR (partition = :partition AND "offset" > :after))
ORDER BY partition, "offset" LIMIT :most
"""
FORGET = 'DELETE FROM dead_letter WHERE partition = ? AND "offset" = ?'


@dataclass(frozen=True, slots=True, repr=False)
class DeadLetter:
    """One event that could not be applied: why (`code`), and whether it failed to be read or to be converted."""

    record: Record
    code: str
    stage: str

    def __repr__(self) -> str:
        return f"DeadLetter({self.record!r}, code={self.code}, stage={self.stage})"


Announce = Callable[[Sequence[DeadLetter]], None]
"""Tell others of dead letters, durably, before any offset moves past them. Raises `Unavailable`."""


def nobody(letters: Sequence[DeadLetter]) -> None:
    """Tell nobody: an embedded installation keeps them in `ops` alone."""
    del letters


@dataclass(slots=True)
class FloodGuard:
    """Counts poison among the last events. `observe` raises `Poisoned` (`poison-flood`) when it is too much."""

    in_a_row: int = 0
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    window: int = WINDOW

    def observe(self, poisoned: bool) -> None:  # noqa: FBT001
        """Take note of one more event."""
        self.in_a_row = self.in_a_row + 1 if poisoned else 0
        self.recent.append(poisoned)

    @property
    def flooded(self) -> bool:
        """Say whether the writer has to stop: 50 in a row, or a fifth of the last 500."""
        enough = len(self.recent) >= self.window
        return self.in_a_row >= MAX_IN_A_ROW or (enough and sum(self.recent) > MAX_SHARE * len(self.recent))

    def check(self) -> None:
        """Raise when flooded."""
        if self.flooded:
            raise Poisoned(FLOOD)

    def distrust(self) -> None:
        """Begin after a flood with less patience, else each new start would bury as much again."""
        self.in_a_row = MAX_IN_A_ROW - 1
        self.window = MAX_IN_A_ROW


def keep(connection: Database, letter: DeadLetter) -> None:
    """Keep one event that cannot be applied, in the transaction that moves the offset past it."""
    event = letter.record.event
    headers = orjson.dumps(dict(event.headers)).decode()
    where = (letter.record.partition, letter.record.offset)
    connection.execute(KEEP, (*where, event.id, event.key, headers, event.value, letter.code, letter.stage))


def letters(
    connection: Database,
    *,
    code: str | None = None,
    key: str | None = None,
    after: tuple[int, int] = (-1, -1),
    most: int = 500,
) -> list[DeadLetter]:
    """Return dead letters by place in the log, from the one after (partition, offset); of a code or an event key."""
    asked = {"code": code, "key": key, "partition": after[0], "after": after[1], "most": most}
    found = connection.execute(LIST, asked).fetchall()
    return [
        DeadLetter(record_of(partition, offset, event_key, headers, value), why, stage)
        for partition, offset, event_key, headers, value, why, stage in found
    ]


def forget(connection: Database, letter: DeadLetter) -> None:
    """Remove one that was applied after all."""
    connection.execute(FORGET, (letter.record.partition, letter.record.offset))
