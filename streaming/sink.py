"""The face of a table store: whole persons are replaced, in one transaction.

DuckDB (embedded) and PostgreSQL implement it; nothing else in `streaming` knows which store runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from transformers.snds.view import Row


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """What one transaction does: the rows of some owners leave some tables, then rows come.

    `removed` maps physical tables to owners, `rows` physical tables to (owner, row in official column order).
    """

    removed: Mapping[str, Sequence[int]] = field(default_factory=dict)
    rows: Mapping[str, Sequence[tuple[int, Row]]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Change({sum(map(len, self.rows.values()))} rows)"


class RefusedRows(Exception):  # noqa: N818 - what happened
    """A row holds a value that its column does not take; nothing of the change was kept."""


class Sink(Protocol):
    """A store of tables in the SNDS's shape. Applying the same change twice gives the same tables."""

    def apply(self, change: Change) -> int:
        """Commit a change, mark its tables as not yet published, and return the number of the change.

        Raises `RefusedRows` when a value does not fit its column.
        """
        ...

    def change_number(self) -> int:
        """Return the number of the last committed change, 0 when there was none or none has to be published."""
        ...

    def published_tables(self) -> tuple[str, ...]:
        """Return the official tables that readers should see now: the fixed ones, and every year that has rows."""
        ...

    def count(self, held: Mapping[str, Sequence[int]]) -> int:
        """Return how many rows these owners have in these tables."""
        ...

    def hidden(self) -> frozenset[int]:
        """Return the owners whose rows are kept from readers."""
        ...

    def hide(self, owners: Collection[int]) -> bool:
        """Keep the rows of these owners, and of no other, from readers; return whether that changed anything."""
        ...

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read the official tables."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


class Exporting(Protocol):
    """What publishing needs of a store."""

    def change_number(self) -> int:
        """Return the number of the last committed change."""
        ...

    def unpublished(self) -> frozenset[str]:
        """Return the tables that changed since they were last published."""
        ...

    def mark_published(self, tables: frozenset[str]) -> None:
        """Forget these marks."""
        ...

    def published_tables(self) -> tuple[str, ...]:
        """Return the official tables that readers should see now: the fixed ones, and every year that has rows."""
        ...

    @property
    def owners_a_part(self) -> int:
        """Return how many owners share a part: files cut otherwise cannot stand beside each other."""
        ...

    def parts(self, table: str) -> tuple[int, ...]:
        """Return the parts of a table that hold rows; part 0 when none does."""
        ...

    def changed_parts(self, table: str) -> frozenset[int] | None:
        """Return the parts of a table that changed since it was last published; None: all of it."""
        ...

    def export(self, table: str, path: Path, *, part: int = 0, about: Mapping[str, str]) -> None:
        """Write a part of one official table as a Parquet file that says what it was made from."""
        ...
