"""Requests a second of each hospital on one node, whichever worker is asked: token buckets in memory of all workers.

Made before the fork; gone with `serve`. A slot is locked while it is changed, and the lock of a killed worker goes with
it. Holds FINESS numbers and counts only. Promise: P8.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SLOT = struct.Struct("=16sdd")  # FINESS (16 zero bytes: free), tokens, when they were counted
SLOTS = 4096
PROBES = 64  # more hospitals than that on one place share the last of them: it does not happen before the table is full
FREE = bytes(16)


class Quota:
    """The buckets of one node."""

    def __init__(self, *, per_s: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._clock = clock
        self._file = os.memfd_create("quota")
        os.ftruncate(self._file, SLOT.size * SLOTS)
        self._memory = mmap.mmap(self._file, SLOT.size * SLOTS)

    def take(self, finess: str) -> float:
        """Take one request's token; return 0, or after how many seconds there is one again."""
        name = finess.encode()[:16].ljust(16, b"\0")
        with self._locked():
            place = self._place(name)
            held, tokens, at = SLOT.unpack_from(self._memory, place)
            now = self._clock()
            if held != name:
                tokens, at = self._burst, now
            tokens = min(self._burst, tokens + max(0.0, now - at) * self._per_s)
            lacking: float = max(0.0, 1 - tokens)
            SLOT.pack_into(self._memory, place, name, tokens if lacking else tokens - 1, now)
        return lacking / self._per_s

    def _place(self, name: bytes) -> int:
        first = zlib.crc32(name)
        for probe in range(PROBES):
            place = (first + probe) % SLOTS * SLOT.size
            if self._memory[place : place + 16] in (name, FREE):
                break
        return place

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)


def quota_of(per_s: int, burst: int) -> Quota | None:
    """Return the quota of a node, None when there is none (0 a second)."""
    return Quota(per_s=per_s, burst=burst) if per_s else None
