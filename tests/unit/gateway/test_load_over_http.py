"""Quotas, slow senders, callers that leave: each told apart, none holding up the others."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.audit import audit_digest
from gateway.audit_check import read_chains
from tests.support.installation import ANSWER_WITHIN_S, FINESS, Installation, snds_gateway
from tests.support.posted import bundle, patient, put
from tests.support.raw_http import read_reply, request
from tests.support.serving import until
from transformers.deidentify.keys import read_key

pytestmark = pytest.mark.slow

OTHER = "690781810"
SENT = bundle("transaction", put(patient("load"), fullUrl="https://his.example/fhir/Patient/load"))


@contextmanager
def serving(tmp_path: Path, settings: str) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    declared = ("--french-profiles", "declared")
    snds_gateway("hospital", "add", "--data-dir", str(installation.data_dir), "--finess", OTHER, *declared)
    with (installation.data_dir / "gateway.toml").open("a") as file:
        file.write("\n" + settings)
    with installation.serving():
        yield installation


def head(installation: Installation, length: int) -> bytes:
    return request(
        "POST", "/fhir", Authorization=f"Bearer {installation.key()}", Content_Type="application/fhir+json",
        Content_Length=str(length),
    )  # fmt: skip


def test_a_quota_is_the_hospital_s_own_and_says_when_to_come_back(tmp_path: Path) -> None:
    with serving(tmp_path, "workers = 2\nquota_requests_per_s = 1\nquota_burst = 3\n") as installation:
        answers: list[httpx.Response] = []

        def busy() -> list[httpx.Response]:
            return [one for one in answers if one.status_code == 429]

        def sent_at_once() -> bool:
            """Eight at the same time: one after the other, a slow machine might not exceed one a second."""
            with ThreadPoolExecutor(8) as senders:
                answers.extend(senders.map(lambda _: installation.post(SENT), range(8)))
            return len(busy()) >= 3

        until(sent_at_once)
        other = [installation.post(SENT, name=OTHER).status_code for _ in range(3)]
        accounts = installation.wait_idle()

    statuses = [one.status_code for one in answers]
    assert statuses.count(200) >= 3
    assert statuses.count(200) + statuses.count(429) == len(answers)
    assert all(int(one.headers["Retry-After"]) >= 1 for one in busy())
    assert {one.json()["issue"][0]["details"]["coding"][0]["code"] for one in busy()} == {"quota"}
    assert other == [200] * 3
    assert accounts["received"] == statuses.count(200) + 3


def test_a_body_that_comes_too_slowly_is_cut_and_the_gateway_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path, "body_timeout_s = 1\n") as installation:
        with socket.create_connection(("127.0.0.1", installation.port), timeout=ANSWER_WITHIN_S) as slow:
            slow.sendall(head(installation, 100) + b"{")
            reply = read_reply(slow)

        assert reply.status == 408
        assert reply.codes == ["body-too-slow"]
        assert reply.headers["connection"] == "close"
        until(lambda: installation.post(SENT).status_code == 200)


def test_a_caller_that_leaves_is_audited_and_leaves_its_place_free(tmp_path: Path) -> None:
    with serving(tmp_path, "workers = 1\nmax_requests = 1\n") as installation:
        digest = audit_digest(read_key(installation.data_dir / "keys" / "ledger.key"))
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", installation.port), timeout=ANSWER_WITHIN_S) as gone:
                gone.sendall(head(installation, 100_000) + b'{"resourceType"')

        def seen() -> list[int]:
            chains = read_chains(installation.data_dir, digest)
            return [entry["status"] for chain in chains for entry in chain.entries if "status" in entry]

        until(lambda: seen().count(499) >= 1)
        until(lambda: installation.post(SENT).status_code == 200)
        until(lambda: seen().count(499) + seen().count(429) + seen().count(503) >= 3)


def test_one_request_at_a_time_means_one(tmp_path: Path) -> None:
    with serving(tmp_path, "workers = 1\nmax_requests = 1\nbody_timeout_s = 300\n") as installation:
        body = json.dumps(SENT).encode()
        with socket.create_connection(("127.0.0.1", installation.port), timeout=ANSWER_WITHIN_S) as first:
            first.sendall(head(installation, len(body)))
            until(lambda: installation.post(SENT).status_code == 429)  # its own share is one place
            other = installation.post(SENT, name=OTHER)
            first.sendall(body)
            assert read_reply(first).status == 200

        assert other.status_code == 503
        assert other.json()["issue"][0]["details"]["coding"][0]["code"] == "saturated"
        assert int(other.headers["Retry-After"]) >= 1


def test_the_address_is_told_in_the_log(tmp_path: Path) -> None:
    with serving(tmp_path, "") as installation:
        said = [json.loads(line) for line in installation.log.read_text().splitlines() if line.startswith("{")]
        [listening] = [line for line in said if line["event"] == "listening"]

        assert listening["port"] == installation.port
        assert httpx.get(f"{installation.url}/health/live", timeout=ANSWER_WITHIN_S).status_code == 200


def test_the_log_has_no_line_that_names_a_person_or_a_secret(tmp_path: Path) -> None:
    with serving(tmp_path, 'log_level = "debug"\n') as installation:
        sent = bundle("transaction", put(patient("zqlogged", name=[{"family": "ZQNAME"}])))
        installation.post(sent)
        installation.post(sent, "/fhir/$validate?profile=zqprofile")
        key = installation.key()
        log = installation.log.read_text()

    assert all(word not in log for word in ("zqlogged", "ZQNAME", "zqprofile", key, key[-20:]))
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) == 2
    assert {line["hospital"] for line in requests} == {FINESS}
    assert all(set(line) <= KEPT for line in requests)


KEPT = {
    "event", "level", "timestamp", "process", "request", "route", "status", "codes", "hospital", "source", "bytes", "ms"
}  # fmt: skip
