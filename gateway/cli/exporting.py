"""`export`: every published table into a folder, all of one publication: Parquet, CNAM's text, or SCALPEL's layout.

CNAM's text is UTF-8, `;`, dates dd/MM/yyyy, an empty cell for NULL. SCALPEL reads the same text as `T_MCO24B.CSV`, the
DCIR by year of `FLX_DIS_DTD`, a configuration that names them and a schema that types their columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from gateway.cli import lake, scalpel, screen
from gateway.cli.acts import record
from gateway.cli.server_tables import lake_folder
from streaming.layout import layout_of, logical_name
from transformers.snds.schema import TABLES

Form = Literal["parquet", "csv", "scalpel"]
TEXT = "FORMAT csv, HEADER, DELIMITER ';', DATEFORMAT '%d/%m/%Y'"
FLOW = "FLX_DIS_DTD"
TABLE = re.compile(r"(T_[A-Z]{3}[0-9]{2}|ER_|IR_|KI_)")


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
        names = {one: _columns(connection, one) for one in tables} if form == "scalpel" else {}
    if form == "scalpel":
        files = [name for name, _ in written]
        (target / scalpel.CONFIGURATION).write_text(scalpel.configuration(files, target), encoding="utf-8")
        (target / scalpel.SCHEMA).write_text(scalpel.schema(files, names), encoding="utf-8")
    record(data_dir, "export", form=form, files=len(written), rows=sum(rows for _, rows in written))
    out = screen.console()
    out.print(screen.grid(None, ("file", "rows"), written, right="rows"))
    out.print(f"{len(written)} files in {screen.escaped(str(folder))}")
    older = _older(target, {name for name, _ in written})
    if older:
        screen.complain(
            f"{len(older)} files of an earlier export are there too ({screen.escaped(older[0])}…): remove them, they"
            " may hold what was erased since"
        )
    return 0


def _older(folder: Path, written: set[str]) -> list[str]:
    """Return the files of tables that this export did not write: another format, or a table that is no more."""
    found = (one.name for one in folder.iterdir() if one.suffix.casefold() in (".csv", ".parquet"))
    return sorted(name for name in found if name not in written and TABLE.match(name))


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


def _columns(connection: Any, table: str) -> list[str]:  # noqa: ANN401
    return [name for (name, *_) in connection.execute(f'DESCRIBE "{table}"').fetchall()]


def _order(table: str) -> str:
    logical = logical_name(table)
    if logical not in TABLES:
        return ""
    keys = TABLES[logical].primary_key or layout_of(table).sort
    return f" ORDER BY {', '.join(keys)}" if keys else ""


def _has(table: str, column: str) -> bool:
    logical = logical_name(table)
    return logical in TABLES and column in TABLES[logical].names
