"""PostgreSQL → the connection, transactions and locks of the server form's state and tables.

Speaks the SQL of `database` (translated word by word) and loads rows by binary COPY. Never prints a connection string.
"""

from __future__ import annotations

import re
import select
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.pq.abc import PGconn

from fhir_profiles.errors import Misconfigured, Unavailable
from streaming.database import Parameters, Rows

ROLE = "snds_writer"
BULK = 20
# the two-number space of advisory locks: what the first number stands for
MIGRATING, HOSPITAL, WRITER, PARTITION, MAKING = range(0x534E, 0x534E + 5)
PLACEHOLDER = re.compile(r"\?|(?<!:):([a-z_]+)|\bjson_each\(")
INSERT = re.compile(r"\s*INSERT INTO (\w+) \(([^)]*)\)\s+VALUES \([?, ]*\)(.*)", re.DOTALL)
# every statement of `ops` looks up a few rows by an index; without statistics (a fresh database, a burst) the planner
# would rather read whole tables, 300 times slower
LOOK_UP = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan", "enable_material", "jit")
# a server that is gone is noticed in seconds, not after the hours of TCP's own patience
PATIENCE: dict[str, int | str] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "snds-gateway",
}


LET_GO_S = 2.0  # a server that is there answers in a millisecond


@dataclass(frozen=True, slots=True, repr=False)
class PostgresConnection:
    """Where the database is: a libpq connection string, and the password that is not in it."""

    dsn: str
    password: str | None = None

    def __repr__(self) -> str:
        return "PostgresConnection()"

    def open(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect. Raises `Unavailable` (`store-away`)."""
        secret: dict[str, int | str] = {} if self.password is None else {"password": self.password}
        try:
            return psycopg.connect(make_conninfo(self.dsn, **PATIENCE, **secret), autocommit=True)
        except psycopg.OperationalError:
            raise Unavailable("store-away") from None


class PostgresDatabase:
    """A connection that understands the statements of `ops`."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.raw = connection
        self._copies: dict[tuple[str, str], tuple[sql.Composed, list[str]]] = {}
        self._stages: dict[tuple[str, str], tuple[sql.Composed, sql.Composed, list[str]]] = {}

    def execute(self, statement: str, parameters: Parameters = (), /) -> Rows:
        """See `database.Database`."""
        return self.raw.execute(translated(statement), parameters or None)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        """See `database.Database`; many rows of an INSERT arrive by binary COPY and are inserted at once."""
        listed = list(rows)
        insert = INSERT.fullmatch(statement) if len(listed) >= BULK else None
        if insert is not None:
            self._insert(insert[1], insert[2], insert[3], listed)
        elif listed:
            with self.raw.cursor() as cursor:
                cursor.executemany(translated(statement), listed)

    def forget(self) -> None:
        """After a rollback: temporary tables made in that transaction are gone."""
        self._stages.clear()

    def _insert(self, table: str, columns: str, rest: str, rows: Sequence[Sequence[Any]]) -> None:
        if not rest.strip():  # nothing can be there already: no need to compare
            copy, types = self._directly(table, columns)
            with self.raw.cursor() as cursor, cursor.copy(copy) as arriving:
                arriving.set_types(types)
                for row in rows:
                    arriving.write_row(row)
            return
        copy, insert, types = self._stage(table, columns)
        with self.raw.transaction(), self.raw.cursor() as cursor:
            with cursor.copy(copy) as arriving:
                arriving.set_types(types)
                for row in rows:
                    arriving.write_row(row)
            cursor.execute(sql.SQL("{} {}").format(insert, sql.SQL(rest)))
            cursor.execute(sql.SQL("DELETE FROM {}").format(_stage_name(table)))

    def _directly(self, table: str, columns: str) -> tuple[sql.Composed, list[str]]:
        """Return how to copy to these columns of a table."""
        found = self._copies.get((table, columns))
        if found is None:
            listed, name = sql.SQL(columns), sql.Identifier(table)
            cursor = self.raw.execute(sql.SQL("SELECT {} FROM {} LIMIT 0").format(listed, name))
            types = [column.type_display for column in cursor.description or ()]
            found = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(name, listed), types
            self._copies[table, columns] = found
        return found

    def _stage(self, table: str, columns: str) -> tuple[sql.Composed, sql.Composed, list[str]]:
        """Return how to copy to the temporary table of these columns and how to insert from it; make it first."""
        found = self._stages.get((table, columns))
        if found is not None:
            return found
        listed, stage = sql.SQL(columns), _stage_name(table)
        self.raw.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE IF NOT EXISTS {} ON COMMIT DELETE ROWS AS SELECT {} FROM {} WITH NO DATA"
            ).format(stage, listed, sql.Identifier(table))
        )
        cursor = self.raw.execute(sql.SQL("SELECT {} FROM {} LIMIT 0").format(listed, stage))
        types = [column.type_display for column in cursor.description or ()]
        made = (
            sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(stage, listed),
            sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(sql.Identifier(table), listed, listed, stage),
            types,
        )
        self._stages[table, columns] = made
        return made


