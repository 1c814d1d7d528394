"""The official schema (`transformers.snds.schema`) → what a store needs: types, sort order, which tables exist.

Pure. Names, order and types of columns are never decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa

from transformers.snds.schema import TABLES, Column, physical_name

YEARLY = re.compile(r"(T_[A-Z]{3})(\d{2})([A-Z]+)")
TYPE = re.compile(r"([A-Z]+)\s*(?:\((\d+)(?:\s*,\s*(\d+))?\))?", re.IGNORECASE)
CENTURY = 2000
INT32_DIGITS = 9
INT64_DIGITS = 18
SORT = ("ETA_NUM", "RSA_NUM", "BEN_NIR_PSA", "BEN_RNG_GEM")

# One person may come from several hospitals, or twice from one whose records do not meet: IR_BEN_R still has one
# row per primary key. The contribution with the latest care stands; dates of care and death are those of all.
ONE_ROW_PER_BENEFICIARY = """
SELECT {columns} FROM (
    SELECT * REPLACE (
        min(BEN_DTE_INS) OVER same AS BEN_DTE_INS, max(BEN_DTE_MAJ) OVER same AS BEN_DTE_MAJ,
        max(MAX_TRT_DTD) OVER same AS MAX_TRT_DTD, max(BEN_IDT_MAJ) OVER same AS BEN_IDT_MAJ,
        max(BEN_DCD_AME) OVER same AS BEN_DCD_AME,
        first_value(BEN_DCD_DTE) OVER (same ORDER BY BEN_DCD_AME DESC, BEN_DCD_DTE DESC NULLS LAST) AS BEN_DCD_DTE)
    FROM {rows} AS given
    WINDOW same AS (PARTITION BY BEN_NIR_PSA, BEN_RNG_GEM)
    QUALIFY row_number() OVER (same ORDER BY given.BEN_DTE_MAJ DESC, BEN_IDT_TOP DESC, {columns}) = 1
)
"""


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """One column: official name, DuckDB type, Arrow type."""

    name: str
    duckdb: str
    arrow: Any


@dataclass(frozen=True, slots=True)
class Layout:
    """One table: columns in official order, the columns to sort a file by, and the view that merges, if any."""

    columns: tuple[StoredColumn, ...]
    sort: tuple[str, ...]
    merged: str | None = None


@cache
def layout_of(physical: str) -> Layout:
    """Return the layout of a physical table (`T_MCO24B`, `IR_BEN_R`)."""
    logical = logical_name(physical)
    columns = tuple(_column(column) for column in TABLES[logical].columns)
    names = {column.name for column in columns}
    sort = tuple(name for name in SORT if name in names)
    return Layout(columns, sort, ONE_ROW_PER_BENEFICIARY if logical == "IR_BEN_R" else None)


def logical_name(physical: str) -> str:
    """Return the name with `aa` for the year (`T_MCO24B` → `T_MCOaaB`); a table without a year is itself."""
    found = YEARLY.fullmatch(physical)
    return f"{found[1]}aa{found[3]}" if found else physical


def year_of(physical: str) -> int | None:
    """Return the year of a physical table, None for one without a year."""
    found = YEARLY.fullmatch(physical)
    return CENTURY + int(found[2]) if found else None


@cache
def timeless_tables() -> tuple[str, ...]:
    """Return the tables that always exist (`IR_BEN_R`, `IR_BEN_R_ARC`…)."""
    return tuple(sorted(name for name in TABLES if "aa" not in name))


@cache
def tables_of_year(year: int) -> tuple[str, ...]:
    """Return every table that exists for a year once one of them has a row."""
    return tuple(sorted(physical_name(name, year) for name in TABLES if "aa" in name))


def _column(column: Column) -> StoredColumn:
    found = TYPE.match(column.type)
    base = found[1].upper() if found else "VARCHAR"
    digits, scale = (int(found[2] or 0), int(found[3] or 0)) if found else (0, 0)
    if base in ("DATE",):
        return StoredColumn(column.name, "DATE", pa.date32())
    if base in ("DATETIME", "TIMESTAMP"):
        return StoredColumn(column.name, "TIMESTAMP", pa.timestamp("us"))
    if base in ("DOUBLE", "FLOAT", "REAL"):
        return StoredColumn(column.name, "DOUBLE", pa.float64())
    if base in ("NUMBER", "NUMERIC", "DECIMAL") and scale:
        return StoredColumn(column.name, f"DECIMAL({digits},{scale})", pa.float64())
    if base in ("INTEGER", "SMALLINT", "INT") or (base in ("NUMBER", "NUMERIC", "DECIMAL") and digits <= INT32_DIGITS):
        return StoredColumn(column.name, "INTEGER", pa.int32())
    if base == "BIGINT" or base in ("NUMBER", "NUMERIC", "DECIMAL"):
        return StoredColumn(column.name, "BIGINT", pa.int64())
    return StoredColumn(column.name, "VARCHAR", pa.string())
