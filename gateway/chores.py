"""What a worker does beside answering: changed contracts, cyclic garbage, unknown callers, the audit.

A chore that fails is told by its place and tried again: the others, and the requests, never wait for it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from fhir_profiles.errors import Unavailable
from gateway import audit_check, logs
from gateway.worker import Worker

EACH_S = 1.0
Chore = Callable[[Worker], Awaitable[None]]


async def read_contracts(worker: Worker) -> None:
    """Read contracts, credentials and clients again when their files changed."""
    await asyncio.to_thread(worker.house.access.refresh)


async def collect(worker: Worker) -> None:
    """Look for cyclic garbage: automatic collection is off, since request trees have no cycles."""
    del worker
    gc.collect()


async def write_unknown_callers(worker: Worker) -> None:
    """Write one audit line for all the callers that nobody knew."""
    await worker.audit.keep_unauthenticated()


async def mend_audit(worker: Worker) -> None:
    """Try again what could not be written: a worker that is not ready gets no request that would show it."""
    if not worker.audit.healthy:
        with suppress(Unavailable):  # still not writable: readiness goes on saying so
            await worker.audit.keep({"action": "writable-again"})


async def sweep_audit(worker: Worker) -> None:
    """Remove audit files beyond their retention, and say so in the trail."""
    days = worker.settings.audit_retention_days
    before = datetime.now(UTC) - timedelta(days=days)
    removed = await asyncio.to_thread(
        audit_check.sweep, worker.settings.data_dir, days=days, now=before + timedelta(days=days)
    )
    if removed:
        await worker.audit.keep({"action": "swept", "removed": removed, "before": before.isoformat()})


CHORES: tuple[tuple[int, Chore], ...] = (
    (1, read_contracts),
    (1, mend_audit),
    (5, collect),
    (60, write_unknown_callers),
    (3600, sweep_audit),
)


async def forever(worker: Worker) -> None:
    """Do each chore every so many seconds."""
    turn = 0
    while True:
        await asyncio.sleep(EACH_S)
        turn += 1
        for each, chore in CHORES:
            if turn % each == 0:
                await tried(chore, worker)


async def tried(chore: Chore, worker: Worker) -> None:
    """Do one chore; a failure is told and forgotten."""
    try:
        await chore(worker)
    except Exception as error:  # noqa: BLE001 — whatever it is, the next turn tries again
        logs.logger().error(
            "chore-failed",
            chore=chore.__name__,
            kind=type(error).__name__,
            place=logs.place_of(error.__traceback__),
        )
