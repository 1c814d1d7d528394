"""Event → D/events.sqlite: the log of an installation without a broker, for one or several gateway processes.

All requests that wait in a process share one transaction and one fsync; `publish` returns after it.
Never answers before the events are on disk, never drops one silently. Promise: P1, P2, P4.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from operator import add
from pathlib import Path

import orjson

from fhir_profiles.errors import Unavailable
from streaming import sqlite
from streaming.broker import READ_BYTES, Counts
from streaming.event import Event, Record, record_of

MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
MAX_GROUP = 512
DEADLINE_S = 9.0
PROBE_S = 1.0
MIN_FREE_BYTES = 32 * 1024 * 1024
ERASED_AT_ONCE = 200
EMPTY = b'{"entry":[],"resourceType":"Bundle","type":"collection"}'

INSERT = "INSERT INTO event (key, headers, value) VALUES "
ROW = "(?, ?, ?)"
ROWS_AT_ONCE = 32  # one statement, for each of which the writing thread waits twice for its turn of the interpreter
COUNT = """
INSERT INTO count (finess, received, refused, suppressed, published) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (finess) DO UPDATE SET received = received + excluded.received, refused = refused + excluded.refused,
    suppressed = suppressed + excluded.suppressed, published = published + excluded.published
"""
SELECT = 'SELECT "offset", key, headers, value FROM event WHERE "offset" > ? ORDER BY "offset" LIMIT ?'


OLDEST = 'SELECT "offset", headers FROM event WHERE "offset" <= ? ORDER BY "offset" LIMIT ?'


@dataclass(frozen=True, slots=True, repr=False)
class _Request:
    events: Sequence[Event]
    counts: Counts
    size: int
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite.connect(path, "log")
    if connection.execute("SELECT id FROM identity").fetchone() is None:
        with sqlite.transaction(connection):
            connection.execute(
                "INSERT INTO identity (id) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM identity)", (secrets.token_hex(16),)
            )
    return connection


class EmbeddedLog:
    """The gateway's side of the embedded log; one a process, a thread of its own writes."""

    def __init__(self, path: Path, *, max_bytes_in_flight: int = MAX_BYTES_IN_FLIGHT) -> None:
        self._path = path
        self._connection = _open(path)
        self._limit = max_bytes_in_flight
        self._in_flight = 0
        self._gate = threading.Lock()
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._healthy = True
        self._closed = False
        self._thread = threading.Thread(target=self._write, name="embedded-log", daemon=True)
        self._thread.start()

    async def publish(self, events: Sequence[Event], counts: Counts) -> None:
        """Return when the events and the counts are on disk. Raises `Unavailable`: a resend is safe."""
        loop = asyncio.get_running_loop()
        request = _Request(events, counts, sum(len(event.value) for event in events), loop, loop.create_future())
        with self._gate:
            if self._closed:
                raise Unavailable("log-closed")
            if self._in_flight and self._in_flight + request.size > self._limit:
                raise Unavailable("log-saturated", retry_after_s=1)
            self._in_flight += request.size
            self._queue.put(request)
        try:
            async with asyncio.timeout(DEADLINE_S):
                await request.done
        except TimeoutError:
            raise Unavailable("log-timeout") from None

    def ready(self) -> bool:
        """Say whether a publish would be tried now: the last write or probe went well and the disk has room."""
        if self._closed or not self._healthy:
            return False
        try:
            return shutil.disk_usage(self._path.parent).free >= MIN_FREE_BYTES
        except OSError:
            return False

    async def close(self) -> None:
        """Write what waits, then let go of the file."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """Do as `close`, outside an event loop."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _write(self) -> None:
        while True:
            group = self._next_group()
            if group:
                self._commit([request for request in group if request is not None])
            elif not self._healthy:
                self._healthy = self._attempt([]) is None
            if None in group:
                return

    def _next_group(self) -> list[_Request | None]:
        """Take what waits; nothing comes after `None`, which closing put last."""
        try:
            group = [self._queue.get(timeout=None if self._healthy else PROBE_S)]
        except queue.Empty:
            return []
        while len(group) < MAX_GROUP and group[-1] is not None:
            try:
                group.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return group

    def _commit(self, group: list[_Request]) -> None:
        code = self._attempt(group)
        self._healthy = code is None
        with self._gate:
            self._in_flight -= sum(request.size for request in group)
        for loop in {request.loop for request in group}:
            mine = [request.done for request in group if request.loop is loop]
            try:
                loop.call_soon_threadsafe(_resolve, mine, code)
            except RuntimeError:  # that loop is closed: nobody waits any more, the events are safe all the same
                continue

    def _attempt(self, group: list[_Request]) -> str | None:
        """Write a group in one transaction. Returns None, or the code of the failure (nothing is kept then)."""
        rows = [
            (event.key, orjson.dumps(dict(event.headers)).decode(), event.value)
            for request in group
            for event in request.events
        ]
        try:
            with sqlite.transaction(self._connection):
                for part in (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)):
                    self._connection.execute(INSERT + ", ".join([ROW] * len(part)), list(itertools.chain(*part)))
                self._connection.executemany(COUNT, _by_hospital(request.counts for request in group))
                if not group:
                    self._connection.execute("UPDATE identity SET id = id")
        except sqlite3.OperationalError as error:
            return _code(error)
        except sqlite3.Error:
            return "log-failed"
        return None


