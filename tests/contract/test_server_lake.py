"""The server form's copied lake holds the rows that the embedded form publishes, and gives the same quality report."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from streaming.postgres import PostgresConnection, PostgresEngine
from streaming.postgres_sink import PostgresSink
from streaming.quality import measure
from streaming.server_lake import copy_lake
from tests.support.small_lake import change_of, publish, reading, stay, stays

pytestmark = pytest.mark.slow


def rows() -> dict[str, list[Any]]:
    result = {
        "ETA_NUM": "750712184", "NIR_ANO_17": "P" * 17, "BIO_RES_NUM": "r" * 22, "PLV_SOI_AMD": "202403",
        "PLV_SOI_DTD": date(2024, 3, 2), "BIO_LOI_COD": "2823-3", "BIO_VAL_NUM": 4.1, "BIO_VAL_STD": 4.1,
        "BIO_STA_COD": "F", "RSA_NUM": None,
    }  # fmt: skip
    made = [stay(n, BDI_DEP="75" if n else None) for n in range(30)]
    return stays(*made) | {"T_EDS24BIO": [result], "IR_BEN_R": [{"BEN_NIR_PSA": "P" * 17, "BEN_RNG_GEM": 1}]}


def everything(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    with reading(folder) as lake:
        names = lake.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall()
        return {name: sorted(lake.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr) for (name,) in names}


def test_a_copied_lake_is_the_published_one(postgres: PostgresConnection, tmp_path: Path) -> None:
    embedded, copied = tmp_path / "embedded", tmp_path / "copied"
    publish(embedded, rows())
    engine = PostgresEngine(postgres)
    PostgresSink(engine).apply(change_of(rows()))
    engine.close()

    copy_lake(postgres, copied)

    assert everything(copied) == everything(embedded)
    assert measure(embedded, tables=copied) == measure(embedded)
