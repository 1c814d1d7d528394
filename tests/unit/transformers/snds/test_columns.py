"""The facts page of columns (`columns.csv`) and the product: same columns and defaults, each filled or explained."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.build_table_docs import synthetic_rows
from transformers.snds.schema import TABLES
from transformers.snds.unfilled import reason_empty
from transformers.snds.view import Row

WAVES = ("1", "2")
EXTERNAL = ("T_MCOaaCSTC", "T_MCOaaFMSTC", "T_MCOaaFCSTC")
AMOUNTS = ("BSE_REM_BSE", "BSE_REM_MNT", "PRS_PAI_MNT", "UCD_TTF_MNT", "CAM_ACT_PRU")
# constants of the mapping that look like an amount: the sign, and the price and quantity of a box that was not opened
ZERO = {"BSE_REM_SGN": {0}, "PHA_DEC_PRU": {0}}


@pytest.fixture(scope="module")
def listed(shared: Path) -> list[dict[str, str]]:
    """The lines of the facts page."""
    with (shared / "snds" / "columns.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def written() -> Mapping[str, list[Row]]:
    """What docs/tables.md is made of: the synthetic hospital and its rare cases, everything switched on and loaded."""
    return synthetic_rows()


@pytest.mark.shared
def test_columns_types_keys_and_defaults_are_those_of_the_facts_page(listed: list[dict[str, str]]) -> None:
    told = [(row["table"], row["column"], row["type"], row["nullable"], row["fill"], row["default"]) for row in listed]
    ours = [
        (name, column.name, column.type, "NULL" if column.nullable else "NOT NULL", column.fill, _text(column.default))
        for name in dict.fromkeys(row["table"] for row in listed)
        for column in TABLES[name].columns
    ]

    assert ours == told


@pytest.mark.shared
@pytest.mark.slow
def test_every_fillable_column_is_filled_or_has_a_reason_of_its_own(
    listed: list[dict[str, str]], written: Mapping[str, list[Row]]
) -> None:
    wanted = [(row["table"], row["column"]) for row in listed if row["wave"] in WAVES and row["fill"] != "N"]
    wanted += [(name, column.name) for name in EXTERNAL for column in TABLES[name].columns if column.fill != "N"]
    empty = [one for one in wanted if not any(value is not None for value in _values(written, *one))]

    assert len(wanted) > 250
    assert sorted({table for table, _ in wanted if not written.get(table)}) == []
    assert {one: reason_empty(*one) for one in empty if not reason_empty(*one)} == {}
    assert len(empty) <= 22, empty


@pytest.mark.slow
def test_a_default_stands_in_every_row(written: Mapping[str, list[Row]]) -> None:
    defaulted = [
        (name, column.name) for name in written for column in TABLES[name].columns if column.default is not None
    ]

    assert len(defaulted) > 20
    assert [one for one in defaulted if None in _values(written, *one)] == []


@pytest.mark.slow
def test_no_amount_is_invented(written: Mapping[str, list[Row]]) -> None:
    money = [
        (name, column.name)
        for name in written
        for column in TABLES[name].columns
        if column.name.endswith(("_MNT", "_MNR", "_PRU", "_TAU", "_BSE", "_SGN")) or column.name in AMOUNTS
    ]

    assert len(money) > 25
    for table, name in money:
        assert set(_values(written, table, name)) <= {None} | ZERO.get(name, set()), (table, name)


def _values(written: Mapping[str, list[Row]], table: str, column: str) -> list[Any]:
    place = TABLES[table].names.index(column)
    return [row[place] for row in written.get(table, [])]


def _text(default: object) -> str:
    return "" if default is None else str(default)
