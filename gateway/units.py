"""D/units/FINESS.csv → the unit table of a hospital: the site and the authorisation types of each unit."""

from __future__ import annotations

import csv
from pathlib import Path

from fhir_profiles.errors import Misconfigured
from gateway.credentials import checked_finess
from transformers.contract import Unit

FOLDER = "units"
COLUMNS = ["unit", "finess_geo", "type1", "type2"]


def unit_file(data_dir: Path, finess: str) -> Path:
    """Return where the table of a hospital is."""
    return data_dir / FOLDER / f"{finess}.csv"


def files_of(data_dir: Path) -> list[Path]:
    """Return the tables that there are, in order of their names."""
    return sorted((data_dir / FOLDER).glob("*.csv"))


def read_units(file: Path) -> dict[str, Unit]:
    """Read a unit table, separated by commas or semicolons. Raises Misconfigured with the line."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise Misconfigured("units-unreadable", f"{file.name} is not a readable UTF-8 file") from None
    rows = csv.reader(lines, delimiter=";" if lines and ";" in lines[0] else ",")
    if [name.strip() for name in next(rows, [])] != COLUMNS:
        raise Misconfigured("units-header", f"{file.name}: the first line is {','.join(COLUMNS)}")
    units: dict[str, Unit] = {}
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        place = f"{file.name}, line {number}"
        if len(row) != len(COLUMNS) or not row[0].strip():
            raise Misconfigured("units-line", f"{place}: {len(COLUMNS)} values are expected")
        name, finess, first, second = (value.strip() for value in row)
        if name in units:
            raise Misconfigured("units-twice", f"{place}: this unit stands in the table already")
        units[name] = Unit(checked_finess(finess, place), first or None, second or None)
    return units
