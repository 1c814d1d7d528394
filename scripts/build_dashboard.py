"""A list of panels → deploy/grafana/dashboards/gateway.json. `--check` only compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "deploy" / "grafana" / "dashboards" / "gateway.json"
SOURCE = {"type": "prometheus", "uid": "prometheus"}
WIDTH, HEIGHT = 12, 8
NOW = "[$__rate_interval]"
REQUESTS, SECONDS = "snds_gateway_requests_total", "snds_gateway_request_seconds_bucket"
ENTRIES, REFUSALS, DROPPED = (f"snds_gateway_{name}_total" for name in ("entries", "refusals", "dropped"))
PANELS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Requests a second, by status", "reqps", {"{{status}}": f"sum by (status) (rate({REQUESTS}{NOW}))"}),
    (
        "Seconds from the headers to the answer",
        "s",
        {f"p{q}": f"histogram_quantile(0.{q}, sum by (le) (rate({SECONDS}{NOW})))" for q in (50, 95, 99)},
    ),
    ("Entries by what became of them", "short", {"{{outcome}}": f"sum by (outcome) (rate({ENTRIES}{NOW}))"}),
    ("Refusals by code, in steps of 11", "short", {"{{code}}": f"topk(10, sum by (code) (increase({REFUSALS}[1h])))"}),
    (
        "At work now",
        "short",
        {"requests": "snds_gateway_in_flight_requests", "bytes": "snds_gateway_in_flight_bytes"},
    ),
    (
        "Callers that nobody knows, and faults",
        "short",
        {
            "unknown callers": "sum(increase(snds_gateway_unauthenticated_total[5m]))",
            "faults": "sum(increase(snds_gateway_faults_total[5m]))",
        },
    ),
    (
        "Events: log, applied, lag",
        "short",
        {
            "in the log": "snds_gateway_log_events",
            "applied": "snds_gateway_applied_events",
            "lag": "snds_gateway_lag_events",
        },
    ),
    (
        "Duplicates, superseded, dead letters",
        "short",
        {
            "duplicates": "snds_gateway_duplicate_events",
            "superseded": "snds_gateway_superseded_resources",
            "dead letters": "snds_gateway_dead_letters",
        },
    ),
    ("Stays by what became of them, in steps of 11", "short", {"{{status}}": "snds_gateway_stays"}),
    (
        "Left out by de-identification, in steps of 11",
        "short",
        {"{{rule}}": f"topk(15, sum by (rule) (increase({DROPPED}[1h])))"},
    ),
)


def panel(number: int, title: str, unit: str, queries: dict[str, str]) -> dict[str, Any]:
    """Return one time series."""
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for at, (legend, query) in enumerate(queries.items())
        ],
    }


def document() -> str:
    """Return the dashboard."""
    dashboard = {
        "uid": "snds-gateway",
        "title": "FHIR → SNDS gateway",
        "tags": ["snds-gateway"],
        "timezone": "browser",
        "refresh": "30s",
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "panels": [panel(number, *one) for number, one in enumerate(PANELS)],
    }
    return json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the dashboard, or compare it."""
    if "--check" in sys.argv:
        return int(TARGET.read_text(encoding="utf-8") != document())
    TARGET.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
