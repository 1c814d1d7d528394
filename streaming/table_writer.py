"""Log → state → tables → lake: the loop that makes acknowledged events visible as rows. Read this one first.

    read ─▶ transaction 1: stage, offset, marks ─▶ compute dirty persons ─▶ name their owners in `ops`
         ─▶ transaction 2: replace their rows ─▶ clear marks, keep outcomes ─▶ publish

Dying anywhere in between and starting again gives the same tables. Never skips an event in silence.
Promise: P5, P6, P10.
"""

from __future__ import annotations

import gc
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from fhir_profiles.errors import Fault, PipelineError
from streaming import dead_letter, ownership
from streaming.accounts import STATE, WISH
from streaming.batches import Fresh, apply_batch
from streaming.broker import Consumer
from streaming.conversion import FAILED, Plan, Rules, plan
from streaming.dead_letter import FloodGuard
from streaming.duckdb_sink import DuckDbSink
from streaming.embedded_log import EmbeddedConsumer
from streaming.lake import Lake
from streaming.reading import LOG
from streaming.state import State

IDLE_S = 0.05
RETRY_S = 1.0
SWEEP_S = 60.0
TABLES = "tables.duckdb"
LAKE = "lake"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at once: events a read, persons a round, and how long reading may go on before rows are written."""

    events: int = 500
    persons: int = 400
    coalesce_s: float = 1.0


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


@contextmanager
def embedded_writer(data_dir: Path, rules: Rules, *, pace: Pace = USUAL) -> Iterator[TableWriter]:
    """Open the table writer of an embedded installation on its own log, and close both."""
    consumer = EmbeddedConsumer(data_dir / LOG)
    try:
        writer = TableWriter(data_dir, consumer=consumer, rules=rules, pace=pace)
        try:
            yield writer
        finally:
            writer.close()
    finally:
        consumer.close()


class TableWriter:
    """The one writer of an installation's tables. One thread calls it."""

    def __init__(
        self,
        data_dir: Path,
        *,
        consumer: Consumer,
        rules: Rules,
        pace: Pace = USUAL,
        at: Callable[[str], None] = _nothing,
    ) -> None:
        self._sink = DuckDbSink(data_dir / TABLES)
        try:
            self._state = State(data_dir / STATE)
        except BaseException:
            self._sink.close()
            raise
        self._wish = data_dir / WISH
        self._lake = Lake(data_dir / LAKE)
        self._consumer = consumer
        self._rules = rules
        self._pace = pace
        self._at = at
        self._flood = FloodGuard()
        self._failures = FloodGuard()
        self._fresh: list[Fresh] = []
        self._failed: set[tuple[str, str]] = set()
        self._round = pace.persons
        self._write_at = 0.0
        self._sweep_at = 0.0
        self._positions: dict[int, int] | None = None

    @property
    def sink(self) -> DuckDbSink:
        """Return the open tables (digests in tests)."""
        return self._sink

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Raises the `PipelineError` that no retry can cure, after noting its code."""
        while not stop.is_set():
            try:
                self._start()
                if not self._step():
                    self._sweep()
                    stop.wait(IDLE_S)
            except PipelineError as error:
                with self._state.transaction():
                    self._state.note("stopped", error.code)
                raise
            except (sqlite3.OperationalError, duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
                # disk full or locked: marks and offsets make another attempt safe
                log.error("table writer: %s, trying again", type(error).__name__)  # noqa: TRY400
                stop.wait(RETRY_S)
            except duckdb.Error as error:
                log.error("table writer: %s", type(error).__name__)  # noqa: TRY400
                raise Fault("tables-failed") from None

    def drain(self) -> None:
        """Apply everything that the log holds now, write the rows and publish them."""
        self._start()
        while self._step(publish=False):
            pass
        self._publish()

    def close(self) -> None:
        """Let go of the files; what is not applied yet stays in the log."""
        self._state.close()
        self._sink.close()

    def _start(self) -> None:
        """Check once that this log continues the tables, and finish what a crash interrupted."""
        if self._positions is not None:
            return
        positions = self._state.positions(self._consumer)
        with self._state.transaction():
            self._state.note("stopped", None)
            self._state.set_counter("rows_change", self._sink.change_number())
        if not self._lake.exists or self._sink.unpublished():
            self._lake.publish(self._sink)
        with self._state.transaction():
            self._state.set_counter("lake_change", self._sink.change_number())
        self._positions = positions

    def _step(self, *, publish: bool = True) -> bool:
        """Read a batch or write a round; return whether there was anything to do."""
        with _one_collection():
            return self._work(publish=publish)

    def _work(self, *, publish: bool) -> bool:
        full = False
        if not self._state.is_dirty() or time.monotonic() < self._write_at:
            full = self._read()
            if full and time.monotonic() < self._write_at:
                return True
        wrote = self._write_round()
        if not self._state.is_dirty():
            self._end_window()
        if publish and (self._lake.due() or self._wished(busy=full or wrote)):
            self._publish()
        return full or wrote

    def _read(self) -> bool:
        """Apply one batch of each partition (transaction 1); return whether more may wait."""
        assert self._positions is not None
        full = False
        for partition, position in self._positions.items():
            records = self._consumer.read(partition, position, self._pace.events)
            self._at("read")
            if not records:
                continue
            fresh, last = apply_batch(
                self._state,
                records,
                log_identity=self._consumer.identity(),
                contracts=self._rules.contracts,
                flood=self._flood,
            )
            self._positions[partition] = last
            self._fresh += fresh
            self._at("staged")
            self._flood.check()
            full = full or len(records) == self._pace.events
        return full

    def _write_round(self) -> bool:
        """Replace the rows of the next dirty persons (transaction 2)."""
        if not self._state.is_dirty():
            return False
        with self._state.transaction() as connection:
            planned = plan(connection, self._state.dirty(self._round), rules=self._rules)
            self._state.mark_dirty(set(planned.displaced))
        self._at("planned")
        change = planned.change
        try:
            number = self._sink.apply(change) if change.rows or change.removed else self._sink.change_number()
        except (ValueError, TypeError, OverflowError, duckdb.DataError) as error:
            self._isolate(planned, type(error).__name__)
            return True
        self._at("written")
        with self._state.transaction() as connection:
            ownership.settle(connection, planned.written, change.removed)
            connection.executemany("DELETE FROM dirty_year WHERE finess = ? AND year = ?", planned.years)
            self._state.mark_dirty(set(planned.displaced))
            self._state.set_counter("rows_change", number)
        self._failed |= {(person.finess, alias) for person in planned.failed for alias in person.aliases}
        self._at("settled")
        return True

    def _isolate(self, planned: Plan, error: str) -> None:
        """The store refused a row: go on person by person, and put the one whose rows it refuses in quarantine."""
        if len(planned.written) > 1 and self._round > 1:
            self._round = 1
            return
        if not planned.written:
            raise Fault("rows-refused")
        log.error("rows refused by the store: %s", error)
        refused = {(one.person.finess, alias) for one in planned.written for alias in one.person.aliases}
        self._rules = replace(self._rules, refused=self._rules.refused | refused)

    def _end_window(self) -> None:
        """Every row of what was read is written: settle the accounts of the events whose person cannot be converted."""
        self._write_at = time.monotonic() + self._pace.coalesce_s
        self._round = self._pace.persons
        self._rules = replace(self._rules, refused=frozenset())
        buried = [one for one in self._fresh if one.persons & self._failed]
        if buried:
            with self._state.transaction() as connection:
                for one in buried:
                    [record] = self._consumer.read(one.partition, one.offset - 1, 1)
                    dead_letter.keep(connection, record, code=FAILED, stage="convert")
                self._state.count({"applied": -len(buried), "dead_letters": len(buried)})
        for one in self._fresh:
            self._failures.observe(bool(one.persons & self._failed))
        self._fresh.clear()
        self._failed.clear()
        self._failures.check()

    def _publish(self) -> None:
        if self._sink.unpublished():
            self._wish.unlink(missing_ok=True)
            self._lake.publish(self._sink)
            self._at("published")
        if self._state.counter("lake_change") != self._sink.change_number():
            with self._state.transaction():
                self._state.set_counter("lake_change", self._sink.change_number())

    def _wished(self, *, busy: bool) -> bool:
        """Say whether another process waits for the lake and nothing else is left to do first."""
        return not busy and self._wish.exists()

    def _sweep(self) -> None:
        if time.monotonic() >= self._sweep_at:
            self._lake.sweep()
            self._sweep_at = time.monotonic() + SWEEP_S
