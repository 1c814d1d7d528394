"""The R examples run where R is, on an export, on PostgreSQL, and by the SQL that dbplyr makes, on the lake."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from psycopg.conninfo import conninfo_to_dict

from gateway.cli.exporting import export
from streaming.lake import DATABASE
from streaming.postgres import PostgresConnection, PostgresEngine
from streaming.postgres_sink import PostgresSink
from tests.support.analysis_tables import BOX, UNIT, tables
from tests.support.small_lake import change_of, publish
from transformers.snds.schema import TABLES

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "analysis"
QUERIES = Path(__file__).resolve().parents[1] / "support" / "dbplyr_queries.R"
R = shutil.which("Rscript")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(R is None, reason="no R: apt-get install r-base-core")]


def run(script: Path, *arguments: str, **environment: str) -> str:
    assert R is not None
    done = subprocess.run(
        [R, "--vanilla", str(script), *arguments], env=os.environ | environment, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def needs(*packages: str) -> None:
    """Skip in one line when a package of R is not there."""
    asked = ", ".join(f'"{one}"' for one in packages)
    there = f"q(status = !all(vapply(c({asked}), requireNamespace, NA, quietly = TRUE)))"
    assert R is not None
    if subprocess.run([R, "--vanilla", "-e", there], capture_output=True, check=False).returncode:
        pytest.skip(f"no R packages {', '.join(packages)}: apt-get install r-cran-…")


def test_an_export_is_read_by_base_r(tmp_path: Path) -> None:
    publish(tmp_path / "data", tables())
    (tmp_path / "data" / "audit").mkdir()

    assert export(tmp_path / "data", tmp_path / "extraction", form="csv") == 0
    told = run(EXAMPLES / "export_csv.R", SNDS_EXPORT=str(tmp_path / "extraction")).splitlines()

    assert [line.split() for line in told[:-1]] == [["I21", "75", "42", "30"]]
    assert told[-1] == "readmission within 30 days: 12 of 47 stays"


def test_dplyr_asks_postgresql_the_same_questions(postgres: PostgresConnection) -> None:
    needs("dplyr", "dbplyr", "RPostgreSQL")
    engine = PostgresEngine(postgres)
    PostgresSink(engine).apply(change_of(tables()))
    engine.close()
    at = conninfo_to_dict(postgres.dsn)

    told = run(EXAMPLES / "postgresql.R", PGHOST="127.0.0.1", PGPORT=str(at["port"]),
               PGDATABASE=str(at["dbname"]), PGUSER=str(at["user"])).splitlines()  # fmt: skip

    assert [line.split() for line in told] == [
        "I21 75 42 30".split(),
        "I21 in any position: 47 stays of 35 persons".split(),
        "readmission within 30 days: 12 of 47 stays".split(),
        "B01 prescribed: 47 lines, 35 persons".split(),
        "B01 given: 0 lines, 0 persons".split(),
    ]


def test_the_sql_that_dbplyr_makes_of_the_verbs_of_sndstools_runs_on_the_lake(tmp_path: Path) -> None:
    needs("dplyr", "dbplyr")
    lake = publish(tmp_path, tables()) / "lake" / DATABASE
    columns = tmp_path / "columns.tsv"
    with duckdb.connect() as own:
        # what sndstools.R does: the lake attached, its tables visible in a database of one's own
        own.execute(f"ATTACH '{lake}' AS lake (READ_ONLY)")
        names = own.execute("SELECT view_name FROM duckdb_views() WHERE database_name = 'lake'").fetchall()
        for (name,) in names:
            own.execute(f'CREATE VIEW "{name}" AS SELECT * FROM lake."{name}"')
        own.execute(f"CREATE TABLE IR_PHA_R AS SELECT {BOX} AS PHA_CIP_C13, 'B01AC06' AS PHA_ATC_CLA")
        listed = own.execute(
            "SELECT table_name, string_agg(column_name, ',' ORDER BY column_index) FROM duckdb_columns()"
            " WHERE database_name = 'memory' GROUP BY 1"
        ).fetchall()
        columns.write_text("".join(f"{name}\t{held}\n" for name, held in listed), encoding="utf-8")

        made = dict(line.split("\t", 1) for line in run(QUERIES, str(columns)).splitlines())
        found = {name: own.execute(query).fetchall() for name, query in made.items()}

    assert set(TABLES["ER_PRS_F"].names) == set(dict(listed)["ER_PRS_F"].split(","))
    assert {name: len(rows) for name, rows in found.items()} == {
        "stays": 47, "units": 47, "associated": 47, "products": 1, "boxes": 14,
        "units_dispensed": 3,
    }  # fmt: skip
    assert Counter(row[3] for row in found["stays"]) == {"I219": 47}
    assert {row[2:5] for row in found["boxes"]} == {(1, "B01AC06", BOX)}
    assert {row[4:] for row in found["units_dispensed"]} == {(0, UNIT, 2)}
