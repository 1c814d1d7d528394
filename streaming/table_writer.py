"""Log → state → tables → lake: the loop that makes acknowledged events visible as rows. Read this one first.

    read ─▶ transaction 1: stage, offset, marks ─▶ compute dirty persons ─▶ name their owners in `ops`
         ─▶ transaction 2: replace their rows ─▶ clear marks, keep outcomes ─▶ publish

Dying anywhere in between and starting again gives the same tables. Never skips an event in silence.
Promise: P5, P6, P10.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import psycopg

from fhir_profiles.errors import Fault, PipelineError, Unavailable
from streaming import dead_letter
from streaming.batches import Fresh, apply_batch, fates
from streaming.broker import READ_BYTES, Consumer
from streaming.conversion import FAILED, Rules
from streaming.dead_letter import Announce, DeadLetter, FloodGuard, nobody
from streaming.embedded_log import EmbeddedConsumer, erase
from streaming.enforcement import Enforcement, EraseLog, leave_log
from streaming.event import Record
from streaming.lag import Lag
from streaming.reading import LOG
from streaming.register import EmbeddedRegister, Register
from streaming.rounds import Rounds
from streaming.sink import Sink
from streaming.state import State
from streaming.store import EmbeddedStore, Store
from streaming.turns import Share, Turns

IDLE_S = 0.05
RETRY_S = 1.0
SWEEP_S = 60.0
SHARE_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at once: events a read, persons a round, and how long rows may wait for others to be written with them.

    They wait while no publication is due, nobody asks for them and less than `held_bytes` was read. `late_s` is half of
    what the log keeps: events that wait longer are in danger, and the writer says so. `shares` say who goes first on
    processors that the gateway uses too, by the seconds that what is read has waited.
    """

    events: int = 1000
    persons: int = 1000
    coalesce_s: float = 1.0
    late_s: float = 3.5 * 86_400
    held_bytes: int = 64 * 1024 * 1024
    shares: tuple[Share, ...] = ()


USUAL = Pace()


