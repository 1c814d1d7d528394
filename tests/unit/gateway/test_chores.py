"""Chores: one that fails is told by its place and holds up nobody; old audit files go and the trail still verifies."""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fhir_profiles.errors import Unavailable
from gateway import house
from gateway.audit import audit_digest
from gateway.audit_check import read_chains, verify
from gateway.chores import CHORES, mend_audit, sweep_audit, tried, write_unknown_callers
from gateway.settings import load_settings
from gateway.worker import Worker, opened
from tests.support.installation import Installation
from transformers.deidentify.keys import read_key


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Installation(tmp_path_factory.mktemp("chores") / "data").data_dir


@asynccontextmanager
async def working(data_dir: Path) -> AsyncIterator[Worker]:
    async with opened(house.load(load_settings(data_dir, {})), process="worker-1") as worker:
        yield worker


async def test_every_chore_runs_on_a_real_worker(data_dir: Path) -> None:
    async with working(data_dir) as worker:
        for _, chore in CHORES:
            await chore(worker)


async def test_one_that_fails_is_told_by_its_place_and_never_by_its_text(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def wrong(worker: Worker) -> None:
        int("zqchore")

    async with working(data_dir) as worker:
        await tried(wrong, worker)

    said = capsys.readouterr()
    assert "chore-failed" in said.out + said.err
    assert "zqchore" not in said.out + said.err


async def test_an_audit_that_could_not_be_written_is_tried_again_without_any_request(data_dir: Path) -> None:
    async with working(data_dir) as worker:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        try:
            with pytest.raises(Unavailable):
                await worker.audit.keep({"request": "1"})
            await mend_audit(worker)
            lost = worker.health.missing()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

        await mend_audit(worker)

        assert "audit" in lost
        assert worker.audit.healthy


async def test_old_audit_files_go_and_the_trail_still_verifies(data_dir: Path) -> None:
    digest = audit_digest(read_key(data_dir / "keys" / "ledger.key"))
    async with working(data_dir) as worker:
        worker.audit.unauthenticated = 7
        await write_unknown_callers(worker)
    [old, *_] = sorted((data_dir / "audit").glob("*.jsonl"))
    past = (datetime.now(UTC) - timedelta(days=400)).timestamp()
    os.utime(old, (past, past))

    async with working(data_dir) as worker:
        await sweep_audit(worker)

    assert not old.exists()
    assert verify(data_dir, digest) == []
    lines = [entry for chain in read_chains(data_dir, digest) for entry in chain.entries]
    assert [entry["removed"] for entry in lines if entry.get("action") == "swept"] == [1]
