"""`export`: every published table into a folder, all of one publication: Parquet, CNAM's text, or SCALPEL's layout.

CNAM's text is UTF-8, `;`, dates dd/MM/yyyy, an empty cell for NULL. SCALPEL reads the same text as `T_MCO24B.CSV`, the
DCIR by year of `FLX_DIS_DTD`, and a configuration that names them (its date format is dd/MM/yyyy by default).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from gateway.cli import lake, screen
from gateway.cli.acts import record
from gateway.cli.server_tables import lake_folder
from streaming.layout import layout_of, logical_name, year_of
from transformers.snds.schema import TABLES

Form = Literal["parquet", "csv", "scalpel"]
TEXT = "FORMAT csv, HEADER, DELIMITER ';', DATEFORMAT '%d/%m/%Y'"
FLOW = "FLX_DIS_DTD"
KEYS_OF_A_STAY = ("ETA_NUM", "RSA_NUM")
CENTRAL = {"DCIR": "ER_PRS_F", "MCO": "MCO_C"}


def export(data_dir: Path, folder: Path, *, form: Form) -> int:
    """Write every table into a folder; show what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder.resolve()
    written: list[tuple[str, int]] = []
    with lake_folder(data_dir) as held, lake.reading(held, target) as connection:
        tables = lake.tables(connection)
        for name, query, options in _files(connection, tables, form):
            path = str(target / name).replace("'", "''")
            [(rows,)] = connection.execute(f"COPY ({query}) TO '{path}' ({options})").fetchall()
            written.append((name, rows))
    if form == "scalpel":
        (target / "scalpel.conf").write_text(configuration([name for name, _ in written], target), encoding="utf-8")
    record(data_dir, "export", form=form, files=len(written), rows=sum(rows for _, rows in written))
    out = screen.console()
    out.print(screen.grid(None, ("file", "rows"), written, right="rows"))
    out.print(f"{len(written)} files in {screen.escaped(str(folder))}")
    return 0


def _files(connection: Any, tables: Iterable[str], form: Form) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401
    """Yield file name, query and options of each file; rows in the order of keys, so that two exports are the same."""
    for table in tables:
        query = f'SELECT * FROM "{table}"'  # noqa: S608 — the name of a published table
        order = _order(table)
        if form == "parquet":
            yield f"{table}.parquet", query + order, "FORMAT parquet, COMPRESSION zstd"
        elif form == "csv":
            yield f"{table}.csv", query + order, TEXT
        elif _has(table, FLOW):
            for (year,) in connection.execute(
                f'SELECT DISTINCT year({FLOW}) FROM "{table}" ORDER BY 1'  # noqa: S608
            ).fetchall():
                yield f"{table}_{year}.CSV", f"{query} WHERE year({FLOW}) = {int(year)}{order}", TEXT
        else:
            yield f"{table}.CSV", query + order, TEXT


def _order(table: str) -> str:
    logical = logical_name(table)
    if logical not in TABLES:
        return ""
    keys = TABLES[logical].primary_key or layout_of(table).sort
    return f" ORDER BY {', '.join(keys)}" if keys else ""


def _has(table: str, column: str) -> bool:
    logical = logical_name(table)
    return logical in TABLES and column in TABLES[logical].names


def configuration(files: Sequence[str], folder: Path) -> str:
    """Return SCALPEL-Flattening's configuration of these files: single tables, and the two joins."""
    tables: dict[str, list[tuple[int | None, str]]] = {}
    for file in files:
        name, year = _single(file.removesuffix(".CSV"))
        tables.setdefault(name, []).append((year, str(folder / file)))
    blocks = "\n".join(_table(name, paths) for name, paths in sorted(tables.items()))
    dcir = [name for name in tables if name in ("ER_PHA_F", "ER_UCD_F", "ER_ETE_F")]
    mco = [name for name in tables if name.startswith("MCO_") and name != "MCO_C" and name != "MCO_E"]
    joins = _join("DCIR", TABLES["ER_PRS_F"].primary_key, dcir) + _join("MCO", KEYS_OF_A_STAY, mco)
    return (
        f'single_table_path = "{folder}/single_table"\n'
        f"tables_config = [{{ tables = [\n{blocks}\n] }}]\n"
        f"join = [\n{joins}]\n"
    )


def _single(table: str) -> tuple[str, int | None]:
    """Return SCALPEL's name and year of a file: `T_MCO24B` → MCO_B, 2024; `ER_PRS_F_2024` → ER_PRS_F, 2024."""
    year = year_of(table)
    if year is not None:
        return f"{table[2:5]}_{table[7:]}", year
    name, _, digits = table.rpartition("_")
    return (name, int(digits)) if digits.isdecimal() else (table, None)


def _table(name: str, paths: Sequence[tuple[int | None, str]]) -> str:
    strategy = "year" if any(year is not None for year, _ in paths) else "none"
    parts = "\n".join(
        f'      {{ {f"year = {year}, " if year is not None else ""}path = ["{path}"] }}' for year, path in paths
    )
    return (
        f'  {{\n    name = {name}\n    date_format = "dd/MM/yyyy"\n    partition_strategy = "{strategy}"\n'
        f"    partitions = [\n{parts}\n    ]\n  }}"
    )


def _join(name: str, keys: Sequence[str], tables: Sequence[str]) -> str:
    listed = ", ".join(f'"{one}"' for one in keys)
    others = ", ".join(f'"{one}"' for one in tables)
    return (
        f'  {{ name = "{name}", main_table_name = "{CENTRAL[name]}", join_keys = [{listed}],'
        f" tables_to_join = [{others}] }}\n"
    )
