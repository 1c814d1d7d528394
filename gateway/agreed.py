"""Contracts alone, as a table writer needs them: no key of level 1, no credential. Read again when their files change.

What cannot be read leaves the old ones in force and says so in the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from gateway import contracts, logs, units
from gateway.contracts import load_contracts
from gateway.files import Versions, versions_of
from transformers.contract import Contract

LOOK_EACH_S = 1.0


class Agreed:
    """FINESS → contract. A hospital that nobody knows yet is looked for at once: its events must not be lost."""

    def __init__(self, data_dir: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the contracts. Raises Misconfigured."""
        self._data_dir = data_dir
        self._clock = clock
        self._looked = clock()
        self._seen = self._look()
        self._contracts = load_contracts(data_dir)

    def __call__(self, finess: str) -> Contract | None:
        """Return the contract of a hospital, None for one that the platform does not know."""
        if finess not in self._contracts or self._clock() - self._looked >= LOOK_EACH_S:
            self._refresh()
        return self._contracts.get(finess)

    def _refresh(self) -> None:
        self._looked = self._clock()
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._contracts = load_contracts(self._data_dir)
        except Misconfigured as error:
            logs.logger().error("contracts-kept", code=error.code, detail=error.detail)

    def _look(self) -> Versions:
        return versions_of([self._data_dir / contracts.FILE, *units.files_of(self._data_dir)])
