"""A request that a stop cuts short is told to come again, wherever it was: never a 500. Promise: P2, P11."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx

from gateway import house
from gateway.app import make_app
from gateway.settings import load_settings
from gateway.worker import opened
from tests.support.installation import Installation
from tests.support.posted import body, bundle, patient, put


async def test_a_request_cut_while_its_audit_line_waits_for_the_disk_is_answered_503(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    content = body(bundle("transaction", put(patient("p"), fullUrl="https://his.example/fhir/Patient/p")))
    headers = {"Authorization": f"Bearer {installation.key()}", "Content-Type": "application/fhir+json"}
    disk = threading.Event()

    async with opened(house.load(load_settings(installation.data_dir, {})), process="worker-1") as worker:
        transport = httpx.ASGITransport(make_app(lambda: worker))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            worker.audit._thread.submit(disk.wait)  # a disk that is slow to take the line
            posting = asyncio.create_task(client.post("/fhir", content=content, headers=headers))
            while worker.audit._flushing is None:  # noqa: ASYNC110 - the request is on its way there
                await asyncio.sleep(0.01)
            posting.cancel()
            try:
                answer = await posting
            finally:
                disk.set()

    assert answer.status_code == 503
    assert answer.headers["Retry-After"].isdigit()
