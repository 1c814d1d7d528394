"""D (lake and state) → `Report`: what the tables are worth, by hospital, month and table. Reads only.

Every count in a report came through `aggregates`: renderers cannot show a cell of 1 to 10.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fhir_profiles.errors import Unavailable
from streaming import sqlite
from streaming.accounts import STATE
from streaming.aggregates import MINIMUM, Cell, Share, Tally, publishable, share
from streaming.database import Database
from streaming.quality_checks import Check, Family, texts
from streaming.quality_sql import Found, Lake
from streaming.unlinked import UNLINKED, unlinked
from transformers.snds.quarantine import COUNTS, REASONS, Text

FAMILIES: tuple[Family, ...] = ("conformance", "completeness", "plausibility")
BEST, PER_CENT = 10, 100


class Line(NamedTuple):
    """A check of one hospital over all months, and its trend: rates by month (None: masked or nothing)."""

    check: Check
    hospital: str
    failing: Share
    trend: tuple[tuple[str, float | None], ...]


class Repair(NamedTuple):
    """What a sender can do, how many stays, rows or events it would mend (None: masked), and why."""

    hospital: str
    code: str
    number: int | None
    what: Text
    how: Text


@dataclass(frozen=True, slots=True)
class Report:
    """Published figures only. Cells are (hospital, …) groups with masked counts."""

    hospitals: tuple[str, ...]
    lines: tuple[Line, ...]
    families: Mapping[tuple[str, Family], Share]
    filled: tuple[tuple[str, str, str, Share], ...]
    rows: tuple[Cell, ...]
    stays: tuple[Cell, ...]
    statuses: tuple[Cell, ...]
    quarantine: tuple[Cell, ...]
    counters: tuple[Cell, ...]
    repairs: tuple[Repair, ...]


def measure(
    data_dir: Path, *, hospital: str | None = None, tables: Path | None = None, state: Database | None = None
) -> Report:
    """Return the report of an installation, or of one hospital of it.

    `tables` and `state` are those of the server form (a copied lake, `ops`); without them those of the data folder.
    """
    with Lake(data_dir, tables=tables) as lake:
        found = [one for one in lake.checks() if hospital is None or one.hospital in (hospital, "")]
        filled = [one for one in lake.filled() if hospital is None or one.hospital in (hospital, "")]
        months = lake.stays_by_month()
    ops = _of_state(state) if state is not None else _ops(data_dir)
    stays = {group: tally for group, tally in months.items() if hospital is None or group[0] == hospital}
    lines = tuple(_lines(found))
    return Report(
        hospitals=tuple(sorted({one.hospital for one in found if one.hospital} | {group[0] for group in ops.stays})),
        lines=lines,
        families=_families(found, lines),
        filled=tuple((one.hospital, one.table, one.column, share(one.filled, one.rows)) for one in filled),
        rows=publishable(_rows(found), totals=False),
        stays=publishable(stays),
        statuses=publishable(_of(hospital, ops.stays), totals=False),
        quarantine=publishable(_of(hospital, ops.reasons)),
        counters=publishable(_of(hospital, ops.counts), totals=False),
        repairs=_repairs(found, _of(hospital, ops.reasons), _of(hospital, ops.counts)),
    )


def _lines(found: Iterable[Found]) -> Iterable[Line]:
    known = texts()
    by_check: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        by_check.setdefault((one.code, one.hospital), []).append(one)
    for (code, hospital), months in sorted(by_check.items()):
        bad, rows = sum(one.bad for one in months), sum(one.rows for one in months)
        if rows:
            yield Line(known[code], hospital, share(bad, rows), _trend(months))


def _trend(found: Iterable[Found]) -> tuple[tuple[str, float | None], ...]:
    """Return the failing rate of each month; the total is published too, so that none may be told by subtraction."""
    rows, bad = Counter[str](), Counter[str]()
    for one in found:
        if one.month:
            rows[one.month] += one.rows
            bad[one.month] += one.bad
    rest = {month: rows[month] - bad[month] for month in rows}
    shown = _shown({month: bad[month] for month in rows}) & _shown(rest) & _shown(rows)
    return tuple(
        (month, bad[month] / rows[month] if month in shown and rows[month] else None) for month in sorted(rows)
    )


def _shown(numbers: Mapping[str, int]) -> set[str]:
    cells = publishable({(name,): Tally(number) for name, number in numbers.items()})
    return {cell.group[0] for cell in cells if cell.stays is not None}


def _families(found: Iterable[Found], lines: Iterable[Line]) -> dict[tuple[str, Family], Share]:
    """Return how many row checks fail, by hospital and family.

    Where a check of the family is masked, the sum must not tell it: whole hundreds of rows, a rate in whole per cent.
    """
    known = texts()
    bad, rows = Counter[tuple[str, Family]](), Counter[tuple[str, Family]]()
    for one in found:
        key = (one.hospital, known[one.code].family)
        bad[key] += one.bad
        rows[key] += one.rows
    masked = {(line.hospital, line.check.family) for line in lines if line.failing.rate is None}
    return {
        key: _rounded(bad[key], rows[key]) if key in masked else share(bad[key], rows[key])
        for key in sorted(rows)
        if rows[key]
    }


def _rounded(bad: int, rows: int) -> Share:
    enough = rows >= PER_CENT * MINIMUM  # one per cent then stands for eleven rows at least
    return Share(None, round(rows, -2) if enough else None, round(bad / rows, 2) if enough else None)


def _rows(found: Iterable[Found]) -> dict[tuple[str, ...], Tally]:
    known = texts()
    rows = Counter[tuple[str, str]]()
    for one in found:
        if one.code.startswith("type:"):
            rows[one.hospital, known[one.code].table] += one.rows
    return {group: Tally(number) for group, number in rows.items()}


class _Ops(NamedTuple):
    stays: Mapping[tuple[str, ...], Tally]
    reasons: Mapping[tuple[str, ...], Tally]
    counts: Mapping[tuple[str, ...], Tally]


def _ops(data_dir: Path) -> _Ops:
    try:
        connection = sqlite.connect_read_only(data_dir / STATE)
    except Unavailable:
        return _Ops({}, {}, {})
    try:
        return _of_state(connection)
    finally:
        connection.close()


def _of_state(state: Database) -> _Ops:
    """Return stays by status, quarantine by reason and counters by code, each by hospital."""
    return _Ops(
        _tallies(state, "SELECT finess, status, count(*) FROM stay WHERE status <> 'none' GROUP BY 1, 2"),
        _tallies(
            state,
            "SELECT finess, coalesce(reason, ''), count(*) FROM stay WHERE status = 'quarantined' GROUP BY 1, 2",
        ),
        _tallies(state, "SELECT o.finess, q.code, sum(q.n) FROM quality q JOIN owner o ON o.id = q.owner GROUP BY 1, 2")
        | {(finess, UNLINKED): Tally(number) for finess, number in unlinked(state).items()},
    )


def _tallies(state: Database, query: str) -> dict[tuple[str, ...], Tally]:
    return {(finess, code): Tally(int(number)) for finess, code, number in state.execute(query)}


def _of(hospital: str | None, tallies: Mapping[tuple[str, ...], Tally]) -> dict[tuple[str, ...], Tally]:
    return {group: tally for group, tally in tallies.items() if hospital is None or group[0] == hospital}


def _repairs(
    found: Iterable[Found], reasons: Mapping[tuple[str, ...], Tally], counts: Mapping[tuple[str, ...], Tally]
) -> tuple[Repair, ...]:
    """Return the ten repairs of each hospital that would mend most: quarantined stays first, then rows and events."""
    known = texts()
    made: list[tuple[tuple[Any, ...], Repair]] = []
    masked = {cell.group: cell.stays for cell in publishable({**reasons}, totals=False)}
    for (hospital, reason), tally in reasons.items():
        text = REASONS.get(reason)
        if text is not None:
            number = masked[hospital, reason]
            made.append(((hospital, 0, -tally.stays, reason), Repair(hospital, reason, number, text, text)))
    failing = Counter[tuple[str, str]]()
    for one in found:
        if one.bad:
            failing[one.hospital, one.code] += one.bad
    shown = {cell.group: cell.stays for cell in publishable({g: Tally(n) for g, n in failing.items()}, totals=False)}
    for (hospital, code), bad in failing.items():
        check = known[code]
        repair = Repair(hospital, code, shown[hospital, code], check.text, check.repair)
        made.append(((hospital, 1, -bad, code), repair))
    told = {cell.group: cell.stays for cell in publishable({**counts}, totals=False)}
    for (hospital, code), tally in counts.items():
        if code in COUNTS and code.startswith(("clinical", "dispense", "claim", "act", "coding", "resource")):
            text = COUNTS[code]
            made.append(((hospital, 2, -tally.stays, code), Repair(hospital, code, told[hospital, code], text, text)))
    best: list[Repair] = []
    held = Counter[str]()
    for _, repair in sorted(made, key=lambda one: one[0]):
        if held[repair.hospital] < BEST:
            held[repair.hospital] += 1
            best.append(repair)
    return tuple(best)
