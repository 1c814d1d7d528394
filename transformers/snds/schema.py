"""The SNDS tables as data: official names, order, types, defaults, labels (`data/tables.json`, made by a script).

In: packaged facts. Out: `TABLES`, physical names, the row of a hospital and year. Never: a rule about a stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from transformers.contract import Contract
from transformers.snds.view import Row

YEAR = "aa"
VALIDATION = "PASSERELLE FHIR"
TYPE = re.compile(r"(CHAR|NUMBER|DATE)(?:\((\d+)(?:,(\d+))?\))?")
INTEGER_DIGITS = 9
FINESS_OVERSEAS = MappingProxyType({"9701": "9A", "9702": "9B", "9703": "9C", "9704": "9D", "9805": "9F", "9706": "9F"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `type` is the official one (`CHAR(9)`, `NUMBER(13,2)`, `DATE`).

    `fill` says where the value comes from: K generated key, F copied, D derived, P pseudonym, C constant, G grouper,
    R reference data of the operator, N left NULL. `default` is the sentinel that stands where analysts filter.
    """

    name: str
    type: str
    nullable: bool
    default: Any
    fill: str
    sensitivity: str
    nomenclature: str
    label_fr: str

    @property
    def kind(self) -> str:
        """Return CHAR, NUMBER or DATE."""
        return self.type.partition("(")[0]

    @property
    def width(self) -> int:
        """Return the characters of a CHAR, the digits of a NUMBER, 0 for a DATE."""
        found = TYPE.fullmatch(self.type)
        return int(found[2] or 0) if found else 0

    @property
    def scale(self) -> int:
        """Return the decimals of a NUMBER."""
        found = TYPE.fullmatch(self.type)
        return int(found[3] or 0) if found else 0

    @property
    def duckdb_type(self) -> str:
        """Return the type of the column in DuckDB."""
        if self.kind == "CHAR":
            return "VARCHAR"
        if self.kind == "DATE":
            return "DATE"
        if self.scale:
            return f"DECIMAL({self.width},{self.scale})"
        return "INTEGER" if self.width <= INTEGER_DIGITS else "BIGINT"


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `yearly` ones have one physical table a year of exit (or of the event)."""

    name: str
    title_fr: str
    primary_key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def yearly(self) -> bool:
        """Say whether the name holds `aa`."""
        return YEAR in self.name

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names in official order."""
        return tuple(column.name for column in self.columns)

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Return the value of each column when nothing is known: its default, else None."""
        return MappingProxyType({column.name: column.default for column in self.columns})


def physical_name(table: str, year: int | None = None) -> str:
    """Return the name in the store: `T_MCOaaB`, 2024 → `T_MCO24B`; a table without a year is itself."""
    if YEAR not in table:
        return table
    if year is None:
        raise ValueError(f"{table} has one physical table a year")
    return table.replace(YEAR, f"{year % 100:02d}", 1)


def row_of(table: str, values: Mapping[str, Any]) -> Row:
    """Return a row in official order; a column without a value holds its default, else NULL."""
    in_order, defaults = _blank(table)
    return in_order({**defaults, **values})


def hospital_row(contract: Contract, exits: Iterable[tuple[int, int]]) -> Row:
    """Return the row of `T_MCOaaE` of one hospital and one year, of which `exits` are the (year, month) of exits."""
    year, month = max(exits)
    values = {
        "ANN_TRT": f"{year:04d}-{month:02d}",
        "ETA_NUM": contract.finess,
        "ETB_EXE_FIN": contract.finess[:8],
        "REG_ETA": _regions().get(_department(contract.finess)),
        "SOC_RAI": contract.name.upper()[:80] or None,
        "STA_ETA": "OQN" if contract.legal_form == "private" else "STC",
        "VAL_ETA": VALIDATION,
    }
    return tuple(values[name] for name in TABLES["T_MCOaaE"].names)


def _department(finess: str) -> str:
    return FINESS_OVERSEAS.get(finess[:4]) or finess[:2].upper()


def packaged(name: str) -> str:
    """Return the text of a packaged data file."""
    return (files("transformers.snds") / "data" / name).read_text(encoding="utf-8")


@cache
def _blank(table: str) -> tuple[Callable[[Mapping[str, Any]], Row], dict[str, Any]]:
    return itemgetter(*TABLES[table].names), dict(TABLES[table].defaults)


@cache
def _regions() -> Mapping[str, str]:
    return dict(line.split("\t", 1) for line in packaged("regions.tsv").splitlines())


def _column(listed: list[Any]) -> Column:
    name, kind, required, default, fill, sensitivity, nomenclature, label = listed
    return Column(
        name=name,
        type=kind,
        nullable=required != "NOT NULL",
        default=_typed(default, kind),
        fill=fill,
        sensitivity=sensitivity,
        nomenclature=nomenclature,
        label_fr=label,
    )


def _typed(default: str | None, kind: str) -> Any:  # noqa: ANN401 — str, int or date, by the type of the column
    if default is None or kind.startswith("CHAR"):
        return default
    return date.fromisoformat(default) if kind == "DATE" else int(default)


def _tables() -> Mapping[str, Table]:
    found = json.loads(packaged("tables.json"))
    return MappingProxyType(
        {
            name: Table(name, body["title"], tuple(body["key"]), tuple(_column(one) for one in body["columns"]))
            for name, body in found.items()
        }
    )


TABLES: Mapping[str, Table] = _tables()
