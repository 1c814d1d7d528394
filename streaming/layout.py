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
OF_ALL = {
    "BEN_DTE_INS": "min(given.BEN_DTE_INS) OVER same",
    "BEN_DTE_MAJ": "max(given.BEN_DTE_MAJ) OVER same",
    "MAX_TRT_DTD": "max(given.MAX_TRT_DTD) OVER same",
    "BEN_IDT_MAJ": "max(given.BEN_IDT_MAJ) OVER same",
    "BEN_DCD_AME": "max(given.BEN_DCD_AME) OVER same",
    "BEN_DCD_DTE": "first_value(given.BEN_DCD_DTE) OVER"
    " (same ORDER BY given.BEN_DCD_AME DESC NULLS LAST, given.BEN_DCD_DTE DESC NULLS LAST)",
}
ONE_ROW_PER_BENEFICIARY = """
SELECT {columns} FROM (
    SELECT {merged}, row_number() OVER (same ORDER BY {latest}) AS place
    FROM {rows} AS given
    WINDOW same AS (PARTITION BY given.BEN_NIR_PSA, given.BEN_RNG_GEM)
) AS known WHERE place = 1
"""


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """One column: official name, label, types of the stores and of Arrow."""

    name: str
    duckdb: str
    postgres: str
    arrow: Any
    label: str


@dataclass(frozen=True, slots=True)
class Layout:
    """One table: title, columns in official order, its key, the columns to sort a file by, and whether rows merge."""

    title: str
    columns: tuple[StoredColumn, ...]
    key: tuple[str, ...]
    sort: tuple[str, ...]
    merges: bool = False

    @property
    def indexes(self) -> tuple[tuple[str, ...], ...]:
        """Return what the usual joins of the SNDS ask for: the key, and the person by stay or by beneficiary."""
        names = {column.name for column in self.columns}
        wanted = [self.key, ("NIR_ANO_17",), ("BEN_NIR_PSA", "BEN_RNG_GEM")]
        return tuple(dict.fromkeys(one for one in wanted if one and names.issuperset(one)))

    def view(self, rows: str) -> str:
        """Return the query of the official table over its stored rows, in the SQL of both stores."""
        columns = ", ".join(column.name for column in self.columns)
        if not self.merges:
            return f"SELECT {columns} FROM {rows} AS given"  # noqa: S608 - names of the packaged schema
        given = [(f"given.{column.name}", column.name) for column in self.columns]
        latest = ["given.BEN_DTE_MAJ DESC NULLS LAST", "given.BEN_IDT_TOP DESC NULLS LAST"]
        return ONE_ROW_PER_BENEFICIARY.format(
            columns=columns,
            merged=", ".join(f"{OF_ALL.get(name, value)} AS {name}" for value, name in given),
            latest=", ".join([*latest, *(f"{value} NULLS LAST" for value, _ in given)]),
            rows=rows,
        )


@cache
def layout_of(physical: str) -> Layout:
    """Return the layout of a physical table (`T_MCO24B`, `IR_BEN_R`)."""
    logical = logical_name(physical)
    table = TABLES[logical]
    columns = tuple(_column(column) for column in table.columns)
    names = {column.name for column in columns}
    sort = tuple(name for name in SORT if name in names)
    return Layout(table.title_fr, columns, table.primary_key, sort, logical == "IR_BEN_R")


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
    duckdb, postgres, arrow = _types(column.type)
    return StoredColumn(column.name, duckdb, postgres, arrow, column.label_fr)


def _types(official: str) -> tuple[str, str, Any]:
    found = TYPE.match(official)
    base = found[1].upper() if found else "VARCHAR"
    digits, scale = (int(found[2] or 0), int(found[3] or 0)) if found else (0, 0)
    if base == "DATE":
        return "DATE", "DATE", pa.date32()
    if base in ("DATETIME", "TIMESTAMP"):
        return "TIMESTAMP", "TIMESTAMP", pa.timestamp("us")
    if base in ("DOUBLE", "FLOAT", "REAL"):
        return "DOUBLE", "DOUBLE PRECISION", pa.float64()
    number = base in ("NUMBER", "NUMERIC", "DECIMAL")
    if number and scale:
        return f"DECIMAL({digits},{scale})", f"NUMERIC({digits},{scale})", pa.float64()
    if base in ("INTEGER", "SMALLINT", "INT") or (number and digits <= INT32_DIGITS):
        return "INTEGER", "INTEGER", pa.int32()
    if base == "BIGINT" or number:
        return "BIGINT", "BIGINT", pa.int64()
    # the order of bytes: comparisons are faster, and the same in both stores
    return "VARCHAR", 'TEXT COLLATE "C"', pa.string()
