"""The audit trail: durable before the answer, chained with a key, every tampering shown by its line."""

from __future__ import annotations

import asyncio
import json
import os
import resource
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fhir_profiles.errors import Unavailable
from gateway.audit import AuditLog, audit_digest
from gateway.audit_check import Problem, begin, read_chains, take_inventory, verify
from transformers.deidentify.pseudonyms import Digest, random_key


@pytest.fixture
def digest() -> Digest:
    return audit_digest(random_key())


async def written(data_dir: Path, digest: Digest, lines: int, *, process: str = "worker-1") -> Path:
    log = AuditLog(data_dir, digest, process)
    for number in range(lines):
        await log.keep({"request": f"{number:04x}", "action": "POST /fhir", "status": 200})
    await log.close()
    return max((data_dir / "audit").glob(f"*{process}*.jsonl"))


def lines_of(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)


async def test_a_whole_trail_verifies_and_reads_back(tmp_path: Path, digest: Digest) -> None:
    await written(tmp_path, digest, 5)

    [chain] = read_chains(tmp_path, digest)

    assert verify(tmp_path, digest) == []
    assert [entry["action"] for entry in chain.entries] == ["opened", *["POST /fhir"] * 5, "closed"]


async def test_requests_that_wait_together_keep_their_order_and_each_gets_one_line(
    tmp_path: Path, digest: Digest
) -> None:
    log = AuditLog(tmp_path, digest, "worker-1")
    await asyncio.gather(*(log.keep({"request": str(number)}) for number in range(200)))
    await log.close()

    [chain] = read_chains(tmp_path, digest)

    assert [entry["request"] for entry in chain.entries if "request" in entry] == [str(n) for n in range(200)]
    assert verify(tmp_path, digest) == []


def test_a_trail_that_is_written_while_it_is_read_is_whole(tmp_path: Path, digest: Digest) -> None:
    log = AuditLog(tmp_path, digest, "worker-1")
    log.keep_now({"request": "1"})

    def meanwhile(content: bytes) -> bytes:
        log.keep_now({"request": "2"})
        return digest(content)

    assert verify(tmp_path, meanwhile) == []
    log.close_now()


TAMPERINGS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int]] = {
    "a line edited": (lambda lines: [*lines[:3], lines[3].replace(b"200", b"403"), *lines[4:]], 4),
    "a line removed": (lambda lines: [*lines[:3], *lines[4:]], 4),
    "two lines swapped": (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3),
    "a line doubled": (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4),
    "the last line removed": (lambda lines: lines[:-1], 7),
    "half of the last line removed": (lambda lines: [*lines[:-1], lines[-1][:20]], 7),
    "everything removed": (lambda _: [], 1),
    "not a line": (lambda lines: [*lines[:4], b"{}\n", *lines[4:]], 5),
    "white space added": (lambda lines: [*lines[:1], lines[1].replace(b":", b": ", 1), *lines[2:]], 2),
}


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_each_tampering_is_found_at_its_line(tmp_path: Path, digest: Digest, name: str) -> None:
    file = await written(tmp_path, digest, 5)
    tamper, line = TAMPERINGS[name]

    file.write_bytes(b"".join(tamper(lines_of(file))))

    assert [(one.file, one.line) for one in verify(tmp_path, digest)] == [(file.stem, line)]


async def test_a_chain_written_anew_under_another_key_does_not_verify(tmp_path: Path, digest: Digest) -> None:
    await written(tmp_path, audit_digest(random_key()), 3)

    assert [one.code for one in verify(tmp_path, digest)] == ["line-broken"]


async def test_a_file_that_is_gone_shows_once_it_was_in_an_inventory(tmp_path: Path, digest: Digest) -> None:
    gone = await written(tmp_path, digest, 3)
    kept = await written(tmp_path, digest, 3, process="worker-2")
    begin(tmp_path, digest, days=365)
    assert verify(tmp_path, digest) == []

    gone.unlink()
    gone.with_suffix(".head").unlink()
    kept_lines = lines_of(kept)
    kept.write_bytes(b"".join(kept_lines[:2]))
    kept.with_suffix(".head").unlink()

    assert Problem(gone.stem, 0, "file-missing") in verify(tmp_path, digest)
    assert {one.code for one in verify(tmp_path, digest) if one.file == kept.stem} == {"head-missing"}


