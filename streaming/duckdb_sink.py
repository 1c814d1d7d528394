"""Change → D/tables.duckdb: whole persons replaced in one transaction, through Arrow, never row by row.

One process holds the file (a second writer is refused); readers use the lake. Helper columns stay in schema `rows`,
the official names are views without them. Promise: P6.
"""

from __future__ import annotations

import fcntl
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from fhir_profiles.errors import Misconfigured
from streaming.layout import Layout, layout_of, tables_of_year, timeless_tables, year_of
from streaming.sink import Change, RefusedRows
from transformers.snds.view import Row

REFUSED = (ValueError, TypeError, OverflowError, duckdb.DataError)
PURGED = "tables.purged.duckdb"
MEMORY_LIMIT = "192MB"
THREADS = 1  # a second one costs a fifth more processor time, which the workers beside it want
CHECKPOINT = "32MB"
OWNERS_A_PART = 8192


class DuckDbSink:
    """The tables of an embedded installation. Used by one thread."""

    def __init__(self, path: Path, *, owners_a_part: int = OWNERS_A_PART) -> None:
        self.owners_a_part = owners_a_part
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = _lock(path.with_suffix(".lock"))
        try:
            self._connection = duckdb.connect(str(path))
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        except BaseException:
            self._lock.close()
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        execute(f"SET threads = {THREADS}")
        execute(f"SET checkpoint_threshold = '{CHECKPOINT}'")
        execute("SET preserve_insertion_order = false")
        execute((files("streaming") / "sql" / "tables.sql").read_text(encoding="utf-8"))
        execute("INSERT INTO marks.change SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM marks.change)")
        # the view is made last: a table that a crash left without its view counts as not made
        listed = execute("SELECT view_name FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal").fetchall()
        self._made = {str(name) for (name,) in listed}
        self._make(timeless_tables())

    def apply(self, change: Change) -> int:
        """Commit a change with the marks of what it touches; return its number."""
        years = {year_of(name) for name in change.rows} - {None}
        self._make([*change.rows, *(name for year in years if year is not None for name in tables_of_year(year))])
        touched = sorted(self._touched(change))
        self._connection.execute("BEGIN")
        try:
            for table, owners in sorted(change.removed.items()):
                if table in self._made:
                    self._remove(table, owners)
            for table, rows in sorted(change.rows.items()):
                self._insert(table, rows)
            self._mark([name for name, _ in touched], [part for _, part in touched])
            self._connection.execute("UPDATE marks.change SET number = number + 1")
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._connection.execute("ROLLBACK")
            if isinstance(error, REFUSED):
                raise RefusedRows from None  # their text quotes the value
            raise
        return self.change_number()

    def change_number(self) -> int:
        """Return the number of the last committed change."""
        return int(self.query("SELECT number FROM marks.change")[0][0])

    def unpublished(self) -> frozenset[str]:
        """Return the tables that changed since they were last published."""
        rows = self._connection.execute("SELECT DISTINCT name FROM marks.unpublished").fetchall()
        return frozenset(str(name) for (name,) in rows)

    def mark_all(self) -> None:
        """Mark every table as not yet published: these tables take the place of others."""
        self._mark(sorted(self._made), [None] * len(self._made))

    def mark_published(self, tables: frozenset[str]) -> None:
        """Forget the marks of these tables."""
        self._connection.execute(
            "DELETE FROM marks.unpublished WHERE name IN (SELECT unnest(?::VARCHAR[]))", [sorted(tables)]
        )

    def published_tables(self) -> tuple[str, ...]:
        """Return the fixed tables, and all tables of each year in which any of them has a row.

        An emptied year disappears, so that what readers see depends on the rows alone.
        """
        years: set[int] = set()
        for name in self._made:
            year = year_of(name)
            if year is not None and year not in years and self._has_rows(name):
                years.add(year)
        return tuple(sorted([*timeless_tables(), *(name for year in years for name in tables_of_year(year))]))

    def parts(self, table: str) -> tuple[int, ...]:
        """Return the parts of a table that hold rows; part 0 when none does. A table whose rows merge has one."""
        if layout_of(table).merges:
            return (0,)
        query = f"SELECT DISTINCT owner // {self.owners_a_part} FROM rows.{_quoted(table)} ORDER BY 1"  # noqa: S608
        return tuple(int(part) for (part,) in self.query(query)) or (0,)

    def changed_parts(self, table: str) -> frozenset[int] | None:
        """Return the parts of a table that changed since it was last published; None: all of it."""
        rows = self.query("SELECT DISTINCT part FROM marks.unpublished WHERE name = ?", [table])
        if layout_of(table).merges or (None,) in rows:
            return None
        return frozenset(int(part) for (part,) in rows)

    def export(self, table: str, path: Path, *, part: int = 0, about: Mapping[str, str]) -> None:
        """Write a part of one official table as Parquet, in an order that helps joins, with key-value metadata."""
        layout = layout_of(table)
        first = part * self.owners_a_part
        chosen = "true" if layout.merges else f"owner >= {first} AND owner < {first + self.owners_a_part}"
        order = f" ORDER BY {', '.join(layout.sort)}" if layout.sort else ""
        target = str(path).replace("'", "''")
        told = ", ".join(f"{_quoted(name)}: {_literal(value)}" for name, value in {"table": table, **about}.items())
        options = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{told}}}"
        query = f"SELECT * FROM ({layout.view(_shown(table, chosen))}){order}"  # noqa: S608
        self._connection.execute(f"COPY ({query}) TO '{target}' ({options})")

    def count(self, held: Mapping[str, Sequence[int]]) -> int:
        """Return how many rows these owners have in these tables."""
        counted = 0
        for table, owners in held.items():
            if table in self._made:
                statement = f"SELECT count(*) FROM rows.{_quoted(table)} WHERE owner IN (SELECT unnest(?::BIGINT[]))"  # noqa: S608
                counted += self.query(statement, [list(owners)])[0][0]
        return counted

    def hidden(self) -> frozenset[int]:
        """Return the owners whose rows are kept from readers."""
        return frozenset(owner for (owner,) in self.query("SELECT owner FROM marks.hidden"))

    def hide(self, owners: Collection[int]) -> bool:
        """Keep the rows of these owners, and of no other, from readers; return whether that changed anything."""
        if self.hidden() == set(owners):
            return False
        self._connection.execute("BEGIN")
        self._connection.execute("DELETE FROM marks.hidden")
        self._connection.execute("INSERT INTO marks.hidden SELECT unnest(?::BIGINT[])", [sorted(owners)])
        self._connection.execute("UPDATE marks.change SET number = number + 1")
        self.mark_all()
        self._connection.execute("COMMIT")
        return True

    def purge(self) -> None:
        """Write the file anew, without what was removed: DuckDB leaves it in free blocks."""
        fresh = self._path.with_name(PURGED)
        for leftover in (fresh, fresh.with_name(PURGED + ".wal")):
            leftover.unlink(missing_ok=True)
        name = self.query("SELECT current_database()")[0][0]
        target = str(fresh).replace("'", "''")
        self._connection.execute("CHECKPOINT")
        self._connection.execute(f"ATTACH '{target}' AS fresh")
        self._connection.execute(f"COPY FROM DATABASE {_quoted(name)} TO fresh")
        self._connection.execute("DETACH fresh")
        self._connection.close()
        fresh.replace(self._path)
        self._connection = duckdb.connect(str(self._path))
        self._prepare()

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read the tables (tests, digests)."""
        rows: list[tuple[Any, ...]] = self._connection.execute(statement, list(parameters)).fetchall()
        return rows

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
        self._lock.close()

    def _make(self, names: Iterable[str]) -> None:
        """Make what is missing of these tables, in one transaction: each of its own would wait for the disk."""
        fresh = [name for name in dict.fromkeys(names) if name not in self._made]
        if not fresh:
            return
        self._connection.execute("BEGIN")
        try:
            for name in fresh:
                layout = layout_of(name)
                columns = ", ".join(f"{_quoted(column.name)} {column.duckdb}" for column in layout.columns)
                self._connection.execute(f"CREATE TABLE IF NOT EXISTS rows.{_quoted(name)} (owner BIGINT, {columns})")
                view = layout.view(_shown(name))
                self._connection.execute(f"CREATE OR REPLACE VIEW main.{_quoted(name)} AS {view}")
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._made.update(fresh)

    def _touched(self, change: Change) -> set[tuple[str, int]]:
        """Return the (table, part) whose rows go or come."""
        owners = {name: set(owners) for name, owners in change.removed.items() if name in self._made}
        for name, rows in change.rows.items():
            owners.setdefault(name, set()).update([owner for owner, _ in rows])
        return {(name, owner // self.owners_a_part) for name, those in owners.items() for owner in those}

    def _mark(self, names: Sequence[str], parts: Sequence[int | None]) -> None:
        self._connection.execute(
            "INSERT INTO marks.unpublished SELECT unnest(?::VARCHAR[]), unnest(?::BIGINT[])", [names, parts]
        )

    def _remove(self, table: str, owners: Sequence[int]) -> None:
        self._connection.execute(
            f"DELETE FROM rows.{_quoted(table)} WHERE owner IN (SELECT unnest(?::BIGINT[]))",  # noqa: S608
            [list(owners)],
        )

    def _insert(self, table: str, rows: Sequence[tuple[int, Row]]) -> None:
        if not rows:
            return
        arrow = arrow_of(layout_of(table), rows)
        self._connection.register("arrived", arrow)
        try:
            self._connection.execute(f"INSERT INTO rows.{_quoted(table)} SELECT * FROM arrived")  # noqa: S608
        finally:
            self._connection.unregister("arrived")

    def _has_rows(self, name: str) -> bool:
        return bool(self.query(f"SELECT EXISTS (SELECT 1 FROM rows.{_quoted(name)})")[0][0])  # noqa: S608


def _shown(name: str, chosen: str = "true") -> str:
    """Return the rows of a table that readers may see, of some owners."""
    hidden = "(SELECT owner FROM marks.hidden)"
    return f"(SELECT * FROM rows.{_quoted(name)} WHERE owner NOT IN {hidden} AND {chosen})"  # noqa: S608


def _lock(path: Path) -> BinaryIO:
    """Hold the writer's lock. Raises `Misconfigured` when another process holds it."""
    handle = path.open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise Misconfigured("writer-running", "another table writer holds these tables; one writes at a time") from None
    return handle


def arrow_of(layout: Layout, rows: Sequence[tuple[int, Row]]) -> pa.Table:
    """Return rows of a table, each with its owner, as Arrow. Raises on a value that its column does not take."""
    columns = list(zip(*(row for _, row in rows), strict=True))
    arrays = [pa.array([owner for owner, _ in rows], pa.int64())]
    arrays += [pa.array(values, column.arrow) for values, column in zip(columns, layout.columns, strict=True)]
    return pa.Table.from_arrays(arrays, names=["owner", *(column.name for column in layout.columns)])


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
