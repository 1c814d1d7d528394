"""Steps of the writer → one at a time, on a thread whose niceness says who goes first: the gateway, nobody, the writer.

A thread may give up its share and never take it back without privileges: so there is one for each niceness.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

Share = tuple[float, int]
"""(from so many seconds that events have waited on, the niceness of the writer's thread); 0: the caller's own."""

GATEWAY_NICENESS = 3
"""Of the gateway's workers, where a table writer shares their processors."""

# Hospitals get their answers first; rows 15 s behind come at the same pace, half a minute behind first:
# else a long history load leaves its rows to one processor when the other has nothing left to do.
BESIDE_A_GATEWAY: tuple[Share, ...] = ((0.0, 12), (15.0, GATEWAY_NICENESS), (30.0, 0))


class Turns:
    """Runs steps. `shares` by rising seconds; without any, all steps run on the caller's thread."""

    def __init__(self, shares: Sequence[Share] = ()) -> None:
        self._shares = shares
        self._threads = {
            niceness: ThreadPoolExecutor(1, f"nice-{niceness}", initializer=give_way, initargs=(niceness,))
            for _, niceness in shares
            if niceness
        }

    def run(self, step: Callable[[], bool], *, waited_s: float) -> bool:
        """Return what a step returns, or raise what it raises, once it is done."""
        thread = None
        for since, niceness in self._shares:
            if waited_s >= since:
                thread = self._threads.get(niceness)
        return thread.submit(step).result() if thread is not None else step()

    def close(self) -> None:
        """Let the threads end."""
        for thread in self._threads.values():
            thread.shutdown()


def give_way(niceness: int) -> None:
    """Leave the processors to others from now on: this thread, and those that it starts."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))
