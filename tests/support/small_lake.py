"""A published lake with the rows that a test names, as the table writer publishes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from streaming.duckdb_sink import DuckDbSink
from streaming.lake import DATABASE, Lake
from streaming.layout import logical_name
from streaming.sink import Change
from tests.support.made_events import FINESS
from transformers.snds.schema import TABLES, Column
from transformers.snds.view import Row

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def change_of(rows: Rows) -> Change:
    """Return rows by physical table as one change; columns that are not named hold their default."""
    return Change({}, {table: [(1, _row(logical_name(table), one)) for one in some] for table, some in rows.items()})


def publish(data_dir: Path, rows: Rows) -> Path:
    """Publish rows by physical table."""
    sink = DuckDbSink(data_dir / "tables.duckdb")
    try:
        sink.apply(change_of(rows))
        Lake(data_dir / "lake").publish(sink)
    finally:
        sink.close()
    return data_dir


def _row(table: str, values: Mapping[str, Any]) -> Row:
    unknown = set(values) - set(TABLES[table].names)
    assert not unknown, unknown
    return tuple(values[one.name] if one.name in values else _unnamed(one) for one in TABLES[table].columns)


def _unnamed(column: Column) -> Any:
    """Return the default of a column, else nothing, else what its type allows."""
    if column.default is not None or column.nullable:
        return column.default
    return {"CHAR": "0", "NUMBER": 0, "DATE": date(2024, 3, 1)}[column.kind]


@contextmanager
def reading(data_dir: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(data_dir / "lake" / DATABASE), read_only=True) as connection:
        yield connection


def stay(number: int, *, person: str | None = None, **columns: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return the rows B, C and SEJ of one stay of 2024."""
    keys = {"ETA_NUM": FINESS, "RSA_NUM": f"{number:010d}"}
    body = {
        "SOR_ANN": "2024", "SOR_MOI": "03", "COD_SEX": "1", "AGE_ANN": 40, "DGN_PAL": "I219", "ENT_MOD": "8",
        "SOR_MOD": "8", "SEJ_NBJ": 2, "NBR_RUM": 1, "NBR_DGN": 0, "NBR_ACT": 0, "RSS_NUM": "228", "SEQ_RUM": "01",
    }  # fmt: skip
    chain = {"NIR_ANO_17": person or f"P{number:016d}", "EXE_SOI_AMD": "202403", "EXE_SOI_AMF": "202403"}
    return {"B": keys | body | columns, "C": keys | chain, "SEJ": keys}


def stays(*made: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return rows by physical table of several stays."""
    return {
        "T_MCO24B": [one["B"] for one in made],
        "T_MCO24C": [one["C"] for one in made],
        "T_EDS24SEJ": [one["SEJ"] for one in made],
    }
