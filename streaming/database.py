"""The SQL that the state speaks: one text for SQLite and PostgreSQL, and the little of a connection that runs it.

The modules of `ops` keep to what both understand (`ON CONFLICT`, `RETURNING`, recursive queries). Written as in SQLite,
and translated: `?` and `:name`, `json_each(?)` for a list of values, `CROSS JOIN … ON` for a join in this order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Parameters = Sequence[Any] | Mapping[str, Any]


class Rows(Protocol):
    """What a statement answers."""

    @property
    def rowcount(self) -> int:
        """Return how many rows the statement changed."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401 - a row, or None
        """Return the next row."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""
        ...


class Database(Protocol):
    """A connection: `sqlite3.Connection` is one as it is, `postgres.Database` is the other."""

    def execute(self, statement: str, parameters: Parameters = ..., /) -> Rows:
        """Run one statement."""
        ...

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each of some rows."""
        ...


class Engine(Protocol):
    """A connection with its transactions and locks."""

    @property
    def connection(self) -> Database:
        """Return the connection; writes belong in `transaction`."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Keep all of a block's writes, on disk, or none; a block inside another one joins it."""
        ...

    def lock(self, hospitals: Iterable[str]) -> None:
        """Wait until no other writer is at work on these hospitals; until the transaction ends."""
        ...

    def try_lock(self, hospital: str) -> bool:
        """Take a hospital until the transaction ends, or say that another writer is at work on it."""
        ...

    def purge(self) -> None:
        """Leave nothing of what was removed in the files."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
