"""Callers → places: how many requests and bytes one process holds, and how much of it one hospital may take.

Raises Busy with a `Retry-After` before anything of the body is read. Never queues without bound. Promise: P8.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fhir_profiles.errors import Busy
from gateway.quota import Quota

# One hospital alone never takes the last quarter of the places: another one finds room at once.
SHARE = 0.75
SATURATED_RETRY_S = 1
QUOTA_RETRY_S = 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one process admits."""

    requests: int
    bytes: int


class Place:
    """One admitted request; `hold` says how many bytes it keeps."""

    __slots__ = ("_admission", "held")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.held = 0

    def hold(self, size: int) -> None:
        """Raise the bytes of this request to `size`. Raises Busy when the process holds too many."""
        if size > self.held:
            self._admission.hold(size - self.held)
            self.held = size


class Admission:
    """The places of one process, and the quotas of its node. Called from its event loop only."""

    def __init__(self, bounds: Bounds, *, quota: Quota | None = None) -> None:
        self._bounds = bounds
        self._quota = quota
        self._share = max(1, int(bounds.requests * SHARE))
        self._by_hospital: defaultdict[str, int] = defaultdict(int)
        self.requests = 0
        self.bytes = 0

    @contextmanager
    def enter(self, finess: str) -> Iterator[Place]:
        """Admit one request of a hospital while the block runs. Raises Busy."""
        self._take_token(finess)
        if self._by_hospital[finess] >= self._share:
            raise Busy("quota-concurrency", retry_after_s=QUOTA_RETRY_S)
        if self.requests >= self._bounds.requests:
            raise Busy("saturated", retry_after_s=SATURATED_RETRY_S)
        place = Place(self)
        self.requests += 1
        self._by_hospital[finess] += 1
        try:
            yield place
        finally:
            self.requests -= 1
            self.bytes -= place.held
            self._by_hospital[finess] -= 1
            if not self._by_hospital[finess]:
                del self._by_hospital[finess]

    def hold(self, more: int) -> None:
        """Count more bytes; a request alone is always let through, whatever its size."""
        if self.bytes and self.bytes + more > self._bounds.bytes:
            raise Busy("saturated", retry_after_s=SATURATED_RETRY_S)
        self.bytes += more

    def _take_token(self, finess: str) -> None:
        wait = self._quota.take(finess) if self._quota is not None else 0.0
        if wait:
            raise Busy("quota", retry_after_s=max(1, round(wait)))
