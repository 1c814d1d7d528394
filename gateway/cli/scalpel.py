"""Exported files → what SCALPEL-Flattening is told of them: its configuration (HOCON) and its schema of columns. Pure.

Names are SCALPEL's (`MCO_B` and a year for `T_MCO24B`). The schema is read from the class path, the rest from paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from streaming.layout import logical_name, year_of
from transformers.snds.schema import TABLES, Column

CONFIGURATION, SCHEMA = "scalpel.conf", "scalpel-schema.csv"
FLAT = "flattened"
SCHEMA_HEAD = "MEMNAME;NAME;FORMAT;FORMATL;FORMATD;DATATYPE"
INTEGER_DIGITS = 9
DCIR, STAY, VISIT = "DCIR", ("ETA_NUM", "RSA_NUM"), ("ETA_NUM", "SEQ_NUM")
# name of the join: central table, table of the persons, keys
PMSI: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "MCO": ("MCO_B", "MCO_C", STAY),
    "MCO_CE": ("MCO_CSTC", "", VISIT),
}


def configuration(files: Sequence[str], folder: Path) -> str:
    """Return the configuration of these files: single tables, and the joins of the DCIR, the stays and the visits."""
    tables = _tables(files, folder)
    blocks = "\n".join(_table(name, paths) for name, paths in sorted(tables.items()))
    joins = _dcir(tables) + "".join(_pmsi(name, tables) for name in PMSI)
    flat = folder / FLAT
    return (
        f"# {SCHEMA} is read from the class path: spark-submit --driver-class-path {folder}\n"
        f'base_path = "{flat}"\n'
        f'single_table_path = "{flat}/single_table"\n'
        f'schema_file_path = ["{SCHEMA}"]\n'
        f"tables_config = [{{ tables = [\n{blocks}\n] }}]\n"
        f"join = [\n{joins}]\n"
    )


def schema(files: Sequence[str], columns: Mapping[str, Sequence[str]]) -> str:
    """Return the type of each column of these files. `columns` are those of tables that are the operator's."""
    lines = [SCHEMA_HEAD]
    told = set()
    for file in files:
        table = file.removesuffix(".CSV")
        name, _ = single(table)
        if name in told:
            continue
        told.add(name)
        logical = logical_name(_generic(table))
        if logical in TABLES:
            lines += (_typed(name, column) for column in TABLES[logical].columns)
        else:
            lines += (f"{name};{column};$;400;0;String" for column in columns.get(table, ()))
    return "\n".join(lines) + "\n"


def single(table: str) -> tuple[str, int | None]:
    """Return SCALPEL's name and year of a table: `T_MCO24B` → MCO_B, 2024; `ER_PRS_F_2024` → ER_PRS_F, 2024."""
    year = year_of(table)
    if year is not None:
        return f"{table[2:5]}_{table[7:]}", year
    name, _, digits = table.rpartition("_")
    return (name, int(digits)) if digits.isdecimal() else (table, None)


def _generic(table: str) -> str:
    name, _, digits = table.rpartition("_")
    return name if name and digits.isdecimal() else table


def _tables(files: Iterable[str], folder: Path) -> dict[str, list[tuple[int | None, str]]]:
    tables: dict[str, list[tuple[int | None, str]]] = {}
    for file in files:
        name, year = single(file.removesuffix(".CSV"))
        tables.setdefault(name, []).append((year, str(folder / file)))
    return tables


def _typed(name: str, column: Column) -> str:
    if column.kind == "DATE":
        return f"{name};{column.name};DATETIME;20;0;Date"
    if column.kind == "CHAR":
        return f"{name};{column.name};$;{column.width};0;String"
    kind = "Double" if column.scale else "Integer" if column.width <= INTEGER_DIGITS else "Long"
    return f"{name};{column.name};;{column.width};{column.scale};{kind}"


def _table(name: str, paths: Sequence[tuple[int | None, str]]) -> str:
    strategy = "year" if any(year is not None for year, _ in paths) else "none"
    parts = "\n".join(
        f'      {{ {f"year = {year}, " if year is not None else ""}path = ["{path}"] }}' for year, path in paths
    )
    return (
        f'  {{\n    name = {name}\n    date_format = "dd/MM/yyyy"\n    partition_strategy = "{strategy}"\n'
        f"    partitions = [\n{parts}\n    ]\n  }}"
    )


def _dcir(tables: Iterable[str]) -> str:
    others = [name for name in ("ER_PHA_F", "ER_UCD_F", "ER_ETE_F") if name in tables]
    return _join(DCIR, "ER_PRS_F", TABLES["ER_PRS_F"].primary_key, others) if others else ""


def _pmsi(join: str, tables: Iterable[str]) -> str:
    """Return the join of the tables that hold its keys; those of stays and of visits share a prefix, not a key."""
    central, persons, keys = PMSI[join]
    named = {name: TABLES[f"T_MCOaa{name[4:]}"].names for name in tables if name.startswith("MCO_")}
    others = [name for name in named if set(keys) <= set(named[name]) and name not in (central, persons)]
    return _join(join, central, keys, others, persons=persons) if central in named and others else ""


def _join(name: str, central: str, keys: Sequence[str], tables: Sequence[str], *, persons: str = "") -> str:
    listed, others = (", ".join(f'"{one}"' for one in some) for some in (keys, tables))
    patient = f' pmsi_patient_table_name = "{persons}",' if persons else ""
    return (
        f'  {{ name = "{name}", main_table_name = "{central}",{patient} join_keys = [{listed}],'
        f" tables_to_join = [{others}] }}\n"
    )