def _by_hospital(counted: Iterable[Counts]) -> list[tuple[str | int, ...]]:
    """Add the counts of a group up: one row a hospital."""
    totals: dict[str, tuple[int, ...]] = {}
    for one in counted:
        more = (one.received, one.refused, one.suppressed, one.published)
        totals[one.finess] = tuple(map(add, totals.get(one.finess, (0, 0, 0, 0)), more))
    return [(finess, *total) for finess, total in totals.items()]


def _code(error: sqlite3.OperationalError) -> str:
    primary = error.sqlite_errorcode & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "log-locked"
    if primary in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return "log-disk"
    return "log-failed"


def _resolve(waiting: list[asyncio.Future[None]], code: str | None) -> None:
    for future in waiting:
        if future.done():  # the caller gave up: its answer was 503, the resend is a duplicate
            continue
        if code is None:
            future.set_result(None)
        else:
            future.set_exception(Unavailable(code))


def erase(path: Path, named: Callable[[str, bytes], bool]) -> int:
    """Empty the events that `named` (FINESS, value) points out; return how many. Their place in the log stays.

    An emptied event is a Bundle without entries under the hospital's key: any reader passes over it.
    """
    connection = _open(path)
    emptied, after = 0, 0
    try:
        while rows := connection.execute(SELECT, (after, ERASED_AT_ONCE)).fetchall():
            after = rows[-1][0]
            found = [
                (f"structure|{finess}", EMPTY, offset)
                for offset, _, headers, value in rows
                if value != EMPTY and named(finess := _hospital(headers), value)
            ]
            if found:
                with sqlite.transaction(connection):
                    connection.executemany('UPDATE event SET key = ?, value = ? WHERE "offset" = ?', found)
            emptied += len(found)
        sqlite.empty_log(connection)
    finally:
        connection.close()
    return emptied


def trim(path: Path, *, received_before: datetime, applied: int) -> int:
    """Forget the oldest events that were received before a moment and applied; return how many.

    Never beyond `applied`, the last offset that the tables hold, however old what waits is.
    """
    connection = _open(path)
    forgotten = 0
    try:
        while True:
            rows = connection.execute(OLDEST, (applied, ERASED_AT_ONCE)).fetchall()
            old = list(itertools.takewhile(lambda row: _received(row[1]) < received_before, rows))
            if old:
                with sqlite.transaction(connection):
                    connection.execute('DELETE FROM event WHERE "offset" <= ?', (old[-1][0],))
            forgotten += len(old)
            if len(old) < ERASED_AT_ONCE:
                return forgotten
    finally:
        connection.close()


def _received(headers: str) -> datetime:
    return datetime.fromisoformat(orjson.loads(headers)["ce_time"].replace("Z", "+00:00"))


def _hospital(headers: str) -> str:
    parts = str(orjson.loads(headers).get("ce_source", "")).split("/")
    return parts[2] if len(parts) > 2 else ""


class EmbeddedConsumer:
    """A reader of the embedded log: one partition (0), offsets from 1 without a gap."""

    origin = 1

    def __init__(self, path: Path) -> None:
        self._connection = _open(path)
        self._gate = threading.Lock()

    def partitions(self) -> Sequence[int]:
        """Return the only partition."""
        return (0,)

    def follow(self, partitions: Sequence[int]) -> None:
        """Nothing is buffered."""

    def read(self, partition: int, after: int, limit: int) -> Sequence[Record]:
        """Return up to `limit` records after an offset, in order; see `broker.Consumer`."""
        taken: list[Record] = []
        size = 0
        with self._gate, closing(self._connection.execute(SELECT, (after, limit))) as rows:
            for offset, key, headers, value in rows:
                taken.append(record_of(partition, offset, key, headers, value))
                size += len(value)
                if size >= READ_BYTES:
                    break
        return taken

    def first_offset(self, partition: int) -> int:
        """Return the first offset that the log still holds; the next one to come when it holds none."""
        del partition
        with self._gate:
            first = self._connection.execute('SELECT min("offset") FROM event').fetchone()[0]
        return int(first) if first is not None else self.last_offset(0) + 1

    def last_offset(self, partition: int) -> int:
        """Return the last offset ever written, 0 when none was."""
        del partition
        with self._gate:
            row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
        return int(row[0]) if row else 0

    def identity(self) -> str:
        """Return the random id that the log got when it was made."""
        with self._gate:
            return str(self._connection.execute("SELECT id FROM identity").fetchone()[0])

    def tail(self, partition: int, after: int) -> Iterator[Record]:
        """Yield records after an offset until the end."""
        while batch := self.read(partition, after, 256):
            yield from batch
            after = batch[-1].offset

    def close(self) -> None:
        """Let go of the file."""
        with self._gate:
            self._connection.close()
