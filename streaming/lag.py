"""Events that are read → how long they waited, and whether the log is about to lose events.

The danger is said once, and when it is over; a note in `ops` tells `status` and alerts. Never says which event.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Protocol

from streaming.event import Record
from streaming.staging import nanoseconds
from streaming.state import State

BEHIND_S = 30.0

log = logging.getLogger(__name__)


class Noting(Protocol):
    """The part of a `Store` that is needed."""

    @property
    def state(self) -> State:
        """Return the open state."""
        ...


class Lag:
    """Looks at the first event of each batch. `late_s` is half of what the log keeps.

    `waited_s` tells how long what was read last had waited, in seconds.
    """

    def __init__(self, store: Noting, *, late_s: float) -> None:
        self._store = store
        self._late_s = late_s
        self._late = False
        self.waited_s = 0.0

    @property
    def behind(self) -> bool:
        """Say whether rows wait for longer than they should."""
        return self.waited_s >= BEHIND_S

    def watch(self, records: Sequence[Record]) -> None:
        """Take note of a batch that was read; nothing to read is no lag, here and now."""
        received = nanoseconds(records[0].event.headers.get("ce_time")) if records else None
        self.waited_s = time.time() - received / 1e9 if received is not None else 0.0
        late = self.waited_s > self._late_s
        if not records or late == self._late:
            return
        self._late = late
        with self._store.state.transaction():
            self._store.state.note("late", "lag-age" if late else None)
        if late:
            log.warning("lag-age: the log may lose events before they are applied")
