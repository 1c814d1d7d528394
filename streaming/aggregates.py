"""Rows or counters → counts that may be published: the ONE place where cells under 11 are masked (SNDS practice).

Every count that leaves the team comes from here: the demonstration, the quality report, counters by code, the builder
of the workbench. Free SQL is row-level access and is not this. Promise: no published cell stands for 1 to 10 persons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from streaming.dimensions import DIMENSIONS, Dimension

MINIMUM = 11
CENTURY = 2000
FAILURE = "x" * 17

Group = tuple[str, ...]


class Tally(NamedTuple):
    """What stands behind a cell before masking: stays (or rows, events) and persons (None: not told)."""

    stays: int
    persons: int | None = None


class Cell(NamedTuple):
    """A cell that may be published; None is a masked count (1 to 10, or one that would give such a count away)."""

    group: Group
    stays: int | None
    persons: int | None


class Share(NamedTuple):
    """A part of a whole that may be published; `rate` is None when part or rest is under the threshold."""

    part: int | None
    whole: int | None
    rate: float | None


def publishable(tallies: Mapping[Group, Tally], *, totals: bool = True) -> tuple[Cell, ...]:
    """Return the cells in order, masked.

    A cell is masked when its stays or its persons number 1 to 10. With `totals` (the sums along each key are published
    too, here or elsewhere), a line of cells that differ in one key only and has a masked one gets further ones masked,
    the smallest first, until they are two at least and hide `MINIMUM` stays: no subtraction tells one.
    """
    masked = {group for group, tally in tallies.items() if _small(tally.stays) or _small(tally.persons)}
    before = -1
    while totals and len(masked) != before:
        before = len(masked)
        for line in _lines(tallies):
            masked |= _secondary(line, masked)
    return tuple(
        Cell(group, None, None) if group in masked else Cell(group, tally.stays, tally.persons)
        for group, tally in sorted(tallies.items())
    )


def share(part: int, whole: int) -> Share:
    """Return how many of how many: masked when either side of the division is 1 to 10."""
    if _small(whole):
        return Share(None, None, None)
    if _small(part) or _small(whole - part):
        return Share(None, whole, None)
    return Share(part, whole, part / whole if whole else None)


def count(number: int) -> int | None:
    """Return one count that stands alone, masked when it is 1 to 10."""
    [cell] = publishable({("",): Tally(number)}, totals=False)
    return cell.stays


def stepped(number: int) -> int:
    """Return a count that is read again and again (metrics): the multiple of `MINIMUM` at or below it.

    Neither a reading nor the difference of two tells 1 to 10; 0 says "under the threshold".
    """
    return number - number % MINIMUM


def _small(number: int | None) -> bool:
    return number is not None and 0 < number < MINIMUM


def _lines(tallies: Mapping[Group, Tally]) -> Iterable[dict[Group, Tally]]:
    """Yield the lines of a table in every direction: cells that differ in one key only."""
    for place in range(len(next(iter(tallies), ()))):
        found: dict[Group, dict[Group, Tally]] = {}
        for group, tally in tallies.items():
            found.setdefault(group[:place] + group[place + 1 :], {})[group] = tally
        yield from found.values()


def _secondary(line: Mapping[Group, Tally], masked: set[Group]) -> set[Group]:
    hidden = {group for group in line if group in masked}
    if not hidden:
        return hidden
    rest = sorted(
        (group for group in line if group not in masked and line[group].stays), key=lambda group: (line[group], group)
    )
    for group in rest:
        if len(hidden) > 1 and sum(line[one].stays for one in hidden) >= MINIMUM:
            break
        hidden.add(group)
    return hidden


def aggregate(
    connection: Any,  # noqa: ANN401 — duckdb has no type of its own for it
    by: Sequence[str],
    *,
    years: Sequence[int] | None = None,
) -> tuple[Cell, ...]:
    """Count stays and persons of the lake by listed dimensions, masked. Raises KeyError for one that is not listed."""
    dimensions = [DIMENSIONS[name] for name in by]
    found = _years(connection, years)
    if not found:
        return ()
    rows = connection.execute(_statement(dimensions, found)).fetchall()
    return publishable({tuple(str(value) for value in row[:-2]): Tally(*row[-2:]) for row in rows})


def _years(connection: Any, asked: Sequence[int] | None) -> list[str]:  # noqa: ANN401
    names = connection.execute("SELECT view_name FROM duckdb_views() WHERE view_name LIKE 'T_MCO__B'").fetchall()
    found = sorted(name[5:7] for (name,) in names)
    return [year for year in found if asked is None or CENTURY + int(year) in asked]


def _statement(dimensions: Sequence[Dimension], years: Sequence[str]) -> str:
    """Return the query over all years at once, so that a person of two years counts once.

    Only names and expressions of `DIMENSIONS` and two digits of a year stand in it.
    """
    keys = [f"d{place}" for place in range(len(dimensions))]
    union = " UNION ALL ".join(_of_year(dimensions, year) for year in years)
    grouped = f" GROUP BY {', '.join(keys)}" if keys else ""
    return (
        f"SELECT {', '.join([*keys, ''])} count(DISTINCT stay), count(DISTINCT person)"  # noqa: S608
        f" FROM ({union}){grouped} HAVING count(*) > 0"
    )


def _of_year(dimensions: Sequence[Dimension], year: str) -> str:
    keys = [f"{_table(one)}.{_name(one)} AS d{place}" for place, one in enumerate(dimensions)]
    person = f"CASE WHEN NIR_ANO_17 <> '{FAILURE}' THEN NIR_ANO_17 ELSE ETA_NUM || RSA_NUM END"
    columns = ", ".join([*keys, f"(ETA_NUM, RSA_NUM, '{year}') AS stay", f"{person} AS person"])
    joins = "".join(
        f" JOIN ({_side(table, of_table, year)}) AS {table} USING (ETA_NUM, RSA_NUM)"
        for table, of_table in _by_table(dimensions).items()
    )
    return f'SELECT {columns} FROM "T_MCO{year}C"{joins}'  # noqa: S608


def _side(table: str, dimensions: Sequence[Dimension], year: str) -> str:
    values = ", ".join(f"{one.sql} AS {_name(one)}" for one in dimensions)
    return f'SELECT DISTINCT ETA_NUM, RSA_NUM, {values} FROM "T_{table[:3]}{year}{table[3:]}"'  # noqa: S608


def _by_table(dimensions: Sequence[Dimension]) -> dict[str, list[Dimension]]:
    found: dict[str, list[Dimension]] = {}
    for one in dimensions:
        found.setdefault(_table(one), []).append(one)
    return found


def _table(one: Dimension) -> str:
    return one.table.replace(".", "")


def _name(one: Dimension) -> str:
    return "v_" + one.name.replace("-", "_")
