"""Is this worker able to keep an event now? Log, audit, keys, disk: looked at once a second.

Ready turns false within 5 s of losing one of them; live does not depend on them. Names parts only. Promise: P12.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gateway.audit import FOLDER
from streaming.broker import Publisher
from transformers.deidentify.keys import LEDGER, PLATFORM, hospital_file

LOOK_S = 1.0
MIN_FREE_BYTES = 32 * 1024 * 1024


class Keeping(Protocol):
    """What says of itself whether its last write went well."""

    healthy: bool


class Health:
    """The parts that this worker cannot do without."""

    def __init__(
        self,
        data_dir: Path,
        hospitals: tuple[str, ...],
        publisher: Publisher,
        audit: Keeping,
        *,
        log: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._data_dir = data_dir
        self._keys = [data_dir / "keys" / name for name in (PLATFORM, LEDGER, *map(hospital_file, hospitals))]
        self._publisher = publisher
        self._log = log
        self._log_is = _identity(log)
        self._audit = audit
        self._clock = clock
        self._until = float("-inf")
        self._missing: tuple[str, ...] = ()
        self.stopping = False

    def missing(self) -> tuple[str, ...]:
        """Return the names of the parts that are lost; none when the worker is ready."""
        if self._clock() >= self._until:
            self._missing = self._look()
            self._until = self._clock() + LOOK_S
        return (*self._missing, *(("stopping",) if self.stopping else ()))

    def _look(self) -> tuple[str, ...]:
        lost = []
        if not self._publisher.ready() or _identity(self._log) != self._log_is:
            lost.append("log")
        if not self._audit.healthy:
            lost.append("audit")
        if not all(os.access(path, os.R_OK) for path in self._keys):
            lost.append("keys")
        if not self._has_room():
            lost.append("disk")
        return tuple(lost)

    def _has_room(self) -> bool:
        """The audit may be on a disk of its own: a line that still fits says nothing of the next one."""
        try:
            found = [os.statvfs(folder) for folder in (self._data_dir, self._data_dir / FOLDER)]
        except OSError:
            return False
        return all(one.f_bavail * one.f_frsize >= MIN_FREE_BYTES for one in found)


def _identity(log: Path | None) -> tuple[int, int] | None:
    """Tell one file from another: what is written to a file that was moved away is lost, and SQLite does not say so."""
    try:
        state = log.stat() if log is not None else None
    except OSError:
        return None
    return (state.st_dev, state.st_ino) if state is not None else None
