"""What a worker counts, as Prometheus reads it: a closed list of names and labels, merged over the workers.

Labels are routes, statuses, codes of the catalogue and rules: never a hospital, a person or anything sent.
`metric_names.py` is the whole list; docs/metrics.md is checked against it. Promise: P13.
"""

from __future__ import annotations

import os
from functools import cache, partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from gateway.account_metrics import Accounts
from gateway.admission import Admission
from gateway.decision import Decision
from gateway.metric_names import LABELS, METRICS, PREFIX
from streaming.accounts import status
from streaming.broker import Counts

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
BYTES = (1_000, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_500_000)


class Metrics:
    """The counters of this process."""

    def __init__(self, admission: Admission) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests_total")
        self._seconds = Histogram(
            PREFIX + "request_seconds",
            METRICS["request_seconds"],
            LABELS["request_seconds"],
            registry=self._registry,
            buckets=SECONDS,
        )
        self._bytes = Histogram(PREFIX + "body_bytes", METRICS["body_bytes"], registry=self._registry, buckets=BYTES)
        self._refusals = self._counter("refusals_total")
        self._entries = self._counter("entries_total")
        self._dropped = cache(self._counter("dropped_total").labels)  # each bundle adds to thirty of them
        self._unauthenticated = self._counter("unauthenticated_total")
        self._faults = self._counter("faults_total")
        self._in_flight = self._gauge("in_flight_requests")
        self._held = self._gauge("in_flight_bytes")
        self._admission = admission

    def answered(self, route: str, answered: int, *, seconds: float, size: int) -> None:
        """Count one answer."""
        self._requests.labels(route, str(answered)).inc()
        self._seconds.labels(route).observe(seconds)
        if size:
            self._bytes.observe(size)
        self._in_flight.set(self._admission.requests)
        self._held.set(self._admission.bytes)

    def taken(self, decision: Decision) -> None:
        """Count what became of the entries of one request."""
        self._count(decision.counts)
        for rule, number in decision.dropped.items():
            self._dropped(rule).inc(number)
        blocking = [one.code for index in decision.refused for one in decision.entry_issues[index] if one.blocks]
        if decision.refusal is not None:
            blocking += [one.code for one in decision.refusal.issues if one.blocks]
        for code in blocking:
            self._refusals.labels(code).inc()

    def unauthenticated(self) -> None:
        """Count one caller that nobody knows."""
        self._unauthenticated.inc()

    def fault(self) -> None:
        """Count one bug of ours."""
        self._faults.inc()

    def exposition(self, data_dir: Path | None) -> bytes:
        """Write every metric of every worker, and the accounts of the installation in `data_dir`.

        None: a gateway of the server form may read neither log nor tables; a table writer tells the accounts.
        """
        folder = os.environ.get(MULTIPROCESS_DIR)
        if folder:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        else:
            registry = self._registry
        accounts = CollectorRegistry()
        if data_dir is not None:
            accounts.register(Accounts(partial(status, data_dir)))
        return generate_latest(registry) + generate_latest(accounts)

    def _count(self, counts: Counts) -> None:
        for outcome in ("refused", "suppressed", "published"):
            number = getattr(counts, outcome)
            if number:
                self._entries.labels(outcome).inc(number)

    def _counter(self, name: str) -> Counter:
        return Counter(PREFIX + name, METRICS[name], LABELS.get(name, ()), registry=self._registry)

    def _gauge(self, name: str) -> Gauge:
        return Gauge(PREFIX + name, METRICS[name], registry=self._registry, multiprocess_mode="livesum")
