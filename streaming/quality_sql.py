"""The checks of the catalogue → SQL on a published lake → rows and failing rows by hospital and month. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

import duckdb

from fhir_profiles.errors import PipelineError
from streaming.aggregates import FAILURE, Tally
from streaming.lake import DATABASE
from streaming.layout import logical_name, year_of
from streaming.quality_checks import Check, checks
from streaming.reference_store import read_reference
from transformers.snds.schema import TABLES, physical_name
from transformers.snds.ucum import rows as packaged_rows

BOUNDS = "plausible-values.tsv"
MEMORY_LIMIT, SPILL = "768MB", ".spill"
SHAPES = {
    "cim10": r"^[A-Z][0-9]{2}([0-9]{0,3}|[0-9]{0,2}\+[0-9]{1,2})$",
    "ccam": r"^[A-Z]{4}[0-9]{3}$",
}
FILLABLE = frozenset("KFDPC")
ACTIVITY = ("stays", "sessions", "units", "deaths")


class LakeMissingError(PipelineError):
    """Nothing is published yet."""

    detail = "nothing is published yet: push bundles, then status --wait-idle"

    def __init__(self) -> None:
        super().__init__("lake-missing")


class Found(NamedTuple):
    """What one check found in one month of one hospital ("" where the table has none)."""

    month: str
    code: str
    hospital: str
    rows: int
    bad: int


class Filled(NamedTuple):
    """How many rows of a hospital's table hold a value in a column that can be filled."""

    hospital: str
    table: str
    column: str
    rows: int
    filled: int


class Lake:
    """A published lake, open for reading beside the tables that checks need."""

    def __init__(self, data_dir: Path, *, tables: Path | None = None) -> None:
        """Open the lake of an installation, or that of the folder `tables` (a copy of a server's)."""
        database = (tables or data_dir) / "lake" / DATABASE
        if not database.is_file():
            raise LakeMissingError
        self._connection = duckdb.connect(":memory:")
        try:
            self._connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
            # what does not fit goes beside the tables, never into a folder that others share
            self._connection.execute(f"SET temp_directory = '{_escaped(str(database.parent / SPILL))}'")
            self._connection.execute(f"ATTACH '{_escaped(str(database))}' AS lake (READ_ONLY)")
            self._prepare(read_reference(data_dir).nomenclatures)
            listed = self._connection.execute("SELECT view_name FROM duckdb_views() WHERE database_name = 'lake'")
            self._tables = sorted(str(name) for (name,) in listed.fetchall())
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def checks(self) -> Iterator[Found]:
        """Yield what every check found, table by table."""
        by_table: dict[str, list[Check]] = {}
        for one in checks():
            by_table.setdefault(one.table, []).append(one)
        for physical in self._tables:
            asked = by_table.get(logical_name(physical), [])
            if not asked or not self._has_rows(physical):
                continue
            for hospital, month, *numbers in self._connection.execute(_statement(physical, asked)).fetchall():
                for place, one in enumerate(asked):
                    rows, bad = numbers[2 * place], numbers[2 * place + 1]
                    yield Found(month or "", one.code, hospital or "", int(rows or 0), int(bad or 0))

    def filled(self) -> Iterator[Filled]:
        """Yield how full each fillable column is, years together."""
        found: dict[tuple[str, str, str], list[int]] = {}
        for physical in self._tables:
            logical = logical_name(physical)
            columns = [one.name for one in TABLES[logical].columns if one.fill in FILLABLE] if logical in TABLES else []
            if not columns:
                continue
            counted = ", ".join(f'count(t."{name}")' for name in columns)
            query = f'SELECT {_hospital(logical)}, count(*), {counted} FROM lake."{physical}" AS t GROUP BY 1'  # noqa: S608
            for hospital, rows, *numbers in self._connection.execute(query).fetchall():
                for name, number in zip(columns, numbers, strict=True):
                    sums = found.setdefault((hospital or "", logical, name), [0, 0])
                    sums[0] += rows
                    sums[1] += number
        for (hospital, table, column), (rows, number) in found.items():
            yield Filled(hospital, table, column, rows, number)

    def stays_by_month(self) -> dict[tuple[str, ...], Tally]:
        """Return stays and persons by hospital and exit month."""
        found: dict[tuple[str, ...], Tally] = {}
        for physical in self._tables:
            if logical_name(physical) != "T_MCOaaB":
                continue
            chain = physical_name("T_MCOaaC", year_of(physical))
            query = (
                f"SELECT b.ETA_NUM, b.SOR_ANN || '-' || b.SOR_MOI, count(*),"  # noqa: S608 — names of published tables
                f" count(DISTINCT CASE WHEN c.NIR_ANO_17 <> '{FAILURE}' THEN c.NIR_ANO_17 ELSE c.RSA_NUM END)"
                f' FROM lake."{physical}" AS b JOIN lake."{chain}" AS c USING (ETA_NUM, RSA_NUM) GROUP BY 1, 2'
            )
            for hospital, month, stays, persons in self._connection.execute(query).fetchall():
                found[hospital, month] = Tally(stays, persons)
        return found

    def activity(self, finess: str) -> dict[tuple[str, str], int]:
        """Return what a hospital's PMSI return counts, by exit month: stays, sessions, units, deaths."""
        found: dict[tuple[str, str], int] = {}
        for physical in self._tables:
            if logical_name(physical) != "T_MCOaaB":
                continue
            query = (
                "SELECT SOR_ANN || '-' || SOR_MOI, count(*), sum(NBR_SEA), sum(NBR_RUM),"  # noqa: S608 — published names
                f" count(*) FILTER (SOR_MOD = '9') FROM lake.\"{physical}\" WHERE ETA_NUM = ? GROUP BY 1"
            )
            for month, *numbers in self._connection.execute(query, [finess]).fetchall():
                found.update({(month, name): int(n or 0) for name, n in zip(ACTIVITY, numbers, strict=True)})
        return found

    def _prepare(self, nomenclatures: Mapping[str, frozenset[str]]) -> None:
        execute = self._connection.execute
        execute("CREATE TABLE bounds (loinc VARCHAR PRIMARY KEY, low DOUBLE, high DOUBLE)")
        for loinc, low, high in packaged_rows(BOUNDS, width=3):
            execute("INSERT INTO bounds VALUES (?, ?, ?)", [loinc, float(low), float(high)])
        execute(
            "CREATE MACRO is_plausible(code, number) AS"
            " coalesce((SELECT number BETWEEN low AND high FROM bounds WHERE loinc = code), true)"
        )
        for name, shape in SHAPES.items():
            codes = nomenclatures.get(name)
            if codes is None:
                execute(f"CREATE MACRO is_{name}(code) AS regexp_matches(code, '{shape}')")
                continue
            execute(f"CREATE TABLE {name} AS SELECT unnest(?::VARCHAR[]) AS known", [sorted(codes)])
            execute(f"CREATE MACRO is_{name}(code) AS code IN (SELECT known FROM {name})")  # noqa: S608 — our own names

    def _has_rows(self, physical: str) -> bool:
        found = self._connection.execute(f'SELECT EXISTS (SELECT 1 FROM lake."{physical}")').fetchone()  # noqa: S608
        return bool(found and found[0])