@contextmanager
def _one_collection() -> Iterator[None]:
    """Look for cyclic garbage once a step: the trees of a batch have no cycles, and looking costs a fifth of it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _nothing(label: str) -> None:
    """Do nothing at a labelled point; tests die there instead."""
    del label


def _keep_all(applied: int) -> None:
    """Leave it to the broker to forget old events."""
    del applied


@contextmanager
def embedded_writer(data_dir: Path, rules: Rules, *, pace: Pace = USUAL) -> Iterator[TableWriter]:
    """Open the table writer of an embedded installation on its own log and register, and close all."""
    consumer, register = EmbeddedConsumer(data_dir / LOG), EmbeddedRegister(data_dir / LOG)
    try:
        writer = TableWriter(
            data_dir,
            consumer=consumer,
            rules=rules,
            pace=pace,
            register=register,
            erase_log=partial(erase, data_dir / LOG),
        )
        try:
            yield writer
        finally:
            writer.close()
    finally:
        register.close()
        consumer.close()


class TableWriter:
    """The writer of an installation's tables: a data folder, or a store of its own. One thread calls it."""

    def __init__(
        self,
        where: Path | Store,
        *,
        consumer: Consumer,
        rules: Rules,
        pace: Pace = USUAL,
        announce: Announce = nobody,
        erase_log: EraseLog = leave_log,
        forget: Callable[[int], object] = _keep_all,
        register: Register | None = None,
        at: Callable[[str], None] = _nothing,
    ) -> None:
        self._announce = announce
        self._register = register
        self._forget = forget
        self._store: Store = EmbeddedStore(where) if isinstance(where, Path) else where
        self._consumer = consumer
        self._rules = rules
        self._pace = pace
        self._at = at
        self._flood = FloodGuard()
        self._failures = FloodGuard()
        self._fresh: list[Fresh] = []
        self._rounds = Rounds(self._store, rules, persons=pace.persons, at=at)
        self._enforcement = Enforcement(
            self._store, register, contracts=rules.contracts, rounds=self._rounds, erase_log=erase_log, at=at
        )
        self._waiting = 0
        self._write_at = 0.0
        self._sweep_at = 0.0
        self._share_at = 0.0
        self._lag = Lag(self._store, late_s=pace.late_s)
        self._turns = Turns(pace.shares)
        self._positions: dict[int, int] | None = None

    @property
    def sink(self) -> Sink:
        """Return the open tables (digests in tests)."""
        return self._store.sink

    @property
    def _state(self) -> State:
        return self._store.state

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Raises the `PipelineError` that no retry can cure, after noting its code."""
        while not stop.is_set():
            try:
                self._start()
                if not self._turns.run(self._step, waited_s=self._lag.waited_s):
                    self._sweep()
                    stop.wait(IDLE_S)
            except Unavailable as error:
                log.warning("table writer: %s, trying again", error.code)
                self._again(stop)
            except PipelineError as error:
                self._note_stop(error.code)
                raise
            except self._store.transient as error:
                # disk full, locked, or the server is away: marks and offsets make another attempt safe
                log.error("table writer: %s, trying again", type(error).__name__)  # noqa: TRY400
                self._again(stop)
            except (duckdb.Error, psycopg.Error) as error:
                log.error("table writer: %s", type(error).__name__)  # noqa: TRY400
                self._note_stop("tables-failed")
                raise Fault("tables-failed") from None

    def drain(self) -> None:
        """Apply everything that the log holds now, write the rows and publish them."""
        self._start()
        assert self._positions is not None
        ends = {partition: self._consumer.last_offset(partition) for partition in self._positions}
        while self._step(publish=False) or any(self._positions[one] < end for one, end in ends.items()):
            pass
        while self._enforcement.carry_out():  # what the last batch taught
            pass
        self._store.show_now()
        self._at("published")

    def close(self) -> None:
        """Let go of the store; what is not applied yet stays in the log."""
        self._turns.close()
        self._store.close()

    def _start(self) -> None:
        """Check that this log continues the tables, finish what a crash interrupted, take a share of the partitions."""
        if self._positions is None:
            if self._state.noted("stopped") == dead_letter.FLOOD:
                self._flood.distrust()
                self._failures.distrust()
            with self._state.transaction():
                self._state.note("stopped", None)
                self._state.note("late", None)
            self._take(self._store.share(self._consumer.partitions()))
            self._store.begin()
        elif time.monotonic() >= self._share_at and not self._fresh:
            mine = self._store.share(tuple(self._consumer.partitions()))
            if set(mine) != set(self._positions):
                self._take(mine)

    def _take(self, partitions: Sequence[int]) -> None:
        self._positions = self._state.positions(self._consumer, partitions)
        self._consumer.follow(partitions)
        self._share_at = time.monotonic() + SHARE_S

    def _again(self, stop: threading.Event) -> None:
        """Wait, and begin anew from what is stored."""
        self._positions = None
        self._fresh.clear()
        stop.wait(RETRY_S)
        with suppress(Unavailable):  # then the next attempt fails the same way
            self._store.reopen()

    def _note_stop(self, code: str) -> None:
        with suppress(*self._store.transient), self._state.transaction():
            self._state.note("stopped", code)

    def _step(self, *, publish: bool = True) -> bool:
        """Read a batch or write a round; return whether there was anything to do."""
        with _one_collection():
            return self._work(publish=publish)

    def _work(self, *, publish: bool) -> bool:
        full = False
        self._enforcement.carry_out()
        if self._rounds.blocked or not self._state.is_dirty() or self._may_wait(publish=publish):
            full = self._read()
            if self._may_wait(publish=publish) and (full or (publish and not self._store.wanted())):
                return full
        wrote = self._rounds.write()
        if wrote:
            self._enforcement.hide_again()
        if self._rounds.blocked or not self._state.is_dirty():
            self._end_window()
            if wrote:
                self._write_at = time.monotonic() + self._pace.coalesce_s
        if publish:
            self._store.show(busy=full or wrote, behind=self._lag.behind)
            self._at("published")
        return full or wrote

    def _may_wait(self, *, publish: bool) -> bool:
        """Say whether rows may wait for what is read next: no reader could see them yet, and not too much waits."""
        seen = time.monotonic() >= self._write_at and (not publish or self._store.due(behind=self._lag.behind))
        return not seen and self._waiting < self._pace.held_bytes

    def _read(self) -> bool:
        """Apply what waits of each partition (transaction 1); return whether more may wait."""
        assert self._positions is not None
        full = False
        for partition, position in self._positions.items():
            if records := self._next(partition, position):
                full = self._stage(records) or full
                self._at("staged")
                self._flood.check()
        return full

    def _next(self, partition: int, position: int) -> Sequence[Record]:
        records = self._consumer.read(partition, position, self._pace.events)
        self._lag.watch(records)
        self._at("read")
        return records

    def _stage(self, records: Sequence[Record]) -> bool:
        """Apply a batch, and in the same transaction those after it while big ones wait and the store takes them."""
        assert self._positions is not None
        partition, taken, full = records[0].partition, 0, True
        with self._state.transaction():
            while records:
                fresh, self._positions[partition] = apply_batch(
                    self._state,
                    records,
                    log_identity=self._consumer.identity(),
                    contracts=self._rules.contracts,
                    flood=self._flood,
                    after=self._positions[partition],
                    announce=self._announce,
                    register=self._register,
                )
                self._fresh += fresh
                size = sum(len(record.event.value) for record in records)
                taken += size
                full = len(records) == self._pace.events or size >= READ_BYTES
                if size < READ_BYTES or self._flood.flooded or taken >= self._store.staged_at_once:
                    break
                records = self._next(partition, self._positions[partition])
        self._waiting += taken
        return full

    def _end_window(self) -> None:
        """Rows of what was read are written: settle the accounts of the events whose person cannot be converted."""
        self._rounds.begin()
        self._waiting = 0
        if not self._fresh:
            return
        settled, failed = fates(self._state.connection, self._fresh, code=FAILED)
        buried = [
            DeadLetter(next(iter(self._consumer.tail(one.partition, one.offset - 1))), FAILED, "convert")
            for one in settled
            if one in failed
        ]
        if buried:
            self._announce(buried)
            with self._state.transaction() as connection:
                for letter in buried:
                    dead_letter.keep(connection, letter)
                self._state.count({"applied": -len(buried), "dead_letters": len(buried)})
        for one in settled:
            self._failures.observe(one in failed)
        self._fresh = [one for one in self._fresh if one not in settled]
        self._failures.check()

    def _sweep(self) -> None:
        if time.monotonic() >= self._sweep_at:
            self._store.tidy()
            if self._positions:
                self._forget(min(self._positions.values()))
            self._sweep_at = time.monotonic() + SWEEP_S
