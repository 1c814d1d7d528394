"""docs/status-codes.md and docs/metrics.md say what the gateway can answer: every status, every code, every metric."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from fhir_profiles.issues import catalogue
from gateway.metric_names import METRICS, PREFIX
from gateway.openapi import statuses_of
from gateway.outcomes import STATUS
from gateway.routes import ROUTES
from scripts.build_http_docs import MEANINGS, METRICS_PAGE, STATUS_PAGE, metrics_page, status_page, statuses
from tests.support.installation import Installation


def test_the_page_of_statuses_is_what_the_code_says() -> None:
    assert STATUS_PAGE.read_text(encoding="utf-8") == status_page()


def test_the_page_of_metrics_is_what_the_code_says() -> None:
    assert METRICS_PAGE.read_text(encoding="utf-8") == metrics_page()


def test_every_status_that_can_be_answered_is_explained() -> None:
    answered = {int(one) for one in STATUS.values()} | {status for codes in statuses().values() for status in codes}
    answered |= {one for route in ROUTES for one in statuses_of(route)}

    assert answered <= set(MEANINGS)


def test_every_code_of_the_catalogue_stands_on_the_page_and_http_codes_have_their_status() -> None:
    page = status_page()

    assert all(f"[`{code}`]" in page for code in catalogue())
    assert statuses()["unauthenticated"] == (401,)
    assert statuses()["body-too-slow"] == (408,)
    assert statuses()["quota"] == (429,)
    assert statuses()["json-duplicate-key"] == (400,)
    assert statuses()["resource-type-unknown"] == (404, 422)


@pytest.mark.slow
def test_metrics_are_a_closed_list(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    with installation.serving():
        httpx.get(f"{installation.url}/health/live", timeout=60)
        text = httpx.get(f"{installation.url}/metrics", timeout=60).text

    shown = {line.split(" ")[2].removesuffix("_total") for line in text.splitlines() if line.startswith("# TYPE")}
    listed = {f"{PREFIX}{name}".removesuffix("_total") for name in METRICS}
    assert shown <= listed
    # a labelled counter shows once it has counted: these three count entries
    assert listed - shown <= {f"{PREFIX}{name}" for name in ("dropped", "entries", "refusals")}
