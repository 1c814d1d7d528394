"""`quality reconcile FILE`: the tables' monthly counts beside those of the hospital's own PMSI return.

FILE is text (`;`, `,` or tabs): `month` (2024-03) and any of `stays`, `sessions`, `units`, `deaths`, in English or in
French. Small counts of either side are masked; whether both are equal is always said.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from gateway.cli import screen
from gateway.cli.quality_words import Language
from gateway.cli.refusals import InputRefusedError, check_hospital
from gateway.cli.server_tables import lake_folder
from streaming.aggregates import MINIMUM, count
from streaming.quality_sql import ACTIVITY, Lake
from streaming.spreadsheets import text_of

MONTH = re.compile(r"20\d{2}-(0[1-9]|1[0-2])")
NAMES = {
    "mois": "month", "séjours": "stays", "sejours": "stays", "rsa": "stays", "séances": "sessions",
    "seances": "sessions", "unités": "units", "unites": "units", "rum": "units", "décès": "deaths", "deces": "deaths",
}  # fmt: skip
SHOWN_AS = {
    "fr": {"stays": "séjours", "sessions": "séances", "units": "unités", "deaths": "décès"},
    "en": {name: name for name in ACTIVITY},
}
HEADS = {"fr": ("mois", "compte", "tables", "retour PMSI", ""), "en": ("month", "measure", "tables", "PMSI return", "")}
SUMS = {
    "fr": ("tous les comptes sont égaux", "{} des {} comptes diffèrent", "colonnes non comparées : {}"),
    "en": ("every count is equal", "{} of {} counts differ", "columns that are not compared: {}"),
}


class Difference(NamedTuple):
    """One month and measure; counts are published ones (None: 1 to 10)."""

    month: str
    measure: str
    tables: int | None
    returned: int | None
    equal: bool


class Return(NamedTuple):
    """What a file says: month and measure → number, the measures it has a column for, other columns by name."""

    numbers: dict[tuple[str, str], int]
    measures: tuple[str, ...]
    ignored: tuple[str, ...]


def reconcile(data_dir: Path, finess: str, file: Path, *, as_json: bool, language: Language) -> int:
    """Show both counts of each month; 1 when one differs. A month between two of the file that it leaves out is 0."""
    told = _returned(file)
    with lake_folder(data_dir) as tables, Lake(data_dir, tables=tables) as lake:
        ours = lake.activity(finess)
    if not ours:
        check_hospital(data_dir, finess)
    theirs = told.numbers | dict.fromkeys(_left_out(told, ours), 0)
    found = [
        Difference(
            month, measure, count(ours.get((month, measure), 0)), count(number), ours.get((month, measure), 0) == number
        )
        for (month, measure), number in sorted(theirs.items(), key=lambda one: (one[0][0], ACTIVITY.index(one[0][1])))
    ]
    different = sum(not one.equal for one in found)
    if as_json:
        for one in found:
            screen.write_json(one._asdict())
    else:
        rows = [
            (
                one.month, SHOWN_AS[language][one.measure], _shown(one.tables), _shown(one.returned),
                "=" if one.equal else "≠",
            )
            for one in found
        ]  # fmt: skip
        out = screen.console()
        out.print(screen.grid(finess, HEADS[language], rows, right="tables"))
        equal, differ, _ = SUMS[language]
        out.print(differ.format(different, len(found)) if different else equal)
    if told.ignored:
        screen.complain(SUMS[language][2].format(", ".join(map(screen.escaped, told.ignored))))
    return int(different > 0)


def _left_out(told: Return, ours: Mapping[tuple[str, str], int]) -> Iterator[tuple[str, str]]:
    """Yield what the tables count in a month that lies between two of the file and has no line there."""
    months = {month for month, _ in told.numbers}
    for month, measure in ours:
        if months and min(months) < month < max(months) and month not in months and measure in told.measures:
            yield month, measure


def _returned(file: Path) -> Return:
    """Read a return. Raises InputRefusedError with the line that cannot be read."""
    lines = text_of(file.read_bytes()).splitlines()
    rows = csv.reader(lines, delimiter=max(";,\t", key=(lines[0] if lines else "").count))
    header = [name.strip() for name in next(rows, [])]
    names = [NAMES.get(name.casefold(), name.casefold()) for name in header]
    measures = tuple(name for name in names if name in ACTIVITY)
    if "month" not in names or not measures:
        wanted = "month;stays;sessions;units;deaths (mois;séjours;séances;RUM;décès)"
        raise InputRefusedError("return-header", f"{file.name}: a first line of these columns is expected: {wanted}")
    numbers: dict[tuple[str, str], int] = {}
    for line, cells in enumerate(rows, start=2):
        if any(cell.strip() for cell in cells):
            numbers |= _line(dict(zip(names, cells, strict=False)), f"{file.name}, line {line}", measures)
    ignored = tuple(name for name, known in zip(header, names, strict=True) if known not in (*ACTIVITY, "month", ""))
    return Return(numbers, measures, ignored)


def _line(row: Mapping[str, str], place: str, measures: tuple[str, ...]) -> dict[tuple[str, str], int]:
    month = row.get("month", "").strip()
    if not MONTH.fullmatch(month):
        raise InputRefusedError("return-line", f"{place}: month is YYYY-MM")
    found = {}
    for name in measures:
        value = row.get(name, "").strip()
        if value and not value.isdecimal():
            raise InputRefusedError("return-line", f"{place}, {name}: a number is expected")
        if value:
            found[month, name] = int(value)
    return found


def _shown(number: int | None) -> str:
    return f"< {MINIMUM}" if number is None else screen.shown(number)