def _stage_name(table: str) -> sql.Identifier:
    return sql.Identifier(f"stage_{table}")


@cache
def translated(statement: str) -> Any:  # noqa: ANN401 - psycopg wants a literal string; ours are constants
    """Return a statement of `ops` as psycopg and PostgreSQL write it."""

    def word(found: re.Match[str]) -> str:
        if found[0] == "?":
            return "%s"
        return f"%({found[1]})s" if found[1] else "listed("

    return PLACEHOLDER.sub(word, statement).replace("CROSS JOIN", "JOIN")


class PostgresEngine:
    """One session: the writer's locks live as long as it, so a writer that dies lets go of everything."""

    def __init__(self, where: PostgresConnection) -> None:
        self._where = where
        self._depth = 0
        self.connection = self._open()

    def reopen(self) -> None:
        """Begin a new session after the server or the network failed. Raises `Unavailable` while it is away."""
        self.close()
        self.connection = self._open()

    def purge(self) -> None:
        """See `database.Engine`: `PostgresSink.purge` vacuums both schemas."""

    def close(self) -> None:
        """End the session; its locks are free when this returns, while the server ends it in its own time."""
        with suppress(psycopg.Error):  # it may be broken already
            _let_go(self.connection.raw.pgconn)
        with suppress(psycopg.Error):
            self.connection.raw.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `database.Engine`."""
        if self._depth:
            yield
            return
        self._depth = 1
        try:
            with self.connection.raw.transaction():
                yield
        except BaseException:
            self.connection.forget()
            raise
        finally:
            self._depth = 0

    def lock(self, hospitals: Iterable[str]) -> None:
        """See `database.Engine`; in one order for all writers, so that none waits in a circle."""
        for number in sorted({_number(hospital) for hospital in hospitals}):
            self.connection.raw.execute("SELECT pg_advisory_xact_lock(%s, %s)", (HOSPITAL, number))

    def try_lock(self, hospital: str) -> bool:
        """See `database.Engine`."""
        return self.held("SELECT pg_try_advisory_xact_lock(%s, %s)", HOSPITAL, _number(hospital))

    def held(self, statement: str, *numbers: int) -> bool:
        """Run a statement that answers yes or no."""
        row = self.connection.raw.execute(statement, numbers).fetchone()
        return bool(row and row[0])

    def _open(self) -> PostgresDatabase:
        connection = self._where.open()
        try:
            migrate(connection)
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(ROLE)))
            connection.execute("SET search_path TO ops, pg_temp")
            for setting in LOOK_UP:
                connection.execute(sql.SQL("SET {} TO off").format(sql.Identifier(setting)))
            connection.execute("SET join_collapse_limit TO 1")  # joins in the order in which they are written
        except BaseException:
            connection.close()
            raise
        return PostgresDatabase(connection)


def _let_go(session: PGconn) -> None:
    """Give the locks back, and wait for that as long as a stop may: who comes next finds nobody at work."""
    if session.status == ConnStatus.OK and session.transaction_status == TransactionStatus.IDLE:
        session.send_query(b"SELECT pg_advisory_unlock_all()")
        session.flush()
        select.select([session.socket], [], [], LET_GO_S)


def migrate(connection: psycopg.Connection[Any]) -> None:
    """Bring the schemas to this version, under a lock, one transaction a migration.

    Raises `Misconfigured`: `store-newer` (made by a later version), `store-rights` (the role may not).
    """
    scripts = _migrations()
    connection.execute("SELECT pg_advisory_lock(%s, 0)", (MIGRATING,))
    try:
        done = _version(connection)
        if done > len(scripts):
            raise Misconfigured("store-newer", "these tables were made by a later version of the product")
        for version in range(done + 1, len(scripts) + 1):
            with connection.transaction():
                if version > 1:
                    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(ROLE)))
                connection.execute(scripts[version - 1])
                connection.execute("INSERT INTO ops.migration (version) VALUES (%s)", (version,))
    except psycopg.errors.InsufficientPrivilege:
        raise Misconfigured(
            "store-rights", "the database role may not make the schemas: run the migrations as their owner"
        ) from None
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s, 0)", (MIGRATING,))


def _version(connection: psycopg.Connection[Any]) -> int:
    if connection.execute("SELECT to_regclass('ops.migration')").fetchone()[0] is None:  # type: ignore[index]
        return 0
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(ROLE)))
    try:
        row = connection.execute("SELECT coalesce(max(version), 0) FROM ops.migration").fetchone()
    finally:
        connection.execute("RESET ROLE")
    return int(row[0])  # type: ignore[index]


def _migrations() -> list[str]:
    folder = files("streaming") / "sql" / "postgresql"
    named = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=lambda one: one.name)
    return [one.read_text(encoding="utf-8") for one in named]


def _number(hospital: str) -> int:
    """Return a FINESS as the second number of an advisory lock (a signed 32-bit one)."""
    return zlib.crc32(hospital.encode()) - 2**31