def _statement(physical: str, asked: list[Check]) -> str:
    """Return one query for all checks of a table: rows and failing rows by hospital and month."""
    logical, year = logical_name(physical), year_of(physical)
    names = _names(year)
    inner, outer = [], []
    for place, one in enumerate(asked):
        inner.append(f"({_filled_in(one.of, names)}) AS o{place}")
        inner.append(f"coalesce({_filled_in(one.bad, names)}, false) AS x{place}")
        outer.append(f"count(*) FILTER (o{place}), count(*) FILTER (o{place} AND x{place})")
    source = f'lake."{physical}" AS t'
    if _of_a_stay(logical):
        months = f"SELECT ETA_NUM, RSA_NUM, SOR_ANN || '-' || SOR_MOI AS month FROM {names['B']}"  # noqa: S608
        source += f" LEFT JOIN ({months}) AS m ON (m.ETA_NUM, m.RSA_NUM) = (t.ETA_NUM, t.RSA_NUM)"
    return (
        f"SELECT hospital, month, {', '.join(outer)} FROM"  # noqa: S608 — the catalogue and names of published tables
        f" (SELECT {_hospital(logical)} AS hospital, {_month(logical)} AS month, {', '.join(inner)} FROM {source})"
        " GROUP BY 1, 2 ORDER BY 1, 2"
    )


def _names(year: int | None) -> dict[str, str]:
    """Return what the names in braces of the catalogue stand for."""
    names = {"ben": 'lake."IR_BEN_R"', "cim10": "is_cim10", "ccam": "is_ccam", "plausible": "is_plausible"}
    if year is not None:
        for suffix in ("B", "C", "UM", "D", "A"):
            names[suffix] = f'lake."{physical_name(f"T_MCOaa{suffix}", year)}"'
    return names


def _filled_in(condition: str, names: Mapping[str, str]) -> str:
    for name, meant in names.items():
        condition = condition.replace(f"{{{name}}}", meant)
    return condition


def _of_a_stay(logical: str) -> bool:
    of_pmsi = logical.startswith("T_MCO") and logical != "T_MCOaaB"
    return (of_pmsi or logical == "T_EDSaaSEJ") and "RSA_NUM" in TABLES[logical].names


def _hospital(logical: str) -> str:
    names = TABLES[logical].names
    if "ETA_NUM" in names:
        return "t.ETA_NUM"
    return "t.ETB_EXE_FIN" if "ETB_EXE_FIN" in names else "''"


def _month(logical: str) -> str:
    names = TABLES[logical].names
    if _of_a_stay(logical):
        return "m.month"
    if "SOR_MOI" in names:
        return "t.SOR_ANN || '-' || t.SOR_MOI"
    coarse = next((name for name in names if name.endswith("_SOI_AMD")), None)
    return f"left(t.{coarse}, 4) || '-' || right(t.{coarse}, 2)" if coarse else "''"


def _escaped(text: str) -> str:
    return text.replace("'", "''")
