"""Rows of a dry run → a screen, JSON, or files of the official columns."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from gateway.cli import screen
from gateway.cli.queries import plain
from gateway.preview import Rows
from streaming.layout import layout_of, logical_name
from transformers.snds.schema import TABLES
from transformers.snds.view import Row

LABEL_WIDTH = 50
VALUE_WIDTH = 24


def show_rows(rows: Rows, *, form: Literal["table", "csv", "parquet", "json"], folder: Path, file: Path) -> None:
    """Show rows in the form asked for; csv and parquet go into a folder."""
    if form == "json":
        screen.write_json({"file": str(file), "tables": _objects(rows), "stays": _stays(rows)})
        return
    if form == "table":
        _print(rows)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write = _write_csv if form == "csv" else _write_parquet
        for name, listed in rows.tables.items():
            write(folder / f"{name}.{form}", name, listed)
        made = [(f"{name}.{form}", len(listed)) for name, listed in rows.tables.items()]
        screen.console().print(screen.grid(f"In {folder}", ("file", "rows"), made, right="rows"))
    _print_stays(rows)


def names_of(table: str) -> tuple[str, ...]:
    """Return the columns of a physical table in official order."""
    return tuple(column.name for column in layout_of(table).columns)


def _objects(rows: Rows) -> dict[str, list[dict[str, object]]]:
    return {
        name: [dict(zip(names_of(name), map(plain, row), strict=True)) for row in listed]
        for name, listed in rows.tables.items()
    }


def _stays(rows: Rows) -> list[dict[str, object]]:
    return [
        {"status": one.status, "exit_year": one.exit_year, "rsa_num": one.rsa_num, "reason": one.reason}
        for one in rows.stays
    ]


def _print(rows: Rows) -> None:
    """Print each table on its side, without the columns that are empty or at their default: a screen is narrow."""
    out = screen.console()
    fitting = max(1, (out.width - LABEL_WIDTH) // VALUE_WIDTH)
    for name, listed in rows.tables.items():
        columns = TABLES[logical_name(name)].columns
        shown = listed[:fitting]
        lines = [
            [column.name, *(screen.escaped(screen.shown(plain(row[index]))) for row in shown), column.label_fr]
            for index, column in enumerate(columns)
            if any(row[index] not in (None, column.default) for row in listed)
        ]
        head = ["column", *(f"row {number}" for number in range(1, len(shown) + 1)), "label"]
        out.print(screen.grid(name, head, lines))
        more = f", {len(listed) - len(shown)} more rows" if len(listed) > len(shown) else ""
        hidden = len(columns) - len(lines)
        out.print(f"{len(listed)} rows{more}; {hidden} columns are empty or at their default", style="dim")


def _print_stays(rows: Rows) -> None:
    for one in rows.stays:
        if one.reason is not None:
            screen.complain(f"stay {one.status}: {one.reason}")


def _write_csv(path: Path, table: str, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names_of(table))
        writer.writerows([plain(value) for value in row] for row in rows)


def _write_parquet(path: Path, table: str, rows: Sequence[Row]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = layout_of(table).columns
    arrays = [pa.array([row[index] for row in rows], column.arrow) for index, column in enumerate(columns)]
    parquet.write_table(pa.table(arrays, names=[column.name for column in columns]), path)
