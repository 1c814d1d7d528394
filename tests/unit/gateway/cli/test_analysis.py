"""`sql` and `export` on a published lake: read-only, confined to it, in the forms that analysts expect."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import make_app


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A lake as the writer publishes it: views over Parquet files of one version."""
    version = tmp_path / "data" / "lake" / "v" / "1"
    version.mkdir(parents=True)
    file = version / "T_MCO24C.parquet"
    with duckdb.connect() as memory:
        memory.execute(
            f"COPY (SELECT '750712184' ETA_NUM, '0000000001' RSA_NUM, DATE '2024-01-10' EXE_SOI_DTD,"
            f" NULL::VARCHAR BDI_COD, 4::DECIMAL(4) SEJ_NBJ) TO '{file}' (FORMAT parquet)"
        )
    with duckdb.connect(str(tmp_path / "data" / "lake" / "snds.duckdb")) as lake:
        lake.execute(f"CREATE VIEW \"T_MCO24C\" AS SELECT * FROM read_parquet('{file}')")
    return tmp_path / "data"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(make_app(), [str(one) for one in arguments])


def test_an_answer_comes_as_table_csv_or_json(data_dir: Path) -> None:
    query = "SELECT ETA_NUM, EXE_SOI_DTD, SEJ_NBJ, BDI_COD FROM T_MCO24C"

    table = run("sql", query, "--data-dir", data_dir)
    lines = run("sql", query, "--data-dir", data_dir, "--format", "csv").stdout.splitlines()
    row = json.loads(run("sql", query, "--data-dir", data_dir, "--format", "json").stdout)

    assert "EXE_SOI_DTD" in table.stdout
    assert lines == ["ETA_NUM,EXE_SOI_DTD,SEJ_NBJ,BDI_COD", "750712184,2024-01-10,4,"]
    assert row == {"ETA_NUM": "750712184", "EXE_SOI_DTD": "2024-01-10", "SEJ_NBJ": 4, "BDI_COD": None}


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM T_MCO24C",
        "SELECT * FROM T_NONE",
        "COPY T_MCO24C TO 'out.csv'",
        "SELECT * FROM read_text('/etc/hosts')",
    ],
)
def test_a_query_that_writes_or_leaves_the_lake_is_refused(data_dir: Path, query: str) -> None:
    done = run("sql", query, "--data-dir", data_dir)

    assert done.exit_code != 0
    assert not Path("out.csv").exists()


def test_export_writes_text_as_the_cnam_does(data_dir: Path, tmp_path: Path) -> None:
    done = run("export", "--data-dir", data_dir, "--to", tmp_path / "out", "--format", "csv")

    with (tmp_path / "out" / "T_MCO24C.csv").open(newline="", encoding="utf-8") as file:
        header, row = csv.reader(file, delimiter=";")
    assert done.exit_code == 0, done.output
    assert header == ["ETA_NUM", "RSA_NUM", "EXE_SOI_DTD", "BDI_COD", "SEJ_NBJ"]
    assert row == ["750712184", "0000000001", "10/01/2024", "", "4"]


def test_export_writes_parquet(data_dir: Path, tmp_path: Path) -> None:
    run("export", "--data-dir", data_dir, "--to", tmp_path / "out")

    with duckdb.connect() as memory:
        [(rows,)] = memory.execute(f"SELECT count(*) FROM '{tmp_path}/out/T_MCO24C.parquet'").fetchall()
    assert rows == 1


def test_without_a_publication_the_reason_is_said(tmp_path: Path) -> None:
    done = run("sql", "SELECT 1", "--data-dir", tmp_path)

    assert done.exception is not None
    assert getattr(done.exception, "code", "") == "lake-missing"
