"""One way to open the SQLite files of an installation: WAL, fsync at each commit, explicit transactions.

Never keeps a connection in a module; who opens it closes it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from fhir_profiles.errors import Unavailable

BUSY_TIMEOUT_MS = 5000
PAGE_SIZE = 8192
AUTOCHECKPOINT_PAGES = 2000
# the state's indexes are written at random places: pages stay in memory, and go to the file once for many commits
CACHE_KIB = 96 * 1024
STATE_CHECKPOINT_PAGES = 8000
SCHEMA_VERSION = 3


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """Open or make a database, with the tables of `sql/<schema>.sql`.

    WAL with `synchronous=FULL`: a commit is on disk when it returns, readers never block it. The connection may be
    used by several threads, one at a time (its owner holds a lock).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten, not left in a free page
        connection.execute(f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}")
        if connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
            with transaction(connection):
                for statement in _statements(schema):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """SQLite answers "locked" at once, without waiting, when two processes make the same file together."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open an existing database to read it while others write. Raises `Unavailable` when there is none.

    One that another process is making just now, whose tables are not there yet, is none either.
    """
    if not path.is_file():
        raise Unavailable("store-missing")
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA query_only = ON")
        made = connection.execute("PRAGMA user_version").fetchone()[0] >= SCHEMA_VERSION
    except BaseException:
        connection.close()
        raise
    if not made:
        connection.close()
        raise Unavailable("store-missing")
    return connection


class SqliteEngine:
    """The state in one SQLite file: one writer, whose threads take turns."""

    def __init__(self, path: Path, schema: str) -> None:
        self.connection = connect(path, schema)
        self.connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self.connection.execute(f"PRAGMA wal_autocheckpoint = {STATE_CHECKPOINT_PAGES}")
        self._gate = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `database.Engine`."""
        with self._gate:
            if self.connection.in_transaction:
                yield
            else:
                with transaction(self.connection):
                    yield

    def lock(self, hospitals: Iterable[str]) -> None:
        """One writer: nobody to wait for."""

    def try_lock(self, hospital: str) -> bool:
        """One writer: nobody else is at work."""
        del hospital
        return True

    def purge(self) -> None:
        """See `database.Engine`: pages are overwritten (`secure_delete`), the write-ahead log is emptied."""
        with self._gate:
            empty_log(self.connection)

    def close(self) -> None:
        """See `database.Engine`."""
        with self._gate:
            self.connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block in one write transaction: all of it is kept, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Run several reads on one state of the database."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def empty_log(connection: sqlite3.Connection) -> None:
    """Leave nothing in the write-ahead log. Raises `Unavailable` when a reader is in the way for too long."""
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise Unavailable("store-busy")


def _statements(schema: str) -> list[str]:
    script = (files("streaming") / "sql" / f"{schema}.sql").read_text(encoding="utf-8")
    lines = [line.split("--")[0] for line in script.splitlines()]
    return [statement for statement in "\n".join(lines).split(";") if statement.strip()]
