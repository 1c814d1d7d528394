"""A short run of the fault campaign on each form; the long one is `make faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.campaign import faultless, run
from tests.support import kafka_broker, postgres_server

pytestmark = pytest.mark.slow


def test_the_embedded_form_loses_and_doubles_nothing_under_kills(tmp_path: Path) -> None:
    line = run("embedded", seed=1, seconds=12, stays=25, folder=tmp_path)

    assert faultless(line) == [], line
    assert set(line["faults"]) == {"kill-gateway-worker", "kill-writer"}


def test_the_server_form_loses_and_doubles_nothing_under_kills_and_pauses(tmp_path: Path) -> None:
    if reason := kafka_broker.missing() or postgres_server.missing():
        pytest.skip(f"no real servers here: {reason}")

    line = run("server", seed=1, seconds=40, stays=25, folder=tmp_path)

    assert faultless(line) == [], line
    assert len(line["faults"]) >= 3
