"""Contracts and keys change while `serve` runs: no restart, no downtime, and a slip locks nobody out."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.installation import ANSWER_WITHIN_S, FINESS, Installation, snds_gateway
from tests.support.posted import bundle, put

pytestmark = pytest.mark.slow
OTHER = "690781810"
WITHIN_S = 300
IN_A_ROW = 40  # each worker looks once a second, and may take ten in a row (one in 2,000 times a try) before the other


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("reload") / "data", "--test-identities").serving() as installation:
        yield installation


def status_with(client: httpx.Client, key: str) -> int:
    return client.post(
        "/fhir/$validate",
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/fhir+json"},
        content=b'{"resourceType": "Basic"}',
    ).status_code


def becomes(installation: Installation, key: str, wanted: int) -> bool:
    """Ask, each time over a new connection, until each of the two workers has had its second to look."""
    deadline, in_a_row = time.monotonic() + WITHIN_S, 0
    anew = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=installation.url, timeout=ANSWER_WITHIN_S, limits=anew) as client:
        while time.monotonic() < deadline and in_a_row < IN_A_ROW:
            in_a_row = in_a_row + 1 if status_with(client, key) == wanted else 0
    return in_a_row == IN_A_ROW


def test_a_hospital_added_to_a_running_gateway_is_served_and_its_rows_are_written(running: Installation) -> None:
    data_dir = str(running.data_dir)
    snds_gateway("hospital", "add", "--data-dir", data_dir, "--finess", OTHER, "--french-profiles", "declared")
    assert becomes(running, running.key(OTHER), 200)

    organization = {
        "resourceType": "Organization", "id": "o", "active": True, "name": "x",
        "identifier": [{"system": "https://finess.esante.gouv.fr", "value": OTHER}],
    }  # fmt: skip
    answer = running.post(bundle("batch", put(organization)), name=OTHER)

    assert answer.json()["entry"][0]["response"]["status"].startswith("202"), answer.text
    assert running.wait_idle()["dead_letters"] == 0


def test_a_rotated_key_opens_and_the_old_one_no_longer_does(running: Installation) -> None:
    old = running.key()
    snds_gateway("hospital", "rotate-key", "--data-dir", str(running.data_dir), "--finess", FINESS)

    assert becomes(running, running.key(), 200)
    assert becomes(running, old, 401)


def test_with_an_overlap_nobody_is_locked_out(running: Installation) -> None:
    old = running.key()
    snds_gateway(
        "hospital", "rotate-key", "--data-dir", str(running.data_dir), "--finess", FINESS, "--overlap-hours", "1"
    )

    assert becomes(running, running.key(), 200)
    assert becomes(running, old, 200)


def test_a_slip_of_the_operator_locks_nobody_out_and_a_hangup_ends_nothing(running: Installation) -> None:
    file: Path = running.data_dir / "hospitals.toml"
    right = file.read_text()
    file.write_text(right + "nonsense")
    os.kill(running.pid, signal.SIGHUP)
    try:
        assert becomes(running, running.key(), 200)
    finally:
        file.write_text(right)
