"""What a worker counts, as Prometheus reads it: a closed list of names and labels, merged over the workers.

Labels are routes, statuses, codes of the catalogue and rules: never a hospital, a person or anything sent; counts by
code or rule move in steps of 11. `metric_names.py` is the whole list, docs/metrics.md is made of it. Promise: P13.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from gateway.account_metrics import Accounts
from gateway.admission import Admission
from gateway.decision import Decision
from gateway.metric_names import LABELS, METRICS, PREFIX, STEPPED
from streaming.accounts import status
from streaming.aggregates import stepped
from streaming.broker import Counts

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
BYTES = (1_000, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_500_000)


class Published(Collector):
    """What is counted, as it may be read: a code or a rule shows once it counts 11, and moves by 11 (`STEPPED`).

    Steps come after the workers are added up: six of one and six of another are eleven. When a series began
    (`_created`) would tell its first one, and is left out.
    """

    def __init__(self, counted: Collector) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        stepping = {PREFIX + name.removesuffix("_total") for name in STEPPED}
        for metric in self._counted.collect():
            if metric.name.removesuffix("_total") in stepping:
                totals = (one._replace(value=stepped(int(one.value))) for one in metric.samples if _total(one.name))
                metric.samples = [one for one in totals if one.value]
            yield metric


def _total(sample: str) -> bool:
    return sample.endswith("_total")


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
        counted = multiprocess.MultiProcessCollector(None, folder) if folder else self._registry  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        registry.register(Published(counted))
        accounts = CollectorRegistry()
        if data_dir is not None:
            accounts.register(Accounts(partial(status, data_dir)))
        return generate_latest(registry) + generate_latest(accounts)

    def _count(self, counts: Counts) -> None:
        for outcome, number in (("refused", counts.refused), ("accepted", counts.suppressed + counts.published)):
            if number:
                self._entries.labels(outcome).inc(number)

    def _counter(self, name: str) -> Counter:
        return Counter(PREFIX + name, METRICS[name], LABELS.get(name, ()), registry=self._registry)

    def _gauge(self, name: str) -> Gauge:
        return Gauge(PREFIX + name, METRICS[name], registry=self._registry, multiprocess_mode="livesum")
