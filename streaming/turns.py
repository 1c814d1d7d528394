"""Steps of the writer → one at a time, on a thread that leaves the processors to others, or on one that does not.

A thread may give up its share and never take it back without privileges: so there are two, and a step runs on either.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Turns:
    """Runs steps. `yields` is the niceness of those that can wait; 0: all run on the caller's thread."""

    def __init__(self, yields: int) -> None:
        self._yielding = ThreadPoolExecutor(1, "yielding", initializer=_yield, initargs=(yields,)) if yields else None

    def run(self, step: Callable[[], bool], *, urgent: bool) -> bool:
        """Return what a step returns, or raise what it raises, once it is done."""
        if urgent or self._yielding is None:
            return step()
        return self._yielding.submit(step).result()

    def close(self) -> None:
        """Let the thread end."""
        if self._yielding is not None:
            self._yielding.shutdown()


def _yield(niceness: int) -> None:
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))
