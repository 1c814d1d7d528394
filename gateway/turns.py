"""Long work is done one at a time, hospitals in turn: a flood of one does not hold up another. Promise: P8.

It shares the interpreter with the event loop and slows it: it begins when a round of the loop is short.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

CROWD_S = 0.002
# Long work in its thread gives way to the event loop this soon, each time it asks: once for each piece of data that
# comes. Four times as long, and refusals under a flood take twice the time.
SWITCH_S = 0.00005
PATIENCE_S = 0.05


class Turns:
    """Who waits, by hospital. Called from one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._taken = False

    @asynccontextmanager
    async def turn(self, finess: str) -> AsyncIterator[None]:
        """Wait for a turn of this hospital, and hold it while the block runs."""
        if self._taken:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(finess, deque()).append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():
                    self._give()
                raise
        self._taken = True
        try:
            yield
        finally:
            self._give()

    def _give(self) -> None:
        """Hand the turn to the hospital that waited longest for one; it goes to the end of the line."""
        while self._waiting:
            finess, line = next(iter(self._waiting.items()))
            del self._waiting[finess]
            next_one = line.popleft()
            if line:
                self._waiting[finess] = line
            if not next_one.done():
                next_one.set_result(None)
                return
        self._taken = False


@contextmanager
def giving_way() -> Iterator[None]:
    """Let threads change this often while the block runs, and as before after it."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


async def quiet(*, clock: Callable[[], float] = time.monotonic) -> None:
    """Return when the event loop has no crowd to serve, or after a while: refusals and small requests come first."""
    begun = last = clock()
    while last - begun < PATIENCE_S:
        await asyncio.sleep(0)
        now = clock()
        if now - last < CROWD_S:
            return
        last = now
