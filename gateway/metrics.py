"""What a worker counts, as Prometheus reads it: a closed list of names and labels, merged over the workers.

Labels are routes, statuses, codes of the catalogue and rules: never a hospital, a person or anything sent.
`METRICS` is the whole list; docs/metrics.md is checked against it. Promise: P13.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric

from gateway.admission import Admission
from gateway.decision import Decision
from streaming.accounts import Status, status
from streaming.broker import Counts

PREFIX = "snds_gateway_"
MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
BYTES = (1_000, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_500_000)

METRICS = {
    "requests_total": "Requests answered, by route and status.",
    "request_seconds": "Seconds from the headers to the answer, by route.",
    "body_bytes": "Bytes of bodies, after decompression.",
    "refusals_total": "Refused requests and entries, by issue code.",
    "entries_total": "Entries by what became of them: refused, suppressed, published.",
    "dropped_total": "Elements that de-identification left out, by rule.",
    "unauthenticated_total": "Requests without a valid credential.",
    "faults_total": "Requests that met a bug of ours.",
    "in_flight_requests": "Requests at work now.",
    "in_flight_bytes": "Bytes of bodies held now.",
    "log_events": "Events that the embedded log got.",
    "lag_events": "Events not applied to the tables yet.",
    "lag_late": "1 when events waited for longer than half of what the log keeps.",
    "applied_events": "Events applied to the tables.",
    "duplicate_events": "Events that changed nothing.",
    "dead_letters": "Events that cannot be applied.",
    "superseded_resources": "Versions that came after a newer one.",
    "stays": "Stays by what became of them.",
    "writer_stopped": "1 when the table writer stopped with a code.",
}
LABELS = {
    "requests_total": ("route", "status"),
    "request_seconds": ("route",),
    "refusals_total": ("code",),
    "entries_total": ("outcome",),
    "dropped_total": ("rule",),
    "stays": ("status",),
}


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
        self._dropped = self._counter("dropped_total")
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
            self._dropped.labels(rule).inc(number)
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

    def exposition(self, data_dir: Path) -> bytes:
        """Write every metric of every worker, and the accounts of the installation."""
        folder = os.environ.get(MULTIPROCESS_DIR)
        if folder:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        else:
            registry = self._registry
        accounts = CollectorRegistry()
        accounts.register(_Accounts(data_dir))
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


class _Accounts:
    """The accounts of the installation, read when Prometheus asks."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def collect(self) -> Iterator[Metric]:
        now: Status = status(self._data_dir)
        for name, value in (
            ("log_events", now.events),
            ("lag_events", now.lag),
            ("lag_late", int(now.late)),
            ("applied_events", now.applied),
            ("duplicate_events", now.duplicates),
            ("dead_letters", now.dead_letters),
            ("superseded_resources", now.superseded),
            ("writer_stopped", int(now.stopped is not None)),
        ):
            yield GaugeMetricFamily(PREFIX + name, METRICS[name], value=value)
        stays = GaugeMetricFamily(PREFIX + "stays", METRICS["stays"], labels=LABELS["stays"])
        for name in ("open", "written", "quarantined", "suppressed"):
            stays.add_metric([name], getattr(now.stays, name))
        yield stays
