"""Tables → one text that is the same for the same rows in any order: what tests and `tables rebuild` compare."""

from __future__ import annotations

from pathlib import Path

import duckdb

from streaming.duckdb_sink import DuckDbSink
from streaming.lake import DATABASE


def digest(source: Path | DuckDbSink) -> str:
    """Return the digest of every non-empty table of a data directory's lake, or of an open store.

    One line a table: name, number of rows, sum of the row hashes. Not a secret, not for signatures.
    """
    if isinstance(source, DuckDbSink):
        return "\n".join(line for name in source.published_tables() if (line := _line(name, source.query(_sql(name)))))
    with duckdb.connect(str(source / "lake" / DATABASE), read_only=True) as lake:
        names = lake.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall()
        return "\n".join(line for (name,) in names if (line := _line(name, lake.execute(_sql(name)).fetchall())))


def _sql(name: str) -> str:
    return f'SELECT count(*), coalesce(sum(hash(t::VARCHAR)::HUGEINT), 0) FROM "{name}" AS t'  # noqa: S608


def _line(name: str, rows: list[tuple[int, int]]) -> str:
    [(count, total)] = rows
    return f"{name} {count} {total:x}" if count else ""
