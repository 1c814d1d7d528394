"""Event that is read → how long it waited: said once when the log is in danger of losing events, and when it is over.

The danger stands in `ops` as a note, for `status` and alerts. Never says which event.
"""

from __future__ import annotations

import logging
import time
from typing import Protocol

from streaming.event import Record
from streaming.staging import nanoseconds
from streaming.state import State

log = logging.getLogger(__name__)


class Noting(Protocol):
    """The part of a `Store` that is needed."""

    @property
    def state(self) -> State:
        """Return the open state."""
        ...


class Lag:
    """Looks at the first event of each batch. `late_s` is half of what the log keeps."""

    def __init__(self, store: Noting, *, late_s: float) -> None:
        self._store = store
        self._late_s = late_s
        self._late = False

    def watch(self, record: Record) -> None:
        """Keep or remove the note when what is read now waited too long, or no longer does."""
        received = nanoseconds(record.event.headers.get("ce_time"))
        late = received is not None and time.time() - received / 1e9 > self._late_s
        if late == self._late:
            return
        self._late = late
        with self._store.state.transaction():
            self._store.state.note("late", "lag-age" if late else None)
        if late:
            log.warning("lag-age: the log may lose events before they are applied")
