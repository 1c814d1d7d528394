"""D → Status: the accounts of an installation, read by any process while gateway and writer run (DESIGN §9).

They close: received = published + refused + suppressed; events = applied + duplicates + dead letters + lag.
Never writes but one thing: the wish, as an empty file, that the writer publishes now.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fhir_profiles.errors import Unavailable
from streaming import sqlite
from streaming.broker import Counts
from streaming.database import Database
from streaming.reading import LOG

if TYPE_CHECKING:  # the clients of the server form are loaded when they are used
    from streaming.postgres import PostgresConnection
    from streaming.topics import KafkaConnection

STATE = "ops.sqlite"
WISH = "publish.request"
POLL_S = 0.05
ENFORCED = "register"
"""The counter of how much of the register is carried out: the number of the acts (`opposition.Acts`)."""

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
    """The accounts. `idle`: nothing is left to apply, no act to carry out, and the lake shows it.

    `late`: half the log's retention passed.
    """

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
    late: bool = False
    quarantine: tuple[tuple[str, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the integers of `status --format json`, exactly."""
        names = (
            "received", "refused", "suppressed", "published", "events", "applied", "duplicates", "dead_letters", "lag",
            "superseded",
        )  # fmt: skip
        stays = {name: getattr(self.stays, name) for name in ("open", "written", "quarantined", "suppressed")}
        return {name: getattr(self, name) for name in names} | {"stays": stays}


def status(
    data_dir: Path, *, kafka: KafkaConnection | None = None, postgres: PostgresConnection | None = None
) -> Status:
    """Return the accounts of an installation, in its data folder or on its servers; zeros for what is not there yet.

    Raises `Unavailable` while a server is away.
    """
    ops = (_read(data_dir / STATE, _ops) if postgres is None else _server_ops(postgres)) or _Ops()
    log = (_read(data_dir / LOG, _log) if kafka is None else _server_log(kafka)) or _Log()
    received, refused, suppressed, published = log.counts
    lag = sum(max(last - ops.positions.get(partition, log.origin - 1), 0) for partition, last in log.ends.items())
    return Status(
        received=received,
        refused=refused,
        suppressed=suppressed,
        published=published,
        events=sum(last - log.origin + 1 for last in log.ends.values()),
        applied=ops.counters.get("applied", 0),
        duplicates=ops.counters.get("duplicates", 0),
        dead_letters=ops.counters.get("dead_letters", 0),
        lag=lag,
        superseded=ops.counters.get("superseded", 0),
        stays=Stays(**_stays(ops)),
        idle=lag == 0
        and not ops.dirty
        and log.register <= ops.counters.get(ENFORCED, 0)
        and (ops.shown or postgres is not None),
        stopped=ops.stopped,
        late=ops.late,
        quarantine=ops.quarantine,
    )


def by_hospital(data_dir: Path) -> tuple[Counts, ...]:
    """Return what each hospital sent, by FINESS; nothing for an installation that has no embedded log."""
    query = "SELECT finess, received, refused, suppressed, published FROM count ORDER BY finess"
    found = _read(data_dir / LOG, lambda connection: connection.execute(query).fetchall())
    return tuple(Counts(*row) for row in found or ())


def stays_by_hospital(data_dir: Path, *, postgres: PostgresConnection | None = None) -> dict[str, dict[str, int]]:
    """Return how many stays of each hospital are open, written, quarantined: FINESS → status → number."""

    def grouped(connection: Database) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for finess, name, number in connection.execute(
            "SELECT finess, status, count(*) FROM stay GROUP BY finess, status ORDER BY 1, 2"
        ).fetchall():
            found.setdefault(finess, {})[name] = number
        return found

    if postgres is None:
        return _read(data_dir / STATE, grouped) or {}
    from streaming.postgres import PostgresEngine

    engine = PostgresEngine(postgres)
    try:
        with engine.transaction():
            return grouped(engine.connection)
    finally:
        engine.close()


