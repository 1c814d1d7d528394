"""D/reference/NAME.csv: the operator's tables, loaded whole or not at all, read by the table writer when it starts.

Never: a table with a wrong header, half a file. A changed table counts for what is written after the writer restarts;
`tables rebuild` applies it to everything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fhir_profiles.digests import text_version
from fhir_profiles.errors import Misconfigured
from streaming.spreadsheets import text_of
from transformers.snds.reference import Reference
from transformers.snds.reference_kinds import KINDS, Kind
from transformers.snds.reference_tables import Table, read_table, reference, written

FOLDER = "reference"
PUBLISHED = {"ir-pha-r": ("IR_PHA_R", {"PHA_CIP_C13": "BIGINT", "PHA_PRS_IDE": "INTEGER"})}
LARGEST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Held:
    """One kind of table and what is held of it (None: absent, `kind.fallback` stands)."""

    kind: Kind
    table: Table | None = None
    digest: str = ""


def load(data_dir: Path, name: str, source: Path) -> Table:
    """Check a file and keep its right lines. Raises `Misconfigured` when it is no such table."""
    kind = KINDS.get(name)
    if kind is None:
        raise Misconfigured("reference-unknown", f"no table of that name; there are {', '.join(KINDS)}")
    table = read_table(kind, _text(source))
    if not table.rows:
        columns = ", ".join(field.name for field in kind.fields if field.required)
        raise Misconfigured("reference-refused", f"{source.name}: no right line; a header with {columns} is expected")
    folder = data_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    building = folder / f".{name}.csv"
    with building.open("w", encoding="utf-8") as file:
        file.write(written(table))
        file.flush()
        os.fsync(file.fileno())
    building.replace(folder / f"{name}.csv")
    if name in PUBLISHED:
        _publish(folder, name)
    return table


def held(data_dir: Path) -> Iterator[Held]:
    """Yield every kind with what is held of it, read anew."""
    for name, kind in KINDS.items():
        path = data_dir / FOLDER / f"{name}.csv"
        if not path.is_file():
            yield Held(kind)
            continue
        text = _text(path)
        yield Held(kind, read_table(kind, text), text_version(text))


def read_reference(data_dir: Path) -> Reference:
    """Return the reference data of an installation. Raises `Misconfigured` on a held file that is no such table."""
    tables = []
    for one in held(data_dir):
        if one.table is None:
            continue
        if one.table.problems:
            first = one.table.problems[0]
            raise Misconfigured(
                "reference-damaged",
                f"{one.kind.name}.csv, line {first.line}, {first.column}: {first.code}; load it again",
            )
        tables.append(one.table)
    return reference(tables)


def _publish(folder: Path, name: str) -> None:
    """Write a table that analysts join with as Parquet, in its official types; the next publication shows it."""
    table, types = PUBLISHED[name]
    building, source = folder / f".{table}.parquet", str(folder / f"{name}.csv").replace("'", "''")
    columns = {column: types.get(column, "VARCHAR") for column in KINDS[name].header}
    with duckdb.connect() as memory:
        memory.execute(
            f"COPY (SELECT * FROM read_csv('{source}', delim=';', header=true, columns={columns}))"  # noqa: S608
            f" TO '{str(building).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)"
        )
    building.replace(folder / f"{table}.parquet")


def _text(path: Path) -> str:
    """Return a file as text."""
    if path.stat().st_size > LARGEST_BYTES:
        raise Misconfigured("reference-too-large", f"{path.name} is over {LARGEST_BYTES // 1024**2} MiB")
    return text_of(path.read_bytes())
