"""The accounts as Prometheus reads them: in the embedded form from the gateway, in the server form from a table writer.

Read when Prometheus asks; while a server is away nothing is told of them: the alert `AccountsAway` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric

from fhir_profiles.errors import PipelineError
from gateway.metric_names import LABELS, METRICS, PREFIX
from streaming.accounts import Status
from streaming.aggregates import stepped


class Accounts:
    """A collector; `read` gives the accounts as they are now."""

    def __init__(self, read: Callable[[], Status]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield the accounts, or nothing while they cannot be read."""
        try:
            now = self._read()
        except PipelineError:
            return
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
        accepted = now.suppressed + now.published  # what a hospital is told of either
        entries = {"received": now.received, "refused": now.refused, "accepted": accepted}
        yield _labelled("accounted_entries", entries)
        yield _labelled("stays", {one: stepped(getattr(now.stays, one)) for one in STAYS})


STAYS = ("open", "written", "quarantined", "suppressed")


def _labelled(name: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, METRICS[name], labels=LABELS[name])
    for label, value in values.items():
        family.add_metric([label], value)
    return family


def serve_accounts(host: str, port: int, read: Callable[[], Status]) -> None:
    """Answer `GET /metrics` of a table writer with the accounts, in a thread that ends with the process.

    Raises OSError when the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(Accounts(read))
    start_http_server(port, host, registry)
