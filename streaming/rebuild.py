"""`ops` → every row anew, into fresh tables that are swapped in when they are complete (`tables rebuild`, DESIGN §6).

Also the way from DuckDB to PostgreSQL: the state is copied first. Stored offsets stay, so the writer goes on where it
was. Never beside a running writer; a rebuild that dies is finished by the writer's next start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from fhir_profiles.errors import Misconfigured
from streaming.conversion import Rules
from streaming.digest import digest
from streaming.duckdb_sink import DuckDbSink
from streaming.postgres import PostgresConnection, PostgresEngine
from streaming.postgres_sink import PostgresSink
from streaming.postgres_store import PostgresStore
from streaming.rounds import Rounds
from streaming.sink import Sink
from streaming.state import REBUILDING, State
from streaming.store import TABLES, EmbeddedStore

PERSONS = 400
BUILDING = "tables.rebuilding.duckdb"
OF_THE_LAKE = ("rows_change", "lake_change")
COPIED = 2_000
NUMBERED = ("dead_letter", "owner", "resource")  # their numbers go on from the last one


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The digests (`digest`) of the tables before and after: the same, unless rules or reference data changed."""

    before: str
    after: str

    @property
    def same(self) -> bool:
        """Say whether any row changed."""
        return self.before == self.after


@dataclass(frozen=True, slots=True)
class _Fresh:
    """Fresh tables beside the state."""

    state: State
    sink: Sink

    def round(self) -> AbstractContextManager[None]:
        """See `rounds.Tables`."""
        return nullcontext()


def rebuild(data_dir: Path, *, rules: Rules) -> Rebuilt:
    """Compute the tables of a data folder anew. Raises `Misconfigured` (`writer-running`)."""
    store = EmbeddedStore(data_dir)
    building = data_dir / BUILDING
    try:
        before = digest(store.sink)
        _remove(building)
        fresh = DuckDbSink(building)
        try:
            with _marked(store.state):
                _write_everybody(_Fresh(store.state, fresh), rules)
                fresh.hide(store.sink.hidden())
                fresh.mark_all()
                after = digest(fresh)
                fresh.close()
                store.sink.close()
                building.replace(data_dir / TABLES)
                _sync(data_dir)
        finally:
            fresh.close()
            _remove(building)
    finally:
        store.close()
    shown = EmbeddedStore(data_dir)
    try:
        shown.begin()
    finally:
        shown.close()
    return Rebuilt(before, after)


def rebuild_postgres(where: PostgresConnection, *, rules: Rules) -> Rebuilt:
    """Compute the tables of a database anew, beside the old ones, and swap the schemas in one transaction."""
    store = PostgresStore(where)
    try:
        if not store.alone():
            raise Misconfigured("writer-running", "other table writers are at work on this database; stop them first")
        before = digest(store.sink)
        engine = store.engine
        with engine.transaction():
            _make_schemas(engine)
        fresh = PostgresSink(engine, rows="rows_rebuilding", views="snds_rebuilding")
        with _marked(store.state):
            _write_everybody(_InOne(store.state, fresh, engine), rules)
            fresh.hide(store.sink.hidden())
            after = digest(fresh)
            with engine.transaction():
                _swap_schemas(engine)
        return Rebuilt(before, after)
    finally:
        store.close()


def move_to_postgres(data_dir: Path, where: PostgresConnection, *, rules: Rules) -> Rebuilt:
    """Copy the state of a data folder into an empty database, and compute the tables there.

    Raises `Misconfigured`: `writer-running`, `store-not-empty`.
    """
    source = EmbeddedStore(data_dir)
    try:
        before = digest(source.sink)
        store = PostgresStore(where)
        try:
            with store.engine.transaction():
                _copy_state(source.state, store.engine)
            with _marked(store.state):
                _write_everybody(_InOne(store.state, store.sink, store.engine), rules)
                store.sink.hide(source.sink.hidden())
            return Rebuilt(before, digest(store.sink))
        finally:
            store.close()
    finally:
        source.close()


@dataclass(frozen=True, slots=True)
class _InOne:
    """Fresh tables in the database of the state: a round is one transaction."""

    state: State
    sink: Sink
    engine: PostgresEngine

    def round(self) -> AbstractContextManager[None]:
        """See `rounds.Tables`."""
        return self.engine.transaction()


@contextmanager
def _marked(state: State) -> Iterator[None]:
    """While it lasts, a crash makes the next start compute everybody anew into the tables that are there then."""
    with state.transaction():
        state.note(REBUILDING, "yes")
        state.mark_everybody()
    yield
    with state.transaction():
        state.note(REBUILDING, None)


def _write_everybody(tables: _Fresh | _InOne, rules: Rules) -> None:
    rounds = Rounds(tables, rules, persons=PERSONS, at=lambda _: None)
    while rounds.write():
        pass


def _remove(building: Path) -> None:
    for path in (building, building.with_name(building.name + ".wal"), building.with_suffix(".lock")):
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make_schemas(engine: PostgresEngine) -> None:
    run = engine.connection.raw.execute
    run("SET LOCAL ROLE NONE")  # schemas are made and renamed by the role that ran the migrations
    run("DROP SCHEMA IF EXISTS rows_rebuilding, snds_rebuilding CASCADE")
    run("CREATE SCHEMA rows_rebuilding AUTHORIZATION snds_writer")
    run("CREATE SCHEMA snds_rebuilding AUTHORIZATION snds_writer")
    run("GRANT USAGE ON SCHEMA snds_rebuilding TO snds_reader")
    run("ALTER DEFAULT PRIVILEGES FOR ROLE snds_writer IN SCHEMA snds_rebuilding GRANT SELECT ON TABLES TO snds_reader")


def _swap_schemas(engine: PostgresEngine) -> None:
    run = engine.connection.raw.execute
    run("SET LOCAL ROLE NONE")
    for name in ("snds", "rows"):
        run(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
        run(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(f"{name}_rebuilding"), sql.Identifier(name)))


def _copy_state(source: State, engine: PostgresEngine) -> None:
    tables = [name for (name,) in source.connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
    ).fetchall()]  # fmt: skip
    target = engine.connection
    if target.execute("SELECT EXISTS (SELECT 1 FROM stored_offset) OR EXISTS (SELECT 1 FROM resource)").fetchone()[0]:
        raise Misconfigured("store-not-empty", "the database holds a state already; move into an empty one")
    for table in tables:
        columns = [row[1] for row in source.connection.execute(f'PRAGMA table_info("{table}")')]
        listed = ", ".join(f'"{column}"' for column in columns)
        marks = ", ".join("?" for _ in columns)
        rows = source.connection.execute(f'SELECT {listed} FROM "{table}"')  # noqa: S608 - names of our own schema
        while chunk := rows.fetchmany(COPIED):  # type: ignore[attr-defined]
            target.executemany(f"INSERT INTO {table} ({listed}) VALUES ({marks})", chunk)  # noqa: S608
        if table in NUMBERED:
            target.raw.execute(
                sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), coalesce(max(id), 1)) FROM {}").format(
                    sql.Literal(f"ops.{table}"), sql.Identifier(table)
                )
            )
    target.execute("DELETE FROM counter WHERE name = ? OR name = ?", OF_THE_LAKE)