def wait_idle(
    data_dir: Path,
    seconds: float,
    *,
    kafka: KafkaConnection | None = None,
    postgres: PostgresConnection | None = None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> bool:
    """Ask the writer to publish now; return True once nothing is left to apply and the lake shows it.

    False when `seconds` passed first, or when the writer stopped with a code (`status().stopped`). Raises `Unavailable`
    when a server is still away by then.
    """
    deadline = clock() + seconds
    wish = data_dir / WISH
    while True:
        try:
            now = status(data_dir, kafka=kafka, postgres=postgres)
        except Unavailable:
            if clock() >= deadline:
                wish.unlink(missing_ok=True)
                raise
            wait(POLL_S)
            continue
        if now.idle:
            wish.unlink(missing_ok=True)
            return True
        if now.stopped is not None or clock() >= deadline:
            wish.unlink(missing_ok=True)
            return False
        wish.touch()
        wait(POLL_S)


def _stays(ops: _Ops) -> dict[str, int]:
    """Suppressed stays are counted when they go: nothing else is left of them."""
    stays = {name: ops.stays.get(name, 0) for name in Stays.__slots__}
    return stays | {"suppressed": stays["suppressed"] + ops.counters.get("suppressed_stays", 0)}


@dataclass(frozen=True, slots=True)
class _Log:
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    ends: dict[int, int] = field(default_factory=dict)
    origin: int = 1
    register: int = 0


@dataclass(frozen=True, slots=True)
class _Ops:
    positions: dict[int, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    stays: dict[str, int] = field(default_factory=dict)
    quarantine: tuple[tuple[str, int], ...] = ()
    dirty: bool = False
    stopped: str | None = None
    late: bool = False

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


def _log(connection: sqlite3.Connection) -> _Log:
    received, refused, suppressed, published = connection.execute(
        "SELECT coalesce(sum(received), 0), coalesce(sum(refused), 0), coalesce(sum(suppressed), 0),"
        " coalesce(sum(published), 0) FROM count"
    ).fetchone()
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
    register = connection.execute("SELECT coalesce(max(number), 0) FROM act").fetchone()[0]
    return _Log((received, refused, suppressed, published), {0: row[0] if row else 0}, register=int(register))


def _server_log(kafka: KafkaConnection) -> _Log:
    from streaming.kafka_consumer import KafkaLog, published_counts
    from streaming.topics import OPPOSITION

    with closing(KafkaLog(kafka)) as log, closing(KafkaLog(kafka, topic=OPPOSITION)) as register:
        ends = {partition: log.last_offset(partition) for partition in log.partitions()}
        acts = register.last_offset(0) + 1
    return _Log(published_counts(kafka), ends, KafkaLog.origin, acts)


def _server_ops(postgres: PostgresConnection) -> _Ops:
    from streaming.postgres import PostgresEngine

    engine = PostgresEngine(postgres)
    try:
        with engine.transaction():
            return _ops(engine.connection)
    finally:
        engine.close()


def _ops(connection: Database) -> _Ops:
    query = connection.execute
    dirty = "SELECT EXISTS (SELECT 1 FROM dirty) OR EXISTS (SELECT 1 FROM dirty_year)"
    notes = dict(query("SELECT name, text FROM note").fetchall())
    return _Ops(
        positions=dict(query("SELECT partition, position FROM stored_offset").fetchall()),
        counters=dict(query("SELECT name, value FROM counter").fetchall()),
        stays=dict(query("SELECT status, count(*) FROM stay GROUP BY status").fetchall()),
        quarantine=tuple(
            query(
                "SELECT reason, count(*) FROM stay WHERE status = 'quarantined' GROUP BY reason ORDER BY 1"
            ).fetchall()
        ),
        dirty=bool(query(dirty).fetchone()[0]),
        stopped=notes.get("stopped"),
        late="late" in notes,
    )
