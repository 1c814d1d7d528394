"""`quality reconcile FILE`: the tables' monthly counts beside those of the hospital's own PMSI return.

FILE is text (`;`, `,` or tabs): `month` (2024-03) and any of `stays`, `sessions`, `units`, `deaths`. Small counts of
either side are masked; whether both are equal is always said.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fhir_profiles.errors import Misconfigured
from gateway.cli import screen
from gateway.cli.server_tables import lake_folder
from streaming.aggregates import MINIMUM, count
from streaming.quality_sql import ACTIVITY, Lake

MONTH = re.compile(r"20\d{2}-(0[1-9]|1[0-2])")


class Difference(NamedTuple):
    """One month and measure; counts are published ones (None: 1 to 10)."""

    month: str
    measure: str
    tables: int | None
    returned: int | None
    equal: bool


def reconcile(data_dir: Path, finess: str, file: Path, *, as_json: bool) -> int:
    """Show both counts of each month; 1 when one differs."""
    with lake_folder(data_dir) as tables, Lake(data_dir, tables=tables) as lake:
        ours = lake.activity(finess)
    found = [
        Difference(
            month, measure, count(ours.get((month, measure), 0)), count(theirs), ours.get((month, measure), 0) == theirs
        )
        for month, measure, theirs in _returned(file)
    ]
    if as_json:
        for one in found:
            screen.write_json(one._asdict())
    else:
        rows = [
            (one.month, one.measure, _shown(one.tables), _shown(one.returned), "=" if one.equal else "≠")
            for one in found
        ]
        heads = ("month", "measure", "tables", "PMSI return", "")
        screen.console().print(screen.grid(finess, heads, rows, right="tables"))
    return int(any(not one.equal for one in found))


def _returned(file: Path) -> Iterator[tuple[str, str, int]]:
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    first = lines[0] if lines else ""
    reader = csv.DictReader(lines, delimiter=max(";,\t", key=first.count))
    names = [name for name in reader.fieldnames or () if name in ACTIVITY]
    if "month" not in (reader.fieldnames or ()) or not names:
        raise Misconfigured("return-header", f"{file.name}: the first line is month;{';'.join(ACTIVITY)}")
    for number, row in enumerate(reader, start=2):
        month = (row["month"] or "").strip()
        if not MONTH.fullmatch(month):
            raise Misconfigured("return-line", f"{file.name}, line {number}: month is YYYY-MM")
        for name in names:
            value = (row[name] or "").strip()
            if value and not value.isdecimal():
                raise Misconfigured("return-line", f"{file.name}, line {number}, {name}: a number is expected")
            if value:
                yield month, name, int(value)


def _shown(number: int | None) -> str:
    return f"< {MINIMUM}" if number is None else screen.shown(number)
