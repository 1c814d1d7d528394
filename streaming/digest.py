"""Tables → one text that is the same for the same rows in any order and store: what `tables rebuild` compares."""

from __future__ import annotations

from pathlib import Path

import duckdb

from streaming.duckdb_sink import DuckDbSink
from streaming.lake import DATABASE
from streaming.layout import layout_of
from streaming.postgres_sink import PostgresSink
from streaming.sink import Sink


def digest(source: Path | Sink) -> str:
    """Return the digest of every non-empty table of a data directory's lake, or of an open store.

    One line a table: name, number of rows, sum of the row hashes. Not a secret, not for signatures.
    """
    if isinstance(source, PostgresSink):
        return "\n".join(line for name in source.published_tables() if (line := _line(name, _copied(source, name))))
    if isinstance(source, DuckDbSink):
        return "\n".join(line for name in source.published_tables() if (line := _line(name, source.query(_sql(name)))))
    if not isinstance(source, Path):
        raise TypeError("a store without digest")
    with duckdb.connect(str(source / "lake" / DATABASE), read_only=True) as lake:
        names = lake.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall()
        return "\n".join(line for (name,) in names if (line := _line(name, lake.execute(_sql(name)).fetchall())))


def _copied(source: PostgresSink, name: str) -> list[tuple[int, int]]:
    """Hash rows of PostgreSQL where those of DuckDB are hashed, with the same types."""
    columns = ", ".join(f'"{column.name}" {column.duckdb}' for column in layout_of(name).columns)
    total = (0, 0)
    with duckdb.connect() as memory:
        memory.execute(f'CREATE TABLE "{name}" ({columns})')
        for arrived in source.batches(name):
            memory.register("arrived", arrived.drop_columns(["owner"]))
            memory.execute(f'INSERT INTO "{name}" SELECT * FROM arrived')  # noqa: S608
            memory.unregister("arrived")
            [(count, hashes)] = memory.execute(_sql(name)).fetchall()
            memory.execute(f'DELETE FROM "{name}"')  # noqa: S608
            total = (total[0] + count, total[1] + hashes)
    return [total]


def _sql(name: str) -> str:
    return f'SELECT count(*), coalesce(sum(hash(t::VARCHAR)::HUGEINT), 0) FROM "{name}" AS t'  # noqa: S608


def _line(name: str, rows: list[tuple[int, int]]) -> str:
    [(count, total)] = rows
    return f"{name} {count} {total:x}" if count else ""