async def test_what_its_age_removed_is_not_missed(tmp_path: Path, digest: Digest) -> None:
    old = AuditLog(tmp_path, digest, "worker-1", clock=lambda: datetime.now(UTC) - timedelta(days=400))
    await old.close()
    [file] = (tmp_path / "audit").glob("*.jsonl")
    begin(tmp_path, digest, days=365)
    past = (datetime.now(UTC) - timedelta(days=400)).timestamp()
    os.utime(file, (past, past))

    begin(tmp_path, digest, days=365)

    assert not file.exists()
    assert verify(tmp_path, digest) == []


async def test_a_new_day_goes_on_in_a_new_file_that_names_the_old_end(tmp_path: Path, digest: Digest) -> None:
    now = [datetime(2026, 3, 1, 23, 59, tzinfo=UTC)]
    log = AuditLog(tmp_path, digest, "worker-1", clock=lambda: now[0])
    await log.keep({"request": "1"})
    now[0] += timedelta(minutes=2)
    await log.keep({"request": "2"})
    await log.close()

    first, second = read_chains(tmp_path, digest)

    assert [entry["action"] for entry in first.entries if "action" in entry] == ["opened", "rolled"]
    assert json.loads(lines_of(tmp_path / "audit" / f"{first.name}.jsonl")[-1])["mac"] == second.entries[0]["after"]
    assert verify(tmp_path, digest) == []


async def test_a_disk_that_takes_no_more_is_said_and_leaves_no_half_line(tmp_path: Path, digest: Digest) -> None:
    log = AuditLog(tmp_path, digest, "worker-1")
    await log.keep({"request": "1"})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    [file] = (tmp_path / "audit").glob("*.jsonl")
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 50, hard))
    try:
        with pytest.raises(Unavailable):
            await log.keep({"request": "2"})
        assert not log.healthy
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    await log.keep({"request": "3"})
    await log.close()

    [chain] = read_chains(tmp_path, digest)
    assert log.healthy
    assert [entry["request"] for entry in chain.entries if "request" in entry] == ["1", "3"]
    assert verify(tmp_path, digest) == []


async def test_a_new_day_that_begins_on_a_full_disk_breaks_no_chain(tmp_path: Path, digest: Digest) -> None:
    days = [datetime(2026, 1, 1, tzinfo=UTC)]
    log = AuditLog(tmp_path, digest, "worker-1", clock=lambda: days[-1])
    await log.keep({"request": "1"})
    days.append(datetime(2026, 1, 2, tzinfo=UTC))
    [file] = (tmp_path / "audit").glob("*.jsonl")
    for kind, room in (
        (resource.RLIMIT_FSIZE, file.stat().st_size + 50),  # the old file takes no more
        (resource.RLIMIT_NOFILE, 3),  # no new one can be opened
    ):
        soft, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (room, hard))
        try:
            with pytest.raises(Unavailable):
                await log.keep({"request": "2"})
        finally:
            resource.setrlimit(kind, (soft, hard))

    await log.keep({"request": "3"})
    await log.close()

    chains = read_chains(tmp_path, digest)
    assert [entry["request"] for chain in chains for entry in chain.entries if "request" in entry] == ["1", "3"]
    assert verify(tmp_path, digest) == []


async def test_a_line_that_cannot_be_written_is_told_to_who_waits_and_the_next_one_is(
    tmp_path: Path, digest: Digest
) -> None:
    log = AuditLog(tmp_path, digest, "worker-1")
    with pytest.raises(Unavailable):
        await log.keep({"request": object()})
    await log.keep({"request": "2"})
    await log.close()

    [chain] = read_chains(tmp_path, digest)

    assert [entry["request"] for entry in chain.entries if "request" in entry] == ["2"]
    assert verify(tmp_path, digest) == []


async def test_callers_that_nobody_knows_are_one_line_together(tmp_path: Path, digest: Digest) -> None:
    log = AuditLog(tmp_path, digest, "worker-1")
    log.unauthenticated = 1234
    await log.keep_unauthenticated()
    await log.keep_unauthenticated()
    await log.close()

    [chain] = read_chains(tmp_path, digest)

    assert [entry["requests"] for entry in chain.entries if entry.get("action") == "unauthenticated"] == [1234]


def test_an_inventory_says_how_far_each_chain_goes(tmp_path: Path, digest: Digest) -> None:
    log = AuditLog(tmp_path, digest, "worker-1")
    log.keep_now({"request": "1"})
    take_inventory(log, tmp_path)
    log.close_now()

    [chain] = read_chains(tmp_path, digest)

    assert chain.entries[2]["files"] == {chain.name: 2}
