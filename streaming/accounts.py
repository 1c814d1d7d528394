"""D → Status: the accounts of an installation, read by any process while gateway and writer run (DESIGN §9).

They close: received = published + refused + suppressed; events = applied + duplicates + dead letters + lag.
Never writes but one thing: the wish, as an empty file, that the writer publishes now.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from fhir_profiles.errors import Unavailable
from streaming import sqlite
from streaming.reading import LOG

STATE = "ops.sqlite"
WISH = "publish.request"
POLL_S = 0.05

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Stays:
    """Stays by what became of them."""

    open: int = 0
    written: int = 0
    quarantined: int = 0
    suppressed: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """The accounts. `idle` says that nothing is left to apply and the lake shows it."""

    received: int = 0
    refused: int = 0
    suppressed: int = 0
    published: int = 0
    events: int = 0
    applied: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    lag: int = 0
    superseded: int = 0
    stays: Stays = field(default_factory=Stays)
    idle: bool = False
    stopped: str | None = None
    quarantine: tuple[tuple[str, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the integers of `status --format json`, exactly."""
        names = (
            "received", "refused", "suppressed", "published", "events", "applied", "duplicates", "dead_letters", "lag",
            "superseded",
        )  # fmt: skip
        stays = {name: getattr(self.stays, name) for name in ("open", "written", "quarantined", "suppressed")}
        return {name: getattr(self, name) for name in names} | {"stays": stays}


def status(data_dir: Path) -> Status:
    """Return the accounts of an installation; zeros for what does not exist yet."""
    ops = _read(data_dir / STATE, _ops) or _Ops()
    counts, last = _read(data_dir / LOG, _log) or ((0, 0, 0, 0), 0)
    received, refused, suppressed, published = counts
    return Status(
        received=received,
        refused=refused,
        suppressed=suppressed,
        published=published,
        events=last,
        applied=ops.counters.get("applied", 0),
        duplicates=ops.counters.get("duplicates", 0),
        dead_letters=ops.counters.get("dead_letters", 0),
        lag=max(last - ops.position, 0),
        superseded=ops.counters.get("superseded", 0),
        stays=Stays(**{name: ops.stays.get(name, 0) for name in Stays.__slots__}),
        idle=last == ops.position and not ops.dirty and ops.shown,
        stopped=ops.stopped,
        quarantine=ops.quarantine,
    )


def wait_idle(
    data_dir: Path,
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> bool:
    """Ask the writer to publish now; return True once nothing is left to apply and the lake shows it.

    False when `seconds` passed first, or when the writer stopped with a code (`status().stopped`).
    """
    deadline = clock() + seconds
    wish = data_dir / WISH
    while True:
        now = status(data_dir)
        if now.idle:
            wish.unlink(missing_ok=True)
            return True
        if now.stopped is not None or clock() >= deadline:
            wish.unlink(missing_ok=True)
            return False
        wish.touch()
        wait(POLL_S)


@dataclass(frozen=True, slots=True)
class _Ops:
    position: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    stays: dict[str, int] = field(default_factory=dict)
    quarantine: tuple[tuple[str, int], ...] = ()
    dirty: bool = False
    stopped: str | None = None

    @property
    def shown(self) -> bool:
        return self.counters.get("lake_change", -1) == self.counters.get("rows_change", 0)


def _read(path: Path, reader: Callable[[sqlite3.Connection], Read]) -> Read | None:
    try:
        connection = sqlite.connect_read_only(path)
    except Unavailable:
        return None
    try:
        with sqlite.snapshot(connection):
            return reader(connection)
    finally:
        connection.close()


def _log(connection: sqlite3.Connection) -> tuple[tuple[int, int, int, int], int]:
    received, refused, suppressed, published = connection.execute(
        "SELECT coalesce(sum(received), 0), coalesce(sum(refused), 0), coalesce(sum(suppressed), 0),"
        " coalesce(sum(published), 0) FROM count"
    ).fetchone()
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
    return (received, refused, suppressed, published), row[0] if row else 0


def _ops(connection: sqlite3.Connection) -> _Ops:
    query = connection.execute
    dirty = "SELECT EXISTS (SELECT 1 FROM dirty) OR EXISTS (SELECT 1 FROM dirty_year)"
    stopped = query("SELECT text FROM note WHERE name = 'stopped'").fetchone()
    return _Ops(
        position=query("SELECT coalesce(sum(position), 0) FROM stored_offset").fetchone()[0],
        counters=dict(query("SELECT name, value FROM counter").fetchall()),
        stays=dict(query("SELECT status, count(*) FROM stay GROUP BY status").fetchall()),
        quarantine=tuple(
            query(
                "SELECT reason, count(*) FROM stay WHERE status = 'quarantined' GROUP BY reason ORDER BY 1"
            ).fetchall()
        ),
        dirty=bool(query(dirty).fetchone()[0]),
        stopped=stopped[0] if stopped else None,
    )
