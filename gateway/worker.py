"""What one worker process holds while it serves: settings, contracts, keys, profiles, log, audit, places, metrics.

Everything is opened by `opened` after the fork and closed in reverse; nothing is global.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from fhir_profiles.errors import Unavailable
from gateway.admission import Admission, Bounds
from gateway.audit import AuditLog, audit_digest
from gateway.auth import Caller, Doors
from gateway.exchange import Exchange
from gateway.health import Health
from gateway.house import House, Yardstick
from gateway.metrics import Metrics
from gateway.publishing import open_publisher, open_register
from gateway.settings import Settings
from gateway.tokens import Spent, Tokens
from gateway.turns import Turns, giving_way, quiet
from streaming.broker import Publisher
from streaming.opposition import Acts
from streaming.reading import LOG
from streaming.register import Register
from transformers.deidentify.keys import GatewayKeys
from transformers.deidentify.pseudonyms import Key

# Above this, work leaves the event loop: 256 KiB take about 10 ms, and others wait no longer than that.
INLINE_BYTES = 256 * 1024
LOOK_EACH_S = 1.0
LOOK_STALE_S = 5.0  # a busy machine is no outage: what was seen a moment ago still counts
LOOK_WITHIN_S = 1.0  # with the deadline of the publication, a request is answered within eleven seconds (promise P2)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, repr=False)
class Worker:
    """One process that serves."""

    house: House
    publisher: Publisher
    audit: AuditLog
    admission: Admission
    metrics: Metrics
    health: Health
    doors: Doors
    spent: Spent
    ledger: Key
    registers: list[Register] = field(default_factory=list)
    looked: list[tuple[float, Acts]] = field(default_factory=list)
    looking: list[asyncio.Task[None]] = field(default_factory=list)
    turns: Turns = field(default_factory=Turns)
    heavy: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="heavy"))

    @property
    def settings(self) -> Settings:
        """Return the settings."""
        return self.house.settings

    @property
    def yardstick(self) -> Yardstick:
        """Return limits, profiles and rules."""
        return self.house.yardstick

    @property
    def keys(self) -> Mapping[str, GatewayKeys]:
        """Return the keys by FINESS."""
        return self.house.access.keys

    @property
    def register(self) -> Register:
        """Return the register of acts, opened when it is first needed. Raises Unavailable."""
        if not self.registers:
            self.registers.append(open_register(self.settings))
        return self.registers[0]

    async def acts(self) -> Acts:
        """Return all acts as they are now. Raises Unavailable: then nothing may be published."""
        if self.settings.broker == "kafka":
            return await self._acts_of_broker()
        try:
            return self.register.acts()  # one small query
        except sqlite3.Error:
            raise Unavailable("log-failed") from None

    async def _acts_of_broker(self) -> Acts:
        """Look at the broker once a second at most: the table writer looks again before it writes."""
        if not self.looked or time.monotonic() - self.looked[-1][0] > LOOK_EACH_S:
            if not self.looking:
                self.looking.append(asyncio.create_task(self._look()))
                self.looking[0].add_done_callback(lambda done: done.cancelled() or done.exception())
            try:
                async with asyncio.timeout(LOOK_WITHIN_S):
                    await asyncio.shield(self.looking[0])
            except TimeoutError:
                if not self.looked or time.monotonic() - self.looked[-1][0] > LOOK_STALE_S:
                    raise Unavailable("broker-away") from None
        return self.looked[-1][1]

    async def _look(self) -> None:
        """Look once, for all requests that wait."""
        began = time.monotonic()
        try:
            acts = await self.consult(lambda register: register.acts())
            self.looked[:] = [(began, acts)]
        finally:
            self.looking.clear()

    async def consult(self, work: Callable[[Register], Result]) -> Result:
        """Do something with the register, outside the event loop. Raises Unavailable, or what `work` raises."""
        try:
            return await asyncio.to_thread(lambda: work(self.register))
        except sqlite3.Error:
            raise Unavailable("log-failed") from None

    @property
    def tokens(self) -> Tokens:
        """Return what makes and checks access tokens."""
        return self.doors.tokens

    def unknown_caller(self) -> None:
        """Count somebody whom nobody knows."""
        self.metrics.unauthenticated()
        self.audit.unauthenticated += 1

    def identify(self, exchange: Exchange, *, scope: str = "") -> Caller:
        """Find out who calls and whether they may. Raises Unauthenticated or Forbidden."""
        exchange.caller = self.doors.authenticate(exchange.headers, exchange.client)
        if scope:
            exchange.caller.require(scope)
        return exchange.caller

    async def compute(self, exchange: Exchange, work: Callable[[], Result]) -> Result:
        """Do CPU work on the body of a request, where it does not hold up the other requests."""
        if exchange.size <= INLINE_BYTES:
            return work()
        async with self.turns.turn(exchange.caller.finess if exchange.caller else ""):
            await quiet()
            with giving_way():
                return await asyncio.get_running_loop().run_in_executor(self.heavy, work)


@asynccontextmanager
async def opened(house: House, *, process: str) -> AsyncIterator[Worker]:
    """Open what a worker needs in its own process, and close it: first the log, so that what is in flight is kept."""
    settings = house.settings
    audit = AuditLog(settings.data_dir, audit_digest(house.ledger), process)
    publisher = open_publisher(settings, node=process)
    admission = Admission(Bounds(settings.max_requests, settings.max_bytes_in_flight), quota=house.quota)
    worker = Worker(
        house,
        publisher,
        audit,
        admission,
        Metrics(admission),
        Health(
            settings.data_dir,
            tuple(house.access.keys),
            publisher,
            audit,
            log=settings.data_dir / LOG if settings.broker == "embedded" else None,
        ),
        Doors(house.access, Tokens(house.ledger), settings.trusted_proxies, settings.client_certificate_header.lower()),
        Spent(settings.data_dir),
        house.ledger,
    )
    try:
        yield worker
    finally:
        try:
            await publisher.close()
        finally:
            await audit.close()
            worker.spent.close()
            for register in worker.registers:
                register.close()
            worker.heavy.shutdown()
