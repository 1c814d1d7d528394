"""`sql`: one question to the lake."""

from __future__ import annotations

import csv
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from gateway.cli import lake, screen

LONGEST_SHOWN = 500


def sql(data_dir: Path, query: str, *, form: Literal["table", "csv", "json"]) -> int:
    """Answer one query on the lake."""
    with lake.reading(data_dir) as connection:
        columns, rows = lake.ask(connection, query)
    if form == "json":
        for row in rows:
            screen.write_json({name: plain(value) for name, value in zip(columns, row, strict=True)})
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    else:
        _show(columns, rows)
    return 0


def _show(columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    out = screen.console()
    numbers = " ".join(
        name for index, name in enumerate(columns) if rows and isinstance(rows[0][index], int | float | Decimal)
    )
    out.print(
        screen.grid(None, columns, ([_cell(value) for value in row] for row in rows[:LONGEST_SHOWN]), right=numbers)
    )
    more = f", the first {LONGEST_SHOWN} shown (--format csv has all)" if len(rows) > LONGEST_SHOWN else ""
    out.print(f"{len(rows)} rows{more}", style="dim")


def _cell(value: object) -> str:
    return "" if value is None else screen.escaped(str(value))


def plain(value: object) -> object:
    """Return a value as JSON and CSV write it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date | datetime) else value
