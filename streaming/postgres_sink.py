"""Change → PostgreSQL: whole persons replaced by binary COPY, in the transaction of the state (promise P6).

Analysts read the views of schema `snds`: official names, unquoted SQL in any case works (`T_MCO24B` is `t_mco24b`).
The same rows with their owner stand in schema `rows`, of which readers have no right.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from streaming.duckdb_sink import arrow_of
from streaming.layout import Layout, layout_of, tables_of_year, timeless_tables, year_of
from streaming.postgres import MAKING, PostgresEngine
from streaming.sink import Change, RefusedRows
from transformers.snds.view import Row

FETCHED = 5_000
HIDDEN = "hidden"
# what a column takes, and what COPY calls it; anything else is refused before it reaches the server
TAKES: dict[str, tuple[str, frozenset[type]]] = {
    "TEXT": ("text", frozenset({str})),
    "INTEGER": ("int4", frozenset({int})),
    "BIGINT": ("int8", frozenset({int})),
    "DOUBLE": ("float8", frozenset({int, float})),
    "NUMERIC": ("numeric", frozenset({int, float, Decimal})),
    "DATE": ("date", frozenset({date})),
    "TIMESTAMP": ("timestamp", frozenset({datetime})),
}
CONVERSIONS: dict[str, Callable[[Any], Any]] = {"numeric": lambda value: Decimal(str(value)), "float8": float}
NONE = type(None)


class PostgresSink:
    """The tables of the server form, on the session of the state."""

    def __init__(self, engine: PostgresEngine, *, rows: str = "rows", views: str = "snds") -> None:
        self._engine = engine
        self._rows = rows
        self._views = views
        self._made: set[str] = set()
        with engine.transaction():
            self._run("SELECT pg_advisory_xact_lock(%s, 0)", MAKING)  # another writer may be opening the same
            self._run(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} (owner BIGINT PRIMARY KEY)").format(sql.Identifier(rows, HIDDEN))
            )
            self._make(timeless_tables())

    def apply(self, change: Change) -> int:
        """Replace rows; see `Sink`."""
        years = {year for name in change.rows if (year := year_of(name)) is not None}
        try:
            with self._engine.transaction():
                self._make([*change.rows, *(name for year in sorted(years) for name in tables_of_year(year))])
                for table, owners in sorted(change.removed.items()):
                    self._remove(table, owners)
                for table, rows in sorted(change.rows.items()):
                    self._insert(table, rows)
        except (ValueError, TypeError, OverflowError, psycopg.DataError):
            raise RefusedRows from None  # their text quotes the value
        except BaseException:
            self._made.clear()  # what was made in that transaction is gone
            raise
        return 0

    def change_number(self) -> int:
        """Return 0: readers see what is committed, nothing has to be published."""
        return 0

    def published_tables(self) -> tuple[str, ...]:
        """Return the fixed tables, and all tables of each year in which any of them has a row."""
        listed = self._run("SELECT upper(viewname) FROM pg_views WHERE schemaname = %s", self._views).fetchall()
        years = {year for (name,) in listed if (year := year_of(name)) is not None}
        alive = [year for year in sorted(years) if any(self._has_rows(name) for name in tables_of_year(year))]
        return tuple(sorted([*timeless_tables(), *(name for year in alive for name in tables_of_year(year))]))

    def count(self, held: Mapping[str, Sequence[int]]) -> int:
        """Return how many rows these owners have in these tables."""
        counted = 0
        for table, owners in held.items():
            if self._exists(table):
                statement = sql.SQL("SELECT count(*) FROM {} WHERE owner = ANY(%s)").format(self._table(table))
                row = self._run(statement, list(owners)).fetchone()
                counted += int(row[0]) if row else 0
        return counted

    def hidden(self) -> frozenset[int]:
        """Return the owners whose rows are kept from readers."""
        table = sql.Identifier(self._rows, HIDDEN)
        return frozenset(owner for (owner,) in self._run(sql.SQL("SELECT owner FROM {}").format(table)).fetchall())

    def hide(self, owners: Collection[int]) -> bool:
        """Keep the rows of these owners, and of no other, from readers; return whether that changed anything."""
        hidden = sql.Identifier(self._rows, HIDDEN)
        with self._engine.transaction():
            if self.hidden() == set(owners):
                return False
            self._run(sql.SQL("DELETE FROM {}").format(hidden))
            self._run(sql.SQL("INSERT INTO {} SELECT unnest(%s::bigint[])").format(hidden), sorted(owners))
        return True

    def purge(self) -> None:
        """Let the server forget what was removed from state and rows, in its statistics (`pg_stats`) too."""
        named = "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('ops', %s)"
        for (table,) in self._run(named, self._rows).fetchall():
            self._run(f"VACUUM (ANALYZE) {table}")

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read the official tables."""
        raw = self._engine.connection.raw
        with raw.transaction():
            raw.execute(sql.SQL("SET LOCAL search_path TO {}, ops").format(sql.Identifier(self._views)))
            return raw.execute(statement, list(parameters) or None).fetchall()

    def batches(self, table: str) -> Iterator[pa.Table]:
        """Yield the rows of one official table as Arrow tables (digests); the first column counts for nothing."""
        layout = layout_of(table)
        raw = self._engine.connection.raw
        with raw.transaction(), raw.cursor(name="batches") as cursor:
            cursor.execute(sql.SQL("SELECT * FROM {}").format(self._view(table)))
            while rows := cursor.fetchmany(FETCHED):
                yield arrow_of(layout, [(0, tuple(map(_plain, row))) for row in rows])

    def close(self) -> None:
        """Nothing of its own: the session belongs to the state."""

    def _run(self, statement: str | sql.Composed, *parameters: object) -> psycopg.Cursor[tuple[Any, ...]]:
        return self._engine.connection.raw.execute(statement, parameters or None)

    def _table(self, name: str) -> sql.Identifier:
        return sql.Identifier(self._rows, name.lower())

    def _view(self, name: str) -> sql.Identifier:
        return sql.Identifier(self._views, name.lower())

    def _exists(self, name: str) -> bool:
        if name not in self._made and self._run(
            "SELECT to_regclass(%s)", f"{self._rows}.{name.lower()}"
        ).fetchone() != (None,):
            self._made.add(name)
        return name in self._made

    def _has_rows(self, name: str) -> bool:
        return bool(
            self._exists(name)
            and self._run(sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(self._table(name))).fetchone() == (True,)
        )

    def _make(self, names: Iterable[str]) -> None:
        missing = [name for name in dict.fromkeys(names) if not self._exists(name)]
        if missing:
            self._run("SELECT pg_advisory_xact_lock(%s, 0)", MAKING)  # another writer may be making the same
        for name in missing:
            if not self._exists(name):
                self._run(_definition(layout_of(name), name.lower(), rows=self._rows, views=self._views))
                self._made.add(name)

    def _remove(self, table: str, owners: Sequence[int]) -> None:
        if self._exists(table):
            statement = sql.SQL("DELETE FROM {} WHERE owner = ANY(%s)").format(self._table(table))
            self._run(statement, list(owners))

    def _insert(self, table: str, rows: Sequence[tuple[int, Row]]) -> None:
        layout = layout_of(table)
        kinds = [TAKES[column.postgres.partition("(")[0].split()[0]] for column in layout.columns]
        columns: list[Sequence[Any]] = [[owner for owner, _ in rows]]
        for values, (name, taken) in zip(zip(*(row for _, row in rows), strict=True), kinds, strict=True):
            if not taken.issuperset({type(value) for value in values} - {NONE}):
                raise RefusedRows
            convert = CONVERSIONS.get(name)
            columns.append(values if convert is None else [None if v is None else convert(v) for v in values])
        copy = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(self._table(table))
        with self._engine.connection.raw.cursor() as cursor, cursor.copy(copy) as arriving:
            arriving.set_types(["int8", *(name for name, _ in kinds)])
            for row in zip(*columns, strict=True):
                arriving.write_row(row)


