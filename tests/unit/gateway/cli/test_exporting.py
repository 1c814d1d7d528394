"""`export` in SCALPEL's layout, and in an order that depends on the rows alone."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.main import make_app
from gateway.cli.scalpel import configuration, single
from tests.support.small_lake import publish, stay, stays

KEYS = {
    "FLX_EMT_NUM": 1, "FLX_EMT_ORD": 1, "FLX_EMT_TYP": 99, "FLX_TRT_DTD": date(2024, 1, 31), "PRS_ORD_NUM": 1,
    "ORG_CLE_NUM": "000000000", "REM_TYP_AFF": 0,
}  # fmt: skip


def line(number: int, flow: date) -> dict[str, Any]:
    return KEYS | {"DCT_ORD_NUM": number, "FLX_DIS_DTD": flow}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    flows = [line(2, date(2024, 2, 1)), line(1, date(2024, 2, 1)), line(3, date(2025, 1, 1))]
    return publish(tmp_path / "data", stays(stay(2), stay(1)) | {"ER_PRS_F": flows, "ER_PHA_F": flows})


def export(data_dir: Path, to: Path, form: str) -> None:
    arguments = ["export", "--data-dir", str(data_dir), "--to", str(to), "--format", form]
    done = CliRunner().invoke(make_app(), arguments)
    assert done.exit_code == 0, done.output


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_scalpel_finds_files_by_table_and_year(data_dir: Path, tmp_path: Path) -> None:
    export(data_dir, tmp_path / "out", "scalpel")

    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"T_MCO24B.CSV", "T_MCO24C.CSV", "IR_BEN_R.CSV", "ER_PRS_F_2024.CSV", "ER_PRS_F_2025.CSV"}
    assert "ER_PRS_F.CSV" not in names
    first, second = read(tmp_path / "out" / "ER_PRS_F_2024.CSV")
    assert (first["DCT_ORD_NUM"], second["DCT_ORD_NUM"]) == ("1", "2")
    assert first["FLX_DIS_DTD"] == "01/02/2024"


def test_scalpels_configuration_names_every_file_and_the_nine_keys(data_dir: Path, tmp_path: Path) -> None:
    export(data_dir, tmp_path / "out", "scalpel")

    text = (tmp_path / "out" / "scalpel.conf").read_text(encoding="utf-8")
    files = [path for path in (tmp_path / "out").iterdir() if path.suffix == ".CSV"]
    assert [path.name for path in files if f'"{path.resolve()}"' not in text] == []
    assert 'main_table_name = "ER_PRS_F"' in text
    assert text.count('"DCT_ORD_NUM"') == 1
    assert '{ year = 2024, path = ["' in text
    assert 'tables_to_join = ["ER_PHA_F"]' in text
    assert 'schema_file_path = ["scalpel-schema.csv"]' in text
    assert (text.count("{"), text.count("[")) == (text.count("}"), text.count("]"))


def test_scalpels_schema_types_every_column_of_every_file(data_dir: Path, tmp_path: Path) -> None:
    export(data_dir, tmp_path / "out", "scalpel")

    kinds: dict[str, dict[str, str]] = {}
    for row in read(tmp_path / "out" / "scalpel-schema.csv"):
        kinds.setdefault(row["MEMNAME"], {})[row["NAME"]] = row["DATATYPE"]
    for path in (tmp_path / "out").glob("*.CSV"):
        header = path.read_text(encoding="utf-8").splitlines()[0].split(";")
        assert list(kinds[single(path.stem)[0]]) == header, path.name
    assert (kinds["MCO_B"]["NBR_DGN"], kinds["MCO_B"]["DGN_PAL"], kinds["MCO_C"]["EXE_SOI_DTD"]) == (
        "Integer", "String", "Date",
    )  # fmt: skip
    assert (kinds["ER_PHA_F"]["PHA_PRS_C13"], kinds["ER_PRS_F"]["BSE_REM_MNT"]) == ("Long", "Double")


def test_files_of_an_earlier_export_are_told(data_dir: Path, tmp_path: Path) -> None:
    export(data_dir, tmp_path / "out", "csv")
    arguments = ["export", "--data-dir", str(data_dir), "--to", str(tmp_path / "out"), "--format", "parquet"]

    again = CliRunner().invoke(make_app(), arguments)

    assert again.exit_code == 0
    assert "files of an earlier export" in again.stderr


def test_stays_and_visits_are_joined_by_their_own_keys(tmp_path: Path) -> None:
    files = [f"T_MCO24{name}.CSV" for name in ("A", "B", "C", "CSTC", "D", "E", "FCSTC", "FMSTC", "MED", "UM")]

    text = configuration(files, tmp_path)

    joins = {line.split('"')[1]: line for line in text.splitlines() if line.startswith('  { name = "')}
    assert list(joins) == ["MCO", "MCO_CE"]
    assert 'main_table_name = "MCO_B", pmsi_patient_table_name = "MCO_C",' in joins["MCO"]
    assert 'join_keys = ["ETA_NUM", "RSA_NUM"]' in joins["MCO"]
    assert 'tables_to_join = ["MCO_A", "MCO_D", "MCO_MED", "MCO_UM"]' in joins["MCO"]
    assert 'main_table_name = "MCO_CSTC", join_keys = ["ETA_NUM", "SEQ_NUM"]' in joins["MCO_CE"]
    assert 'tables_to_join = ["MCO_FCSTC", "MCO_FMSTC"]' in joins["MCO_CE"]


@pytest.mark.parametrize("form", ["csv", "scalpel"])
def test_two_exports_of_the_same_rows_are_the_same_bytes(data_dir: Path, tmp_path: Path, form: str) -> None:
    for name in ("one", "two"):
        export(data_dir, tmp_path / name, form)

    texts = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir() if path.suffix != ".conf"}
        for name in ("one", "two")
    ]
    assert texts[0] == texts[1]
    stays_written = next(content for name, content in texts[0].items() if name.upper() == "T_MCO24B.CSV")
    assert stays_written.index(b"0000000001") < stays_written.index(b"0000000002")
