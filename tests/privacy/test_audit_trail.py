"""The audit of a running gateway: a line an authenticated request, one for all strangers, no data of anybody (P22)."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway.audit import audit_digest
from gateway.audit_check import read_chains
from gateway.synthetic.bundles import workload
from tests.support.installation import FINESS, Installation, snds_gateway
from tests.support.serving import serving
from transformers.deidentify.keys import read_key

pytestmark = pytest.mark.slow

ALLOWED = {
    "n", "at", "request", "hospital", "source", "credential", "action", "status", "codes", "bytes", "ms", "entries",
    "receipt", "events", "acts",
}  # fmt: skip
PSEUDONYM = re.compile(rb'"value":"([A-Za-z0-9_-]{22})"')
STRANGERS = 5
WORKERS, EACH_S = 2, 60  # a worker writes its line of strangers once a minute, and when it ends


def lines(installation: Installation) -> list[dict[str, Any]]:
    digest = audit_digest(read_key(installation.data_dir / "keys" / "ledger.key"))
    return [entry for chain in read_chains(installation.data_dir, digest) for entry in chain.entries]


def test_each_known_caller_has_a_line_strangers_have_one_together_and_no_line_has_data(tmp_path: Path) -> None:
    posted = list(workload(5, 3))
    person = next(
        entry["resource"]
        for entry in orjson.loads(posted[0])["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    )
    begun = time.monotonic()
    with serving(tmp_path) as running:
        installation = running.installation
        with installation.client() as client:
            answers = [client.post("/fhir", content=body) for body in posted]
            answers += [client.post("/fhir/$validate", content=posted[0]), client.post("/fhir", content=b"{")]
            answers += [client.get("/fhir/Patient/1"), client.get("/fhir/nobody"), client.get("/rights/receipts/1")]
            answers.append(client.post("/rights/oppositions", content=orjson.dumps(person)))
        for number in range(STRANGERS):
            stranger = {"Authorization": f"Bearer x{number}"}
            assert (
                httpx.post(f"{installation.url}/fhir", content=b"{}", headers=stranger, timeout=60).status_code == 401
            )
        httpx.get(f"{installation.url}/health/live", timeout=60)
        assert running.end() == 0
    minutes = (time.monotonic() - begun) // EACH_S

    found = lines(installation)
    requests = [one for one in found if "request" in one]
    assert [one.status_code for one in answers] == [200, 200, 200, 200, 400, 405, 405, 404, 201]
    assert sorted(one["status"] for one in requests) == sorted(one.status_code for one in answers)
    assert {one["request"] for one in requests} == {one.headers["X-Request-Id"] for one in answers}
    assert {key for one in requests for key in one} <= ALLOWED
    assert {one["hospital"] for one in requests} == {FINESS}
    assert sum(one["requests"] for one in found if one.get("action") == "unauthenticated") == STRANGERS
    assert len([one for one in found if one.get("action") == "unauthenticated"]) <= WORKERS * (minutes + 1)
    assert nothing_of(installation, person)
    assert snds_gateway("audit", "verify", "--data-dir", str(installation.data_dir)).returncode == 0


def nothing_of(installation: Installation, person: dict[str, Any]) -> bool:
    """No identity, no code of a disease, no pseudonym of any event stands in the trail."""
    trail = b"".join(path.read_bytes() for path in (installation.data_dir / "audit").glob("*.jsonl"))
    events = snds_gateway(
        "events", "tail", "--data-dir", str(installation.data_dir), "--format", "json"
    ).stdout.encode()
    pseudonyms = set(PSEUDONYM.findall(events))
    # long ones: short words come up in keyed ids by chance
    texts = [person["address"][0]["line"][0], person["birthDate"], person["identifier"][0]["value"], '"code":']
    assert len(pseudonyms) > 50
    return not any(one in trail for one in pseudonyms) and not any(text.encode() in trail for text in texts)