def _definition(layout: Layout, name: str, *, rows: str, views: str) -> sql.Composed:
    """Return what makes a table: its rows, its indexes, its official view, titles and labels as comments."""
    stored, view = sql.Identifier(rows, name), sql.Identifier(views, name)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(one.name.lower()), sql.SQL(one.postgres)) for one in layout.columns
    )
    shown = f'(SELECT * FROM "{rows}"."{name}" WHERE owner NOT IN (SELECT owner FROM "{rows}"."{HIDDEN}"))'  # noqa: S608
    parts = [
        sql.SQL("CREATE TABLE {} (owner BIGINT NOT NULL, {})").format(stored, columns),
        sql.SQL("CREATE INDEX ON {} (owner)").format(stored),
        *(
            sql.SQL("CREATE INDEX ON {} ({})").format(
                stored, sql.SQL(", ").join(sql.Identifier(column.lower()) for column in index)
            )
            for index in layout.indexes
        ),
        sql.SQL("CREATE VIEW {} AS {}").format(view, sql.SQL(layout.view(shown))),
        sql.SQL("COMMENT ON VIEW {} IS {}").format(view, sql.Literal(layout.title)),
        *(
            sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(
                view, sql.Identifier(column.name.lower()), sql.Literal(column.label)
            )
            for column in layout.columns
        ),
    ]
    return sql.SQL("; ").join(parts)


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value
