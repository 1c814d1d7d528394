"""D/lake/snds.duckdb → answers: a read-only connection that can open nothing but the lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from fhir_profiles.errors import PipelineError

DATABASE = "snds.duckdb"
TABLES = "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY view_name"


class LakeError(PipelineError):
    """The question cannot be answered; `detail` says why (DuckDB's own sentence for a wrong query)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.detail = detail


@contextmanager
def reading(data_dir: Path, *writable: Path, memory: str | None = None) -> Iterator[Any]:
    """Open the lake; `writable` are folders that this command may also use, `memory` is a bound (`512MB`)."""
    folder = (data_dir / "lake").resolve()
    database = folder / DATABASE
    if not database.is_file():
        raise LakeError("lake-missing", f"nothing is published in {folder} yet: push bundles, then status --wait-idle")
    with duckdb.connect(str(database), read_only=True) as connection:
        allowed = ", ".join(f"'{str(path).replace(chr(39), chr(39) * 2)}/'" for path in (folder, *writable))
        connection.execute(f"SET allowed_directories = [{allowed}]")
        connection.execute("SET enable_external_access = false")
        if memory is not None:
            connection.execute(f"SET memory_limit = '{memory}'")
        connection.execute("SET lock_configuration = true")
        yield connection


def tables(connection: Any) -> list[str]:  # noqa: ANN401 — duckdb has no type of its own for it
    """Return the official names of what is published."""
    return [name for (name,) in connection.execute(TABLES).fetchall()]


def ask(
    connection: Any,  # noqa: ANN401
    query: str,
    *,
    most: int | None = None,
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return column names and rows, `most` at the most. Raises LakeError."""
    try:
        result = connection.execute(query)
    except duckdb.Error as failure:
        raise LakeError("query-refused", str(failure)) from None
    columns = [column[0] for column in result.description or ()]
    return columns, result.fetchall() if most is None else result.fetchmany(most)
