"""Text of an operator's table → checked rows, and checked tables → `Reference`. Pure.

Out: every wrong line with its number and a code; the lines that are right. Never: a file, a guess about a wrong line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from transformers.snds.reference import Listed, Reference
from transformers.snds.reference_kinds import Field, Kind

Row = tuple[str, ...]

LAST_YEAR = 9999


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that was left out: its number, the column, and why (`missing`, `malformed`, `twice`)."""

    line: int
    column: str
    code: str


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """A table as read: right lines in order of their keys, and the problems."""

    kind: Kind
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        return f"Table({self.kind.name}, {len(self.rows)} rows)"


def read_table(kind: Kind, text: str) -> Table:
    """Read a table: `;`, `,` or tab, the header names the columns, other columns are ignored."""
    text = text.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(";,\t", key=first.count))
    header = [name.strip().casefold() for name in next(reader, [])]
    places = [_place(header, field) for field in kind.fields]
    missing = [
        Problem(1, field.name, "missing")
        for field, place in zip(kind.fields, places, strict=True)
        if field.required and place is None
    ]
    if missing:
        return Table(kind, (), tuple(missing))
    found: dict[Row, Row] = {}
    problems: list[Problem] = []
    try:
        for cells in reader:
            if not any(cells):
                continue
            row = _row(kind, places, cells, reader.line_num)
            if isinstance(row, Problem):
                problems.append(row)
            elif found.setdefault(row[: kind.key], row) != row:
                problems.append(Problem(reader.line_num, kind.fields[0].name, "twice"))
    except csv.Error:  # a quote that is never closed makes one enormous cell: what follows cannot be told
        problems.append(Problem(reader.line_num, kind.fields[0].name, "malformed"))
    return Table(kind, tuple(found[key] for key in sorted(found)), tuple(problems))


def written(table: Table) -> str:
    """Return the canonical text of a table: what is kept, the same for the same content."""
    return "".join(";".join(row) + "\n" for row in (table.kind.header, *table.rows))


def reference(tables: Iterable[Table]) -> Reference:
    """Return what the conversion sees of the loaded tables."""
    rows: dict[str, tuple[Row, ...]] = {table.kind.name: table.rows for table in tables}
    expensive: dict[str, list[Listed]] = {}
    for ucd, since, until, content, sent in rows.get("liste-en-sus", ()):
        expensive.setdefault(ucd, []).append(
            Listed(
                date.fromisoformat(since),
                date.fromisoformat(until) if until else None,
                float(content) if content else None,
                sent or None,
            )
        )
    geography = {}
    for insee, postal, code in rows.get("pmsi-geography", ()):
        geography.update({known: code for known in (postal, insee) if known})
    layouts: dict[tuple[str, str], tuple[tuple[int, int, str], ...]] = {}
    for what, meaning, first, last, code in rows.get("pmsi-layout", ()):
        one = (int(first), int(last) if last else LAST_YEAR, code)
        name = what.lower(), meaning
        layouts[name] = (*layouts.get(name, ()), one)
    classes = [(row[0], row[1]) for name in ("ir-pha-r", "ucd-atc") for row in rows.get(name, ())]
    return Reference(
        nomenclatures={name: frozenset(code for (code,) in rows[name]) for name in ("cim10", "ccam") if name in rows},
        geographic_codes=geography,
        legal_entities=dict(rows.get("legal-finess", ())),  # type: ignore[arg-type]  # rows of two
        natures={code: int(nature) for code, nature in rows.get("natures", ())},
        atc={code: atc for code, atc in classes if atc},
        expensive={ucd: tuple(times) for ucd, times in expensive.items()},
        layouts=layouts,
    )


def _place(header: list[str], field: Field) -> int | None:
    for name in (field.name, *field.also):
        if name.casefold() in header:
            return header.index(name.casefold())
    return None


def _row(kind: Kind, places: list[int | None], cells: list[str], number: int) -> Row | Problem:
    row = []
    for field, place in zip(kind.fields, places, strict=True):
        cell = cells[place].strip() if place is not None and place < len(cells) else ""
        if not cell:
            if field.required:
                return Problem(number, field.name, "missing")
            row.append("")
            continue
        value = field.read(cell)
        if value is None:
            return Problem(number, field.name, "malformed")
        row.append(value)
    return tuple(row)
